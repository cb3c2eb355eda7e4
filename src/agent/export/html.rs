//! A conversation as one page that stands for itself: no script, nothing from outside, readable in light and dark. Pure.
//!
//! Everything that was said is a stranger's word: it is cleaned and escaped, and a policy in the page forbids the rest.

use std::borrow::Borrow;
use std::fmt::Write as _;

use crate::agent::export::{RESULT_BYTES_MAX, counting, fold};
use crate::agent::history::{answer_of_handoff, answer_of_tool};
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, HandoffCall, SessionEvent, Status, ToolExecution, TurnEnd, TurnEvent};
use crate::domain::message::Role;
use crate::domain::text::{clean, clean_line, escape_markup};

/// Forbids everything but the page's own style: no script, no request, no form, no base, no frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c1e21;--dim:#5c6370;--line:#d8dbe0;--back:#fdfdfd;--code:#f1f3f5;--user:#0b5cad;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--text:#e4e6ea;--dim:#9aa2b1;--line:#3a3f4b;--back:#16181d;--code:#1f232b;--user:#7ab8ff;--bad:#ff8a80}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1rem;margin:1.6rem 0 .3rem}.you h2{color:var(--user)}
.text{white-space:pre-wrap;overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--code);padding:.6rem .8rem;border-radius:6px}
pre,code{font:14px/1.45 ui-monospace,monospace}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;color:var(--dim)}dd{margin:0}
details{border:1px solid var(--line);border-radius:6px;padding:.3rem .7rem;margin:.6rem 0}summary{cursor:pointer}
.bad{color:var(--bad)}.dim,time{color:var(--dim);font-size:.85rem;font-weight:normal}";

/// The conversation as a page of HTML. What was taken back and what happened inside handoffs is left out, as in Markdown.
pub fn html<E: Borrow<Event>>(events: &[E]) -> String {
    let state = fold(events);
    let title = match state.title() {
        title if title.is_empty() => "Conversation".to_owned(),
        title => title,
    };
    let title = escape_markup(&title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n<dl>\n"
    );
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape_markup(&clean_line(value)));
    };
    row("model", &state.model);
    row("folder", &state.cwd);
    if let Some(first) = events.first() {
        row("begun", &first.borrow().at.to_string());
    }
    let usage = state.usage;
    row("tokens", &format!("{} read, {} written", usage.input_tokens, usage.output_tokens));
    out.push_str("</dl>\n");
    for event in counting(events) {
        match &event.body {
            EventBody::Chat(chat) if chat.parent.is_none() => said(&mut out, chat, event),
            EventBody::ToolExecution(call) if call.parent.is_none() && call.status != Status::Started => tool(&mut out, call),
            EventBody::HandoffCall(call) if call.parent.is_none() && call.status != Status::Started => handoff(&mut out, call),
            EventBody::SessionEvent(SessionEvent::Compacted { .. }) => {
                out.push_str("<p class=\"dim\">What came before was summarised for the model.</p>\n");
            }
            EventBody::TurnEvent(TurnEvent::Finished { parent: None, end, message, .. }) if *end != TurnEnd::Done => {
                let why = message.as_deref().unwrap_or("the turn did not come to its end");
                let _ = writeln!(out, "<p class=\"bad\">{}</p>", escape_markup(&clean_line(why)));
            }
            _ => {}
        }
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn said(out: &mut String, chat: &Chat, event: &Event) {
    let (class, who) = match (chat.role, chat.status) {
        (Role::User, ChatStatus::Done) => ("you", "You"),
        (Role::Assistant, ChatStatus::Done) => ("agent", "Agent"),
        (Role::Assistant, ChatStatus::Interrupted) => ("agent", "Agent (interrupted)"),
        (Role::Assistant, ChatStatus::Failed) => ("agent", "Agent (failed)"),
        _ => return,
    };
    let text = chat.text.as_deref().map(clean).unwrap_or_default();
    let reasoning = chat.reasoning.as_deref().map(clean).filter(|text| !text.trim().is_empty());
    if text.trim().is_empty() && chat.error.is_none() && reasoning.is_none() {
        return;
    }
    let _ = write!(out, "<section class=\"{class}\">\n<h2>{who} <time>{}</time></h2>\n", event.at);
    if let Some(reasoning) = reasoning {
        let _ = writeln!(
            out,
            "<details><summary class=\"dim\">reasoning</summary><div class=\"text\">{}</div></details>",
            escape_markup(reasoning.trim())
        );
    }
    prose(out, text.trim());
    if let Some(error) = &chat.error {
        let _ = writeln!(out, "<p class=\"bad\">{}</p>", escape_markup(&clean_line(error)));
    }
    out.push_str("</section>\n");
}

/// Text with its blocks of code set apart; everything else stays as it was written.
fn prose(out: &mut String, text: &str) {
    let mut block: Option<(char, usize)> = None;
    let mut lines: Vec<&str> = Vec::new();
    let flush = |out: &mut String, lines: &mut Vec<&str>, code: bool| {
        let text = escape_markup(lines.join("\n").trim_matches('\n'));
        lines.clear();
        let _ = match (text.is_empty(), code) {
            (true, _) => Ok(()),
            (_, true) => writeln!(out, "<pre><code>{text}</code></pre>"),
            (_, false) => writeln!(out, "<div class=\"text\">{text}</div>"),
        };
    };
    for line in text.lines() {
        let fence = fence_of(line);
        match (block, fence) {
            (None, Some(opened)) => {
                flush(out, &mut lines, false);
                block = Some(opened);
            }
            // A fence ends with one of its own kind that is as long, and nothing behind it.
            (Some((mark, length)), Some((closing, long))) if mark == closing && long >= length && is_bare(line, mark) => {
                flush(out, &mut lines, true);
                block = None;
            }
            _ => lines.push(line),
        }
    }
    flush(out, &mut lines, block.is_some());
}

/// The mark and the length of a code fence.
fn fence_of(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|ch| matches!(ch, '`' | '~'))?;
    let length = line.chars().take_while(|ch| *ch == mark).count();
    (length >= 3).then_some((mark, length))
}

fn is_bare(line: &str, mark: char) -> bool {
    line.trim().chars().all(|ch| ch == mark)
}

fn tool(out: &mut String, event: &ToolExecution) {
    let arguments = event.arguments.as_ref().and_then(|map| serde_json::to_string_pretty(map).ok()).unwrap_or_default();
    let name = format!("{} · {}", event.service_name, event.tool_name);
    call(out, event.status, &name, event.duration_ms, &arguments, &answer_of_tool(event, RESULT_BYTES_MAX));
}

fn handoff(out: &mut String, event: &HandoffCall) {
    let task = serde_json::to_string_pretty(&event.task).unwrap_or_default();
    let name = format!("handed to {}", event.service_name);
    call(out, event.status, &name, event.duration_ms, &task, &answer_of_handoff(event, RESULT_BYTES_MAX));
}

fn call(out: &mut String, status: Status, name: &str, duration_ms: Option<u64>, given: &str, got: &str) {
    let (class, mark) = if status == Status::Error { ("bad", "✖") } else { ("", "✔") };
    let took = duration_ms.map(|ms| format!(" <span class=\"dim\">{ms} ms</span>")).unwrap_or_default();
    let _ = writeln!(
        out,
        "<details><summary><span class=\"{class}\">{mark}</span> {}{took}</summary>\n<pre><code>{}</code></pre>\n<pre><code>{}</code></pre>\n</details>",
        escape_markup(&clean_line(name)),
        escape_markup(clean(given).trim_end()),
        escape_markup(clean(got).trim_end()),
    );
}
