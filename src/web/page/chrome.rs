//! What of a web page is furniture: navigation, adverts, consent, sharing, recommendations, counters, clocks.
//!
//! Judged by the element's name and role, by the words of its class and id, and by the heading of a section. A word may
//! mislead (`popular` is the subject of a chart), so whoever asks keeps an element that holds much of the page.

use std::sync::LazyLock;

use regex::Regex;

use super::noise::fold;

/// How sure it is that an element is furniture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is content.
    Keep,
    /// It never holds text for a reader.
    Mute,
    /// Furniture, unless it holds much of the page.
    Furniture,
    /// A counter or a clock, unless it holds more than a phrase.
    Gauge,
    /// A menu, if it is made of links.
    Menu,
}

/// Elements without text for a reader.
const MUTE: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed", "canvas", "audio", "video", "link", "meta",
    "head", "map", "input", "textarea", "datalist", "base", "param", "source", "track",
];

/// Words of a class or an id that name furniture. Neighbouring words are tried together too: `most-read` is `mostread`.
const FURNITURE: &[&str] = &[
    // Navigation and frame.
    "nav",
    "navbar",
    "navigation",
    "subnav",
    "topnav",
    "gnav",
    "sidenav",
    "mainnav",
    "hauptnavigation",
    "breadcrumb",
    "breadcrumbs",
    "crumb",
    "crumbs",
    "pagination",
    "pager",
    "sitemap",
    "skip",
    "skiplink",
    "skiplinks",
    "topbar",
    "toolbar",
    "sidebar",
    "footer",
    "foot",
    "fuss",
    "fusszeile",
    "colophon",
    "pagefooter",
    "masthead",
    "searchbox",
    "searchform",
    "searchbar",
    "login",
    "signin",
    "editlink",
    "editsection",
    "prevnext",
    "backtotop",
    "langswitch",
    "widgetarea",
    "catlinks",
    "tagcloud",
    "feedback",
    "printlink",
    "headeranchor",
    // Adverts.
    "ad",
    "ads",
    "adv",
    "advert",
    "adverts",
    "advertisement",
    "advertising",
    "adslot",
    "adbox",
    "adunit",
    "adsense",
    "adsbygoogle",
    "gpt",
    "dfp",
    "sponsor",
    "sponsors",
    "sponsored",
    "sponsorship",
    "promo",
    "promos",
    "promotion",
    "promotions",
    "promoted",
    "promobar",
    "anzeige",
    "anzeigen",
    "werbung",
    "reklame",
    "publicidad",
    "publicite",
    "taboola",
    "outbrain",
    "carbonads",
    "donate",
    "donation",
    "sitenotice",
    "guanggao",
    // Consent, letters, windows.
    "cookie",
    "cookies",
    "cookiebar",
    "consent",
    "gdpr",
    "dsgvo",
    "ccpa",
    "onetrust",
    "newsletter",
    "subscribe",
    "subscription",
    "signup",
    "mailinglist",
    "popup",
    "modal",
    "lightbox",
    "paywall",
    // Sharing.
    "share",
    "sharing",
    "sharebar",
    "sharebuttons",
    "sharedaddy",
    "social",
    "socials",
    "follow",
    "teilen",
    // Other things to look at.
    "related",
    "relatedposts",
    "recommended",
    "recommend",
    "recommendation",
    "recommendations",
    "recs",
    "reco",
    "suggested",
    "suggestions",
    "similar",
    "crosssell",
    "upsell",
    "alsolike",
    "alsobought",
    "alsoviewed",
    "youmaylike",
    "trending",
    "popular",
    "mostread",
    "mostviewed",
    "mostpopular",
    "hotrank",
    "empfehlung",
    "empfehlungen",
    "beliebt",
    "meistgelesen",
    "osusume",
    "guess",
    "recentlyviewed",
    "zuletztangesehen",
    "rireki",
    "testimonial",
    "testimonials",
    "kundenstimmen",
    "experiment",
    "abtest",
    "optimizely",
    // Of a person, not of the subject.
    "signature",
    "sig",
    "whosonline",
    "whoisonline",
    "onlineusers",
];

/// Words that name a counter or a clock.
const GAUGES: &[&str] = &[
    "viewcount",
    "views",
    "pageviews",
    "viewcounter",
    "viewers",
    "visitors",
    "visitorcount",
    "hitcounter",
    "likes",
    "likecount",
    "likebutton",
    "reactions",
    "upvotes",
    "votecount",
    "commentcount",
    "commentscount",
    "sharecount",
    "favcount",
    "applicants",
    "counter",
    "statcounter",
    "clock",
    "uhr",
    "nowtime",
    "currenttime",
    "currentdate",
    "servertime",
    "serverzeit",
    "countdown",
    "timeago",
    "relativetime",
    "lastupdated",
    "lastmodified",
    "lastupdate",
    "lastmod",
    "lastchecked",
    "onlinecount",
    "postlikes",
    "downloadcount",
];

/// First words of classes whose other words name parts of an entry.
const CARDS: &[&str] =
    &["card", "product", "item", "tile", "panel", "box", "table", "price", "entry", "list", "result", "offer", "listing"];

/// Attributes of elements under test: what they say differs from visitor to visitor.
const TESTED: &[&str] = &["data-experiment", "data-ab-test", "data-abtest", "data-optimizely", "data-testgroup", "data-ad", "data-ad-slot"];

const ROLES: &[&str] = &["navigation", "search", "contentinfo", "dialog", "alertdialog", "menu", "menubar", "toolbar"];

/// What is asked about: an element's name and attributes.
pub(super) struct Element<'a> {
    pub(super) name: &'a str,
    pub(super) attributes: &'a [(&'a str, &'a str)],
    /// Whether it stands inside of the main part or of an article.
    pub(super) in_main: bool,
}

impl Element<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// Whether `element` has no text for a reader, whatever part of the page is watched.
pub(super) fn is_mute(element: &Element<'_>) -> bool {
    if MUTE.contains(&element.name) || element.attribute("hidden").is_some() || element.attribute("aria-hidden") == Some("true") {
        return true;
    }
    if element.name == "dialog" && element.attribute("open").is_none() {
        return true;
    }
    element.attribute("style").is_some_and(|style| {
        let style: String = style.chars().filter(|ch| !ch.is_whitespace()).collect::<String>().to_ascii_lowercase();
        style.contains("display:none") || style.contains("visibility:hidden")
    })
}

/// What `element` is.
pub(super) fn verdict(element: &Element<'_>) -> Verdict {
    if is_mute(element) {
        return Verdict::Mute;
    }
    match element.name {
        "html" | "body" | "main" | "h1" => return Verdict::Keep,
        "nav" | "footer" => return Verdict::Furniture,
        "aside" | "header" if !element.in_main => return Verdict::Furniture,
        "relative-time" | "time-ago" => return Verdict::Gauge,
        _ => {}
    }
    if element.attribute("role").is_some_and(|role| ROLES.contains(&role)) {
        return Verdict::Furniture;
    }
    if element.attributes.iter().any(|(key, _)| TESTED.contains(key)) {
        return Verdict::Furniture;
    }
    let mut verdict = Verdict::Keep;
    for key in ["class", "id"] {
        for token in element.attribute(key).unwrap_or_default().split_whitespace().take(16) {
            match token_verdict(token) {
                Verdict::Keep => {}
                Verdict::Furniture => return Verdict::Furniture,
                other => verdict = other,
            }
        }
    }
    verdict
}

fn token_verdict(token: &str) -> Verdict {
    let words = words(token);
    // The foot of a card holds its price, the foot of a page its imprint.
    let of_card = words.first().is_some_and(|first| CARDS.contains(&first.as_str()));
    let mut verdict = Verdict::Keep;
    for (at, word) in words.iter().enumerate() {
        let pair = words.get(at + 1).map(|next| format!("{word}{next}"));
        let triple = words.get(at + 2).zip(pair.as_ref()).map(|(third, pair)| format!("{pair}{third}"));
        for word in [Some(word), pair.as_ref(), triple.as_ref()].into_iter().flatten() {
            if of_card && matches!(word.as_str(), "footer" | "foot" | "nav") {
                continue;
            }
            if FURNITURE.contains(&word.as_str()) || word.starts_with("cookie") || word.ends_with("navigation") {
                return Verdict::Furniture;
            }
            if GAUGES.contains(&word.as_str()) {
                verdict = Verdict::Gauge;
            } else if (word == "menu" || word == "menus") && verdict == Verdict::Keep {
                verdict = Verdict::Menu;
            }
        }
    }
    verdict
}

/// The words of a class name in lower case: parted at signs, digits and capitals.
fn words(token: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut lower_before = false;
    for ch in token.chars().take(80) {
        let parts = !ch.is_alphabetic() || (ch.is_uppercase() && lower_before);
        if parts && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if ch.is_alphabetic() {
            word.extend(ch.to_lowercase());
        }
        lower_before = ch.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a section under this heading is about other things than the page's subject.
pub(super) fn is_aside_heading(heading: &str) -> bool {
    static ASIDE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^(?:you (?:may|might|could) (?:also )?(?:like|enjoy|be interested)|recommended(?: for you| reading)?$|related(?: \w+)?$|similar (?:topics|products|jobs|threads|items|posts|companies)|",
            r"customers? (?:who|also)|frequently bought|recently viewed|most (?:read|popular|viewed|shared|commented)|trending(?: now)?$|popular(?: posts| now| articles)?$|sponsored|",
            r"from our partners|around the web|advertisement$|what (?:our )?(?:customers|clients|users|readers) (?:say|are saying)|testimonials?$|voices of|follow us|share this|share on|",
            r"newsletter|subscribe|who(?:'s| is) online|(?:quote|tip) of the day|did you know|more from|more stories|",
            r"das könnte (?:sie|dich|dir|ihnen) auch|ähnliche (?:themen|artikel|produkte|beiträge)|meistgelesen|beliebte?(?: artikel)?$|zuletzt angesehen|das sagen (?:unsere )?kunden|kundenstimmen|",
            r"letzte änderungen|recent changes|auch interessant|empfehlungen|",
            r"猜你喜欢|相关(?:阅读|推荐|文章|帖子|信息|新闻|链接|商品)|热门(?:排行|推荐|文章|新闻)|推荐阅读|为[你您]推荐|最近浏览|排行榜|相似(?:公司|商品|职位)|看了又看|",
            r"おすすめ|関連(?:記事|商品|リンク)|人気(?:記事|ランキング|商品)|この商品を(?:買った|見た|チェック)|最近(?:チェック|見た)|アクセス(?:カウンター|ランキング)|",
            r"articles (?:liés|similaires)|les plus lus|vous aimerez|lo más (?:leído|visto)|también te puede|relacionad)"
        ))
        .ok()
    });
    let heading = fold(heading).to_lowercase();
    heading.chars().count() <= 60 && ASIDE.as_ref().is_some_and(|aside| aside.is_match(heading.trim()))
}
