//! What a memory is about, where nobody says: by the words it is told in.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::memory::MemoryKind;

static PREFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:prefer\w*|favou?rite|likes?|loves?|hates?|dislikes?|wants?|rather|always (?:use|answer|write|call|reply)|never (?:use|answer|write|call|reply)|(?:do not|don't) (?:use|write|call)|allergic|vegetarian|vegan)\b|喜欢|最爱|讨厌|偏好|偏爱|习惯|不吃|过敏|请总是|总是用|不要用",
    )
    .ok()
});

static PERSON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:wife|husband|partner|mother|father|mum|mom|dad|son|daughter|brother|sister|friend|boss|manager|colleague|coworker|neighbou?r|cousin|uncle|aunt|grandm\w+|grandf\w+|doctor|dentist|teacher|birthday|my name is|is called|born)\b|妻子|老婆|丈夫|老公|妈妈|爸爸|母亲|父亲|儿子|女儿|哥哥|姐姐|弟弟|妹妹|朋友|老板|经理|同事|邻居|医生|老师|生日|名叫|我叫",
    )
    .ok()
});

static PROJECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:project|repo(?:sitory)?|codebase|deploy\w*|release\w*|deadline|milestone|sprint|backlog|ticket|branch|staging|production|build server|ci|thesis|client)\b|项目|仓库|代码库|部署|发布|截止|上线|里程碑|论文|客户",
    )
    .ok()
});

/// The kind that the words speak for; a fact where none does.
pub(super) fn kind(text: &str) -> MemoryKind {
    let is = |rule: &LazyLock<Option<Regex>>| rule.as_ref().is_some_and(|rule| rule.is_match(text));
    if is(&PREFERENCE) {
        MemoryKind::Preference
    } else if is(&PERSON) {
        MemoryKind::Person
    } else if is(&PROJECT) {
        MemoryKind::Project
    } else {
        MemoryKind::Fact
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_words() {
        let check = |text: &str, expected: MemoryKind| assert_eq!(kind(text), expected, "{text}");
        check("my favourite colour is green", MemoryKind::Preference);
        check("我喜欢绿茶", MemoryKind::Preference);
        check("Ana's birthday is on 3 May", MemoryKind::Person);
        check("我的妹妹叫小雨", MemoryKind::Person);
        check("the release is built on Fridays", MemoryKind::Project);
        check("the meter reads 5120", MemoryKind::Fact);
    }
}
