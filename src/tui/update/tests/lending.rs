//! Prompts as commands, resources, completion, `/mcp`, progress, the trace.

use std::time::Duration;

use super::mouse::{click, find};
use super::*;
use crate::domain::catalog::CompletionOf;
use crate::domain::ids::ServerName;
use crate::tui::catalog::Typed;

fn lent() -> Script {
    let mut script = ready();
    script.servers();
    script.lends();
    script.effects.clear();
    script
}

fn asked(script: &mut Script) -> Vec<Query> {
    let effects = std::mem::take(&mut script.effects);
    effects.into_iter().filter_map(|effect| if let Effect::Ask(query) = effect { Some(query) } else { None }).collect()
}

fn prompt(arguments: &[(&str, &str)]) -> Query {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Query::Prompt { server: "everything".into(), name: "weather".into(), arguments }
}

#[test]
fn a_prompt_is_fetched_and_sent_as_the_users_message() {
    let mut script = lent();
    script.run("/everything:weather Tokyo units=metric");
    assert_eq!(asked(&mut script), [prompt(&[("city", "Tokyo"), ("units", "metric")])]);
    assert!(script.state.composer.is_empty());
    let answer = |text: &str| Answer::Prompt("everything".into(), "weather".into(), Ok(text.into()));
    script.send(Msg::Answer(answer("What is the weather in Tokyo?\n")));
    assert_eq!(submitted(&mut script), [("What is the weather in Tokyo?".to_owned(), When::Steer)]);
    // An answer that nobody waits for says nothing.
    script.send(Msg::Answer(answer("again")));
    assert!(submitted(&mut script).is_empty());
}

#[test]
fn a_prompt_that_fails_is_told_and_one_that_is_not_known_stays() {
    let mut script = lent();
    script.run("/everything:simple");
    script.send(Msg::Answer(Answer::Prompt("everything".into(), "simple".into(), Err("no such city".into()))));
    assert!(script.text().contains("no such city"));
    script.run("/everything:wether");
    assert!(script.text().contains("no prompt `/everything:wether`") && script.state.composer.raw() == "/everything:wether");
    script.key("ctrl+u");
    script.run("/everything:simple too much");
    assert!(script.text().contains("takes no arguments"));
}

#[test]
fn what_a_prompt_lacks_is_asked_for() {
    let mut script = lent();
    script.run("/everything:weather units=metric");
    assert!(matches!(&script.state.overlay, Some(Overlay::Form(_))));
    script.keys(&["enter", "enter"]);
    assert!(script.text().contains("is needed"));
    script.keys(&["up", "up"]);
    script.type_text("New York");
    script.key("ctrl+enter");
    assert_eq!(asked(&mut script).pop(), Some(prompt(&[("city", "New York"), ("units", "metric")])));
    assert!(script.state.overlay.is_none());
    script.run("/everything:weather");
    script.keys(&["x", "esc"]);
    assert!(script.state.overlay.is_none());
}

#[test]
fn prompts_are_completed_like_commands() {
    let mut script = lent();
    script.type_text("/weath");
    assert!(script.text().contains("/everything:weather city [units]"));
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "/everything:weather ");
    script.type_text("ci");
    script.key("tab");
    assert_eq!(script.state.composer.raw(), "/everything:weather city=");
    let rows: Vec<_> = script.state.popup.as_ref().unwrap().rows.iter().map(|row| row.label.clone()).collect();
    assert!(rows.is_empty(), "{rows:?}");
    script.type_text("'New York' ");
    let rows: Vec<_> = script.state.popup.as_ref().unwrap().rows.iter().map(|row| row.label.clone()).collect();
    assert_eq!(rows, ["units="]);
}

#[test]
fn values_are_asked_for_after_a_pause_and_stale_ones_are_dropped() {
    let mut script = lent();
    let typed = |value: &str| Typed {
        server: "everything".into(),
        of: CompletionOf::Prompt { name: "weather".into() },
        argument: "city".into(),
        value: value.into(),
        known: BTreeMap::from([("units".to_owned(), "metric".to_owned())]),
    };
    script.type_text("/everything:weather units=metric T");
    assert!(asked(&mut script).is_empty());
    assert_eq!(script.state.next_wake(), Some(script.state.now.plus(Duration::from_millis(150))));
    script.wait(100);
    script.type_text("o");
    script.wait(100);
    assert!(asked(&mut script).is_empty());
    script.wait(100);
    assert_eq!(asked(&mut script), [Query::Values(typed("To"))]);
    script.send(Msg::Answer(Answer::Values(typed("T"), Ok(vec!["Tallinn".into()]))));
    assert!(script.state.popup.as_ref().unwrap().rows.is_empty());
    script.send(Msg::Answer(Answer::Values(typed("To"), Ok(vec!["Tokyo".into(), "Toronto, Ontario".into()]))));
    script.keys(&["down", "enter"]);
    assert_eq!(script.state.composer.raw(), "/everything:weather units=metric 'Toronto, Ontario' ");
    script.wait(1_000);
    assert_eq!(script.state.completing.next(), None);
}

#[test]
fn lists_are_asked_for_when_they_are_looked_at_and_stale() {
    let mut script = lent();
    script.mcp(McpEventType::ListChanged, "everything", json!({"list": "prompts"}));
    assert!(!asked(&mut script).contains(&Query::Prompts));
    script.type_text("/");
    assert_eq!(asked(&mut script), [Query::Prompts]);
    script.type_text("e");
    assert!(asked(&mut script).is_empty());
    script.send(Msg::Answer(Answer::Prompts(Err("no server".into()))));
    assert!(asked(&mut script).is_empty());
    script.keys(&["ctrl+u", "/"]);
    assert_eq!(asked(&mut script), [Query::Prompts]);
    script.mcp(McpEventType::ServiceConnected, "git", json!({"tools": 1}));
    script.keys(&["ctrl+u", "@"]);
    assert!(asked(&mut script).contains(&Query::Resources));
}

#[test]
fn a_picked_prompt_is_written() {
    let mut script = lent();
    script.run("/mcp prompts git");
    script.key("enter");
    assert_eq!(script.state.composer.raw(), "/git:review_a_change ");
    script.type_text("abc1234");
    script.key("enter");
    let arguments = BTreeMap::from([("commit".to_owned(), "abc1234".to_owned())]);
    assert_eq!(asked(&mut script).pop(), Some(Query::Prompt { server: "git".into(), name: "review a change".into(), arguments }));
}

#[test]
fn resources_are_read_attached_and_watched() {
    let mut script = lent();
    script.run("/mcp resources everything");
    script.key("enter");
    let read = |uri: &str| Query::Resource("everything".into(), uri.into());
    assert!(matches!(&script.effects.last(), Some(Effect::Ask(query)) if *query == read("demo://text/1")));
    script.holds(json!([{"uri": "demo://text/1", "text": "hello there"}]));
    assert!(script.text().contains("hello there"));
    script.key("esc");
    assert!(matches!(script.state.overlay, Some(Overlay::Resources)));
    script.effects.clear();
    script.key("s");
    let subscribe = |on| McpCommand::Subscribe { server: "everything".into(), uri: "demo://text/1".into(), on };
    assert_eq!(script.commands(), [Command::Mcp(subscribe(true))]);
    script.mcp(McpEventType::ResourceUpdated, "everything", json!({"uri": "demo://text/1"}));
    assert!(script.text().contains("everything changed: demo://text/1"));
    script.key("s");
    assert_eq!(script.commands(), [Command::Mcp(subscribe(false))]);
    script.key("a");
    assert_eq!((script.state.composer.raw().as_str(), script.state.overlay.is_none()), ("@everything:demo://text/1 ", true));
}

#[test]
fn resources_are_found_by_typing_and_clicked() {
    let mut script = lent();
    script.run("/mcp resources");
    script.key("/");
    script.type_text("feat");
    script.key("enter");
    script.send(Msg::Paste("s".into()));
    assert!(!script.text().contains("First text"));
    script.key("esc");
    assert!(script.text().contains("First text"));
    let image = find(&script, "an image");
    click(&mut script, image);
    assert_eq!(script.state.resources.selected, 2);
    click(&mut script, image);
    assert!(matches!(script.state.overlay, Some(Overlay::Text(_))));
}

#[test]
fn a_template_becomes_an_address() {
    let mut script = lent();
    script.run("/mcp resources");
    script.keys(&["down", "down", "down", "a"]);
    assert!(script.text().contains("enter fills it in"));
    script.key("enter");
    script.type_text("big letters");
    script.wait(200);
    let of = CompletionOf::Resource { uri: "demo://text/{kind}/{id}".into() };
    let typed = Typed { server: "everything".into(), of, argument: "kind".into(), value: "big letters".into(), known: BTreeMap::new() };
    assert_eq!(asked(&mut script).pop(), Some(Query::Values(typed.clone())));
    script.send(Msg::Answer(Answer::Values(typed, Ok(vec!["big letters of the alphabet".into()]))));
    script.keys(&["down", "tab", "tab", "7", "enter"]);
    let query = asked(&mut script).pop();
    assert_eq!(query, Some(Query::Resource("everything".into(), "demo://text/big%20letters%20of%20the%20alphabet/7".into())));
    script.send(Msg::Answer(Answer::Resource("everything".into(), "demo://text/a/7".into(), Ok(Vec::new()))));
    script.key("a");
    assert_eq!(script.state.composer.raw(), "@everything:demo://text/a/7 ");
}

#[test]
fn a_resource_that_cannot_be_read_leaves_the_list_open() {
    let mut script = lent();
    script.run("/mcp resources");
    script.key("enter");
    script.send(Msg::Answer(Answer::Resource("everything".into(), "demo://text/1".into(), Err("it is gone".into()))));
    assert!(matches!(script.state.overlay, Some(Overlay::Resources)) && script.text().contains("it is gone"));
}

#[test]
fn resources_are_offered_beside_files() {
    let mut script = lent();
    script.type_text("see @everything:demo://f");
    assert_eq!(script.state.popup.as_ref().unwrap().rows[0].insert, "@everything:demo://features.md");
    script.send(Msg::Files("everything:demo://f".into(), vec!["everything.md".into()]));
    script.key("tab");
    assert_eq!(script.state.composer.raw(), "see @everything:demo://features.md ");
    script.key("enter");
    // It reaches the program as it was typed.
    assert_eq!(submitted(&mut script)[0].0, "see @everything:demo://features.md");
}

#[test]
fn mcp_is_completed_word_by_word() {
    let rows = |typed: &str| {
        let mut script = lent();
        script.type_text(typed);
        let rows = script.state.popup.map(|popup| popup.rows).unwrap_or_default();
        rows.into_iter().map(|row| row.insert).collect::<Vec<_>>()
    };
    assert_eq!(rows("/mcp lo"), ["login", "logout", "logs"]);
    assert_eq!(rows("/mcp tools e"), ["everything"]);
    assert_eq!(rows("/mcp trace "), ["on", "off"]);
    assert_eq!(rows("/mcp trace on g"), ["github"]);
    assert_eq!(rows("/mcp level everything d"), ["debug"]);
    assert!(rows("/mcp add ").is_empty() && rows("/mcp fly ").is_empty());
}

#[test]
fn what_lies_below_comes_back() {
    let mut script = lent();
    script.keys(&["f7", "down", "enter"]);
    script.has_tools();
    script.key("enter");
    assert!(matches!(&script.state.overlay, Some(Overlay::Text(panel)) if panel.title == "everything · echo"));
    script.key("esc");
    assert!(matches!(&script.state.overlay, Some(Overlay::Pick(picker)) if picker.kind == PickKind::Tools));
    script.key("esc");
    assert!(matches!(script.state.overlay, Some(Overlay::Servers)));
    script.key("s");
    assert!(matches!(script.state.overlay, Some(Overlay::Resources)));
    script.keys(&["esc", "p"]);
    assert!(matches!(&script.state.overlay, Some(Overlay::Pick(picker)) if picker.found.len() == 2));
    script.keys(&["esc", "esc", "esc"]);
    assert!(script.state.overlay.is_none() && script.state.under.is_empty());
}

#[test]
fn progress_is_a_bar_where_the_whole_is_known() {
    let mut script = running();
    script.tool("files", "copy", Status::Started, None, None);
    let mut shown = |details: serde_json::Value| {
        let mut details = details;
        details["call_id"] = json!("call-copy");
        let service_name = ServerName::from("files");
        script.feed_ephemeral(crate::domain::event::McpEvent { event_type: McpEventType::Progress, service_name, details });
        let screen = script.text();
        screen
            .lines()
            .find(|line| line.contains("files · copy"))
            .unwrap()
            .split("  ")
            .find(|part| part.contains(['▓', '░']) || part.starts_with('7'))
            .map(str::to_owned)
    };
    assert_eq!(shown(json!({"progress": 3, "total": 10, "message": "notes.md"})).as_deref(), Some("▓▓▓░░░░░░░ 3/10 notes.md"));
    assert_eq!(shown(json!({"progress": 0.25, "total": 1.0})).as_deref(), Some("▓▓▓░░░░░░░ 25%"));
    assert_eq!(shown(json!({"progress": 99, "total": 10})).as_deref(), Some("▓▓▓▓▓▓▓▓▓▓ 99/10"));
    assert_eq!(shown(json!({"progress": 7, "message": "\u{1b}[2Jrows"})).as_deref(), Some("7 rows"));
    let event = |progress: u64| {
        let details = json!({"call_id": "call-copy", "progress": progress});
        crate::domain::event::McpEvent { event_type: McpEventType::Progress, service_name: ServerName::from("files"), details }
    };
    let at = Event { seq: None, id: EventId::new("p"), at: Instant::from_millis(0), session: None, body: event(8).into() };
    assert!(script.state.transcript.apply(&at) && !script.state.transcript.apply(&at));
}

#[test]
fn the_trace_reads_by_lines_and_opens_whole() {
    let mut script = ready();
    let call = json!({"jsonrpc": "2.0", "id": 12, "method": "tools/call", "params": {"name": "copy"}});
    script.mcp(McpEventType::Trace, "files", json!({"direction": "→", "message": call.to_string()}));
    script.mcp(McpEventType::Log, "files", json!({"level": "info", "message": "hello"}));
    script.run("/events type:mcp trace");
    let screen = script.text();
    assert!(screen.contains("→ files: tools/call #12") && !screen.contains("hello"), "{screen}");
    script.keys(&["f6", "f6", "up", "enter"]);
    let Some(Overlay::Text(panel)) = &script.state.overlay else { panic!("nothing is open") };
    assert_eq!(
        (panel.title.as_str(), panel.copy.as_deref()),
        ("→ files: tools/call #12", serde_json::to_string_pretty(&call).ok().as_deref())
    );
    assert!(script.state.transcript.items().all(|item| item.kind == crate::tui::transcript::ItemKind::Welcome));
}
