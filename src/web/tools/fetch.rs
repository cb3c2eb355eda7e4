//! `fetch_url`: what an address answers, as it came.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{READS_OUTSIDE, STRANGER, WEB, beyond, from_cache, line, more, page, page_limit, window};
use crate::domain::text::clean;
use crate::tools::ToolOutcome;
use crate::tools::local::{Definition, Failure, LocalTool};
use crate::web::Web;
use crate::web::options::CHARS_MAX;
use crate::web::page::{Fault, text_of};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The address, with `https://`.
    url: String,
    /// The most characters of the answer, 100 to 200,000. Default: 20,000.
    #[serde(default)]
    max_bytes: Option<usize>,
    /// Where to begin, in characters: the `next_offset` of the part before. Default: 0.
    #[serde(default)]
    offset: Option<usize>,
}

pub(super) fn tool(web: &Web) -> LocalTool {
    let definition = Definition {
        server: WEB,
        name: "fetch_url",
        title: "Fetch an address",
        description: "Fetches an http(s) address with GET and gives back its text as it came (HTML source, JSON, plain text), with status and \
                      content type. For a page that is to be read, `scrape_webpage` gives clean text instead. Binary files are named, not \
                      shown. Addresses of private networks are refused unless the config allows them.",
        hints: READS_OUTSIDE,
    };
    let limit = page_limit(web);
    let web = web.clone();
    let mut tool = LocalTool::new(&definition, move |arguments: Arguments, _context| {
        let web = web.clone();
        async move { fetch(&web, &arguments).await }
    });
    tool.limit_time(limit);
    tool
}

async fn fetch(web: &Web, arguments: &Arguments) -> Result<ToolOutcome, Failure> {
    let chars = arguments.max_bytes.unwrap_or(web.options.chars_max).clamp(100, CHARS_MAX);
    let offset = arguments.offset.unwrap_or(0);
    let page = page(web, &arguments.url).await?;
    let fetched = page.fetched;
    let (body, content_type) = (fetched.body.clone(), fetched.content_type.clone());
    let read = tokio::task::spawn_blocking(move || text_of(&body, content_type.as_deref()).map(|(text, _)| clean(&text).into_owned()));
    let read = read
        .await
        .map_err(|_| Failure("the text could not be read because of a fault of the reader; the log has the details".to_owned()))?;
    let kind = fetched.content_type.as_deref().map_or_else(|| "no content type".to_owned(), line);
    let bytes = fetched.body.len();
    let mut head = format!("{} · {} · {kind} · {bytes} bytes", line(&fetched.url), fetched.status);
    head.extend(from_cache(page.source).map(|kept| format!(" · {kept}")));
    let mut structured = json!({
        "url": fetched.url,
        "status": fetched.status,
        "content_type": fetched.content_type,
        "bytes": bytes,
        "cut": fetched.cut,
        "cached": from_cache(page.source).is_some(),
        "redirects": fetched.redirects,
    });
    let text = match read {
        Ok(text) => text,
        Err(Fault::Binary(what)) => {
            structured["binary"] = json!(what);
            let text = format!("{head}\nIt is {what}, which is not shown as text.");
            return Ok(ToolOutcome { text, structured: Some(structured), is_error: false });
        }
        Err(fault) => return Err(Failure(format!("{}: {fault}", line(&fetched.url)))),
    };
    let whole = text.chars().count();
    let Some((shown, next)) = window(&text, offset, chars) else { return Err(beyond(offset, whole)) };
    let note = more(shown.chars().count(), offset, whole, next, fetched.cut);
    structured["chars"] = json!(whole);
    structured["offset"] = json!(offset);
    structured["next_offset"] = json!(next);
    let note = note.map(|note| format!("\n{note}")).unwrap_or_default();
    Ok(ToolOutcome { text: format!("{head}\n{STRANGER}\n{shown}{note}"), structured: Some(structured), is_error: false })
}
