//! A number that is watched: which one, where it comes from, how far it may go.

use serde_json::{Map, Value, json};

use super::numbers::{json as number_json, number, scale};
use super::said::{HOLE, Kind, Said, quote};
use super::sites;
use crate::llm::offline::slots::{args, rule};

/// What is watched.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Threshold {
    pub(super) metric: Option<String>,
    pub(super) limit: Option<f64>,
    pub(super) direction: Option<&'static str>,
    pub(super) source: Map<String, Value>,
    pub(super) hysteresis: Option<f64>,
    pub(super) cooldown: Option<f64>,
    pub(super) change_over: Option<f64>,
}

macro_rules! amount {
    () => {
        r"(?:by\s+|more than\s+|at least\s+|或)*(?:[$€£¥￥]|usd|eur|rmb|cny)?\s*(-?\d[\d,]*(?:\.\d+)?)\s*(k|thousand|m|mn|million|mio|bn|billion|万|千|亿|百万)?(?:\b|\s|%|$|[^a-z0-9])"
    };
}

rule!(
    COOLDOWN = r"(?i)[,，]?\s*(?:\b(?:but\s+)?(?:at most|no more than|not more than)\s+(?:once\s+)?(?:every|per|an?|in)\s*(\d+(?:\.\d+)?)?\s*(minutes?|mins?|hours?|days?)\b|\b(?:with\s+(?:an?\s+)?)?cool\s?down\s+(?:of\s+)?(\d+(?:\.\d+)?)\s*(minutes?|mins?|hours?|days?)\b|最多\s*(?:每)?(\d+)?\s*个?(分钟|小时|天)(?:通知)?(?:一次)?)"
);
rule!(HYSTERESIS = r"(?i)[,，]?\s*(?:with\s+(?:an?\s+)?)?(?:hysteresis|回差|滞后)\s*(?:of|为|是)?\s*(\d[\d,]*(?:\.\d+)?)");
rule!(
    OVER = r"(?i)\b(?:in|within|over|during)\s+(?:the\s+(?:last|past)\s+|an?\s+|one\s+)?(\d+(?:\.\d+)?)?\s*(minutes?|mins?|hours?|hrs?|days?|weeks?)\b|(\d+|一|半)?\s*个?(分钟|小时|天)(?:之)?内"
);
rule!(
    MOVES = r"(?i)\b(?:(rises?|gains?|increases?|jumps?|goes up|climbs?|surges?|up)|(drops?|falls?|decreases?|loses?|goes down|declines?|sinks?|crashes|down)|(moves?|changes?|swings?|varies))\s+(?:by\s+)?(?:more than\s+|at least\s+|over\s+)?(\d+(?:\.\d+)?)\s*(?:%|percent\b)|(?:(上涨|涨幅|涨)|(下跌|跌幅|跌)|(波动|变化|涨跌))(?:超过|达到?|了|幅度)*\s*(\d+(?:\.\d+)?)\s*%"
);
rule!(
    ABOVE = concat!(
        r"(?i)(?:\b(?:is|are|gets?|goes|go|climbs?|rises?|jumps?|moves?|stays|surges?|increases?|grows|shoots)\s+)?(?:\b(?:is\s+)?(?:above|over|beyond|exceed(?:s|ing)?|greater than|more than|higher than|larger than|bigger than|at least|past|tops|surpass(?:es)?|hits?|reach(?:es)?|breaks?|up to|rises? to|climbs? to)\b|>=?|≥)\s*",
        amount!()
    )
);
rule!(
    BELOW = concat!(
        r"(?i)(?:\b(?:is|are|gets?|goes|go|drops?|falls?|sinks?|dips?|moves?|stays|decreases?|crashes|slides?)\s+)?(?:\b(?:is\s+)?(?:below|under|beneath|less than|lower than|smaller than|cheaper than|at most|drops? to|falls? to|down to|goes to|fewer than)\b|<=?|≤)\s*",
        amount!()
    )
);
rule!(
    CROSS = concat!(
        r"(?i)\b(?:cross(?:es)?|passes|goes through|moves through)\b\s*(?:either (?:way|direction)\s*)?(?:the\s+)?(?:mark\s+of\s+|threshold\s+of\s+)?",
        amount!()
    )
);
rule!(
    HAN_ABOVE =
        concat!(r"(?:价格?)?(?:高于|超过|大于|涨到|涨破|涨过|突破|升到|升破|达到|升至|涨至|多于|高过|超出|到了|到达)\s*", amount!())
);
rule!(HAN_BELOW = concat!(r"(?:价格?)?(?:低于|跌破|跌到|小于|降到|降至|少于|不足|跌至|低过|跌落到|掉到|回落到|降低到|不到)\s*", amount!()));
rule!(HAN_CROSS = concat!(r"(?:价格?)?(?:穿过|穿越|越过|触及)\s*", amount!()));

rule!(
    POINTER = r"(?i)(?:\b(?:at|with|using|by|and|the|its)\s+)*\b(?:json[\s_-]?)?pointer\s*[:=]?\s*(?:is\s+)?(/[^\s，,;]*|[\x{e100}-\x{e1ff}])|(?:JSON|json)\s*(?:指针|路径)\s*[:是为]?\s*(/[^\s，,;\p{Han}]*)|\bat\s+(/[a-z0-9_/~-]+)"
);
rule!(
    CSS = concat!(
        r"(?i)(?:\b(?:at|with|using|by|and|the)\s+)*(?:\bcss(?:[\s_-]?selector)?\b|\bselector\b|选择器)\s*[:=是为]?\s*(",
        quote!(),
        r"|[#.][\w-]+(?:\s*>\s*[\w.#-]+)*|[a-z][\w-]*(?:[.#][\w-]+)+)"
    )
);
rule!(
    REGEX = concat!(
        r"(?i)(?:\b(?:at|with|using|by|and|the|matching)\s+)*(?:\bregex(?:p)?\b|\bregular expression\b|正则(?:表达式)?)\s*[:=是为]?\s*(",
        quote!(),
        r"|/[^/\s]+/)"
    )
);

rule!(
    SUBJECT = r"(?i)\b(?:when(?:ever)?|if|once|as soon as|should|in case|that)\s+(?:the\s+|my\s+|its\s+)?((?:[^\x{e800},;.]|\.\d)+?)\s*$"
);
rule!(
    SUBJECT_VERB = r"(?i)\b(?:watch|monitor|track|check|keep (?:an eye|tabs) on|observe|alert|alerts?\s+(?:for|on|me (?:on|about|for))|for|of)\s+(?:me\s+)?(?:the\s+|my\s+)?((?:[^\x{e800},;.]|\.\d)+?)\s*(?:[,;]|\band\b.*)?$"
);
rule!(
    SUBJECT_HAN = r"(?:如果|若|一旦|要是|当|只要|等|监控|监测|盯着?|关注|跟踪|看着?|查|在|帮我|请)*(?:一下)?\s*([^\x{e800}，。；,;]+?)(?:的)?(?:一旦|如果)?\s*$"
);
rule!(
    METRIC_NOISE = r"(?i)^(?:the|my|a|an|its|this|current|value|level|of|number|rate)\b\s*|\s*(?:\b(?:goes?|gets?|is|are|has|becomes?|ever|value|it|price is|currently|drops?|falls?|rises?|climbs?)|的|价格是|价位|数值|又|再次?|会|能|指数)$"
);
rule!(PRICE_OF = r"(?i)^(?:price|prices|cost|rate|value|level)\s+(?:of|for)\s+(?:the\s+|a\s+|an\s+|one\s+)?(.+)$");

fn scaled(captures: &regex::Captures<'_>) -> Option<f64> {
    let value = number(captures.get(1)?.as_str())?;
    Some(value * captures.get(2).map_or(1.0, |suffix| scale(suffix.as_str())))
}

/// Minutes of a unit of time.
fn minutes(unit: &str) -> f64 {
    let unit = unit.to_lowercase();
    match unit.as_str() {
        _ if unit.starts_with('h') || unit == "小时" => 60.0,
        _ if unit.starts_with('d') || unit == "天" => 1_440.0,
        _ if unit.starts_with('w') => 10_080.0,
        _ => 1.0,
    }
}

/// Pieces that would be taken for intervals: they are read before those.
pub(super) fn take_first(said: &mut Said) -> Threshold {
    let mut found = Threshold::default();
    if let Some(groups) = said.take(&COOLDOWN) {
        let text = |at: usize| groups.get(at).cloned().flatten();
        let count = text(1).or(text(3)).or(text(5)).and_then(|text| number(&text)).unwrap_or(1.0);
        found.cooldown = text(2).or(text(4)).or(text(6)).map(|unit| count * minutes(&unit));
    }
    if let Some(groups) = said.take(&HYSTERESIS) {
        found.hysteresis = groups.get(1).cloned().flatten().and_then(|text| number(&text));
    }
    if said.has(&MOVES) {
        let over = said.take(&OVER).map(|groups| {
            let text = |at: usize| groups.get(at).cloned().flatten();
            let count = text(1).or(text(3)).and_then(|text| number(&text)).unwrap_or(1.0);
            count * minutes(&text(2).or(text(4)).unwrap_or_default())
        });
        found.change_over = over;
    }
    found
}

/// Whether a number is to pass a threshold.
pub(super) fn is_said(said: &Said) -> bool {
    [&ABOVE, &BELOW, &CROSS, &HAN_ABOVE, &HAN_BELOW, &HAN_CROSS, &MOVES].iter().any(|rule| said.has(rule))
}

/// Reads the rest; `said` is free of times and receivers.
pub(super) fn read(said: &mut Said, mut found: Threshold) -> Threshold {
    let mask_text =
        |said: &Said, text: &str| text.chars().next().and_then(|mask| said.meaning(mask)).map_or_else(|| text.to_owned(), str::to_owned);
    if let Some(url) = said.masks(Kind::Url).first().and_then(|mask| said.meaning(*mask)) {
        found.source.insert("url".to_owned(), json!(url));
    }
    for (rule, key) in [(&POINTER, "json_pointer"), (&CSS, "css"), (&REGEX, "regex")] {
        if let Some(groups) = said.take(rule)
            && let Some(text) = groups.iter().skip(1).flatten().next()
        {
            let text = mask_text(said, text);
            let text = if key == "regex" { text.trim_matches('/').to_owned() } else { text };
            found.source.insert(key.to_owned(), json!(text.trim_end_matches(['.', '。'])));
        }
    }
    let moves = MOVES.find(&said.text).map(|captures| {
        let has = |one: usize, other: usize| captures.get(one).or(captures.get(other)).is_some();
        let direction = if has(1, 5) {
            "above"
        } else if has(2, 6) {
            "below"
        } else {
            "cross"
        };
        let amount = captures.get(4).or(captures.get(8)).and_then(|amount| number(amount.as_str()));
        (direction, amount, captures.get(0).map(|whole| whole.range()))
    });
    let mut before = None;
    if let Some((direction, amount, Some(range))) = moves {
        found.direction = Some(direction);
        // A fall is a change below zero.
        found.limit = amount.map(|amount| if direction == "below" { -amount } else { amount });
        found.change_over = found.change_over.or(Some(1_440.0));
        before = said.text.get(..range.start).map(str::to_owned);
    } else {
        for (rule, direction) in
            [(&CROSS, "cross"), (&HAN_CROSS, "cross"), (&BELOW, "below"), (&ABOVE, "above"), (&HAN_BELOW, "below"), (&HAN_ABOVE, "above")]
        {
            let Some(captures) = rule.find(&said.text) else { continue };
            found.limit = scaled(&captures);
            found.direction = Some(direction);
            before = captures.get(0).and_then(|whole| said.text.get(..whole.start())).map(str::to_owned);
            break;
        }
    }
    found.metric = metric(said, before.as_deref().unwrap_or(&said.text), &found.source);
    found
}

/// The name of the number: one that is known, or the words for it.
fn metric(said: &Said, before: &str, source: &Map<String, Value>) -> Option<String> {
    let plain: String = before.chars().filter(|ch| !is_url(*ch)).collect();
    let plain = plain.replace(HOLE, ",");
    let plain = plain.trim_end_matches([' ', ',', '，']);
    let subject = [&SUBJECT, &SUBJECT_VERB, &SUBJECT_HAN].iter().find_map(|rule| {
        // The Chinese rule takes any words before its end.
        let fits = !std::ptr::eq(*rule, &raw const SUBJECT_HAN) || plain.chars().any(crate::llm::offline::words::is_han);
        let text = rule.find(plain).filter(|_| fits).and_then(|captures| captures.get(1))?;
        Some(tidied(&said.bare(text.as_str()))).filter(|subject| !subject.is_empty())
    });
    if let Some(known) = subject.as_deref().and_then(sites::metric).filter(|_| source.is_empty()) {
        return Some(known.to_owned());
    }
    let pointed = source.get("json_pointer").and_then(Value::as_str).and_then(|pointer| pointer.rsplit('/').find(|part| !part.is_empty()));
    let named =
        subject.map(|subject| slug(&subject)).filter(|name| !matches!(name.as_str(), "" | "it" | "value" | "that" | "this" | "page"));
    let selected = source.get("css").and_then(Value::as_str).map(slug);
    pointed
        .map(slug)
        .filter(|name| !name.is_empty() && !name.chars().all(|ch| ch.is_ascii_digit()))
        .or(named)
        .or(selected)
        .filter(|name| !name.is_empty())
}

fn is_url(ch: char) -> bool {
    ('\u{e000}'..='\u{e0ff}').contains(&ch)
}

fn tidied(subject: &str) -> String {
    let mut text = subject.trim().to_owned();
    loop {
        let before = text.len();
        if let Some(captures) = PRICE_OF.find(&text)
            && let Some(thing) = captures.get(1)
        {
            text = format!("{} price", thing.as_str());
        }
        if let Some(range) = METRIC_NOISE.find(&text).and_then(|captures| captures.get(0)).map(|whole| whole.range()) {
            text.replace_range(range, "");
            text = text.trim().to_owned();
        }
        if text.len() == before {
            return text;
        }
    }
}

/// Words as a name: `outside temperature` is `outside_temperature`.
fn slug(words: &str) -> String {
    let lower: String = words.to_lowercase().chars().map(|ch| if ch.is_alphanumeric() { ch } else { ' ' }).collect();
    lower.split_whitespace().filter(|word| !matches!(*word, "the" | "a" | "an" | "of" | "my" | "s")).take(6).collect::<Vec<_>>().join("_")
}

impl Threshold {
    /// The config, with what is known.
    pub(super) fn config(&self, every: Option<f64>) -> Map<String, Value> {
        let mut config = Map::new();
        config.extend(self.metric.as_ref().map(|metric| ("metric".to_owned(), json!(metric))));
        config.extend(self.limit.map(|limit| ("threshold".to_owned(), number_json(limit))));
        config.extend(args(&[("check_interval_minutes", number_json(every.unwrap_or(15.0)))]));
        if !self.source.is_empty() {
            config.insert("source".to_owned(), Value::Object(self.source.clone()));
        }
        config.extend(self.direction.map(|direction| ("direction".to_owned(), json!(direction))));
        for (key, value) in
            [("hysteresis", self.hysteresis), ("cooldown_minutes", self.cooldown), ("change_over_minutes", self.change_over)]
        {
            config.extend(value.map(|value| (key.to_owned(), number_json(value))));
        }
        config
    }
}
