//! Whole conversations: questions and answers, steps, failures, steering; and how it is streamed.

use futures::StreamExt;

use super::Talk;
use crate::domain::message::{Message, Role};
use crate::llm::offline::{Offline, SUGGESTIONS};
use crate::llm::{ChatRequest, Completion, Delta, Finish, Llm};
use crate::tools::{CallContext, local};

const LISTING: &str = ".: 2 folders, 3 files\nCargo.toml (1.2 KiB)\nLICENSE (1.0 KiB)\nREADME.md (812 B)\nsrc/\ntests/";

#[test]
fn a_missing_argument_is_asked_for_and_taken_from_the_answer() {
    let mut talk = Talk::new();
    assert_eq!(talk.user("please read a file").next(), "Which file shall I read?");
    assert_eq!(talk.user("README.md").next(), r#"read_file {"path":"README.md"}"#);
    assert_eq!(talk.results(&["# Hi\n"]).next(), "`README.md`:\n\n```md\n# Hi\n```");
}

#[test]
fn questions_follow_one_another_in_the_users_language() {
    let mut talk = Talk::new();
    assert_eq!(talk.user("写一个文件").next(), "要写入哪个文件？");
    assert_eq!(talk.user("notes.txt").next(), "要写入什么内容？");
    assert_eq!(talk.user("list the files and go home").next(), r#"write_file {"path":"notes.txt","content":"list the files and go home"}"#);
    assert_eq!(talk.results(&["made `notes.txt`: 1 line, 26 bytes"]).next(), "完成：made `notes.txt`: 1 line, 26 bytes");
}

#[test]
fn an_open_question_gives_way_to_a_new_request_or_is_dropped() {
    let mut talk = Talk::new();
    talk.user("read a file").next();
    assert_eq!(talk.user("what time is it in Tokyo?").next(), r#"current_time {"timezone":"Asia/Tokyo"}"#);
    let mut talk = Talk::new();
    talk.user("read a file").next();
    assert_eq!(talk.user("never mind").next(), "All right, I dropped that.");
    assert!(talk.user("README.md").next().starts_with("I did not understand"));
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again() {
    let mut talk = Talk::new();
    let question = talk.user("call get-annotated-message").next();
    assert_eq!(
        question,
        "`everything · get-annotated-message` needs `messageType` (Type of message): one of `error`, `success`, `debug`. What shall it be?"
    );
    assert_eq!(talk.user("purple").next(), question);
    assert_eq!(talk.user("the second: success").next(), r#"everything__get-annotated-message {"messageType":"success"}"#);
    let mut talk = Talk::new();
    talk.user("use get-sum").next();
    talk.user("7").next();
    assert_eq!(talk.user("it is 5").next(), r#"everything__get-sum {"a":7,"b":5}"#);
}

#[test]
fn where_two_tools_fit_the_user_chooses() {
    let mut talk = Talk::new();
    let question = talk.user("publish note hello").next();
    assert_eq!(question, "More than one tool fits. Which one shall I use?\n\n1. `blog__publish_note`\n2. `wiki__publish_note`");
    assert_eq!(talk.user("the second one").next(), r#"wiki__publish_note {"note":"hello"}"#);
    let mut talk = Talk::new();
    talk.user("publish note hello").next();
    assert_eq!(talk.user("blog").next(), r#"blog__publish_note {"note":"hello"}"#);
}

#[test]
fn steps_wait_for_one_another() {
    let mut talk = Talk::new();
    assert_eq!(talk.user("list the files and then read README.md").next(), r#"list_files {"path":"."}"#);
    assert_eq!(talk.results(&[LISTING]).next(), r#"read_file {"path":"README.md"}"#);
    let answer = talk.results(&["# Title\n"]).next();
    assert!(answer.starts_with("The working folder has 2 folders, 3 files:\n\n- `Cargo.toml` (1.2 KiB)"), "{answer}");
    assert!(answer.ends_with("`README.md`:\n\n```md\n# Title\n```"), "{answer}");
}

#[test]
fn a_failed_step_ends_the_chain_and_says_so() {
    let mut talk = Talk::new();
    talk.user("read a.txt and then read b.txt").next();
    let answer = talk.results(&["error: `a.txt` does not exist; `list_files` shows what is there"]).next();
    assert_eq!(
        answer,
        "**`files · read_file` did not work:** `a.txt` does not exist; `list_files` shows what is there\n\nBecause of that I did not go on with `files · read_file`."
    );
    let mut talk = Talk::new();
    talk.user("write 'x' to a.txt").next();
    let answer = talk.results(&["error: refused by the user"]).next();
    assert!(answer.ends_with("It was not allowed, so nothing happened. Tell me what to do instead."), "{answer}");
}

#[test]
fn what_is_wanted_instead_of_a_refused_call_is_done() {
    let mut talk = Talk::new();
    talk.user("write 'x' to a.txt and then read a.txt").next();
    assert_eq!(talk.results(&["error: the user refused this call and says: list the files in src"]).next(), r#"list_files {"path":"src"}"#);
    let answer = talk.results(&["src: 0 folders, 1 file\nlib.rs (1 B)"]).next();
    assert!(answer.contains("`files · write_file` did not run, as you said") && answer.ends_with("- `lib.rs` (1 B)"), "{answer}");
    let mut talk = Talk::new();
    talk.user("write 'x' to a.txt").next();
    let answer = talk.results(&["error: the user refused this call and says: sing a song"]).next();
    assert!(answer.contains("I did not understand that"), "{answer}");
}

#[test]
fn a_readme_that_cannot_be_read_spoils_nothing() {
    let mut talk = Talk::new();
    talk.user("tell me about this folder and then what time is it").next();
    talk.results(&[LISTING]).next();
    assert_eq!(talk.results(&["error: `README.md` is not a text file (3 bytes)"]).next(), "current_time {}");
}

#[test]
fn the_first_suggestion_lists_the_tools() {
    let answer = Talk::new().user(SUGGESTIONS[0]).next();
    for part in [
        "no language model",
        "**files**",
        "- **files**: `",
        "`list_files`, ",
        "**system**",
        "**everything**",
        "OPENAI_API_KEY",
        "`/model`",
        "`coder`",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[test]
fn the_second_suggestion_lists_and_describes_the_folder() {
    let mut talk = Talk::new();
    assert_eq!(talk.user(SUGGESTIONS[1]).next(), r#"list_files {"path":"."}"#);
    assert_eq!(talk.results(&[LISTING]).next(), r#"read_file {"path":"README.md","limit":60}"#);
    let readme = "# Widget\n\n[![badge](x)](y)\n\nA tool that makes\nwidgets.\n\nMore.\n";
    insta::assert_snapshot!(talk.results(&[readme]).next());
}

#[test]
fn a_folder_without_readme_is_described_by_its_names() {
    let mut talk = Talk::new();
    talk.user("介绍一下这个项目").next();
    let answer = talk.results(&[".: 1 folder, 1 file\npackage.json (1 B)\nsrc/"]).next();
    assert!(answer.contains("Node.js 项目") && answer.contains("没有可引用的 README"), "{answer}");
}

#[test]
fn the_third_suggestion_does_both_at_once() {
    let mut talk = Talk::new();
    assert_eq!(talk.user(SUGGESTIONS[2]).next(), r#"current_time {"timezone":"Asia/Tokyo"} & calculate {"expression":"17% of 2340"}"#);
    let answer = talk.results(&["Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)", "17% of 2340 = 397.8"]).next();
    assert_eq!(answer, "It is **21:00** in Tokyo on Thursday, 2026-01-01 (Asia/Tokyo, UTC+09:00).\n\n17% of 2340 = **397.8**");
}

#[test]
fn answers_come_in_the_users_language() {
    let mut talk = Talk::new();
    talk.user("现在东京几点").next();
    let answer = talk.results(&["Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)"]).next();
    assert_eq!(answer, "东京现在是 **21:00**，2026-01-01 星期四（Asia/Tokyo, UTC+09:00）。");
}

#[test]
fn strangers_results_are_shown_by_their_shape() {
    let check = |result: &str, expected: &str| {
        let mut talk = Talk::new();
        talk.user("call read_graph").next();
        assert_eq!(talk.results(&[result]).next(), expected);
    };
    check("Echo: hi", "`memory · read_graph`: Echo: hi");
    check("", "`memory · read_graph` is done; it returned nothing.");
    check(r#"[{"a":1,"b":"x|y"},{"a":2}]"#, "`memory · read_graph`:\n\n| a | b |\n| --- | --- |\n| 1 | x\\|y |\n| 2 |  |");
    check(r#"["a","b"]"#, "`memory · read_graph`:\n\n- a\n- b");
    check(r#"{"a":1,"b":"x"}"#, "`memory · read_graph`:\n\n- **a**: 1\n- **b**: x");
    check(r#"{"a":{"b":1}}"#, "`memory · read_graph`:\n\n```json\n{\n  \"a\": {\n    \"b\": 1\n  }\n}\n```");
    check("a\n```\nb", "`memory · read_graph`:\n\n````\na\n```\nb\n````");
    check("a\u{1b}[31mb", "`memory · read_graph`: ab");
    check("error: no such node", "**`memory · read_graph` did not work:** no such node\nChange the request and try again.");
}

#[test]
fn only_what_was_asked_about_the_machine_is_shown() {
    let mut talk = Talk::new();
    talk.user("how much memory is free?").next();
    let answer = talk.results(&["System: X\nMemory: 1 of 4 used\nUptime: 1 h"]).next();
    assert_eq!(answer, "This machine:\n\n- **Memory**: 1 of 4 used");
}

#[test]
fn a_message_that_joins_in_is_taken_up_after_the_steps() {
    let mut talk = Talk::new();
    talk.user("list the files and then read README.md").next();
    talk.results(&[LISTING]).user("and what is 2+2?");
    assert_eq!(talk.next(), r#"read_file {"path":"README.md"}"#);
    assert_eq!(talk.results(&["hi"]).next(), r#"calculate {"expression":"2 + 2"}"#);
    let answer = talk.results(&["2 + 2 = 4"]).next();
    assert!(answer.contains("`README.md`") && answer.ends_with("2 + 2 = **4**"), "{answer}");
}

#[test]
fn what_was_stopped_is_not_taken_up_again() {
    let mut talk = Talk::new();
    talk.user("list the files and then read README.md").next();
    talk.results(&["error: interrupted; whether it took effect is unknown"]).user("what is 2+2?");
    assert_eq!(talk.next(), r#"calculate {"expression":"2 + 2"}"#);
    assert_eq!(talk.results(&["2 + 2 = 4"]).next(), "2 + 2 = **4**");
}

#[test]
fn it_means_the_file_that_was_spoken_of() {
    let mut talk = Talk::new();
    talk.user("read a.txt").next();
    talk.results(&["x"]).next();
    assert_eq!(talk.user("replace 'x' with 'y' in it").next(), r#"edit_file {"old_text":"x","new_text":"y","path":"a.txt"}"#);
}

#[test]
fn what_is_not_understood_is_said_plainly_with_what_comes_close() {
    let answer = Talk::new().user("give me the sum of my bills").next();
    assert!(answer.starts_with("I did not understand that.") && answer.contains("`everything get-sum`"), "{answer}");
    let answer = Talk::new().user("写一首诗").next();
    assert!(answer.starts_with("我没有听懂") && answer.contains("列出当前目录的文件"), "{answer}");
    let answer = Talk::new().user("list the files and write me a poem").next();
    assert_eq!(answer, r#"list_files {"path":"."}"#);
}

#[test]
fn a_task_that_is_handed_over_as_json_is_understood() {
    let mut talk = Talk::new();
    assert_eq!(
        talk.user("{\n  \"description\": \"what time is it in Tokyo?\",\n  \"n\": 2\n}").next(),
        r#"current_time {"timezone":"Asia/Tokyo"}"#
    );
}

#[test]
fn other_servers_tools_stand_in_for_the_built_in_ones() {
    let mut talk = Talk::new();
    talk.specs.retain(|spec| spec.name.as_str().starts_with("time__"));
    assert_eq!(talk.user("tell what time it is in Tokyo").next(), r#"time__get_current_time {"timezone":"Asia/Tokyo"}"#);
    let mut talk = Talk::new();
    talk.specs.clear();
    assert!(talk.user("what time is it?").next().starts_with("I did not understand"));
    assert!(talk.user("help").next().contains("No tools are offered"));
}

async fn streamed(messages: Vec<Message>, tools: Vec<crate::llm::ToolSpec>) -> (Vec<Delta>, Completion) {
    let request = ChatRequest { model: "assistant".into(), messages, tools, output_tokens_max: None };
    let deltas: Vec<Delta> = Offline::new().chat(request).map(|delta| delta.unwrap()).collect().await;
    let Some(Delta::Done(done)) = deltas.last().cloned() else { panic!("the stream ends with Done") };
    (deltas, done)
}

#[tokio::test]
async fn text_comes_in_small_pieces_and_once() {
    let (deltas, done) = streamed(vec![Message::text(Role::User, "你能做什么？ help")], super::tools()).await;
    let text: String = deltas.iter().filter_map(|delta| if let Delta::Text(text) = delta { Some(text.as_str()) } else { None }).collect();
    assert_eq!(text, done.message.content);
    assert!(deltas.len() > 50 && deltas.iter().all(|delta| !matches!(delta, Delta::Text(piece) if piece.chars().count() > 60)));
    assert_eq!(deltas.iter().filter(|delta| matches!(delta, Delta::Done(_))).count(), 1);
    assert_eq!((done.finish, done.model.as_str()), (Finish::Stop, "assistant"));
    let usage = done.usage.unwrap();
    assert!(usage.input_tokens > 100 && usage.output_tokens > 20, "{usage:?}");
}

#[tokio::test]
async fn calls_are_announced_and_have_ids_of_their_own() {
    let (deltas, done) = streamed(vec![Message::text(Role::User, SUGGESTIONS[2])], super::tools()).await;
    assert_eq!(deltas.iter().filter(|delta| matches!(delta, Delta::CallStarted(_))).count(), 2);
    assert_eq!(done.finish, Finish::ToolCalls);
    let ids: std::collections::HashSet<_> = done.message.tool_calls.iter().map(|call| call.id.clone()).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_summary_is_an_extract_of_what_was_said_and_done() {
    let transcript = "Summarise this conversation:\n\n<conversation>\nUSER: read a.txt\nCALL: files__read_file {\"path\":\"a.txt\"}\nRESULT: one\ntwo\nAGENT: `a.txt`: one two\n</conversation>";
    let messages = vec![
        Message::text(Role::System, "You summarise a conversation between a user and an agent."),
        Message::text(Role::User, transcript),
    ];
    let (_, done) = streamed(messages, Vec::new()).await;
    assert_eq!(
        done.message.content,
        "Extract made by rules (no language model), in order; long texts are cut:\n- User: read a.txt\n- Called: files__read_file {\"path\":\"a.txt\"}\n- Result: one two\n- Agent: `a.txt`: one two"
    );
}

/// The loop of an agent in small: calls run, results go back, until there are words.
async fn carried_out(text: &str, folder: &std::path::Path) -> String {
    let clock = crate::domain::clock::ManualClock::starting_at("2026-01-01T12:00:00.000Z".parse().unwrap());
    let options = local::Options { folder: folder.to_path_buf(), ..local::Options::default() };
    let tools: Vec<_> = local::catalog(options, std::sync::Arc::new(clock)).into_iter().flat_map(|(_, tools)| tools).collect();
    let mut messages = vec![Message::text(Role::User, text)];
    for _ in 0..5 {
        let (_, done) = streamed(messages.clone(), super::built_in()).await;
        if done.finish == Finish::Stop {
            return done.message.content;
        }
        messages.push(done.message.clone());
        for call in done.message.tool_calls {
            let tool = tools.iter().find(|tool| tool.info().name == call.name).unwrap();
            let context = CallContext { call_id: call.id.clone(), session: None, cancel: tokio_util::sync::CancellationToken::new() };
            let outcome = tool.call(call.arguments, context).await.unwrap();
            let text = if outcome.is_error { format!("error: {}", outcome.text) } else { outcome.text };
            messages.push(Message::tool_result(call.id, text));
        }
    }
    panic!("no answer after five steps")
}

#[tokio::test]
async fn the_suggestions_work_with_the_real_tools() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("README.md"), "# Widget\n\nMakes widgets.\n").unwrap();
    std::fs::write(folder.path().join("Cargo.toml"), "[package]\n").unwrap();
    let mut answers = String::new();
    for suggestion in SUGGESTIONS.iter().skip(1).chain(&["read nothing.txt", "把 README.md 里的 widgets 换成 gadgets，然后读一下它"])
    {
        answers += &["> ", suggestion, "\n\n", &carried_out(suggestion, folder.path()).await, "\n\n"].concat();
    }
    insta::assert_snapshot!(answers);
}

#[test]
fn no_text_breaks_the_assistant() {
    let pool = [
        "list",
        "files",
        "and then",
        "read",
        "README.md",
        "东京",
        "几点",
        "{",
        "\"",
        "`",
        "=",
        "a=",
        "17%",
        "of",
        "ask coder to",
        "with everything",
        "，",
        "然后",
        "don't",
        "é",
        "\u{1f469}\u{200d}",
    ];
    proptest::proptest!(proptest::test_runner::Config::with_cases(200), |(picks in proptest::collection::vec((0..pool.len(), ".{0,4}"), 0..10))| {
        let text: Vec<String> = picks.iter().map(|(at, noise)| format!("{}{noise}", pool[*at])).collect();
        let mut talk = Talk::new();
        let said = text.join(" ");
        proptest::prop_assert!(!talk.user(&said).next().is_empty());
    });
}

/// A line for the shell is a call without a word of the assistant behind it.
#[test]
fn after_the_users_own_call_the_next_message_is_answered_by_itself() {
    use crate::domain::ids::{CallId, ToolName};
    use crate::domain::message::ToolCall;

    for (text, tool) in [("!echo hi", "system__run_command"), ("/undo", "files__undo")] {
        let mut talk = Talk::new();
        talk.user(text);
        let mut call = Message::text(Role::Assistant, "");
        let id = CallId::from("own");
        let arguments = serde_json::Map::new();
        call.tool_calls.push(ToolCall {
            id: id.clone(),
            name: ToolName::new(tool),
            arguments,
            invalid: None,
            extra: serde_json::Map::new(),
        });
        talk.messages.push(call);
        talk.messages.push(Message::tool_result(id, "hi"));
        assert_eq!(talk.user("what time is it in Tokyo?").next(), r#"current_time {"timezone":"Asia/Tokyo"}"#);
        let answer = talk.results(&[r#"{"timezone":"Asia/Tokyo","time":"2026-01-01T14:30:00+09:00"}"#]).next();
        assert!(!answer.contains("echo") && !answer.contains("did not understand"), "{answer}");
    }
}
