//! Requests for the web, the weather and messages: which page, which words, which place, whom, and what is said.
//!
//! What is free text is taken whole, so the rows match by their own patterns and not by lists of words. A number or an
//! address is only ever taken from the sentence.

mod place;

use serde_json::{Value, json};

use super::slots::{Found, args, rule};
use super::words::{Kind, Part, trim_edges};

pub(super) use place::weather;

rule!(
    READS = r"(?i)\b(?:read|open|visit|scrape|browse|look at|check out|check|summari[sz]e|summary|show|get|go to|see|tell|load|extract|view)\b|\bwhat(?:'s|s| is| does| do)\b|读|打开|看|访问|抓取|浏览|总结|概括|讲了|说了|写了|内容|介绍|提取"
);
rule!(
    RAW = r"(?i)\b(?:fetch|curl|wget|download|raw|source(?: code)?|html|json|headers?|status(?: code)?)\b|下载|源码|源代码|原文|原始|获取"
);
rule!(
    LATER = r"(?i)\b(?:watch|monitor|track|notify|remind|alert|every|each|daily|hourly|weekly|when(?:ever)?|if it|changes?|until|subscribe|task)\b|监控|监视|监测|关注|提醒|每|通知|变化|更新时|任务"
);
rule!(RENDER = r"(?i)\b(?:render(?:ed)?|with (?:a |the )?browser|in (?:a |the )?browser|chromium|javascript)\b|渲染|浏览器");
rule!(
    DOMAIN = r"(?i)(?:^|[\s，。：“「（(])((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|org|net|edu|gov|dev|io|cn|info|app|me|ai|de|uk|fr|jp|wiki|blog|news|tech)(?:/[^\s，。？！]*)?)"
);

/// The address of a sentence: written out, or a site's name.
fn address(part: &Part) -> Option<String> {
    let urls = part.values(|kind| *kind == Kind::Url);
    if let [one] = urls.as_slice() {
        return Some(one.text.trim_end_matches(['.', ',', '?', '!', '。', '，', '？']).to_owned());
    }
    let found = DOMAIN.find(&part.raw)?.get(1)?.as_str();
    urls.is_empty().then(|| format!("https://{}", found.trim_end_matches(['.', ',', '?', '!', '/'])))
}

/// `read https://… and tell me what it says`.
pub(super) fn page(part: &Part) -> Option<Found> {
    let url = address(part)?;
    let bare = part.tokens.iter().all(|token| token.kind == Kind::Url);
    if LATER.find(&part.raw).is_some() || RAW.find(&part.raw).is_some() || !(bare || READS.find(&part.raw).is_some()) {
        return None;
    }
    let mut call = args(&[("url", json!(url))]);
    if RENDER.find(&part.raw).is_some() {
        call.insert("render".to_owned(), Value::Bool(true));
    }
    Some(taken(call))
}

/// `fetch https://…`: as it came.
pub(super) fn raw(part: &Part) -> Option<Found> {
    let url = address(part)?;
    if LATER.find(&part.raw).is_some() || RAW.find(&part.raw).is_none() {
        return None;
    }
    Some(taken(args(&[("url", json!(url))])))
}

fn taken(call: serde_json::Map<String, Value>) -> Found {
    Found { calls: vec![call], takes_rest: true, ..Found::default() }
}

rule!(
    SEARCH_WEB = r"(?i)^(?:.*?\b)?(?:search|look|browse)\s+(?:on\s+|up\s+)?(?:the\s+)?(?:web|internet|net|online|google|bing)\s+(?:for\s+|about\s+|to find\s+)?(.+)$"
);
rule!(SEARCH_ONLINE = r"(?i)^(?:.*?\b)?(?:search|look|find)\s+(?:online|on the (?:web|internet|net))\s+(?:for\s+|about\s+)?(.+)$");
rule!(
    WEB_LAST = r"(?i)^(?:.*?\b)?(?:search(?:\s+for)?|look\s+up|look\s+for|find(?:\s+out)?(?:\s+about)?|research|google)\s+(.+?)\s+(?:on|in|over|across)\s+(?:the\s+)?(?:web|internet|net|google|bing)$"
);
rule!(LOOK_ONLINE = r"(?i)^(?:.*?\b)?(?:search(?:\s+for)?|look\s+up|look\s+for|find(?:\s+out)?(?:\s+about)?)\s+(.+?)\s+online$");
rule!(WEB_SEARCH = r"(?i)^(?:.*?\b)?(?:web|internet|online)\s+search\s*(?:for|about|on|:)?\s+(.+)$");
rule!(GOOGLE = r"(?i)^(?:please\s+|can you\s+|could you\s+)*google\s+(?:for\s+)?(.+)$");
rule!(
    HAN_SEARCH = r"(?:在?网上|上网|互联网上?|在互联网上?|在网络上|用?搜索引擎|百度|谷歌|google)\s*(?:帮我|给我)?\s*(?:搜索|搜一下|搜一搜|搜搜|搜|查询|查一下|查一查|查查|查找|查|找一下|找|一下)+\s*(?:一下|关于)?\s*[:：]?\s*(.+)$"
);
rule!(HAN_SEARCH_LAST = r"(?:搜索|搜一下|查一下|查找|搜)\s*网(?:上|页|络)?\s*(?:上的?|的)?\s*[:：]?\s*(.+)$");

/// `search the web for …`.
pub(super) fn search(part: &Part) -> Option<Found> {
    if LATER_SEARCH.find(&part.raw).is_some() {
        return None;
    }
    let raw = part.raw.trim_end_matches(['.', '?', '!', '。', '？', '！', ' ']);
    let rules = [&SEARCH_WEB, &SEARCH_ONLINE, &WEB_LAST, &LOOK_ONLINE, &WEB_SEARCH, &GOOGLE, &HAN_SEARCH, &HAN_SEARCH_LAST];
    let found = rules.iter().find_map(|rule| rule.find(raw)?.get(1).map(|found| found.as_str().to_owned()));
    let bare = || WEB_ALONE.find(raw).is_some();
    let Some(query) = found else { return bare().then(|| taken(serde_json::Map::new())) };
    let query = trim_edges(query.trim_matches(['"', '\'', '“', '”', '「', '」', '`', ' ']).trim_start_matches(['的', '关']));
    let query = query.trim_end_matches('吧').trim();
    let unfit = query.is_empty() || matches!(query.to_lowercase().as_str(), "something" | "it" | "that" | "this");
    if unfit { Some(taken(serde_json::Map::new())) } else { Some(taken(args(&[("query", json!(query))]))) }
}

rule!(LATER_SEARCH = r"(?i)\b(?:every|each|daily|hourly|weekly|remind|watch|monitor)\b|每天|每周|每小时|提醒|监控");
rule!(
    WEB_ALONE = r"(?i)^(?:please\s+|can you\s+|could you\s+)*(?:search|browse)\s+(?:the\s+)?(?:web|internet|online)$|^(?:帮我)?(?:上网|网上)(?:搜索|搜一下|查一下|查|搜)$"
);

rule!(NUMBER = r"(\+\d[\d\s().-]{5,20}\d)");
rule!(TEXTS = r"(?i)\b(?:text|sms|message)\b|短信");
rule!(
    SAYING = r"(?is)(?:\b(?:saying|that says|which says|say|says|telling (?:him|her|them)|to say|that|with the (?:text|message|words)|reading)\b\s*[:：,]?|[:：])\s*(.+)$"
);
rule!(HAN_SAYING = r"(?s)(?:内容(?:是|为|写)?|说|告诉(?:他|她|对方)?|写(?:着|上)?|[:：])\s*[:：,，]?\s*(.+)$");
rule!(BETWEEN = r#"(?is)\b(?:text|sms|send)\s+["“'](.+?)["”']\s+to\b"#);

/// `text +1… that …`.
pub(super) fn sms(part: &Part) -> Option<Found> {
    if TEXTS.find(&part.raw).is_none() || WAITS.find(&part.raw).is_some() {
        return None;
    }
    let number = NUMBER.find(&part.raw)?.get(1)?;
    let to: String = number.as_str().chars().filter(|ch| ch.is_ascii_digit() || *ch == '+').collect();
    let mut call = args(&[("to", json!(to))]);
    let after = part.raw.get(number.end()..).unwrap_or_default();
    if let Some(message) = said(part, after) {
        call.insert("message".to_owned(), json!(message));
    }
    Some(taken(call))
}

/// The words of a message: in quotes, after `saying` or `that` or a colon, or all that follows the receiver.
fn said(part: &Part, after: &str) -> Option<String> {
    let quoted = |text: &str| text.trim().trim_matches(['"', '“', '”', '\'', '「', '」', '`']).trim().to_owned();
    if let Some(found) = BETWEEN.find(&part.raw).and_then(|found| found.get(1).map(|found| quoted(found.as_str()))) {
        return Some(found);
    }
    let rules = [&SAYING, &HAN_SAYING];
    let found =
        rules.iter().filter_map(|rule| rule.find(after)?.get(1)).min_by_key(regex::Match::start).map(|found| quoted(found.as_str()));
    let found = found.or_else(|| {
        let [one] = part.quoted()[..] else { return None };
        Some(one.text.trim().to_owned())
    });
    let rest = || {
        quoted(
            after.trim_start_matches([',', '，', ' ']).trim_start_matches("发短信").trim_start_matches("发邮件").trim_start_matches('发'),
        )
    };
    found.or_else(|| Some(rest()).filter(|rest| rest.chars().count() > 1 && !SENDS_ONLY.is_match(rest))).filter(|text| !text.is_empty())
}

/// What follows a receiver and is no message.
struct SendsOnly;

const SENDS_ONLY: SendsOnly = SendsOnly;

impl SendsOnly {
    #[expect(clippy::unused_self, reason = "reads as a rule")]
    fn is_match(&self, text: &str) -> bool {
        let lower = text.trim_matches([' ', '.', '?', '!', '。', '？', '一', '个', '条', '封']).to_lowercase();
        matches!(lower.as_str(), "" | "please" | "now" | "a text" | "an sms" | "an email" | "a mail" | "短信" | "邮件" | "消息")
    }
}

rule!(
    WAITS = r"(?i)\b(?:when(?:ever)?|if|every|each|daily|hourly|weekly|remind|watch|monitor|as soon as|tomorrow at|in \d+ (?:minutes?|hours?))\b|每|提醒|监控|如果|当.+时|的时候"
);
rule!(MAILS = r"(?i)\b(?:e-?mail|mail|write|send)\b|邮件|电邮|写信");
rule!(MAILBOX = r"([A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)");
rule!(
    SUBJECT = r#"(?i)\b(?:with\s+)?(?:the\s+)?subject(?:\s+line)?\s*(?:is\s+|of\s+|[:：]\s*)?(?:["“'](.+?)["”']|(.+?))(?:\s*(?:,|;|，|；|\band\b|\bsaying\b|\bthat says\b|\bbody\b|\bwith\b|\btext\b|$))|主题(?:是|为)?\s*[:：]?\s*["“「]?(.+?)["”」]?\s*(?:，|,|；|;|。|内容|正文|$)"#
);
rule!(
    BODY = r#"(?is)\b(?:and\s+)?(?:with\s+)?(?:the\s+)?(?:body|text|content)\s*(?:is\s+|of\s+|[:：]\s*)?["“']?(.+?)["”']?$|(?:正文|内容)(?:是|为)?\s*[:：]?\s*["“「]?(.+?)["”」]?$"#
);

/// The most characters of a subject that is made of the text.
const SUBJECT_CHARS_MAX: usize = 60;

/// `send an email to anna@… saying …`.
pub(super) fn email(part: &Part) -> Option<Found> {
    if MAILS.find(&part.raw).is_none() || WAITS.find(&part.raw).is_some() {
        return None;
    }
    let address = MAILBOX.find(&part.raw)?.get(1)?;
    let mut call = args(&[("to", json!(address.as_str()))]);
    let after = part.raw.get(address.end()..).unwrap_or_default();
    let subject = SUBJECT.find(after);
    let named = subject.as_ref().and_then(|found| found.iter().skip(1).flatten().next()).map(|found| trim_edges(found.as_str()));
    // What was said of the subject is no part of the text.
    let rest = subject
        .as_ref()
        .and_then(|found| found.iter().skip(1).flatten().next())
        .map_or(after, |found| after.get(found.end()..).unwrap_or_default());
    let body = BODY.find(rest).and_then(|found| found.iter().skip(1).flatten().next().map(|found| found.as_str().trim().to_owned()));
    let body = body.or_else(|| if subject.is_some() { said_in(rest) } else { said(part, after) });
    if let Some(body) = body.filter(|body| !body.is_empty()) {
        let first = body.lines().next().unwrap_or_default();
        let short = crate::domain::text::ellipsis(first, SUBJECT_CHARS_MAX).into_owned();
        call.insert("subject".to_owned(), json!(named.filter(|subject| !subject.is_empty()).unwrap_or(short)));
        call.insert("body".to_owned(), json!(body));
    } else if let Some(subject) = named.filter(|subject| !subject.is_empty()) {
        call.insert("subject".to_owned(), json!(subject));
    } else {
        // The text is asked for; a subject is made of it then.
        return Some(taken(call));
    }
    Some(taken(call))
}

/// Whether a sentence sends something now although it speaks of a time: the time stands in what is said (`saying see you at
/// noon`), and nothing before that speaks of one.
pub(super) fn is_message(part: &Part) -> bool {
    let receiver = NUMBER.find(&part.raw).or_else(|| MAILBOX.find(&part.raw)).and_then(|found| found.get(1).map(|found| found.end()));
    let Some(end) = receiver else { return false };
    if WAITS.find(&part.raw).is_some() || TEXTS.find(&part.raw).is_none() && MAILS.find(&part.raw).is_none() {
        return false;
    }
    let after = part.raw.get(end..).unwrap_or_default();
    let words = [&SAYING, &HAN_SAYING].iter().filter_map(|rule| rule.find(after)?.get(1).map(|found| found.start())).min();
    let head = words.and_then(|words| part.raw.get(..end + words));
    head.is_some_and(|head| !super::tasks::has_time(head))
}

fn said_in(rest: &str) -> Option<String> {
    let found = [&SAYING, &HAN_SAYING].iter().filter_map(|rule| rule.find(rest)?.get(1)).min_by_key(regex::Match::start)?;
    Some(found.as_str().trim().trim_matches(['"', '“', '”', '\'', '「', '」']).trim().to_owned())
}

rule!(
    NOTES = r"(?is)^(?:please\s+|can you\s+|could you\s+|now\s+)*(?:(?:show|send|give|pop up|display|raise)\s+(?:me\s+)?(?:a\s+|an\s+)?(?:desktop\s+|push\s+|test\s+)?(?:notification|notice|alert)|notify me(?:\s+now)?)\s*(?:to say\b|saying\b|that says\b|that\b|with\b|of\b|about\b|[:：])?\s*(.*)$"
);
rule!(
    HAN_NOTES = r"(?s)^(?:请|帮我|给我|马上|立即|现在|立刻)*(?:弹出|弹|发送|发|显示)(?:一个|一条|个|条)?(?:桌面)?(?:通知|提示)\s*(?:说|内容(?:是|为)?|[:：,，])*\s*(.*)$|^(?:请|马上|立即|现在|立刻)+通知我\s*[:：,，]?\s*(.+)$"
);

/// `show me a notification that …`: now, once.
pub(super) fn note(part: &Part) -> Option<Found> {
    if WAITS.find(&part.raw).is_some() {
        return None;
    }
    let found = NOTES.find(&part.raw).or_else(|| HAN_NOTES.find(&part.raw))?;
    let text = found.iter().skip(1).flatten().next().map(|found| found.as_str()).unwrap_or_default();
    let text = text.trim().trim_matches(['"', '“', '”', '\'', '「', '」', '`']).trim().trim_end_matches(['.', '。']).to_owned();
    if text.is_empty() {
        return Some(taken(serde_json::Map::new()));
    }
    Some(taken(args(&[("title", json!(text))])))
}
