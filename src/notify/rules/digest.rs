//! Many notices to one receiver as one.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::ids::NoticeId;
use crate::domain::notice::Notice;
use crate::domain::text::clean_line;
use crate::notify::template::shorten;

/// The most notices that are listed; the rest are counted.
const LISTED_MAX: usize = 20;

/// The most documents that a combined one holds.
const DOCUMENTS_MAX: usize = 100;

/// The longest line of the list, in UTF-16 units, without its link.
const LINE_UNITS_MAX: usize = 160;

/// One notice that tells all of these: the highest priority, a list of their titles. Its id is made of theirs, so that
/// combining the same ones again (after a crash) gives the same notice. None where there are none, or they differ in
/// channel or receiver.
pub fn combine(notices: &[Notice]) -> Option<Notice> {
    let (first, rest) = notices.split_first()?;
    if rest.is_empty() {
        return Some(first.clone());
    }
    if rest.iter().any(|notice| notice.channel != first.channel || notice.to != first.to) {
        return None;
    }
    let mut body = String::new();
    for notice in notices.iter().take(LISTED_MAX) {
        let title = clean_line(&notice.title);
        let title = if title.is_empty() { clean_line(&notice.body) } else { title };
        let _ = writeln!(body, "- {}", shorten(&title, LINE_UNITS_MAX));
        if let Some(url) = &notice.url {
            let _ = writeln!(body, "  {}", clean_line(url));
        }
    }
    if notices.len() > LISTED_MAX {
        let _ = writeln!(body, "- and {} more", notices.len() - LISTED_MAX);
    }
    let documents: Vec<&Value> =
        notices.iter().map(|notice| &notice.payload).filter(|payload| !payload.is_null()).take(DOCUMENTS_MAX).collect();
    let ids: Vec<&str> = notices.iter().take(DOCUMENTS_MAX).map(|notice| notice.notice_id.as_str()).collect();
    let same_task = rest.iter().all(|notice| notice.task_id == first.task_id);
    Some(Notice {
        notice_id: combined_id(notices),
        channel: first.channel,
        to: first.to.clone(),
        title: format!("{} notices", notices.len()),
        body: body.trim_end().to_owned(),
        url: None,
        priority: notices.iter().map(|notice| notice.priority).max().unwrap_or(first.priority),
        task_id: if same_task { first.task_id.clone() } else { None },
        firing_id: None,
        simulated: false,
        payload: json!({ "digest": true, "count": notices.len(), "notice_ids": ids, "notices": documents }),
    })
}

/// The same for the same notices, in whatever order: a UUID of version 8 (RFC 9562) from a hash of their ids.
fn combined_id(notices: &[Notice]) -> NoticeId {
    let mut ids: Vec<&str> = notices.iter().map(|notice| notice.notice_id.as_str()).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let bytes = std::array::from_fn(|place| digest[place]);
    NoticeId::new(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string())
}
