//! A page for a reader: its main text as Markdown, what it says about itself, where it leads.
//!
//! The main text is found as browsers' reading modes do it; where that finds next to nothing (a front page, a list, an
//! application), the whole body is told without its frame. Everything is bounded and cleaned: it is a stranger's text.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use dom_query::{Document, Matcher, NodeRef};
use dom_smoothie::{Config, Metadata, Readability, TextMode};
use url::Url;

use super::decode::{self, decode};
use super::rules::matcher;
use super::{BODY_BYTES_MAX, Fault, Item, Media, Rules, guard, html};
use crate::domain::text::{clean, clean_line, ellipsis};

/// The text that is kept of a page, in bytes; the rest is cut, and said to be.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Links that are told.
const LINKS_MAX: usize = 200;

/// The longest address and the longest text of a link.
const URL_BYTES_MAX: usize = 2_000;
const LINK_CHARS_MAX: usize = 150;

/// The longest value of what a page says about itself, in characters.
const ABOUT_CHARS_MAX: usize = 500;

/// A page with more elements is not searched for its main text.
const ELEMENTS_MAX: usize = 60_000;

/// Main text shorter than this, in bytes, is looked at twice: whether the body holds much more.
const SHORT_BYTES: usize = 800;

/// Parts that a selector may find.
const PARTS_MAX: usize = 500;

/// What is no text for a reader.
const MUTE: &[&str] = &[
    "script", "style", "meta", "head", "noscript", "template", "svg", "iframe", "object", "embed", "canvas", "form", "input", "button",
    "select", "textarea", "dialog",
];

/// What frames a page.
const FRAME: &[&str] = &["nav", "header", "footer", "aside"];

/// A page for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// What kind of document it is.
    pub media: Media,
    /// What it says about itself.
    pub about: About,
    /// The text: Markdown where it was HTML or a feed, else as it came.
    pub text: String,
    /// Whether the text is only the beginning.
    pub cut: bool,
    /// Where it leads: text and address, in the order of the text, each address once.
    pub links: Vec<(String, String)>,
    /// Why it may be something else than the page that was meant.
    pub doubt: Option<String>,
}

/// What a page says about itself; each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The title.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// The name of the site.
    pub site: Option<String>,
    /// The language, as the page spells it: `en`, `zh-CN`.
    pub language: Option<String>,
    /// When it was published, as the page spells it.
    pub published: Option<String>,
    /// When it was changed.
    pub modified: Option<String>,
    /// A picture for it.
    pub image: Option<String>,
}

/// The text of a document as it came, and what kind it is.
///
/// # Errors
/// Where it is no text.
pub fn text_of(body: &[u8], content_type: Option<&str>) -> Result<(String, Media), Fault> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Fault::TooLarge { bytes: body.len() });
    }
    decode(body, content_type).map(|decode::Page { text, media }| (text, media))
}

/// Reads a page for a reader; with a CSS `selector` only the parts that it finds.
///
/// # Errors
/// Where there is no text, or the selector is no good or finds nothing.
pub fn article(body: &[u8], content_type: Option<&str>, url: &str, selector: Option<&str>) -> Result<Article, Fault> {
    let (text, media) = text_of(body, content_type)?;
    match (media, selector) {
        (Media::Html, selector) => of_html(&text, url, selector),
        (_, Some(_)) => Err(Fault::Unfit { field: "selector", needs: "HTML", found: name_of(media) }),
        (Media::Feed, None) => of_feed(body, content_type, url),
        (Media::Json | Media::Text, None) => Ok(plain(media, &text)),
    }
}

fn name_of(media: Media) -> &'static str {
    match media {
        Media::Html => "HTML",
        Media::Json => "JSON",
        Media::Feed => "a feed",
        Media::Text => "plain text",
    }
}

fn plain(media: Media, text: &str) -> Article {
    let (text, cut) = bounded(text);
    Article { media, about: About::default(), text, cut, links: Vec::new(), doubt: None }
}

fn of_html(markup: &str, url: &str, selector: Option<&str>) -> Result<Article, Fault> {
    let selector = selector.map(|css| matcher("selector", css).map(|matcher| (css, matcher))).transpose();
    let selector = selector.map_err(|error| Fault::Selector(error.message))?;
    let markup = guard::tamed(markup);
    let document = Document::from(markup.as_ref());
    absolute_links(&document, url);
    let about = about(&document, url);
    let (text, links) = match selector {
        Some((css, matcher)) => parts(&document, css, &matcher)?,
        None => main_text(&document, url),
    };
    let (text, cut) = bounded(&text);
    let doubt = html::stand_in(about.title.as_deref(), &text.lines().map(str::to_owned).collect::<Vec<_>>());
    if text.trim().is_empty() {
        return Err(Fault::Empty("no text is left of it; where scripts draw it, `render: true` may help"));
    }
    Ok(Article { media: Media::Html, about, text, cut, links, doubt })
}

/// The parts that a selector finds, one after the other; a part inside of another one is told with it.
fn parts(document: &Document, css: &str, matcher: &Matcher) -> Result<(String, Vec<(String, String)>), Fault> {
    let found = document.select_matcher(matcher);
    let nodes: Vec<NodeRef<'_>> = found.nodes().iter().take(PARTS_MAX).copied().collect();
    if nodes.is_empty() {
        return Err(Fault::Missing { field: "selector", selector: css.to_owned() });
    }
    let chosen: HashSet<_> = nodes.iter().map(|node| node.id).collect();
    let outermost = nodes.iter().filter(|node| !node.ancestors_it(None).any(|above| chosen.contains(&above.id)));
    let (mut texts, mut links) = (Vec::new(), Vec::new());
    for node in outermost {
        // In a document of its own a part is told as what it is: a link with its address, a heading with its signs.
        let part = Document::fragment(node.html());
        texts.push(part.root().md(Some(MUTE)).trim().to_owned());
        gather(&part.root(), &mut links);
    }
    Ok((texts.join("\n\n"), links))
}

/// The main text, or all of the body where there is none.
fn main_text(document: &Document, url: &str) -> (String, Vec<(String, String)>) {
    let Some(body) = document.body() else {
        let root = document.root();
        let mut links = Vec::new();
        gather(&root, &mut links);
        return (root.md(Some(MUTE)).to_string(), links);
    };
    let config = Config { text_mode: TextMode::Markdown, max_elements_to_parse: ELEMENTS_MAX, disable_json_ld: true, ..Config::default() };
    let found = Readability::with_document(document.clone(), Some(url), Some(config)).and_then(|mut reader| reader.parse());
    let whole = || {
        let mut skipped = MUTE.to_vec();
        skipped.extend(FRAME);
        let text = body.md(Some(&skipped)).to_string();
        // A page that is all frame is told with it.
        if text.trim().is_empty() { body.md(Some(MUTE)).to_string() } else { text }
    };
    if let Ok(article) = found {
        let text = article.text_content.trim().to_owned();
        let all = if text.len() < SHORT_BYTES { whole() } else { String::new() };
        if text.len() >= SHORT_BYTES || text.len() * 4 >= all.trim().len() && !text.is_empty() {
            let content = Document::fragment(article.content);
            let mut links = Vec::new();
            gather(&content.root(), &mut links);
            return (text, links);
        }
    }
    let mut links = Vec::new();
    gather(&body, &mut links);
    (whole(), links)
}

/// Makes addresses absolute, so that they lead somewhere wherever the text is read; drops those that lead nowhere.
fn absolute_links(document: &Document, url: &str) {
    let Ok(page) = Url::parse(url) else { return };
    let named = document.select_single("base[href]").attr("href");
    let base = named.and_then(|href| page.join(&href).ok()).filter(|base| matches!(base.scheme(), "http" | "https")).unwrap_or(page);
    for (css, name) in [("a[href]", "href"), ("img[src]", "src")] {
        for node in document.select(css).nodes() {
            let target = node.attr(name).and_then(|target| base.join(target.trim()).ok());
            match target.filter(|target| matches!(target.scheme(), "http" | "https") && target.as_str().len() <= URL_BYTES_MAX) {
                Some(target) => node.set_attr(name, target.as_str()),
                None => node.remove_attr(name),
            }
        }
    }
}

/// Adds the links below `node`.
fn gather(node: &NodeRef<'_>, links: &mut Vec<(String, String)>) {
    let mut seen: HashSet<String> = links.iter().map(|(_, url)| url.clone()).collect();
    for link in node.descendants_it().filter(|node| node.has_name("a")) {
        if links.len() >= LINKS_MAX {
            return;
        }
        let Some(url) = link.attr("href") else { continue };
        let url = clean_line(url.split('#').next().unwrap_or_default());
        let text = ellipsis(&clean_line(&link.text()), LINK_CHARS_MAX).into_owned();
        if !url.is_empty() && !text.is_empty() && seen.insert(url.clone()) {
            links.push((text, url));
        }
    }
}

/// What the page says about itself, in the ways that pages do: JSON-LD, Open Graph, Dublin Core, plain `meta`.
fn about(document: &Document, url: &str) -> About {
    let config = Config { max_elements_to_parse: ELEMENTS_MAX, ..Config::default() };
    let Ok(reader) = Readability::with_document(document.clone(), Some(url), Some(config)) else { return About::default() };
    let Metadata { title, byline, excerpt, site_name, published_time, modified_time, image, lang, .. } =
        reader.get_article_metadata(reader.parse_json_ld());
    let line = |text: String| {
        let text = ellipsis(&clean_line(&text), ABOUT_CHARS_MAX).into_owned();
        (!text.is_empty()).then_some(text)
    };
    let meta = |css: &str| document.select_single(css).attr("content").map(|value| value.to_string());
    let language = document.select_single("html[lang]").attr("lang").map(|value| value.to_string());
    let title = line(title).or_else(|| line(document.select_single("title").text().to_string()));
    About {
        title: title.or_else(|| line(document.select_single("h1").text().to_string())),
        description: excerpt.or_else(|| meta("meta[name='description']")).and_then(line),
        author: byline.or_else(|| meta("meta[name='author']")).and_then(line),
        site: site_name.and_then(line),
        language: lang.or(language).and_then(line),
        published: published_time.or_else(|| meta("meta[name='date']")).and_then(line),
        modified: modified_time.and_then(line),
        image: image.and_then(line),
    }
}

/// The items of a feed as a list.
fn of_feed(body: &[u8], content_type: Option<&str>, url: &str) -> Result<Article, Fault> {
    let reading = super::read(body, content_type, url, &Rules::whole())?;
    let items = reading.items.unwrap_or_default();
    let text: Vec<String> = items.iter().map(item).collect();
    let (text, cut) = bounded(&text.join("\n\n"));
    let links = items.into_iter().filter_map(|item| Some((item.title, item.link?))).take(LINKS_MAX).collect();
    let about = About { title: reading.title, ..About::default() };
    Ok(Article { media: Media::Feed, about, text, cut, links, doubt: None })
}

fn item(item: &Item) -> String {
    let title = item.link.as_ref().map_or_else(|| item.title.clone(), |link| format!("[{}]({link})", item.title));
    let when = item.published.map(|at| format!(" ({})", at.timestamp().strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
    let summary = if item.summary.is_empty() { String::new() } else { format!("\n  {}", item.summary) };
    format!("- {title}{when}{summary}")
}

/// Clean, without runs of empty lines, bounded; whether something was cut.
fn bounded(text: &str) -> (String, bool) {
    let text = clean(text);
    let mut out = String::with_capacity(text.len().min(TEXT_BYTES_MAX));
    let mut blank = 0;
    for line in text.trim().lines() {
        let line = line.trim_end();
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank > 1 {
            continue;
        }
        if out.len() + line.len() + 1 > TEXT_BYTES_MAX {
            return (out, true);
        }
        out.push_str(line);
        out.push('\n');
    }
    (out, false)
}
