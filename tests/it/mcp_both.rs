//! The server pool as a client of both eras: what servers ask, lend and change, against a server on our own layer; and what
//! a person agrees to before a program is used.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wakeful::domain::catalog::CompletionOf;
use wakeful::domain::command::McpCommand;
use wakeful::domain::event::McpEventType::{ListChanged, Trace};
use wakeful::domain::event::{ErrorKind, EventBody};
use wakeful::domain::query::ServerState;
use wakeful::domain::question::{Ask, Question, QuestionEvent, Reply};
use wakeful::mcp::server::http::{Options, Server};
use wakeful::mcp::{Answering, Era, PoolOptions, Rules, SampleAnswer, SampleRequest, Sampler, ServerOptions, Surroundings};

use crate::mcp_support::{LIMIT, Pool, object, program, quick, root};
use crate::serve_fixture::Fixture;

/// Says what it was asked.
struct Parrot;

impl Sampler for Parrot {
    fn model(&self) -> String {
        "parrot".to_owned()
    }

    fn sample(&self, request: SampleRequest) -> BoxFuture<'static, Result<SampleAnswer, String>> {
        let text = format!("{:?}", request.messages[0]);
        std::future::ready(Ok(SampleAnswer { model: "parrot".to_owned(), text, ..SampleAnswer::default() })).boxed()
    }
}

/// A server and a pool that knows it by two names, one for each era.
struct Both {
    pool: Pool,
    results: tempfile::TempDir,
    stop: CancellationToken,
}

const ERAS: [&str; 2] = ["modern", "legacy"];

impl Both {
    async fn start(answering: Answering) -> Self {
        let server = Server::bind(Fixture::default(), Options::default()).await.unwrap();
        let (url, stop) = (server.url(), CancellationToken::new());
        tokio::spawn(server.run(stop.clone()));
        let options = |name: &str, era| ServerOptions { name: name.to_owned(), url: Some(url.clone()), era, ..ServerOptions::default() };
        // The newer era is found out by asking.
        let servers = vec![options("modern", None), options("legacy", Some(Era::Legacy))];
        let results = tempfile::tempdir().unwrap();
        let pool = Pool::among(servers, Vec::new(), quick(), |surroundings: &mut Surroundings| {
            surroundings.answering = answering;
            surroundings.sampler = Some(Arc::new(Parrot));
            surroundings.roots = vec!["/some/folder".into()];
            surroundings.results = Some(results.path().to_path_buf());
        });
        pool.settled().await;
        Self { pool, results, stop }
    }

    async fn end(self) {
        self.pool.pool.shutdown().await;
        self.stop.cancel();
    }
}

/// Waits for a question.
async fn question(pool: &Pool) -> Question {
    let wait = async {
        loop {
            if let Some(question) = pool.pool.desk().waiting().into_iter().next() {
                return question;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, wait).await.expect("nothing is asked")
}

fn accept(values: Value) -> Reply {
    Reply::Accept { values: object(values) }
}

#[tokio::test]
async fn the_era_is_found_out_and_shown() {
    let both = Both::start(Answering::Nobody).await;
    for era in ERAS {
        let status = both.pool.status(era);
        assert_eq!((status.status, status.era.as_deref()), (ServerState::Ready, Some(era)));
    }
    assert_eq!(both.pool.status("modern").protocol.as_deref(), Some("2026-07-28"));
    assert_eq!(both.pool.status("legacy").protocol.as_deref(), Some("2025-11-25"));
    both.end().await;
}

#[tokio::test]
async fn a_person_fills_in_a_form_and_may_say_no() {
    let both = Both::start(Answering::Person).await;
    for era in ERAS {
        let pool = &both.pool;
        let tool = format!("{era}__test_elicitation");
        let call = pool.text(&tool, json!({"message": "who are you"}));
        let answer = async {
            let asked = question(pool).await;
            assert_eq!((asked.server.as_str(), asked.call_id.as_ref().map(wakeful::domain::ids::CallId::as_str)), (era, Some("call-1")));
            let Ask::Form { message, fields } = &asked.ask else { panic!("{asked:?}") };
            assert_eq!((message.as_str(), fields.is_empty()), ("who are you", false));
            let values: serde_json::Map<String, Value> =
                fields.iter().map(|field| (field.name.clone(), json!(format!("{}@example.org", field.name)))).collect();
            pool.pool.desk().reply(&asked.id, Reply::Accept { values }).unwrap();
        };
        let (text, ()) = tokio::join!(call, answer);
        assert!(text.contains("accept") && text.contains("@example.org"), "{era}: {text}");

        let call = pool.text(&tool, json!({"message": "who are you"}));
        let refuse = async { pool.pool.desk().reply(&question(pool).await.id, Reply::Decline).unwrap() };
        let (text, ()) = tokio::join!(call, refuse);
        assert!(text.contains("decline"), "{era}: {text}");
    }
    let log = format!("{:?}", both.pool.kept.all());
    assert!(!log.contains("@example.org") || !log.contains("QuestionEvent"), "values stay out of the log");
    let asked = both.pool.kept.all().iter().filter(|event| matches!(event.body, EventBody::Question(QuestionEvent::Asked { .. }))).count();
    assert_eq!(asked, 4);
    both.end().await;
}

#[tokio::test]
async fn a_call_that_is_stopped_takes_its_question_along() {
    let both = Both::start(Answering::Person).await;
    for era in ERAS {
        let cancel = CancellationToken::new();
        let tool = format!("{era}__test_elicitation");
        let call = both.pool.call_with(&tool, json!({"message": "m"}), cancel.clone());
        let stop = async {
            question(&both.pool).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(call, stop);
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Interrupted, "{era}");
        let closed = async {
            while !both.pool.pool.desk().waiting().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, closed).await.expect("the question stays");
    }
    both.end().await;
}

#[tokio::test]
async fn rules_answer_where_nobody_is_there() {
    let both = Both::start(Answering::Rules(Rules { fill_forms: true, sampling: true, ..Rules::default() })).await;
    for era in ERAS {
        let sampled = both.pool.text(&format!("{era}__test_sampling"), json!({"prompt": "say hello"})).await;
        assert!(sampled.contains("say hello"), "{era}: {sampled}");
        let filled = both.pool.text(&format!("{era}__test_elicitation_sep1034_defaults"), json!({})).await;
        assert!(filled.contains("John Doe") && filled.contains("30"), "{era}: {filled}");
        let roots = both.pool.text(&format!("{era}__test_input_required_result_list_roots"), json!({})).await;
        assert!(roots.contains("file:///some/folder"), "{era}: {roots}");
        let rounds = both.pool.call(&format!("{era}__test_input_required_result_multi_round"), json!({})).await;
        assert!(rounds.is_ok(), "{era}: {rounds:?}");
    }
    both.end().await;
    let both = Both::start(Answering::Nobody).await;
    for era in ERAS {
        let refused = both.pool.call(&format!("{era}__test_sampling"), json!({"prompt": "p"})).await;
        assert!(refused.as_ref().map_or(true, |outcome| outcome.is_error), "{era}: {refused:?}");
    }
    both.end().await;
}

#[tokio::test]
async fn resources_prompts_and_completions_are_lent() {
    let both = Both::start(Answering::Nobody).await;
    let pool = &both.pool.pool;
    let all = pool.resources(None).await.unwrap();
    assert_eq!(all.iter().filter(|info| info.is_template).count(), 2, "{all:?}");
    for era in ERAS {
        let server = era.into();
        let text = pool.read_resource(&server, "test://static-text").await.unwrap();
        assert_eq!(text[0].text, "This is the content of the static text resource.");
        let picture = pool.read_resource(&server, "test://static-binary").await.unwrap();
        let file = picture[0].file.as_ref().unwrap();
        assert!(picture[0].text.contains(".png") && std::fs::read(file).unwrap().starts_with(b"\x89PNG"), "{picture:?}");
        assert!(pool.read_resource(&server, "test://nothing").await.unwrap_err().contains("test://nothing"));
        let prompts = pool.prompts().await.unwrap();
        let two = prompts.iter().find(|prompt| prompt.server == server && prompt.name == "test_prompt_with_arguments").unwrap();
        assert_eq!(two.arguments.len(), 2);
        let arguments = BTreeMap::from([("arg1".to_owned(), "x".to_owned()), ("arg2".to_owned(), "y".to_owned())]);
        let prompt = pool.prompt(&server, "test_prompt_with_arguments", arguments).await.unwrap();
        assert_eq!(prompt, "Prompt with arguments: arg1='x', arg2='y'");
        let with_image = pool.prompt(&server, "test_prompt_with_image", BTreeMap::new()).await.unwrap();
        assert!(with_image.starts_with("[image image/png ") && with_image.ends_with("image above."), "{with_image}");
        let of = CompletionOf::Prompt { name: "test_prompt_with_arguments".to_owned() };
        let completed = pool.completions(&server, of, "arg1".to_owned(), "par".to_owned(), BTreeMap::new()).await.unwrap();
        assert_eq!(completed, ["paris", "park", "party"]);
    }
    assert!(pool.resources(Some(&"nobody".into())).await.unwrap_err().contains("no server `nobody`"));
    let kept = std::fs::read_dir(both.results.path()).unwrap().count();
    assert!(kept >= 1, "pictures are kept");
    both.end().await;
}

#[tokio::test]
async fn changes_are_heard_and_messages_shown_on_wish() {
    let both = Both::start(Answering::Nobody).await;
    for era in ERAS {
        // Whoever listens was told so by the server; a change before that would go unheard.
        both.pool.text(&format!("{era}__test_simple_text"), json!({})).await;
    }
    both.pool.pool.command(McpCommand::Trace { server: Some("modern".into()), on: true }).unwrap();
    both.pool.text("modern__test_simple_text", json!({})).await;
    let shown = both.pool.kept.until_kind("modern", Trace, 2).await;
    let traced: Vec<_> = shown.iter().filter(|event| event.event_type == Trace).map(|event| event.details.to_string()).collect();
    assert!(traced.iter().any(|line| line.contains("→") && line.contains("tools/call")), "{traced:?}");
    assert!(traced.iter().any(|line| line.contains("←") && line.contains("simple text response")), "{traced:?}");
    both.pool.pool.command(McpCommand::Trace { server: None, on: false }).unwrap();
    both.pool.text("legacy__test_trigger_prompt_change", json!({})).await;
    let told = both.pool.kept.until_kind("legacy", ListChanged, 1).await;
    assert!(told.iter().any(|event| event.details["list"] == "prompts"), "{told:?}");
    both.end().await;
}

/// A pool that remembers in `memory`, with one program whose tool says what stands in `file`.
fn remembering(memory: &Path, file: &Path, answering: Answering) -> Pool {
    let script = root().join("tests/peers/scripted.py");
    let server = program("drift", "python3", &["-u", script.to_str().unwrap(), "drift", file.to_str().unwrap()]);
    Pool::among(vec![server], Vec::new(), PoolOptions { retry_attempts_max: 1, ..quick() }, |surroundings: &mut Surroundings| {
        surroundings.answering = answering;
        surroundings.memory = Some(memory.to_path_buf());
    })
}

#[tokio::test]
async fn a_command_is_agreed_to_once_and_changed_tools_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (memory, file) = (folder.path().join("memory"), folder.path().join("said"));
    std::fs::write(&file, "Gives back what it gets").unwrap();

    let pool = remembering(&memory, &file, Answering::Nobody);
    pool.settled().await;
    let ServerState::Failed { reason } = pool.status("drift").status else { panic!("it was started") };
    assert!(reason.contains("nobody has agreed"), "{reason}");
    pool.pool.shutdown().await;

    let pool = remembering(&memory, &file, Answering::Person);
    let asked = question(&pool).await;
    let Ask::FirstRun { command, .. } = &asked.ask else { panic!("{asked:?}") };
    assert!(command.starts_with("python3 -u ") && command.contains("scripted.py drift"), "{command}");
    pool.pool.desk().reply(&asked.id, Reply::yes()).unwrap();
    pool.settled().await;
    assert_eq!(pool.names(), ["drift__echo", "drift__steady"]);
    pool.pool.shutdown().await;

    // The tool says something else now: it is held back, the others are not.
    std::fs::write(&file, "Sends all your files to a stranger").unwrap();
    let pool = remembering(&memory, &file, Answering::Nobody);
    pool.settled().await;
    assert_eq!(pool.names(), ["drift__steady"]);
    pool.pool.shutdown().await;

    let pool = remembering(&memory, &file, Answering::Person);
    pool.settled().await;
    assert_eq!(pool.names(), ["drift__steady"]);
    let asked = question(&pool).await;
    let Ask::ToolsChanged { tools } = &asked.ask else { panic!("{asked:?}") };
    assert!(tools[0].diff.contains("-Gives back what it gets") && tools[0].diff.contains("+Sends all your files"), "{tools:?}");
    pool.pool.desk().reply(&asked.id, accept(json!({}))).unwrap();
    let lent = async {
        while pool.names().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, lent).await.expect("the tool stays away");
    pool.pool.shutdown().await;

    let pool = remembering(&memory, &file, Answering::Nobody);
    pool.settled().await;
    assert_eq!(pool.names(), ["drift__echo", "drift__steady"], "a person has looked at it");
    pool.pool.shutdown().await;
}
