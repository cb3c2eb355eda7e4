//! What of a line is noise: ages, clocks, counters, tokens, adverts, copyright years.
//!
//! Two lines say the same where their [`key`]s are equal. A number is noise by its context only (`412 views`,
//! `Posts: 88`), never because it is a number: prices, versions, stock and the values of tables stay.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::links;

/// A number as people write it, with thousands and a scale.
const NUM: &str = r"(?:over |more than |almost |about |über |mehr als |rund |超过 ?|约 ?)?(?:[0-9]{1,3}(?:[.,' ][0-9]{3})+|[0-9]+(?:[.,][0-9]+)?) ?(?:(?:k|m|mio\.?|tsd\.?)\b|万|萬|億|亿|千)?\+?";

/// A stretch of dates and times, as a loose run of their parts.
const WHEN: &str = r"(?:(?:on|at|am|um|le|à|el|a las|the|den|um) )?(?:(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b|(?:mo|di|mi|do|fr|sa|so)\b|(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|okt|dez)[a-z]*|märz|mai|janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|今天|今日|昨天|昨日|today|yesterday|heute|gestern|hoy|ayer|hier|(?:at|um|de)\b|uhr|utc|gmt|cet|cest|est|edt|pst|pdt|jst|noon|[ap]\.?m\.?|星期[一二三四五六日天]|周[一二三四五六日]|[月火水木金土日]曜日?|\([一二三四五六日月火水木金土]\)|[0-9]{1,4}(?:st|nd|rd|th|t[0-9]{2})?|[年月日号时分秒時]|[.,:/+\-–()z]| )+";

/// What an age is made of.
const UNIT: &str = r"(?:sec(?:ond)?s?|min(?:ute)?s?|hours?|hrs?|days?|weeks?|months?|mos?|years?|yrs?|sekunden?|sek\.?|minuten?|min\.?|stunden?|std\.?|tag(?:en?)?|wochen?|monat(?:en?)?|jahr(?:en?)?|secondes?|heures?|jours?|semaines?|mois|ans?|segundos?|minutos?|horas?|días?|semanas?|meses|años?|[smhdwy])";

/// Words that stand behind the number of a counter.
const COUNTED: &str = r"(?:unique |total |page ?)?(?:views?|viewers?|visits?|visitors?|hits|reads|readers?|likes?|upvotes?|comments?|replies|reply|responses|shares?|retweets?|reposts?|reactions?|followers?|subscribers?|(?:members|guests|users?) (?:online|browsing|active|like this)|people (?:like|liked|reacted|going|interested|attending|found|bought|watching|(?:are )?(?:viewing|watching|looking)[^|]*)|found this helpful|going|interested|attending|online now|watching|stars?|forks?|watchers?|downloads?|plays?|listeners?|ratings?|reviews?|applicants?|applications received|sold(?: this week| today)?|bought in past month|times (?:viewed|read|downloaded)|points by|commits to [a-z]+ since[^|]*|min(?:ute)?s? read|queries|aufrufen?|abrufe|kommentare?|antworten|„?gefällt mir“?|besucher(?: online)?|gäste online|bewertung(?:en)?|leser|zugriffe|bewerber|bewerbungen|personen (?:sehen|schauen|interessieren)[^|]*|beobachter|min\.? lesezeit|vues?|commentaires?|j'aime|visiteurs?|réponses?|abonnés|partages?|lectures?|téléchargements|avis|visitas|vistas|comentarios?|me gusta|respuestas?|seguidores|lecturas|descargas|opiniones|visualizzazioni|commenti|visualizaç(?:ões|ão)|comentários?|curtidas)\b";

/// Words that stand before the number of a counter.
const LABELS: &str = r"(?:views?|page ?views?|visits|visitors|hits|replies|comments?|likes?|posts|reputation|karma|reactions|followers|shares|downloads|stars?|forks?|watch(?:ers)?|downloaded|viewed|visitor (?:number|no\.?)|users online|total visits|aufrufe|abrufe|kommentare|antworten|teilnehmer|beiträge|besucher(?:zähler)?|zugriffe|bewertungen|vues|commentaires|visitas|comentarios|(?:most users ever online was))";

/// The same for Chinese, Japanese and Korean, which have no blanks between words.
const CJK_LABELS: &str = r"(?:总?访问[量数]?|本页访问量|阅读[量数]?|浏览(?:次数|[量数])?|点击[量数]?|播放[量数]?|评论[数]?|回复[数]?|查看|点赞[数]?|收藏[数]?|转发|分享[数]?|关注[数]?|粉丝[数]?|帖子|积分|主题|人气|热度|下载(?:次数|[量数])?|累计评价|月销[量]?|销量|已售|(?:当前)?在线|其中会员|游客|閲覧[数]?|アクセス(?:数|カウンター)?|いいね!?|コメント[数]?|お気に入り(?:登録)?[数]?|レビュー[数]?|フォロワー[数]?|再生(?:回数|数)?|ブックマーク[数]?|조회수?|댓글|좋아요)";

fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// Expressions whose matches are taken out of a line; the line is folded and in lower case.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let stamp = r"(?:last|page last|page was last|zuletzt|letzte[rs]?)? ?(?:page )?(?:updated?|modified|edited|reviewed|refreshed|last checked|last changed|synced|generated|as of|time now|current time|local time|server ?time|it is currently|serverzeit|uhrzeit|stand:|stand vom|aktualisiert|aktualisierung|geändert|geprüft|änderung|aktivität|activity|abgerufen|mis(?:e)? à jour|dernière modification|(?:última )?actualiza(?:do|ción)|modificado|date modified|更新时间|更新于|更新日時?|最后更新|最終更新日?|最后编辑|最后修改|最后活动|当前时间|现在时间|現在時刻)";
    let stamp_open = r"(?:zuletzt|last (?:edited|modified|updated|reviewed|changed))";
    let countdown = r"(?:order within|ends? in|offer ends(?: in)?|closes? in|starts? in|begins? in|hurry[^|]{0,20}|time left|remaining|noch|endet in|beginnt in|startet in|se termine dans|termina en|距离?[^|0-9]{0,12}|剩余|还剩|还有|倒计时|残り|あと)";
    let patterns = [
        // Ages.
        format!(r"\b(?:about |over |less than |more than |almost |around |ca\. |etwa |over )?(?:[0-9]+\+?|an?|one|a few|few) ?{UNIT} ago\b"),
        r"\b(?:just now|moments? ago|a moment ago|gerade eben|soeben|à l'instant|ahora mismo)\b|刚刚|たった今|방금".to_owned(),
        format!(r"\bvor (?:etwa |ca\. |über |mehr als |rund |weniger als )?(?:[0-9]+|einer?|einem|wenigen) ?{UNIT}\b"),
        format!(r"\b(?:il y a|hace|há) (?:environ |unos |cerca de )?(?:[0-9]+|une?|una?|um|uma) ?{UNIT}"),
        r"[0-9]+ ?(?:秒|分钟|分|小时|時間|天|日|周|週間|个月|か月|ヶ月|月|年|초|분|시간|일|주|개월|년)钟?以? ?[前전]".to_owned(),
        r"(?:昨天|前天|昨日|今天|今日) ?[0-9]{1,2}:[0-9]{2}".to_owned(),
        // Stamps: when the page, not its subject, was touched.
        format!(r"\b{stamp_open} {WHEN}(?:geändert|edited|changed|aktualisiert|bearbeitet|modified)?"),
        format!(r"(?:\b{stamp}|{})(?: (?:on|am|at|le|el|um))? ?[:：]? ?(?:{WHEN}|$)", r"更新时间|更新于|更新日時?|最后更新|最終更新日?|今天是|本日"),
        // Counters.
        r"\bbe (?:among )?the first(?: [0-9]+)?(?: applicants?| to (?:comment|reply|review|apply))?|\bno (?:comments|replies|reviews) yet|\b(?:leave a|add a|no|post a) comments?\b|\bkommentieren\b|\bkeine kommentare\b".to_owned(),
        format!(r"今日 ?{NUM} ?昨日 ?{NUM}(?: ?(?:累計|合計|累计) ?{NUM})?"),
        format!(r"\(?{NUM}[- ]?(?:mal )?(?:people |users |personen )?{COUNTED}\)?"),
        format!(r"{NUM}[- ]?mal (?:abgerufen|gelesen|angesehen|aufgerufen|geteilt)"),
        format!(r"\b{LABELS} ?[:=]? ?\(?{NUM}\)?(?: times)?"),
        format!(r"{CJK_LABELS} ?[:：]? ?\(?{NUM} ?(?:次|人|条|件|個|个|回)?\)?(?:投递|评价|付款|购买|报名|关注|想要)?"),
        format!(r"(?:現在 ?|正在 ?)?{NUM} ?(?:次|人|条|件|个|回)?(?:阅读|浏览|播放|观看|评论|回复|点赞|赞|在看|在线|投递|关注|收藏|付款|购买|粉丝|再生|いいね|ビュー|のコメント|のレビュー|がこの商品を見ています|が閲覧中|が見ています)"),
        format!(r"[👍👎❤🎉😄🚀👀🔥💬⭐♥♡] ?{NUM}"),
        // Countdowns.
        format!(r"{countdown} ?[:：]? ?(?:[0-9]+ ?: ?[0-9]+(?: ?: ?[0-9]+)?|(?:[0-9]+ ?(?:{UNIT}|天|日|小时|時間|分钟|分|秒)[ ,]*(?:and |und )?)+)"),
        format!(r"\b[0-9]+ ?{UNIT} (?:left|remaining|to go|verbleibend)\b"),
        // Tokens and addresses of machines.
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b".to_owned(),
        r"\b(?:request|trace|session|ray|correlation|event|anfrage|incident reference|nonce|csrf|token)[ -]?(?:id|nr|no)?\.? ?[:#=]? ?[0-9a-z]*[0-9][0-9a-z.:-]{3,}".to_owned(),
    ];
    // A day that says how old something is: the verb stays, as it does before `3 days ago`.
    let aged = r"\b(posted|added|listed|reduced|published|active|veröffentlicht|online seit|eingestellt|publié|publicado|发布于|更新于) ?(?:today|yesterday|heute|gestern|aujourd'hui|hier|hoy|ayer|今天|昨天|前天|recently)";
    let kept = compile(aged).map(|aged| (aged, "$1 "));
    kept.into_iter().chain(patterns.iter().filter_map(|pattern| compile(pattern)).map(|mask| (mask, " "))).collect()
});

/// Segments that say nothing about the subject, whatever else they hold.
static IDLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(&format!(
        r"^(?:anzeige|werbung|advertisement|advert|sponsored|promoted|ad|publicité|publicidad|广告|推广|pr)(?:[:：\s-]|$)|©|\(c\) ?[0-9]{{4}}|\bcopyright\b|^(?:today is|heute ist|今天是|本日|今日は)[: ]?{WHEN}|\b(?:page |seite |script )?(?:generated|processed|rendered|executed|erzeugt|served|generiert)(?: page)? (?:in|by|on|at|within)\b|[0-9.,]+ ?s(?:econds?|ekunden)?\b.{{0,12}}\bqueries\b"
    ))
});

/// A day of a log on which nothing happened.
static QUIET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r"^(?:no (?:incidents?|outages|events|issues|notices)(?: (?:were )?reported)?(?: today| on this day| for this day)?|keine (?:störungen|vorfälle|ereignisse)(?: gemeldet)?|无(?:事件|故障)|障害はありません)[.。]?$",
    )
});

/// A segment that is nothing but a relative day.
const BARE_DAYS: &[&str] =
    &["today", "yesterday", "heute", "gestern", "vorgestern", "hoy", "ayer", "aujourd'hui", "hier", "今天", "昨天", "前天", "今日", "昨日"];

/// A line that is only a date or a time.
static STAMP: LazyLock<Option<Regex>> = LazyLock::new(|| compile(&format!(r"^(?:{WHEN})$")));

/// Signs that carry no meaning at the ends of a segment.
fn is_edge(ch: char) -> bool {
    ch.is_whitespace()
        || matches!(
            ch,
            '.' | ','
                | ':'
                | ';'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '"'
                | '\''
                | '!'
                | '*'
                | '#'
                | '/'
                | '_'
                | '<'
                | '>'
                | '='
                | '~'
                | '、'
                | '。'
                | '【'
                | '】'
                | '「'
                | '」'
        )
}

/// What `line` says, without its noise; empty where it is noise only.
pub(super) fn key(line: &str) -> String {
    let line = fold(line).to_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut quiet = false;
    for segment in line.split(['|', '·', '•']) {
        let segment = segment.trim();
        if segment.is_empty() || IDLE.as_ref().is_some_and(|idle| idle.is_match(segment)) {
            continue;
        }
        quiet |= QUIET.as_ref().is_some_and(|pattern| pattern.is_match(segment));
        let segment = masked(segment);
        let segment = trimmed(&segment);
        if segment.is_empty() || BARE_DAYS.contains(&segment) {
            continue;
        }
        if !out.is_empty() {
            out.push('|');
        }
        push_tight(&mut out, segment);
    }
    // `21 November | No incidents reported` comes anew every day. Alone, the sentence is a state.
    if quiet && out.split_once('|').is_some_and(|(date, rest)| !rest.contains('|') && is_stamp(date)) {
        out.clear();
    }
    out
}

/// `segment` without what the masks take out.
fn masked(segment: &str) -> String {
    // One pass tells for most text that there is nothing to take out.
    static ANY: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(MASKS.iter().map(|(mask, _)| mask.as_str())).ok());
    let mut text = segment.to_owned();
    if ANY.as_ref().is_some_and(|any| !any.is_match(segment)) {
        return text;
    }
    for (mask, instead) in MASKS.iter() {
        if mask.is_match(&text) {
            text = mask.replace_all(&text, *instead).into_owned();
        }
    }
    text
}

fn trimmed(segment: &str) -> &str {
    let segment = segment.trim_matches(is_edge);
    // A minus before a number is a sign; any other dash at the edge is decoration.
    let negative = segment.starts_with('-') && segment[1..].starts_with(|ch: char| ch.is_ascii_digit());
    let segment = segment.trim_end_matches(|ch| is_edge(ch) || ch == '-');
    if negative { segment } else { segment.trim_start_matches(|ch| is_edge(ch) || ch == '-') }
}

/// Appends `segment` with single blanks, and none beside wide characters.
fn push_tight(out: &mut String, segment: &str) {
    let mut last = None;
    for word in segment.split_whitespace() {
        let wide = |ch: Option<char>| ch.is_none_or(is_wide);
        if !wide(last) && !wide(word.chars().next()) {
            out.push(' ');
        }
        out.push_str(word);
        last = word.chars().next_back();
    }
}

/// Whether `line` is a date or a time and nothing else.
pub(super) fn is_stamp(line: &str) -> bool {
    // A bare number or `7.50` could be one, but is more likely a value.
    static SURE: LazyLock<Option<Regex>> =
        LazyLock::new(|| compile(r"[0-9]:[0-9]{2}|[a-z]{3}.*[0-9]|[0-9].*[a-z]{3}|[0-9][年月日]|\b(?:19|20)[0-9]{2}\b"));
    let line = fold(line).to_lowercase();
    line.len() < 80 && [&STAMP, &SURE].into_iter().all(|pattern| pattern.as_ref().is_some_and(|pattern| pattern.is_match(line.trim())))
}

/// Whether `line` opens with the date of the day, as the head of a site does: a weekday or a year, and little else.
pub(super) fn is_dateline(line: &str) -> bool {
    static OPENING: LazyLock<Option<Regex>> = LazyLock::new(|| compile(&format!("^(?:{WHEN})")));
    static FULL: LazyLock<Option<Regex>> = LazyLock::new(|| compile(r"\b20[0-9]{2}\b|20[0-9]{2}年|day\b|tag\b|mittwoch|星期|曜"));
    let line = fold(line).to_lowercase();
    let date = OPENING.as_ref().and_then(|opening| opening.find(&line)).map_or("", |found| found.as_str());
    let has_digit = date.bytes().any(|byte| byte.is_ascii_digit());
    line.chars().count() <= 80 && date.len() >= 8 && has_digit && FULL.as_ref().is_some_and(|full| full.is_match(date))
}

/// Whether `line` is the bare name of a counter, whose number stands beside it.
pub(super) fn is_counter_label(line: &str) -> bool {
    static LABEL: LazyLock<Option<Regex>> = LazyLock::new(|| compile(&format!(r"^(?:(?:{LABELS}|{COUNTED})|{CJK_LABELS}) ?:?$")));
    line.len() < 60 && LABEL.as_ref().is_some_and(|label| label.is_match(fold(line).to_lowercase().trim()))
}

/// Whether `line` is a bare number.
pub(super) fn is_number(line: &str) -> bool {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| compile(&format!(r"^\(?{NUM}\)?$")));
    line.len() < 30 && NUMBER.as_ref().is_some_and(|number| number.is_match(fold(line).to_lowercase().trim()))
}

/// Whether `ch` belongs to a script that is written without blanks between words.
pub(super) fn is_wide(ch: char) -> bool {
    matches!(ch,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{3000}'..='\u{30ff}' | '\u{3130}'..='\u{318f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{2ffff}')
}

/// One line: white space as single blanks, typographic and full-width signs as plain ones, invisible ones gone.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for ch in text.chars() {
        if ch.is_whitespace() || ch == '\u{3000}' {
            blank = !out.is_empty();
            continue;
        }
        if matches!(ch, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fe0f}') {
            continue;
        }
        if blank {
            out.push(' ');
            blank = false;
        }
        match ch {
            '\u{ff01}'..='\u{ff5e}' => out.push(char::from_u32(u32::from(ch) - 0xfee0).unwrap_or(ch)),
            '‘' | '’' | '‚' | '′' => out.push('\''),
            '“' | '”' | '„' | '«' | '»' | '″' => out.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '−' => out.push('-'),
            '…' => out.push_str("..."),
            ch => out.push(ch),
        }
    }
    out
}

/// `url` without what differs from visit to visit: see [`links::stable`].
pub(super) fn link_mark(url: &str) -> String {
    let mut mark = String::new();
    // Writing to a string cannot fail.
    let _ = write!(mark, "[{}]", links::stable(url));
    mark
}
