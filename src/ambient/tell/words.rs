//! The words of notices and entries, by type of event.

use serde_json::{Map, Value};

use crate::domain::firing::Feedback;
use crate::domain::task::TaskSpec;
use crate::domain::text::{clean, clean_line, cut_middle, ellipsis};

/// The longest title, in characters.
const TITLE_CHARS_MAX: usize = 120;

/// The longest body, in bytes.
const BODY_BYTES_MAX: usize = 32 << 10;

/// The longest text of a short message, in characters: two segments of an SMS.
pub(super) const SHORT_CHARS_MAX: usize = 306;

/// Headlines that a short digest names.
const SHORT_HEADLINES_MAX: usize = 5;

/// What is told, whatever the channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// For a text message: what follows the title, plain; the channel adds title and link.
    pub short: String,
    /// The source.
    pub url: Option<String>,
    /// 1 (low) to 5 (urgent).
    pub priority: u8,
}

impl Told {
    fn new(title: &str, body: &str, short: &str, url: Option<String>, priority: u8) -> Self {
        let title = ellipsis(&clean_line(title), TITLE_CHARS_MAX).into_owned();
        let body = cut_middle(&clean(body), BODY_BYTES_MAX).into_owned();
        Self { title, body, short: ellipsis(&clean_line(short), SHORT_CHARS_MAX).into_owned(), url, priority }
    }
}

/// The words of a firing; `title` and `text` of the judge come in place of ours.
pub fn told(spec: Option<&TaskSpec>, feedback: &Feedback, title: Option<&str>, text: Option<&str>) -> Told {
    let data = &feedback.data;
    let description = field(data, "description").or(spec.map(|spec| spec.description.as_str())).unwrap_or_default();
    let (own_title, own_body, own_short, url) = match feedback.event_type.as_str() {
        "web_content_change" => page(data, description),
        "scheduled_trigger" => (format!("Reminder: {description}"), description.to_owned(), String::new(), None),
        "daily_news_digest" => digest(data, description),
        "threshold_reached" => threshold(data, description),
        super::ANSWER => (String::new(), String::new(), String::new(), field(data, "url").map(str::to_owned)),
        other => (format!("{other}: {description}"), block("json", &pretty(data)), String::new(), field(data, "url").map(str::to_owned)),
    };
    let title = title.filter(|title| !title.trim().is_empty()).unwrap_or(&own_title);
    let body = match text.filter(|text| !text.trim().is_empty()) {
        Some(text) if own_body.is_empty() => text.to_owned(),
        Some(text) => format!("{text}\n\n{own_body}"),
        None => own_body,
    };
    let short = text.filter(|text| !text.trim().is_empty()).map_or(own_short, str::to_owned);
    Told::new(title, &body, &short, url, feedback.priority.clamp(1, 5))
}

/// The words about a task that paused by itself.
pub(super) fn trouble(spec: &TaskSpec, reason: &str) -> Told {
    let id = crate::domain::event::words::short_id(spec.task_id.as_str());
    let title = format!("Paused: {}", spec.description);
    let body = format!(
        "The task `{}` ({}) was paused by itself: {reason}\n\nPut it right, then `/task {id} resume`.",
        spec.description,
        spec.kind.kind().as_str()
    );
    Told::new(&title, &body, reason, None, 3)
}

fn page(data: &Map<String, Value>, description: &str) -> (String, String, String, Option<String>) {
    let url = field(data, "url").map(str::to_owned);
    let host = url.as_deref().and_then(|url| url.split("://").nth(1)).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let name = field(data, "title").filter(|title| !title.trim().is_empty()).unwrap_or(host);
    let keywords: Vec<&str> =
        data.get("keywords_found").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let about = if keywords.is_empty() { "changed".to_owned() } else { format!("changed: {}", keywords.join(", ")) };
    let title = format!("{name} {about}");
    let content = field(data, "content").unwrap_or_default();
    let mut body = format!("{description}\n\n{content}");
    if let Some(diff) = field(data, "diff").filter(|diff| !diff.is_empty()) {
        body.push_str("\n\n");
        body.push_str(&block("diff", diff));
    }
    if let Some(url) = &url {
        body.push_str("\n\n");
        body.push_str(url);
    }
    let short = first_lines(content, 160);
    (title, body, short, url)
}

fn digest(data: &Map<String, Value>, description: &str) -> (String, String, String, Option<String>) {
    let date = field(data, "digest_date").unwrap_or_default();
    let mut body = String::new();
    let mut headlines = Vec::new();
    let mut sources = 0;
    for summary in data.get("news_summaries").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        sources += 1;
        body.push_str(&format!("\n### {}\n", field(summary, "source").unwrap_or("?")));
        if let Some(error) = field(summary, "error") {
            body.push_str(&format!("- *could not be read: {error}*\n"));
        }
        for headline in summary.get("headlines").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            body.push_str(&format!("- {headline}\n"));
            headlines.push(headline);
        }
    }
    let title = format!("News digest {date}: {} headlines from {sources} sources", headlines.len());
    let short = headlines.iter().take(SHORT_HEADLINES_MAX).map(|line| plain(line)).collect::<Vec<_>>().join(" · ");
    let body = if headlines.is_empty() { format!("{description}\n{body}\nNothing new.") } else { format!("{description}\n{body}") };
    (title, body, short, None)
}

fn threshold(data: &Map<String, Value>, description: &str) -> (String, String, String, Option<String>) {
    let text = |name: &str| data.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default();
    let title = match field(data, "direction") {
        Some("stale") => format!("{} gives no readings", text("metric")),
        direction => {
            let way = match direction {
                Some("below") => "fell below",
                Some("above") => "rose above",
                _ => "passed",
            };
            format!("{} {way} {}: {}", text("metric"), text("threshold"), text("value"))
        }
    };
    (title.clone(), format!("{title}\n\n{description}"), String::new(), field(data, "url").map(str::to_owned))
}

fn field<'a>(data: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

/// Text from outside as a block that cannot be left.
fn block(language: &str, text: &str) -> String {
    let fence = if text.contains("```") { "~~~~~~" } else { "```" };
    format!("{fence}{language}\n{}\n{fence}", text.trim_end())
}

fn pretty(data: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(data).unwrap_or_default()
}

fn first_lines(text: &str, chars: usize) -> String {
    ellipsis(&clean_line(text), chars).into_owned()
}

/// A Markdown link as its text.
fn plain(line: &str) -> String {
    match (line.strip_prefix('['), line.find("](")) {
        (Some(rest), Some(end)) => rest[..end - 1].to_owned(),
        _ => line.to_owned(),
    }
}
