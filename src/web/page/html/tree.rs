//! Small questions about the elements of a page.

use std::collections::HashMap;

use dom_query::{Document, NodeId, NodeRef};

use crate::web::page::noise;

/// How much an element holds, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) text: usize,
    /// The text of links in it.
    pub(super) linked: usize,
    pub(super) has_h1: bool,
}

/// How much each element holds. One pass over the tree, children before parents.
pub(super) fn measure(document: &Document) -> HashMap<NodeId, Size> {
    let mut sizes: HashMap<NodeId, Size> = HashMap::new();
    let nodes: Vec<NodeRef<'_>> = document.root().descendants_it().collect();
    for node in nodes.iter().rev() {
        let mut size = sizes.get(&node.id).copied().unwrap_or_default();
        if node.is_text() {
            let in_mute = node.parent().is_some_and(|parent| {
                matches!(
                    parent.node_name().unwrap_or_default().as_ref(),
                    "script" | "style" | "noscript" | "template" | "textarea" | "title"
                )
            });
            size.text = if in_mute { 0 } else { node.text().trim().len() };
        } else if node.is_element() {
            let name = node.node_name().unwrap_or_default();
            size.has_h1 |= name.as_ref() == "h1";
            if name.as_ref() == "a" {
                size.linked = size.text;
            }
        }
        sizes.insert(node.id, size);
        if let Some(parent) = node.parent() {
            let above = sizes.entry(parent.id).or_default();
            above.text += size.text;
            above.linked += size.linked;
            above.has_h1 |= size.has_h1;
        }
    }
    sizes
}

pub(super) fn heading_level(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

pub(super) fn is_heading(name: &str) -> bool {
    heading_level(name).is_some()
}

/// Whether the text of a link says nothing, so that its address is what counts.
pub(super) fn is_generic(text: &str) -> bool {
    const GENERIC: &[&str] = &[
        "download",
        "here",
        "link",
        "pdf",
        "file",
        "installer",
        "get it",
        "herunterladen",
        "hier",
        "下载",
        "点击下载",
        "ダウンロード",
        "こちら",
        "télécharger",
        "descargar",
    ];
    GENERIC.contains(&text.to_lowercase().as_str())
}

/// What the pictures of a cell without text say.
pub(super) fn icon(cell: &NodeRef<'_>) -> String {
    for inner in cell.descendants_it().filter(NodeRef::is_element).take(20) {
        for attribute in ["alt", "aria-label", "title"] {
            if let Some(text) = inner.attr(attribute).filter(|text| !text.trim().is_empty() && text.len() < 100) {
                return text.trim().to_owned();
            }
        }
    }
    String::new()
}

/// Puts the number of a counter to its name where they are lines of their own.
pub(super) fn paired(lines: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let mut free_label = false;
    let mut number_waits = false;
    for line in lines {
        let label = noise::is_counter_label(&line);
        let number = noise::is_number(&line);
        match out.last_mut() {
            Some(last) if number && free_label => {
                *last = format!("{last}: {line}");
                (free_label, number_waits) = (false, false);
            }
            Some(last) if label && number_waits => {
                *last = format!("{last} {line}");
                (free_label, number_waits) = (false, false);
            }
            _ => {
                out.push(line);
                (free_label, number_waits) = (label, number);
            }
        }
    }
    out
}
