//! From JSON to lines: one value a line with its path, so that the order of keys and entries does not matter.
//!
//! Entries of a list are named by what identifies them (`id`, `name`, `date` …), never by their place. Keys that tell
//! about the answer instead of its subject (request ids, times of generation, view counts) are left out.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::rules::{Part, Rules};
use super::{Fault, Media, Reading, finish};

/// Values that are read.
const VALUES_MAX: usize = 20_000;

/// Keys of what differs from answer to answer; written without `_` and `-`, in lower case.
const FLEETING: &[&str] = &[
    "requestid",
    "traceid",
    "spanid",
    "correlationid",
    "sessionid",
    "session",
    "nonce",
    "csrf",
    "csrftoken",
    "token",
    "accesstoken",
    "etag",
    "signature",
    "timestamp",
    "ts",
    "now",
    "servertime",
    "generatedat",
    "generated",
    "generationtime",
    "generationtimems",
    "updatedat",
    "updated",
    "lastupdated",
    "lastupdate",
    "lastupdatedat",
    "modifiedat",
    "lastmodified",
    "modified",
    "datemodified",
    "fetchedat",
    "cachedat",
    "refreshedat",
    "checkedat",
    "lastchecked",
    "lastcheck",
    "syncedat",
    "asof",
    "expires",
    "expiresat",
    "expiresin",
    "ttl",
    "took",
    "tookms",
    "elapsed",
    "elapsedms",
    "durationms",
    "responsetime",
    "latency",
    "latencyms",
    "processingtime",
    "server",
    "servername",
    "hostname",
    "node",
    "instance",
    "cache",
    "cachehit",
    "ratelimit",
    "cursor",
    "nextcursor",
    "nextpagetoken",
    "pagetoken",
    "scrollid",
    "position",
    "sortorder",
    "random",
    "rnd",
    "seed",
];

/// Keys of counters.
const COUNTERS: &[&str] = &[
    "views",
    "viewcount",
    "viewscount",
    "pageviews",
    "hits",
    "visits",
    "visitors",
    "likes",
    "likecount",
    "likescount",
    "upvotes",
    "downvotes",
    "comments",
    "commentcount",
    "commentscount",
    "replies",
    "replycount",
    "shares",
    "sharecount",
    "retweets",
    "reactions",
    "followers",
    "followercount",
    "followerscount",
    "subscribers",
    "subscribercount",
    "downloads",
    "downloadcount",
    "downloadscount",
    "stars",
    "stargazerscount",
    "watchers",
    "watcherscount",
    "forks",
    "forkscount",
    "openissuescount",
    "ratingcount",
    "ratingscount",
    "reviewcount",
    "reviewscount",
    "onlineusers",
    "online",
    "playcount",
    "plays",
    "favoritecount",
    "favorites",
    "impressions",
];

/// Keys that identify an entry, the best first.
const IDENTITY: &[&str] = &["id", "_id", "uuid", "guid", "key", "slug", "sku", "code", "symbol", "url", "name", "title", "date"];

/// Reads a JSON document.
pub(super) fn read(text: &str, _url: &str, rules: &Rules) -> Result<Reading, Fault> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| Fault::NotJson(error.to_string()))?;
    let (root, chosen) = match &rules.part {
        Part::Whole => (&value, false),
        Part::Pointer(pointer) => {
            let found = value.pointer(pointer);
            (found.ok_or_else(|| Fault::Missing { field: "json_pointer", selector: pointer.clone() })?, true)
        }
        Part::Css(..) => return Err(Fault::Unfit { field: "selector", needs: "HTML", found: "JSON: use `json_pointer`" }),
        Part::XPath(_) => return Err(Fault::Unfit { field: "xpath", needs: "HTML", found: "JSON: use `json_pointer`" }),
    };
    let mut lines = Vec::new();
    match scalar(root) {
        // The watched value itself, whatever it is called.
        Some(value) if chosen => lines.push(value),
        _ => flatten(root, "", false, &mut lines),
    }
    let empty = match root {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    };
    if empty {
        return Err(Fault::Empty("the watched value is null or an empty text"));
    }
    // An empty list is a state that can be watched, not an empty page.
    if lines.is_empty() {
        lines.push(if root.is_array() { "(empty list)".to_owned() } else { "(empty)".to_owned() });
    }
    let title = ["title", "name"].iter().find_map(|key| root.get(key)?.as_str()).map(crate::domain::text::clean_line);
    Ok(finish(Reading::new(Media::Json, title, Vec::new(), Vec::new()), lines, rules))
}

/// A value without parts as text; numbers in one spelling.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
            _ => number.to_string(),
        }),
        Value::String(text) => Some(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// `serde_json` bounds the depth, so that this does not run deep.
fn flatten(value: &Value, path: &str, in_list: bool, lines: &mut Vec<String>) {
    if lines.len() >= VALUES_MAX {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if !is_noise(key, value, in_list) {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    flatten(value, &path, false, lines);
                }
            }
        }
        Value::Array(entries) => list(entries, path, lines),
        value => {
            let text = scalar(value).unwrap_or_default();
            lines.push(if path.is_empty() { text } else { format!("{path}: {text}") });
        }
    }
}

fn list(entries: &[Value], path: &str, lines: &mut Vec<String>) {
    let identity = identity(entries);
    for entry in entries {
        match (entry, identity) {
            (Value::Object(map), Some(key)) => {
                let name = map.get(key).and_then(scalar).unwrap_or_default();
                let from = lines.len();
                flatten(entry, &format!("{path}[{name}]"), true, lines);
                if lines.len() == from {
                    lines.push(format!("{path}[{name}]"));
                }
            }
            (Value::Object(map), None) => lines.push(format!("{path}[]: {}", folded(map))),
            (Value::Array(inner), _) => {
                let row: Vec<String> = inner.iter().map(|value| scalar(value).unwrap_or_else(|| value.to_string())).collect();
                lines.push(format!("{path}[]: {}", row.join(" | ")));
            }
            (value, _) => flatten(value, &format!("{path}[]"), true, lines),
        }
    }
}

/// The key that tells the entries apart: every entry has it, and no two the same.
fn identity(entries: &[Value]) -> Option<&'static str> {
    IDENTITY.iter().copied().find(|key| {
        let mut seen = HashSet::new();
        !entries.is_empty()
            && entries.iter().all(|entry| entry.get(key).and_then(scalar).is_some_and(|name| name != "null" && seen.insert(name)))
    })
}

/// An entry without a name as one line, its keys in order.
fn folded(map: &Map<String, Value>) -> String {
    let mut parts: Vec<String> = map
        .iter()
        .filter(|(key, value)| !is_noise(key, value, true))
        .map(|(key, value)| format!("{key}={}", scalar(value).unwrap_or_else(|| value.to_string())))
        .collect();
    parts.sort();
    parts.join(" | ")
}

fn is_noise(key: &str, value: &Value, in_list: bool) -> bool {
    let name: String = key.chars().filter(|ch| ch.is_alphanumeric()).collect::<String>().to_lowercase();
    if value.is_object() || value.is_array() {
        return matches!(name.as_str(), "ratelimit" | "debug" | "timing" | "timings");
    }
    if FLEETING.contains(&name.as_str()) || (COUNTERS.contains(&name.as_str()) && value.is_number()) {
        return true;
    }
    // `time` beside a reading is when it was taken; in a list it is the entry's own.
    name == "time" && !in_list && scalar(value).is_some_and(|time| time.len() >= 10 && time.bytes().filter(u8::is_ascii_digit).count() >= 8)
}
