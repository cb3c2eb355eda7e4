//! From a web page to lines: what a reader would read, without the furniture.
//!
//! Cells of a table row and the parts of a small card (name, price, stock) make one line, so that a value stays with what
//! it belongs to. A link that is the content (a file, a bare `Download`) keeps its address.

mod tree;

use std::collections::{HashMap, HashSet};

use dom_query::{Document, NodeId, NodeRef};

use super::chrome::{self, Element, Verdict};
use super::rules::{Part, Rules};
use super::{Fault, LINKS_MAX, Link, Media, Reading, finish, guard, links, noise};
use tree::{Size, heading_level, icon, is_generic, is_heading, measure, paired};

/// The longest card that becomes one line, in characters, and the most parts it may have.
const CARD_CHARS_MAX: usize = 240;
const CARD_PARTS_MAX: usize = 8;

/// The longest table row that becomes one line, in characters.
const ROW_CHARS_MAX: usize = 600;

/// Options of a choice that are read; longer lists are countries and the like.
const OPTIONS_MAX: usize = 30;

/// What a counter or a clock holds at most, in bytes.
const GAUGE_BYTES_MAX: usize = 100;

/// Parts of a page that a selector may find.
const PARTS_MAX: usize = 500;

/// Elements that stand in a line of text.
const INLINE: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "bdi",
    "bdo",
    "big",
    "center",
    "cite",
    "code",
    "data",
    "del",
    "dfn",
    "em",
    "font",
    "i",
    "img",
    "ins",
    "kbd",
    "label",
    "mark",
    "nobr",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "time",
    "tt",
    "u",
    "var",
    "wbr",
    "relative-time",
    "time-ago",
    "local-time",
];

/// Reads a page.
pub(super) fn read(markup: &str, url: &str, rules: &Rules) -> Result<Reading, Fault> {
    let markup = guard::tamed(markup);
    let document = Document::from(markup.as_ref());
    let mut walk = Walk::new(&document, url, rules);
    let title = walk.title();
    let lines = match &rules.part {
        Part::Whole => walk.whole(),
        Part::Pointer(_) => return Err(Fault::Unfit { field: "json_pointer", needs: "JSON", found: "HTML" }),
        Part::Css(css, matcher) => {
            let nodes = document.select_matcher(matcher).nodes().to_vec();
            walk.part(&nodes).ok_or_else(|| Fault::Missing { field: "selector", selector: css.clone() })?
        }
        Part::XPath(path) => {
            let found = path.find(document.root());
            let missing = || Fault::Missing { field: "xpath", selector: path.to_string() };
            match found {
                super::xpath::Found::Nodes(nodes) => walk.part(&nodes).ok_or_else(missing)?,
                super::xpath::Found::Values(values) if values.is_empty() => return Err(missing()),
                super::xpath::Found::Values(values) => values,
            }
        }
    };
    if let Some(sign) = stand_in(title.as_deref(), &lines) {
        return Err(Fault::StandIn(sign));
    }
    if lines.is_empty() {
        return Err(Fault::Empty("no text is left of it; where scripts draw it, `render = true` may help"));
    }
    let reading = Reading::new(Media::Html, title, walk.feeds(), std::mem::take(&mut walk.links));
    Ok(finish(reading, lines, rules))
}

/// The text of a piece of markup, one block a line: for the summaries of feeds.
pub(super) fn lines_of(markup: &str, url: &str, rules: &Rules) -> Vec<String> {
    let markup = guard::tamed(markup);
    let document = Document::from(markup.as_ref());
    let mut walk = Walk::new(&document, url, rules);
    walk.plain = true;
    walk.part(&[document.root()]).unwrap_or_default()
}

/// What says that a page only stands in for the real one.
pub(super) fn stand_in(title: Option<&str>, lines: &[String]) -> Option<String> {
    const SIGNS: &[&str] = &[
        "just a moment...",
        "attention required",
        "access denied",
        "checking your browser",
        "verify you are human",
        "are you a robot",
        "are you human",
        "enable javascript",
        "javascript is required",
        "javascript is disabled",
        "security check",
        "ddos protection",
        "unusual traffic",
        "captcha",
    ];
    if lines.iter().map(String::len).sum::<usize>() > 800 {
        return None;
    }
    let says = |text: &str| {
        let text = noise::fold(text).to_lowercase();
        SIGNS.iter().find(|sign| text.contains(*sign)).map(|sign| (*sign).to_owned())
    };
    title.and_then(says).or_else(|| lines.iter().take(6).find_map(|line| says(line)))
}

struct Walk<'a> {
    document: &'a Document,
    url: &'a str,
    /// How much each element holds, in bytes.
    sizes: HashMap<NodeId, Size>,
    total: usize,
    ignored: HashSet<NodeId>,
    /// Furniture is read too: a part was chosen, or the markup is no page.
    plain: bool,
    /// Whether the content has begun: dates before it are the site's, not the subject's.
    begun: bool,
    inline: String,
    links: Vec<Link>,
}

impl<'a> Walk<'a> {
    fn new(document: &'a Document, url: &'a str, rules: &Rules) -> Self {
        let ignored = rules
            .ignore_selectors
            .iter()
            .flat_map(|matcher| document.select_matcher(matcher).nodes().iter().map(|node| node.id).collect::<Vec<_>>());
        let ignored = ignored.collect();
        let sizes = measure(document);
        let total = document.body().and_then(|body| sizes.get(&body.id).copied()).unwrap_or_default().text;
        Self { document, url, sizes, total, ignored, plain: false, begun: false, inline: String::new(), links: Vec::new() }
    }

    fn title(&self) -> Option<String> {
        let title = self.document.select_single("head > title").text();
        let title = if title.trim().is_empty() { self.document.select_single("h1").text() } else { title };
        let title = crate::domain::text::clean_line(&title);
        (!title.is_empty()).then(|| crate::domain::text::ellipsis(&title, 300).into_owned())
    }

    fn feeds(&self) -> Vec<String> {
        let mut feeds = Vec::new();
        for link in self.document.select("link[rel][href][type]").nodes().iter().take(200) {
            let kind = link.attr_or("type", "").to_ascii_lowercase();
            let alternate = link.attr_or("rel", "").to_ascii_lowercase().split_whitespace().any(|rel| rel == "alternate" || rel == "feed");
            let feed =
                ["application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"].contains(&kind.as_str());
            if let Some(url) = links::absolute(self.url, &link.attr_or("href", "")).filter(|_| alternate && feed)
                && !feeds.contains(&url)
                && feeds.len() < 20
            {
                feeds.push(url);
            }
        }
        feeds
    }

    /// The lines of the whole page. Where the rules of furniture leave next to nothing of it, they do not fit the page.
    fn whole(&mut self) -> Vec<String> {
        let Some(body) = self.document.body() else { return self.part(&[self.document.root()]).unwrap_or_default() };
        let lines = self.blocks(&body);
        let kept: usize = lines.iter().map(String::len).sum();
        if kept * 20 >= self.total || kept > 2_000 {
            return lines;
        }
        self.plain = true;
        self.links.clear();
        self.blocks(&body)
    }

    /// The lines of chosen parts; nothing where there are none.
    fn part(&mut self, nodes: &[NodeRef<'_>]) -> Option<Vec<String>> {
        if nodes.is_empty() {
            return None;
        }
        (self.plain, self.begun) = (true, true);
        let chosen: HashSet<NodeId> = nodes.iter().map(|node| node.id).collect();
        let mut lines = Vec::new();
        for node in nodes.iter().take(PARTS_MAX) {
            // A part inside of another one is read with it.
            if !node.ancestors_it(None).any(|above| chosen.contains(&above.id)) {
                lines.append(&mut self.blocks(node));
            }
        }
        Some(lines)
    }

    fn blocks(&mut self, root: &NodeRef<'_>) -> Vec<String> {
        let mut out = Vec::new();
        self.begun |= self.plain;
        self.visit(root, &mut out, false);
        self.flush(&mut out);
        paired(out)
    }

    /// Ends the line of text that was gathered.
    fn flush(&mut self, out: &mut Vec<String>) {
        let line = self.inline.split_whitespace().collect::<Vec<_>>().join(" ");
        self.inline.clear();
        if line.is_empty() || (!self.begun && (noise::is_stamp(&line) || noise::is_dateline(&line))) {
            return;
        }
        out.push(line);
    }

    fn is_furniture(&self, node: &NodeRef<'_>, name: &str, in_main: bool) -> bool {
        if self.ignored.contains(&node.id) {
            return true;
        }
        let attributes: Vec<_> = node.attrs();
        let attributes: Vec<(&str, &str)> =
            attributes.iter().map(|attribute| (attribute.name.local.as_ref(), attribute.value.as_ref())).collect();
        let element = Element { name, attributes: &attributes, in_main };
        if self.plain {
            return chrome::is_mute(&element);
        }
        let size = self.sizes.get(&node.id).copied().unwrap_or_default();
        match chrome::verdict(&element) {
            Verdict::Keep => false,
            Verdict::Mute => true,
            Verdict::Furniture => !self.is_much(size),
            Verdict::Gauge => size.text <= GAUGE_BYTES_MAX,
            Verdict::Menu => size.linked * 10 >= size.text * 7 && !self.is_much(size),
        }
    }

    /// Whether an element of this size is the page rather than its frame.
    fn is_much(&self, size: Size) -> bool {
        size.has_h1 || size.text * 2 > self.total
    }

    fn visit(&mut self, node: &NodeRef<'_>, out: &mut Vec<String>, in_main: bool) {
        if node.is_text() {
            self.inline.push_str(&node.text());
            return;
        }
        let name = node.node_name().unwrap_or_default();
        let name = name.as_ref();
        if node.is_element() && self.is_furniture(node, name, in_main) {
            return;
        }
        if !self.plain && self.opens_aside(node, name) {
            return;
        }
        let in_main = in_main || matches!(name, "main" | "article") || node.attr("role").is_some_and(|role| role.as_ref() == "main");
        self.begun |= matches!(name, "main" | "article" | "h1" | "h2" | "h3" | "th");
        match name {
            "br" | "hr" => self.flush(out),
            "pre" => self.preformatted(node, out),
            "tr" => self.row(node, out, in_main),
            "dl" => self.definitions(node, out, in_main),
            "select" => self.choice(node, out),
            "img" => {}
            _ if INLINE.contains(&name) => self.inline_element(node, name, out, in_main),
            _ => self.block(node, name, out, in_main),
        }
    }

    /// Whether `node` is a section about other things: its first words are such a heading.
    fn opens_aside(&self, node: &NodeRef<'_>, name: &str) -> bool {
        if !matches!(name, "section" | "div" | "aside" | "ul" | "ol" | "td" | "details") {
            return false;
        }
        let size = self.sizes.get(&node.id).copied().unwrap_or_default();
        if self.is_much(size) {
            return false;
        }
        let first = node.children_it(false).find(|child| (child.is_text() && !child.text().trim().is_empty()) || child.is_element());
        let Some(first) = first else { return false };
        let heading = first.is_text()
            || is_heading(&first.node_name().unwrap_or_default())
            || matches!(first.node_name().unwrap_or_default().as_ref(), "strong" | "b" | "summary" | "p" | "span" | "div");
        let short = self.sizes.get(&first.id).is_none_or(|size| size.text <= 200);
        heading && short && node.children_it(false).nth(1).is_some() && chrome::is_aside_heading(&first.text())
    }

    /// The children of `node`, but no section that a heading says is about other things.
    fn children(&mut self, node: &NodeRef<'_>, out: &mut Vec<String>, in_main: bool) {
        let mut skipping: Option<u8> = None;
        let mut after_element = false;
        for child in node.children_it(false) {
            let name = child.node_name().filter(|_| child.is_element()).unwrap_or_default();
            if let Some(level) = heading_level(&name) {
                if skipping.is_some_and(|from| level <= from) {
                    skipping = None;
                }
                if !self.plain && level > 1 && chrome::is_aside_heading(&child.text()) {
                    self.flush(out);
                    skipping = Some(level);
                }
            }
            let much = |walk: &Self| walk.sizes.get(&child.id).is_some_and(|size| walk.is_much(*size));
            if skipping.is_some() && !much(self) {
                continue;
            }
            if child.is_element() && after_element && !self.inline.is_empty() && !self.inline.ends_with(char::is_whitespace) {
                self.inline.push(' ');
            }
            self.visit(&child, out, in_main);
            after_element = child.is_element();
        }
    }

    fn inline_element(&mut self, node: &NodeRef<'_>, name: &str, out: &mut Vec<String>, in_main: bool) {
        let from = self.inline.len();
        let blocks = out.len();
        self.children(node, out, in_main);
        if name != "a" {
            return;
        }
        let Some(url) = node.attr("href").and_then(|href| links::absolute(self.url, &href)) else { return };
        let text =
            if out.len() == blocks { self.inline.get(from..).unwrap_or_default().trim().to_owned() } else { out[blocks..].join(" ") };
        if out.len() == blocks && !text.is_empty() && (links::is_file(&url) || is_generic(&text)) {
            self.inline.push(' ');
            self.inline.push_str(&noise::link_mark(&url));
        }
        if self.links.len() < LINKS_MAX && !text.is_empty() {
            let in_heading =
                |node: &NodeRef<'_>| node.ancestors_it(Some(3)).any(|above| is_heading(&above.node_name().unwrap_or_default()));
            let heading =
                in_heading(node) || node.element_children().iter().any(|child| is_heading(&child.node_name().unwrap_or_default()));
            let text = crate::domain::text::clean_line(&text);
            let text = crate::domain::text::ellipsis(&text, 300).into_owned();
            self.links.push(Link { text, url: links::clean(&url), heading });
        }
    }

    fn block(&mut self, node: &NodeRef<'_>, name: &str, out: &mut Vec<String>, in_main: bool) {
        self.flush(out);
        let from = out.len();
        self.children(node, out, in_main);
        self.flush(out);
        if matches!(name, "div" | "li" | "section" | "article" | "figure" | "blockquote" | "header") {
            self.join_card(node, out, from);
        }
    }

    /// Makes one line of the blocks of a small card whose parts are of different kinds. Parts of one kind are a list.
    fn join_card(&self, node: &NodeRef<'_>, out: &mut Vec<String>, from: usize) {
        let parts = &out[from..];
        if !(2..=CARD_PARTS_MAX).contains(&parts.len()) || parts.iter().map(String::len).sum::<usize>() > CARD_CHARS_MAX * 2 {
            return;
        }
        if parts.iter().map(|part| part.chars().count()).sum::<usize>() > CARD_CHARS_MAX
            || self.sizes.get(&node.id).is_some_and(|size| size.has_h1)
        {
            return;
        }
        let mut kinds = HashSet::new();
        for child in node.element_children() {
            if self.sizes.get(&child.id).is_none_or(|size| size.text == 0) {
                continue;
            }
            let name = child.node_name().unwrap_or_default();
            if matches!(name.as_ref(), "ul" | "ol" | "table" | "dl" | "pre" | "br" | "main") {
                return;
            }
            let class = child.class().unwrap_or_default();
            if !INLINE.contains(&name.as_ref())
                && !kinds.insert((name.to_string(), class.split_whitespace().next().unwrap_or_default().to_owned()))
            {
                return;
            }
        }
        let joined = parts.join(" | ");
        out.truncate(from);
        out.push(joined);
    }

    fn row(&mut self, node: &NodeRef<'_>, out: &mut Vec<String>, in_main: bool) {
        self.flush(out);
        let from = out.len();
        let mut cells = Vec::new();
        let mut nested = false;
        for cell in node.children_it(false).filter(NodeRef::is_element) {
            nested |= cell.descendants_it().any(|inner| inner.is_element() && inner.has_name("tr"));
            let start = out.len();
            self.visit(&cell, out, in_main);
            self.flush(out);
            let text = if out.len() == start { icon(&cell) } else { out[start..].join(" / ") };
            if out.len() == start && !text.is_empty() {
                out.push(text.clone());
            }
            cells.push(text);
        }
        let joined = cells.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join(" | ");
        if !nested && joined.chars().count() <= ROW_CHARS_MAX {
            out.truncate(from);
            if !joined.is_empty() {
                out.push(joined);
            }
        }
    }

    /// Terms with what they mean: `Price: $5`.
    fn definitions(&mut self, node: &NodeRef<'_>, out: &mut Vec<String>, in_main: bool) {
        self.flush(out);
        let mut term = String::new();
        let mut stack: Vec<NodeRef<'_>> = node.children();
        stack.reverse();
        while let Some(child) = stack.pop() {
            let name = child.node_name().unwrap_or_default();
            if child.is_element() && name.as_ref() == "div" {
                let mut inner = child.children();
                inner.reverse();
                stack.append(&mut inner);
                continue;
            }
            let from = out.len();
            self.visit(&child, out, in_main);
            self.flush(out);
            match name.as_ref() {
                "dt" => term = out.drain(from..).collect::<Vec<_>>().join(" "),
                "dd" if !term.is_empty() && out.len() > from => {
                    out[from] = format!("{}: {}", std::mem::take(&mut term).trim_end_matches([':', '：']), out[from]);
                }
                _ => {}
            }
        }
        if !term.is_empty() {
            out.push(term);
        }
    }

    fn choice(&mut self, node: &NodeRef<'_>, out: &mut Vec<String>) {
        let options: Vec<String> = node
            .descendants_it()
            .filter(|inner| inner.has_name("option"))
            .take(OPTIONS_MAX + 1)
            .map(|option| option.text().trim().to_owned())
            .collect();
        if options.len() <= OPTIONS_MAX {
            self.flush(out);
            self.inline.push_str(&options.join(" / "));
            self.flush(out);
        }
    }

    fn preformatted(&mut self, node: &NodeRef<'_>, out: &mut Vec<String>) {
        self.flush(out);
        out.extend(node.text().lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
    }
}
