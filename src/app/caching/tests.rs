//! Which results are kept, for how long, and who hears of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::domain::clock::{Instant, ManualClock};
use crate::domain::ids::CallId;
use crate::domain::tool::ToolHints;
use crate::store::cache::Options;

/// A tool that counts its calls and answers with the count; `fail` makes it say that it failed.
struct Counting {
    info: ToolInfo,
    calls: Arc<AtomicUsize>,
    gate: Option<Arc<Notify>>,
}

impl Tool for Counting {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let (calls, gate) = (Arc::clone(&self.calls), self.gate.clone());
        async move {
            let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some(gate) = gate {
                tokio::select! {
                    () = gate.notified() => {}
                    () = context.cancel.cancelled() => {
                        calls.fetch_add(100, Ordering::SeqCst);
                        return Err(ToolError::new(ErrorKind::Interrupted, "stopped"));
                    }
                }
            }
            let text = format!("call {number}");
            Ok(ToolOutcome { structured: Some(json!({"n": number})), is_error: arguments.contains_key("fail"), text })
        }
        .boxed()
    }
}

struct One(Arc<Counting>);

impl ToolSource for One {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        vec![Arc::clone(&self.0) as Arc<dyn Tool>]
    }

    fn servers(&self) -> Vec<ServerName> {
        Vec::new()
    }
}

struct Setup {
    clock: ManualClock,
    cache: Cache,
    tool: Arc<Counting>,
}

impl Setup {
    fn new(hints: ToolHints, rule: (&str, &str), gate: Option<Arc<Notify>>) -> Self {
        let clock = ManualClock::starting_at(Instant::from_millis(1_700_000_000_000));
        let rule = ToolRule { server: rule.0.to_owned(), tool: rule.1.to_owned(), seconds: 60 };
        let cache = Cache::new(Options { tools: vec![rule], ..Options::default() }, None, Arc::new(clock.clone()));
        let info = ToolInfo {
            name: ToolName::from("docs__read"),
            server: ServerName::new("docs"),
            tool: "read".to_owned(),
            title: None,
            description: String::new(),
            parameters: Arc::default(),
            output: None,
            hints,
            trusted: false,
        };
        Self { clock, cache, tool: Arc::new(Counting { info, calls: Arc::default(), gate }) }
    }

    fn find(&self, folder: &str) -> Arc<dyn Tool> {
        let source = cached(Arc::new(One(Arc::clone(&self.tool))), &self.cache, folder);
        source.find(&ToolName::from("docs__read")).unwrap()
    }

    async fn call(&self, arguments: Value) -> String {
        self.call_in("/home", arguments, CancellationToken::new()).await.unwrap().text
    }

    async fn call_in(&self, folder: &str, arguments: Value, cancel: CancellationToken) -> Result<ToolOutcome, ToolError> {
        let Value::Object(arguments) = arguments else { unreachable!("tests give objects") };
        self.find(folder).call(arguments, CallContext { call_id: CallId::new("c"), session: None, cancel }).await
    }
}

#[tokio::test]
async fn the_same_call_is_answered_from_the_cache_and_says_so() {
    let setup = Setup::new(ToolHints::READ_ONLY, ("docs", "re*"), None);
    assert_eq!(setup.call(json!({"a": 1, "b": {"x": 1, "y": 2}})).await, "call 1");
    setup.clock.advance(Duration::from_secs(5));
    let again = setup.call_in("/home", json!({"b": {"y": 2, "x": 1}, "a": 1}), CancellationToken::new()).await.unwrap();
    assert_eq!((again.text.as_str(), again.structured), ("call 1\n\n(from the cache: 5 s old)", Some(json!({"n": 1}))));
    assert_eq!(setup.call(json!({"a": 2, "b": {"x": 1, "y": 2}})).await, "call 2");
    let elsewhere = setup.call_in("/elsewhere", json!({"a": 1, "b": {"x": 1, "y": 2}}), CancellationToken::new()).await;
    assert_eq!(elsewhere.unwrap().text, "call 3");
    setup.clock.advance(Duration::from_secs(55));
    assert_eq!(setup.call(json!({"a": 1, "b": {"x": 1, "y": 2}})).await, "call 4");
}

#[tokio::test]
async fn only_tools_that_only_read_and_that_a_rule_names_are_kept() {
    let check = async |hints: ToolHints, rule: (&str, &str)| {
        let setup = Setup::new(hints, rule, None);
        assert_eq!(setup.call(json!({})).await, "call 1");
        assert_eq!(setup.call(json!({})).await, "call 2", "{rule:?}");
    };
    check(ToolHints::default(), ("docs", "read")).await;
    check(ToolHints::READ_ONLY, ("other", "read")).await;
    check(ToolHints::READ_ONLY, ("docs", "readme")).await;
}

#[tokio::test]
async fn what_failed_is_not_kept() {
    let setup = Setup::new(ToolHints::READ_ONLY, ("*", "*"), None);
    for number in 1..=2 {
        let outcome = setup.call_in("/home", json!({"fail": true}), CancellationToken::new()).await.unwrap();
        assert_eq!((outcome.text, outcome.is_error), (format!("call {number}"), true));
    }
}

#[tokio::test]
async fn who_stops_takes_nothing_from_who_waits_for_the_same_call() {
    let gate = Arc::new(Notify::new());
    let setup = Setup::new(ToolHints::READ_ONLY, ("*", "*"), Some(Arc::clone(&gate)));
    let stop = CancellationToken::new();
    let (stopped, other, ()) =
        futures::join!(setup.call_in("/", json!({}), stop.clone()), setup.call_in("/", json!({}), CancellationToken::new()), async {
            tokio::task::yield_now().await;
            stop.cancel();
            tokio::task::yield_now().await;
            gate.notify_one();
        });
    assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
    assert_eq!(other.unwrap().text, "call 1");
    assert_eq!(setup.tool.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_stopped() {
    let setup = Setup::new(ToolHints::READ_ONLY, ("*", "*"), Some(Arc::new(Notify::new())));
    let stop = CancellationToken::new();
    let (stopped, ()) = futures::join!(setup.call_in("/", json!({}), stop.clone()), async {
        while setup.tool.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
    while setup.tool.calls.load(Ordering::SeqCst) < 101 {
        tokio::task::yield_now().await;
    }
}
