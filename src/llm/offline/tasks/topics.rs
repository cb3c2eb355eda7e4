//! What a page is watched for: keywords that are quoted, listed, or said after `for`, `about`, `关于`.

use std::sync::LazyLock;

use regex::Regex;

use super::said::{HOLE, Said, quote, url};
use crate::llm::offline::slots::rule;

/// The most keywords of one request.
const KEYWORDS_MAX: usize = 50;

/// The most words of a keyword; what is longer is a sentence.
const WORDS_MAX: usize = 6;

rule!(
    NAMED = r"(?i)(?:\b(?:keywords?|key words?|key phrases?|terms?|tags?)\b|关键[词字])\s*(?:\b(?:are|is|like|such as|of)\b\s*|[:：=是为有]\s*)?([^\x{e800};；。]+)"
);
rule!(
    AFTER = r"(?i)\b(?:mention(?:s|ing|ed)?(?:\s+of)?|about|regarding|concerning|related to|contain(?:s|ing)?|includ(?:es|ing)|with the (?:words?|phrase|term)|(?:the )?(?:words?|phrase|term)s?\s+(?:of\s+)?|talk(?:s|ing)? about|cover(?:s|ing)|featur(?:es|ing)|for|looking for|look for|on the topic of|say(?:s|ing)?)\s+((?:[^\x{e800};；。.!?]|\.\w)+)"
);
rule!(
    BEFORE_NEWS = concat!(
        r"(?i)(?:",
        url!(),
        r"(?:'s)?(?:\s+(?:and|&|,)\s*)?)+\s+(?:homepage\s+|page\s+|site\s+)?([^\x{e000}-\x{e0ff}\x{e800},;.]+?)\s+(?:news|stories|articles|posts|coverage|section|headlines|content|updates)\b"
    )
);
rule!(
    OF_ON = concat!(
        r"(?i)\b(?:watch|monitor|track|follow|check|find|look out for|keep an eye out for|spot|catch|of|see|know about|is|are|any|for)\s+(?:any\s+|new\s+|the\s+|latest\s+|some\s+|all\s+)*([^\x{e000}-\x{e0ff}\x{e800},;.]+?)\s+(?:news|stories|articles|posts|coverage|headlines|updates|mentions|content)\s+(?:on|from|at|in|appear\w*\s+(?:on|in|at))\s+(?:the\s+)?",
        url!()
    )
);
rule!(
    APPEARS = concat!(
        r"(?i)\b(?:when(?:ever)?|if|once|as soon as)\s+(?:the\s+(?:word|phrase|term)s?\s+)?([^\x{e000}-\x{e0ff}\x{e800},;.]+?|",
        quote!(),
        r")\s+(?:appears?|shows? up|is mentioned|are mentioned|comes? up|pops? up|gets mentioned|is in the news|makes the news|is on|are on)\b"
    )
);
rule!(HAN_AFTER = r"(?:关于|涉及|提到|提及|出现|包含|含有|包括|谈到|说到|搜索)(?:了)?\s*([^\x{e800}，。；,;]+)");
rule!(
    HAN_OF = concat!(
        url!(),
        r"\s*(?:(?:网站|网页|首页|页面|官网|论坛)?(?:上面?|里面?|中)?(?:的|有关|关于|有没有|是否有|有)\s*)+([^\x{e800}\x{e000}-\x{e0ff}，。；,;]*?)\s*(?:的)?(?:最新)?(?:相关)?的?(?:新闻|消息|资讯|文章|内容|更新|动态|帖子|报道|信息|话题|变化|变动|头条|版本)"
    )
);
rule!(
    HAN_BEFORE = r"(?:监控|监视|监测|关注|盯着?|跟踪|追踪|留意|查看|查|检查)(?:一下)?\s*([^\x{e800}\x{e000}-\x{e0ff}，。；,;]*?)(?:的)?(?:相关)?的?(?:新闻|消息|资讯|文章|动态|帖子|报道)"
);

static SPLIT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\s*(?:[,，;；、/]|\s(?:and/or|and|or|as well as|plus|&)\s|或者?|以及|还有|和|与|及)\s*(?:(?:and|or)\s+)?").ok()
});
rule!(
    LEADING = r"(?i)^(?:(?:any|new|newest|latest|recent|the|all|some|every|a|an|news|articles?|stories|story|posts?|mentions?|updates?|about|of|on|for|words?|keywords?|phrases?|terms?|topics?|anything|something|everything|things?|breaking|changes?|items?|content|related to|that|which|mention(?:s|ing)?|contain(?:s|ing)?|there|is|are|it|in|to|regarding|either|both|only|important|big|major|interesting)\b|(?:任何|最新|新的?|有关|关于|相关|的|所有|一些|更新|是否|有|了|出现|词|字|任意|其中|只看))\s*[:：]?\s*"
);
rule!(
    TRAILING = r"(?i)(?:\s*\b(?:news|articles?|stories|story|posts?|updates?|headlines?|mentions?|announcements?|coverage|content|items?|topics?|entries|there|please|too|also|related|stuff|things|pieces|threads?|is|are|it|them|and|or|then|on|in|at|from|by|the|to|with|me|changes?|section|page|pages|site|website|keywords?|topic|appears?|happens?)|\s*(?:新闻|消息|资讯|文章|内容|更新|动态|帖子|报道|信息|话题|相关|有关|的|时候?|就|了|等等?|吗|字样|变化|头条))$"
);
rule!(
    STOP = concat!(
        r"(?i)(?:\s+\b(?:on|in|at|from|by|of|over|across)\s+(?:the\s+)?(?:website|site|page|sites|pages)?\s*",
        url!(),
        r"|\s+(?:and|then|,)?\s*(?:also\s+)?\b(?:text|notify|alert|tell|ping|message|let|send|inform|when|whenever|if|once|every|check|checking|email|only|post)\b.*|[，,]\s*(?:有|就|请|然后|并|一旦|如果|告诉|通知|提醒|发|在|每).*|\s+(?:on|in|at) (?:this|that|the) (?:page|site|website)|",
        url!(),
        r".*|(?:时|的时候|就|后)?(?:请|就)?(?:告诉|通知|提醒|发|叫)(?:我|给|一下).*)"
    )
);
// Words of a topic that say no more than that something changes.
rule!(
    NOTHING = r"(?i)^(?:(?:any|new|a|the|all|latest|more|price|page|content|text|visual|significant)\s*)*(?:changes?|updates?|modifications?|differences?|releases?|versions?|news|posts?|articles?|stories|content|anything|something|everything|alterations?|edits?|entries|items?|me|us|it|that|this|new|things?|activity|events?|breaking|top stories|headlines?|changed|updated)?$|^(?:更新|变化|变动|新闻|内容|动态|消息|新|最新|网页|页面|首页|价格变化|文章|新版本|版本|的|改动|资讯|变|一下|官网|网站|它|是否|有没有|什么|有新|新的|价格|任何)*$"
);

/// The keywords of a request whose times and receivers are cut out already.
pub(super) fn keywords(said: &Said) -> Vec<String> {
    let text = said.text.as_str();
    let rules = [&NAMED, &APPEARS, &OF_ON, &AFTER, &BEFORE_NEWS, &HAN_AFTER, &HAN_OF, &HAN_BEFORE];
    for rule in rules {
        let mut from = 0;
        while let Some(captures) = text.get(from..).and_then(|rest| rule.find(rest)) {
            let (Some(whole), Some(topic)) = (captures.get(0), captures.get(1)) else { break };
            let found = split(said, topic.as_str());
            if !found.is_empty() {
                return found;
            }
            from += whole.start() + whole.as_str().chars().next().map_or(1, char::len_utf8);
        }
    }
    Vec::new()
}

/// The single keywords of a list.
pub(super) fn split(said: &Said, list: &str) -> Vec<String> {
    let mut list = list.to_owned();
    // `watch Hacker News for GitHub`: a site may be a topic.
    let is_url = |ch: char| ('\u{e000}'..='\u{e0ff}').contains(&ch);
    if list.chars().any(is_url) && trimmed(&list).chars().all(is_url) {
        return list.chars().filter(|ch| is_url(*ch)).map(|mask| said.written(&mask.to_string())).collect();
    }
    if let Some(start) = STOP.find(&list).and_then(|captures| captures.get(0)).map(|stop| stop.start()) {
        list.truncate(start);
    }
    let quoted: Vec<char> = list.chars().filter(|ch| is_quote(*ch)).collect();
    // What is quoted is meant to the letter, and nothing beside it.
    if !quoted.is_empty() {
        return quoted
            .into_iter()
            .filter_map(|mask| said.meaning(mask))
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect();
    }
    let Some(rule) = SPLIT.as_ref() else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for piece in rule.split(&list) {
        let piece = trimmed(piece);
        let words = piece.split_whitespace().count();
        if NOTHING.find(&piece).is_some() || words > WORDS_MAX || piece.contains(HOLE) || piece.chars().count() > 60 {
            continue;
        }
        let piece = said.bare(&piece);
        if !found.contains(&piece) && found.len() < KEYWORDS_MAX {
            found.push(piece);
        }
    }
    found
}

fn is_quote(ch: char) -> bool {
    ('\u{e100}'..='\u{e1ff}').contains(&ch)
}

/// A keyword without the words around it.
fn trimmed(piece: &str) -> String {
    let noise = |ch: char| ch.is_whitespace() || matches!(ch, ',' | '，' | '.' | '。' | ':' | '：' | '?' | '？' | '!' | '！' | '(' | ')');
    let mut text = piece.trim_matches(noise).to_owned();
    loop {
        let before = text.len();
        for rule in [&LEADING, &TRAILING] {
            if let Some(range) = rule.find(&text).and_then(|captures| captures.get(0)).map(|whole| whole.range()) {
                text.replace_range(range, "");
                text = text.trim_matches(noise).to_owned();
            }
        }
        if text.len() == before {
            return text;
        }
    }
}
