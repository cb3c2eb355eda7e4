//! A request for a new task: what kind it is, and the draft that its pieces are read into.

use super::channel::{self, Channel};
use super::said::{HOLE, Kind as Value, Said, url};
use super::threshold::{self, Threshold};
use super::topics;
use super::when::{self, When};
use crate::domain::task::TaskKind;
use crate::domain::text::ellipsis;
use crate::llm::offline::slots::rule;
use crate::llm::offline::words::is_han;

/// The most characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// A task that is being put together.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Draft {
    pub(super) kind: TaskKind,
    /// Of a schedule: put to the agent, and no reminder.
    pub(super) prompts: bool,
    /// What is reminded of, or put to the agent.
    pub(super) text: String,
    pub(super) description: String,
    pub(super) urls: Vec<String>,
    pub(super) keywords: Vec<String>,
    pub(super) when: When,
    pub(super) channel: Channel,
    pub(super) threshold: Threshold,
    /// Headlines of each source.
    pub(super) top: Option<u8>,
}

/// Which kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Monitor,
    Digest,
    Threshold,
    Reminder,
    Prompt,
}

rule!(
    NO_REQUEST = r"(?i)^(?:how|what|what's|whats|why|who|which|where|did|does|do|is|are|was|were|has|have|am|should|shall|never|no need|don't|dont|do not|without)\b|^(?:请)?(?:不要|别|不用|不必|勿)|^(?:请问)?(?:为什么|为何|怎么|如何|怎样|什么|谁|哪)"
);
rule!(
    TELLS = r"(?i)^(?:well |so |ok |and |but |yes |no )*(?:i|i've|i'm|we|we've|my|our|he|she|they|his|her|their|it|it's|its|there|someone|yesterday|last)\b|^(?:我|我们|他|她|他们|昨天|上次|刚才)(?:昨天|已经|刚|刚才|们|是|很|觉得|喜欢|曾|在看|看了|读了)"
);
rule!(
    WISHES = r"(?i)^(?:so |ok |and |yes )*(?:i|we)(?:'d| would|'ll)?\s+(?:want|need|like|love|wish)\b|\b(?:remind|notify|alert|tell|text|email|ping|let) (?:me|us)\b"
);
rule!(
    POLITE = r"(?i)^(?:(?:please|pls|kindly|can you|could you|would you(?: please)?|will you|hey|hi|hello|ok|okay|now|then|and|also|so|just|wakeful|i want you to|i want to|i'd like you to|i'd like to|i would like (?:you )?to|i need you to|i need to|i want|i need|i'd like|i would like|let's|go ahead and|from now on|starting (?:now|today|tomorrow))\b[\s,]*|(?:请你|请|麻烦你?|帮我|帮忙|给我|你?能不能|可以|可不可以|能|从现在开始|从今天起|以后|我想要?|我要|我希望|我需要)[，,\s]*)+"
);
rule!(
    REMIND_TO = r"(?i)\b(?:remind|nudge) (?:me|us)\b[\s\x{e800},]*(?:to|that|about|of|:)\s|\breminder\b[\s\x{e800},]*(?:to|about|for|that|:)\s|\bdon't let me forget\b|\bdo not let me forget\b|\bdon't forget to remind\b|\bwake me(?: up)?\b"
);
rule!(
    REMIND = r"(?i)\b(?:remind|nudge) (?:me|us)\b|\b(?:set|create|add|make|schedule|give me|need|want)\b.{0,24}\b(?:reminder|alarm)\b|\breminders?\b.{0,20}\bto\b|\bwake me\b|提醒|闹钟|叫醒我|叫我起床|别让我忘"
);
rule!(
    SAYING = r"(?i)\b(?:text|sms|e-?mail|message|notify|ping|send)\b.*?\b(?:saying|that says|with the (?:text|message|words?)|reading)\b\s*:?\s*(.+)$"
);
rule!(MESSAGE = r"(?i)^(?:text|e-?mail|message|ping|notify|sms|send)\s+(?:me\s+|us\s+)?[\s\x{e800}]*([\x{e100}-\x{e1ff}])");
rule!(CONDITION_HAN = r"时|如果|若|一旦|只要|要是|当|更新|变化|变动|发布|出现|新[的内文消]|涨|跌");
rule!(
    ALERTS = r"(?i)\b(?:tell|alert|notify|let|warn|ping|text|email|message|sms|remind|inform|watch|monitor|track|check|keep|send|alarm|wake|post|call|show|give|set|create|add)\b|通知|告诉|提醒|监控|监测|盯|关注|发|报警|告警|预警|叫我|喊我|跟踪|警报|推送|看着|留意|检查|@"
);
rule!(
    DIGEST = r"(?i)\b(?:digests?|newsletters?|round-?ups?|news\s+summar(?:y|ies)|(?:summary|overview|recap|rundown) of (?:the |today's |all |my )*(?:news|headlines|top stories|\x{e000})|briefings?|news\s+brief|news\s+bulletin)\b|摘要|简报|早报|晚报|日报|周报|汇总|新闻总结|要闻"
);
rule!(NEWS = r"(?i)\b(?:news|headlines|top stories|stories)\b|新闻|头条|资讯|热点");
rule!(
    SENDS = r"(?i)\b(?:send|give|get|show|tell|fetch|deliver|read|e-?mail|text|summari[sz]e|collect|gather|bring|prepare|make|create|compile|write|set up|schedule|push|want|need|mail|build|put together|sum up|add)\b|发|给我|推送|总结|汇总|告诉|汇报|整理|收集|生成|做|来|读|播报|创建|设置|要|看"
);
rule!(SUMMARY = r"(?i)^(?:summari[sz]e|sum up|recap)\b|^(?:总结|汇总|整理)");
rule!(
    WATCH = r"(?i)^(?:(?:start|begin|keep|set up|create|add|make|run|schedule|have|do)\s+(?:an?\s+|the\s+|new\s+)*(?:\w+\s+)?(?:(?:task|job|web\s?monitor|monitor|watch|watcher|alert|tracker|check)s?\s+(?:to|for|on|that|of|which|:)\s*)?)?(?:watch|watches|watching|monitor|monitors|monitoring|track|tracks|tracking|keep (?:an eye|tabs|track|watch)(?: out)?(?: on| of| for| over)?|observe|observing|look out(?: for)?|(?:web\s?)?(?:monitor|watch|tracker|alert) (?:for|on|of))\b|^(?:set up|create|add|make|start|new)\b.{0,16}\b(?:web\s?monitor|page monitor|monitor|watcher|watch|tracker|alert)\b|监控|监视|监测|盯|跟踪|追踪|留意|关注"
);
rule!(
    CHECK = r"(?i)^(?:check|follow|look at|visit|poll|scan|look|see|search|scrape|crawl|read|open|fetch|go to)\b|检查|查看|查一下|看看|看一下|看|抓取|扫描"
);
rule!(
    CHANGES = r"(?i)\b(?:chang(?:es?|ed|ing)|updates?|updated|new|mentions?|for|posts?|publish(?:es)?|releases?|differ\w*|appears?|when(?:ever)?|if)\b|更新|变化|变动|改动|新|出现|提到|关于|发布|有没有"
);
rule!(
    PAGE = r"(?i)\b(?:pages?|web\s?pages?|sites?|web\s?sites?|feeds?|blogs?|news|rss|url|homepage|articles|posts|forum|changelog|releases)\b|网页|网站|页面|新闻|博客|官网|订阅|论坛|公告"
);
rule!(
    TELL_WHEN = concat!(
        r"(?i)\b(?:tell|alert|notify|let|ping|text|email|message|inform|warn|remind|mail|sms|send|know|call)\b.*\b(?:when(?:ever)?|if|once|as soon as|about|of|on|every time|each time)\b.*",
        url!(),
        r"|\b(?:when(?:ever)?|if|once|as soon as|every time|each time)\b.*",
        url!(),
        r".*\b(?:tell|alert|notify|let|ping|text|email|message|inform|warn|remind|mail|sms|send|post|call)\b"
    )
);
rule!(
    TELL_WHEN_HAN =
        r"(?:有|更新|变化|变动|发布|出现|时|后|新).*(?:通知|告诉|提醒|发|叫|推送)|(?:通知|告诉|提醒).*(?:更新|变化|变动|发布|出现)"
);
rule!(
    PROMPT = r"(?i)^(?:(?:schedule|set up|create|add|make|run|start)\s+(?:an?\s+|the\s+|new\s+)*(?:daily\s+|weekly\s+|hourly\s+|background\s+|recurring\s+|scheduled\s+)*(?:task|job|schedule|prompt|automation)\s*[\s\x{e800}]*(?:to|that|which|:|,)?\s*|(?:ask|have|let|tell|get)\s+(?:the\s+|your\s+|an\s+)?(?:agent|assistant|model|yourself)\s+(?:to\s+)?|(?:prompt|run the prompt|run)\s*:\s*)?(?:please\s+)?(summari[sz]e|sum up|list|check|write|send|give|tell|show|read|run|report|collect|review|look|search|find|make|create|prepare|translate|back ?up|clean|calculate|compute|plan|update|fetch|get|draft|suggest|explain|analy[sz]e|count|compare|say|ask|print|generate|research|do|pick|recommend|sort|organi[sz]e|archive|note|log|test|build|download|email|text|post|delete|remove|propose|go|gather|compile|monitor|inspect|describe|tidy|sync|pull|push|commit|measure|query|verify|schedule)\b"
);
rule!(
    PROMPT_HEAD = r"(?i)^(?:(?:schedule|set up|create|add|make|run|start)\s+(?:an?\s+|the\s+|new\s+)*(?:daily\s+|weekly\s+|hourly\s+|background\s+|recurring\s+|scheduled\s+)*(?:task|job|schedule|prompt|automation)\s*[\s\x{e800}]*(?:to|that|which|:|,)?\s*|(?:ask|have|let|tell|get)\s+(?:the\s+|your\s+|an\s+)?(?:agent|assistant|model|yourself)\s+(?:to\s+)?|(?:prompt|run the prompt|run)\s*[:：]\s*|(?:创建|新建|设置|添加|安排)(?:一)?个?(?:定时|后台|周期)?(?:任务)[\s\x{e800}]*[，,：:]?\s*|(?:让|叫|请)(?:助手|代理|你|AI)\s*)"
);
rule!(
    PROMPT_HAN = r"^(?:(?:创建|新建|设置|添加|安排)(?:一)?个?(?:定时|后台|周期)?任务[\s\x{e800}]*[，,：:]?\s*|(?:让|叫|请)(?:助手|代理|你|AI)\s*)?(?:自动|都|就|要|去|把)?(?:总结|汇总|列出|整理|检查|查看|查一下|生成|写|读|运行|执行|搜索|告诉|发|统计|分析|报告|翻译|备份|计算|查|收集|回顾|更新|准备|做|推荐|给|讲|清理|下载|归档|对比|看看|看一下|打印|测试|规划|复盘)"
);
rule!(
    TOP = r"(?i)\b(?:top|first|up to|at most|max(?:imum)?(?: of)?)\s+(\d{1,2})(?:\s+(?:headlines|stories|items|articles|news))?\b|\b(\d{1,2})\s+(?:headlines|stories|items|articles)(?:\s+(?:each|per (?:site|source)|of each))?\b|(?:前|最多|各)\s*(\d{1,2})\s*(?:条|篇|个)"
);
rule!(
    CALLED = r"(?i)[,，]?\s*(?:\band\b\s*)?(?:\b(?:call it|name it|called|named|titled)\b|命名为|名字?叫做?|取名|名称[是为])\s*(?:the\s+task\s+)?([\x{e100}-\x{e1ff}])"
);

rule!(
    REMIND_TEXT = r"(?i)(?:\bdon't forget to\s+)?(?:\b(?:remind|nudge)\s+(?:me|us)\b|\bwake\s+me(?:\s+up)?\b|\bdo(?:n't| not) let me forget\b|\b(?:reminder|alarm)s?\b)[\s\x{e800},:：]*(?:\bfor\s+me\b)?[\s\x{e800},:：]*(?:\b(?:to|that|about|of|for|saying)\b)?\s*:?\s*(.*)$"
);
rule!(
    REMIND_TEXT_HAN =
        r"(?:提醒一下|提醒|叫醒|叫我)(?:我们?|大家|自己)?(?:一下|一次)?[\s\x{e800}]*(?:要|去|该|说|内容[是为]|：|:|，|,|记得)*\s*(.+)$"
);
rule!(
    REMIND_FORM_HAN = r"(?:设置?定?|创建|新建|加|添加|来|建)(?:一)?个?[\s\x{e800}]*的?(?:定时)?(?:提醒|闹钟)[\s\x{e800}]*(?:我)?[，,：:]*(?:内容[是为]|说|叫我|让我|提醒我|去|要|：|:)*\s*(.*)$"
);
rule!(REMIND_BEFORE_HAN = r"^(.+?)[\s\x{e800}，,]*的?(?:提醒|闹钟)");

/// Reads a request for a new task; `None` where it is none.
pub(super) fn read(text: &str) -> Option<Draft> {
    let mut said = Said::new(text);
    if let Some(range) = POLITE.find(&said.text).and_then(|captures| captures.get(0)).map(|polite| polite.range()) {
        // `I want a digest`: the wish is seen before it is cut off.
        said.text.replace_range(range, "");
    }
    if said.has(&NO_REQUEST) && !said.has(&REMIND_TO) {
        return None;
    }
    if said.has(&TELLS) && !said.has(&WISHES) {
        return None;
    }
    let original = said.clone();
    let named = said.take(&CALLED).and_then(|groups| groups.get(1).cloned().flatten()).and_then(|mask| mask.chars().next());
    let named = named.and_then(|mask| said.meaning(mask)).map(str::to_owned);
    let threshold = threshold::take_first(&mut said);
    let channel = channel::take(&mut said);
    let when = when::take(&mut said);
    let wish = wish(&original, &said, &when)?;
    let mut draft = Draft {
        kind: TaskKind::Schedule,
        prompts: wish == Wish::Prompt,
        text: String::new(),
        description: String::new(),
        urls: Vec::new(),
        keywords: Vec::new(),
        when,
        channel,
        threshold,
        top: None,
    };
    match wish {
        Wish::Threshold => {
            draft.kind = TaskKind::ThresholdWatch;
            draft.description = described(&said);
            draft.threshold = threshold::read(&mut said, draft.threshold);
        }
        Wish::Reminder => {
            draft.text = reminder(&original, &said);
            draft.description = draft.text.clone();
        }
        Wish::Prompt => {
            let mut rest = said.clone();
            if let Some(range) = PROMPT_HEAD.find(&head(&rest)).and_then(|captures| captures.get(0)).map(|head| head.range()) {
                rest.text = head(&rest);
                rest.text.replace_range(range, "");
            }
            draft.text = rest.written(&cleaned(&rest.text));
            draft.description = draft.text.clone();
        }
        Wish::Digest | Wish::Monitor => {
            draft.kind = if wish == Wish::Digest { TaskKind::NewsDigest } else { TaskKind::WebMonitor };
            draft.description = described(&said);
            if wish == Wish::Digest {
                draft.top = said.take(&TOP).and_then(|groups| groups.iter().skip(1).flatten().next()?.parse().ok());
            } else {
                draft.threshold = threshold::read(&mut said, draft.threshold);
            }
            draft.keywords = topics::keywords(&said);
            draft.urls = urls(&said, &mut draft.keywords);
        }
    }
    if let Some(named) = named {
        draft.description = named;
    }
    draft.description = ellipsis(&draft.description, DESCRIPTION_CHARS_MAX).into_owned();
    Some(draft)
}

/// What is wanted, by the request as it came, as it is without times and receivers, and by its times.
fn wish(original: &Said, said: &Said, when: &When) -> Option<Wish> {
    let head = said.with(head(said));
    let han = original.text.chars().any(is_han);
    let has_url = !said.masks(Value::Url).is_empty();
    let repeats = when.repeats() || !when.times.is_empty();
    if original.has(&REMIND_TO) {
        return Some(Wish::Reminder);
    }
    if (original.has(&SAYING) || head.has(&MESSAGE) || original.has(&MESSAGE)) && when.is_said() {
        return Some(Wish::Reminder);
    }
    if threshold::is_said(said) && original.has(&ALERTS) && !original.has(&DIGEST) {
        return Some(Wish::Threshold);
    }
    if han && !has_url && original.text.contains("提醒我") {
        return Some(Wish::Reminder);
    }
    if original.has(&DIGEST) && (original.has(&SENDS) || repeats || has_url) && !head.has(&WATCH) {
        return Some(Wish::Digest);
    }
    let conditional = han && before_remind(&original.text).is_some_and(|before| CONDITION_HAN.find(before).is_some());
    if original.has(&REMIND) && !(has_url && (original.has(&TELL_WHEN) || conditional)) && !(conditional && head.has(&WATCH)) {
        return Some(Wish::Reminder);
    }
    if head.has(&WATCH) && (has_url || original.has(&PAGE)) {
        return Some(Wish::Monitor);
    }
    if has_url
        && (head.has(&CHECK) || (han && original.has(&CHECK)))
        && (repeats || (han && original.has(&TELL_WHEN_HAN)))
        && (!when.daily || original.has(&CHANGES))
        && !head.has(&SUMMARY)
    {
        return Some(Wish::Monitor);
    }
    if has_url && (original.has(&TELL_WHEN) || (han && original.has(&TELL_WHEN_HAN) && !repeats_daily(when))) {
        return Some(Wish::Monitor);
    }
    if original.has(&NEWS) && repeats && (original.has(&SENDS) || has_url) && !head.has(&CHECK) {
        return Some(Wish::Digest);
    }
    let soon = when.once.is_some() && (!when.times.is_empty() || matches!(when.once, Some(super::moment::Day::In { .. })));
    let enough = head.text.split_whitespace().count() >= 2 || head.text.chars().filter(|ch| is_han(*ch)).count() >= 3;
    if (when.repeats() || soon) && enough && (head.has(&PROMPT) || head.has(&PROMPT_HAN)) {
        return Some(Wish::Prompt);
    }
    None
}

fn repeats_daily(when: &When) -> bool {
    when.daily || !when.days.is_empty()
}

fn before_remind(text: &str) -> Option<&str> {
    text.find("提醒").map(|at| &text[..at])
}

/// What is left, without holes at its beginning.
fn head(said: &Said) -> String {
    let noise = |ch: char| ch.is_whitespace() || matches!(ch, HOLE | ',' | '，' | '。' | '.' | ':' | '：' | ';' | '、');
    let text = said.text.trim_matches(noise);
    let rest = POLITE.find(text).and_then(|captures| captures.get(0)).map_or(text, |polite| &text[polite.end()..]);
    rest.trim_matches(noise).to_owned()
}

/// The addresses that are watched. A site that is a topic is a word where another site is watched, else an address.
fn urls(said: &Said, keywords: &mut Vec<String>) -> Vec<String> {
    let masks = said.masks(Value::Url);
    let is_topic = |mask: char| keywords.iter().any(|keyword| *keyword == said.written(&mask.to_string()));
    let outside: Vec<char> = masks.iter().copied().filter(|mask| !is_topic(*mask)).collect();
    let wanted = if outside.is_empty() {
        let written: Vec<String> = masks.iter().map(|mask| said.written(&mask.to_string())).collect();
        keywords.retain(|keyword| !written.contains(keyword));
        masks
    } else {
        outside
    };
    let mut found: Vec<String> = Vec::new();
    for url in wanted.into_iter().filter_map(|mask| said.meaning(mask)) {
        if !found.iter().any(|known| known == url) {
            found.push(url.to_owned());
        }
    }
    found
}

/// What is reminded of.
fn reminder(original: &Said, said: &Said) -> String {
    let of = |rule: &crate::llm::offline::slots::Rule, text: &str| {
        rule.find(text).and_then(|captures| captures.get(1)).map(|text| cleaned(text.as_str())).filter(|text| !text.is_empty())
    };
    // A quoted message is meant to the letter.
    if let Some(mask) = MESSAGE.find(&original.text).or_else(|| MESSAGE.find(&said.text)).and_then(|captures| captures.get(1))
        && let Some(text) = mask.as_str().chars().next().and_then(|mask| original.meaning(mask))
    {
        return text.to_owned();
    }
    let text = of(&REMIND_FORM_HAN, &said.text)
        .or_else(|| of(&REMIND_TEXT_HAN, &said.text))
        .or_else(|| of(&REMIND_TEXT, &said.text))
        .or_else(|| of(&SAYING, &original.text).map(|_| ()).and_then(|()| saying(said)))
        .or_else(|| of(&REMIND_BEFORE_HAN, &said.text).filter(|text| text.chars().any(is_han) && !said.has(&REMIND_FORM_HAN)));
    // The words for a message may have taken the word `提醒` with them.
    let lost = || cleaned(&head(said));
    let text = text.unwrap_or_else(|| if said.text.contains("提醒") || !original.text.contains("提醒") { String::new() } else { lost() });
    said.bare(&text)
}

rule!(SAID = r"(?i)\b(?:saying|that says|with the (?:text|message|words?)|reading)\b\s*:?\s*(.+)$");

fn saying(said: &Said) -> Option<String> {
    SAID.find(&said.text).and_then(|captures| captures.get(1)).map(|text| cleaned(text.as_str()))
}

rule!(
    HEAD_NOISE = r"(?i)^(?:[\s,，.。:：;；、!！-]+|(?:and|then|to|that|please|also|so|about|of)\b\s+|(?:请|并且?|然后|就|都|来|要|去|的|再)(?:\p{Han}{2}|$))"
);
rule!(
    TAIL_NOISE = r"(?i)(?:[\s,，.。:：;；、!！-]+|\s+(?:and|then|please|by|via|at|on|to|the|with|for|in|from|when|if|so|but|me|about it)|[，,、\s]+(?:有|一旦有?|如果有?|若有?)?(?:更新|变化|新内容|新消息)?(?:了|时|就|后|的话|的时候)?|一次|一下|，?(?:并|并且|然后|请))$"
);

/// A text without holes, and without words that only joined what was cut out.
pub(super) fn cleaned(text: &str) -> String {
    let mut text = text.replace(HOLE, " ").split_whitespace().collect::<Vec<_>>().join(" ");
    loop {
        let before = text.len();
        if let Some(range) = TAIL_NOISE.find(&text).and_then(|captures| captures.get(0)).map(|noise| noise.range()) {
            text.replace_range(range, "");
        }
        if let Some(captures) = HEAD_NOISE.find(&text)
            && let Some(noise) = captures.get(0)
        {
            // The two characters behind a Chinese one only show that it is not alone.
            let end = noise.as_str().char_indices().rev().take_while(|(_, ch)| is_han(*ch)).count();
            let keep = if end >= 3 { noise.as_str().char_indices().rev().nth(1).map_or(0, |(at, _)| noise.len() - at) } else { 0 };
            text.replace_range(noise.start()..noise.end() - keep, "");
        }
        if text.len() == before {
            break;
        }
    }
    // Blanks that the holes left between Chinese characters.
    let chars: Vec<char> = text.chars().collect();
    let loose = |at: usize| {
        chars[at] == ' '
            && at > 0
            && chars.get(at + 1).is_some_and(|next| is_han(*next) || "，。、".contains(*next))
            && (is_han(chars[at - 1]) || "，。、".contains(chars[at - 1]))
    };
    (0..chars.len()).filter(|at| !loose(*at)).map(|at| chars[at]).collect()
}

fn described(said: &Said) -> String {
    said.written(&cleaned(&head(said)))
}
