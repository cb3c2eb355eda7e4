//! Who is told, and how: a phone, a mailbox, a webhook, an ntfy topic, the desktop, nobody.

use serde_json::{Map, Value, json};

use super::said::{Kind, Said, mail, phone, url};
use crate::llm::offline::slots::{args, rule};

/// Words before and between that belong to the clause.
macro_rules! lead {
    () => {
        r"(?:[,，;；.。]?\s*\b(?:and|then|also|please|but|when it does|when that happens|if so|in that case)\b\s*)*"
    };
}
macro_rules! tell {
    () => {
        r"(?:\b(?:notify|alert|tell|ping|inform|send|deliver|reach|contact|message|let|post|push|forward|mail|report|notification|notifications|the result|results|updates?|alerts?|everything|it|them|that|this|me|us|know|the news|the digest)\b\s*)*"
    };
}

rule!(
    PHONE = concat!(
        r"(?i)",
        lead!(),
        tell!(),
        r"(?:\b(?:by|via|through|with|per|using|as|over|in)\s+)?(?:\ban?\s+)?(?:\b(?:sms|text|texts|phone|call|whatsapp)\b\s*)?(?:\b(?:messages?|notifications?|alerts?)\b\s*)?(?:\b(?:me|us)\b\s*)?(?:\b(?:it|this|that|them)\b\s*)?(?:\b(?:an?)\s+(?:sms|text(?:\s+messages?)?|message)\b\s*)?(?:(?:\b(?:to|at|on|is)\b|:)\s*)*(?:\b(?:my|the|this)\b\s*)?(?:\b(?:phone|number|mobile|cell)\b\s*)*(?:\b(?:is|at)\b\s*|:\s*)?",
        phone!()
    )
);
rule!(
    PHONE_HAN = concat!(
        r"(?:[，,、。]?\s*(?:并且?|然后|再|就|请|则|同时|同时请))*\s*(?:用|通过|以)?\s*(?:短信|消息)?\s*(?:推送|发送?|通知|提醒)?(?:给我)?(?:一?条|个)?(?:短信|消息|信息|SMS|sms)?(?:通知|提醒)?(?:我|给我)?的?(?:发送|发)?(?:到|至|给|往|：|:)?\s*(?:我的?)?(?:手机号码?|手机|号码|电话)?(?:号)?(?:是|为|：|:)?\s*",
        phone!(),
        r"\s*(?:发?送?短信)?(?:通知我|告诉我|提醒我)?"
    )
);
rule!(
    MAIL = concat!(
        r"(?i)",
        lead!(),
        tell!(),
        r"(?:\b(?:by|via|through|with|per|using|as|over|in)\s+)?(?:\ban?\s+)?(?:\be-?mails?\b\s*)?(?:\b(?:notifications?|alerts?|messages?)\b\s*)?(?:\b(?:me|us|it|them|this|that|the\s+\w+)\b\s*)*(?:(?:\b(?:to|at|on|is)\b|:)\s*)*(?:\b(?:my|the)\b\s*)?(?:\b(?:e-?mail|address|mailbox|inbox)\b\s*)*(?:(?:\bis\b|:)\s*)?",
        mail!()
    )
);
rule!(
    MAIL_HAN = concat!(
        r"(?:[，,、。]?\s*(?:并且?|然后|再|就|请|则|同时))*\s*(?:用|通过|以)?\s*(?:邮件|邮箱|email|Email)?\s*(?:推送|发送?|通知|提醒)?(?:给我)?(?:一?封|个)?(?:电子)?(?:邮件|消息|email|Email)?(?:通知|提醒)?(?:我|给我)?(?:发送|发)?(?:到|至|给|往|：|:)?\s*(?:我的?)?(?:邮箱地址|邮箱|电子邮箱|email|Email)?(?:是|为|：|:)?\s*",
        mail!(),
        r"\s*(?:通知我|告诉我|提醒我)?"
    )
);
rule!(
    WEBHOOK = concat!(
        r"(?i)",
        lead!(),
        tell!(),
        r"(?:\b(?:to|by|via|through|with|using|call|trigger|hit)\b\s*)*(?:\b(?:the|a|my)\b\s*)?\bweb\s?hook\b\s*(?:\b(?:at|to|url|on|address|is)\b\s*|:\s*)*(",
        url!(),
        ")"
    )
);
rule!(
    WEBHOOK_AFTER = concat!(
        r"(?i)",
        lead!(),
        tell!(),
        r"(?:\b(?:to|by|via|at)\b\s*)*(?:\b(?:the|a|my)\b\s*)?(",
        url!(),
        r")\s*(?:\((?:as )?(?:a\s+)?webhook\)|\b(?:as\s+(?:a\s+)?)?webhook\b)"
    )
);
rule!(
    POST_TO = concat!(
        r"(?i)",
        lead!(),
        r"\b(?:post|posts|posting|POST|push)\s+(?:\b(?:it|them|this|that|results?|updates?|events?|alerts?|the\s+\w+|a\s+message|changes?|each|every|notification)\b\s*)*(?:to|at)\s+(",
        url!(),
        ")"
    )
);
rule!(
    WEBHOOK_HAN = concat!(
        r"(?i)(?:[，,、]?\s*(?:并且?|然后|再|就|请))*\s*(?:用|通过|以)?\s*(?:推送|发送?|通知|调用|触发|请求|post)?\s*(?:到|给|至)?\s*(?:(?:web\s?hook|钩子)\s*(?:地址)?\s*(?:到|给|至|是|为|:)*\s*(",
        url!(),
        r")|(",
        url!(),
        r")\s*(?:这个)?(?:web\s?hook|钩子))"
    )
);
rule!(
    CALLBACK = concat!(
        r"(?i)",
        lead!(),
        r"(?:\b(?:with|using|and|set)\b\s*)*(?:\b(?:the|a|my)\b\s*)?(?:\bcallback(?:[_ ]url)?\b|回调(?:地址|网址)?)\s*(?:\b(?:at|to|is|url|address)\b\s*|[:是为到]\s*)*(",
        url!(),
        ")"
    )
);
rule!(
    NTFY = r"(?i)(?:[,，、]?\s*\b(?:and|then|please)\b\s*)*(?:\b(?:notify|alert|tell|ping|push|send|publish|post|it|me|us|a|an|notification|notifications)\b\s*)*(?:\b(?:by|via|through|with|using|to|on|over)\b\s*|[，,]?\s*(?:用|通过|推送|发送?|到|给|以))*\s*(?:\bmy\b\s*)?(?:\bthe\b\s*)?\bntfy\b(?:\.sh)?\s*(?:\b(?:topic|channel|the)\b\s*|主题|频道|的|上)*\s*(?:\b(?:called|named)\b\s*|[:/到]\s*)?(?:([\x{e100}-\x{e1ff}])|([\w-]{2,64}))?(?:\s+topic\b)?"
);
rule!(
    DESKTOP = r"(?i)(?:[,，、]?\s*\b(?:and|then|please)\b\s*)*(?:\b(?:notify|alert|tell|ping|send|show|pop up|display|give|me|us)\b\s*)*(?:(?:\b(?:by|via|through|with|using|as|on|to)\b)\s*)?(?:\b(?:a|an|the|my)\b\s*)?\bdesktop\b\s*(?:\b(?:notifications?|alerts?|messages?|popups?)\b)?|[，,]?(?:用|通过|以|弹出?|发|在)*(?:一个)?桌面上?(?:通知|提醒|弹窗|消息)*(?:我|告诉我)*"
);
rule!(
    SMS = r"(?i)(?:[,，;]?\s*\b(?:and|then|please)\b\s*)*(?:\b(?:notify|alert|tell|ping|inform|send|deliver|let)\b\s+(?:\b(?:me|us|it|them|the result|updates?|alerts?|notifications?)\b\s*)+)?(?:\b(?:by|via|through|with|per|using|as|over)\s+(?:an?\s+)?(?:sms|text(?:s|\s*messages?)?)\b(?:\s+(?:to\s+)?(?:my|the)\s+(?:phone|mobile|cell|number)(?:\s+number)?)?|\b(?:text|sms)\s+(?:me|us)\b(?:\s+(?:the\s+results?|it|about it|then|updates?))?|\bsend\s+(?:me\s+|us\s+)?(?:an?\s+)?(?:sms|text(?:\s+message)?)\b(?:\s+to\s+me)?|\btext\s+(?:it|them|the results?)\s+to\s+(?:me|my phone)\b|\bby phone\b)"
);
rule!(
    SMS_HAN = r"(?:[，,、]?\s*(?:并且?|然后|再|就|请|则|同时))*(?:用|通过|以|给我|向我)*(?:发送?|推送)?(?:一?条|个)?(?:手机)?(?:短信|SMS|sms)(?:给我|通知我|提醒我|告诉我|到我?手机|通知|提醒|我)*"
);
rule!(
    EMAIL = r"(?i)(?:[,，;]?\s*\b(?:and|then|please)\b\s*)*(?:\b(?:notify|alert|tell|ping|inform|send|deliver|let)\b\s+(?:\b(?:me|us|it|them|the result|updates?|alerts?|notifications?)\b\s*)+)?(?:\b(?:by|via|through|with|per|using|as|over)\s+(?:an?\s+)?e-?mail\b|\b(?:e-?mail|mail)\s+(?:me|us)\b(?:\s+(?:the\s+results?|it|about it|then|updates?))?|\bsend\s+(?:me\s+|us\s+)?(?:an?\s+)?e-?mail\b(?:\s+to\s+me)?|\be-?mail\s+(?:it|them)\s+to\s+me\b)"
);
rule!(
    EMAIL_HAN = r"(?i)(?:[，,、]?\s*(?:并且?|然后|再|就|请|则|同时))*(?:用|通过|以|给我|向我)*(?:发送?|推送)?(?:一?封|个|到)?(?:我的?)?(?:电子邮件|邮件|邮箱|电邮)(?:给我|通知我|提醒我|告诉我|通知|提醒|我)*"
);
rule!(
    NOBODY = r"(?i)[,，]?\s*(?:\b(?:and|but|with|without)\b\s*)*(?:\bno notifications?\b|\bwithout (?:any )?notif\w+\b|\b(?:don't|do not) notify me\b|\b(?:only|just)?\s*(?:to|in(?:to)?) (?:the|my) inbox(?: only)?\b|\bsilently\b|\bquietly\b)|[，,]?(?:不用|不要|无需|不必)(?:通知|提醒)(?:我)?|[，,]?(?:只|仅)?(?:放到?|发到|存到?|放进)收件箱"
);

/// What was said about who is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Channel {
    /// The `notification` of the config.
    pub(super) notification: Option<Map<String, Value>>,
    /// Where the events are posted to.
    pub(super) callback_url: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "what its callers return")]
fn method(name: &str, pairs: &[(&str, Value)]) -> Option<Map<String, Value>> {
    let mut notification = args(&[("method", json!(name))]);
    notification.extend(args(pairs));
    Some(notification)
}

/// Reads it and cuts it out.
pub(super) fn take(said: &mut Said) -> Channel {
    let mut channel = Channel::default();
    let mask_of = |groups: &[Option<String>]| groups.iter().skip(1).flatten().next().and_then(|text| text.chars().next());
    if let Some(groups) = said.take(&CALLBACK) {
        channel.callback_url = mask_of(&groups).and_then(|mask| said.meaning(mask)).map(str::to_owned);
    }
    channel.notification = with_receiver(said).or_else(|| by_words(said));
    channel
}

/// A channel whose receiver is named.
fn with_receiver(said: &mut Said) -> Option<Map<String, Value>> {
    let mask_of = |groups: &[Option<String>]| groups.iter().skip(1).flatten().next().and_then(|text| text.chars().next());
    if let Some(mask) = said.masks(Kind::Phone).first() {
        let number = said.meaning(*mask).unwrap_or_default().to_owned();
        let han = PHONE_HAN.find(&said.text).and_then(|captures| captures.get(0)).map_or(0, |whole| whole.len());
        let latin = PHONE.find(&said.text).and_then(|captures| captures.get(0)).map_or(0, |whole| whole.len());
        said.take(if han > latin { &PHONE_HAN } else { &PHONE });
        by_words(said);
        return method("send_sms", &[("phone_number", json!(number))]);
    }
    if let Some(mask) = said.masks(Kind::Mail).first() {
        let address = said.meaning(*mask).unwrap_or_default().to_owned();
        let han = MAIL_HAN.find(&said.text).and_then(|captures| captures.get(0)).map_or(0, |whole| whole.len());
        let latin = MAIL.find(&said.text).and_then(|captures| captures.get(0)).map_or(0, |whole| whole.len());
        said.take(if han > latin { &MAIL_HAN } else { &MAIL });
        by_words(said);
        return method("send_email", &[("email", json!(address))]);
    }
    for rule in [&WEBHOOK, &WEBHOOK_AFTER, &POST_TO, &WEBHOOK_HAN] {
        if let Some(groups) = said.take(rule) {
            let url = mask_of(&groups).and_then(|mask| said.meaning(mask)).unwrap_or_default().to_owned();
            return match url.split_once("://ntfy.sh/") {
                Some((_, topic)) => method("ntfy", &[("topic", json!(topic))]),
                None => method("webhook", &[("url", json!(url))]),
            };
        }
    }
    let topic = said.masks(Kind::Url).into_iter().find_map(|mask| {
        let (_, rest) = said.meaning(mask)?.split_once("://ntfy.")?;
        let (host, topic) = rest.split_once('/').filter(|(_, topic)| !topic.is_empty())?;
        Some((mask, host.to_owned(), topic.to_owned()))
    });
    if let Some((mask, host, topic)) = topic {
        said.text = said.text.replace(mask, "ntfy");
        said.take(&NTFY);
        let server = if host == "sh" { Vec::new() } else { vec![("url", json!(format!("https://ntfy.{host}")))] };
        let mut notification = method("ntfy", &server)?;
        notification.insert("topic".to_owned(), json!(topic));
        return Some(notification);
    }
    None
}

/// Words behind `ntfy` that are no topic.
const NO_TOPICS: &[&str] =
    &["when", "if", "and", "every", "each", "at", "on", "whenever", "once", "topic", "as", "for", "me", "about", "to", "in"];

/// A channel that is named alone: its receiver may be known to the config, or is asked for by the tool.
fn by_words(said: &mut Said) -> Option<Map<String, Value>> {
    if let Some(captures) = NTFY.find(&said.text) {
        let whole = captures.get(0)?.range();
        let quoted = captures.get(1).and_then(|mask| mask.as_str().chars().next()).and_then(|mask| said.meaning(mask)).map(str::to_owned);
        let word = captures.get(2).filter(|word| !NO_TOPICS.contains(&word.as_str().to_lowercase().as_str()));
        let end = if quoted.is_some() || word.is_some() { whole.end } else { captures.get(2).map_or(whole.end, |word| word.start()) };
        let topic = quoted.or_else(|| word.map(|word| word.as_str().to_owned()));
        said.cut(whole.start..end);
        return method("ntfy", &topic.map(|topic| ("topic", json!(topic))).into_iter().collect::<Vec<_>>());
    }
    if said.take(&DESKTOP).is_some() {
        return method("desktop", &[]);
    }
    if said.take(&SMS).is_some() || said.take(&SMS_HAN).is_some() {
        return method("send_sms", &[]);
    }
    if said.take(&EMAIL).is_some() || said.take(&EMAIL_HAN).is_some() {
        return method("send_email", &[]);
    }
    said.take(&NOBODY).and_then(|_| method("none", &[]))
}

/// What a channel still needs, by the key of the notification.
pub(super) fn lacks(notification: &Map<String, Value>) -> Option<&'static str> {
    let key = match notification.get("method").and_then(Value::as_str)? {
        "send_sms" => "phone_number",
        "send_email" => "email",
        "webhook" => "url",
        "ntfy" => "topic",
        _ => return None,
    };
    (!notification.contains_key(key)).then_some(key)
}

/// The receiver that an answer names, for a key of the notification.
pub(super) fn receiver(key: &str, text: &str) -> Option<String> {
    let mut said = Said::new(text);
    let of = |said: &Said, kind: Kind| said.masks(kind).first().and_then(|mask| said.meaning(*mask)).map(str::to_owned);
    match key {
        "phone_number" => of(&said, Kind::Phone).or_else(|| of(&Said::new(&format!("sms to {}", text.trim())), Kind::Phone)),
        "email" => of(&said, Kind::Mail),
        "url" => of(&said, Kind::Url),
        _ => {
            let named = by_words(&mut said).and_then(|found| found.get("topic").and_then(Value::as_str).map(str::to_owned));
            let word = text.trim().trim_matches(['"', '\'', '`', '.', '。']);
            let plain = !word.is_empty() && word.chars().all(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '-' | '_'));
            named.or_else(|| plain.then(|| word.to_owned()))
        }
    }
}
