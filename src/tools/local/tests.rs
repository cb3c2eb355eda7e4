//! The catalogue as a whole, and what every built-in tool has in common.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Options, catalog};
use crate::domain::clock::ManualClock;
use crate::domain::event::ErrorKind;
use crate::domain::ids::CallId;
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome};

fn tools() -> Vec<Arc<dyn Tool>> {
    let clock = ManualClock::starting_at("2026-01-01T12:00:00.000Z".parse().unwrap());
    let options = Options { timezone: "UTC".into(), ..Options::default() };
    catalog(options, Arc::new(clock)).into_iter().flat_map(|(_, tools)| tools).collect()
}

async fn call(name: &str, arguments: Value, cancel: CancellationToken) -> Result<ToolOutcome, ToolError> {
    let tool = tools().into_iter().find(|tool| tool.info().name.as_str() == name).unwrap();
    let context = CallContext { call_id: CallId::new("c"), session: None, cancel };
    tool.call(arguments.as_object().unwrap().clone(), context).await
}

#[test]
fn the_catalogue_is_what_models_see() {
    let infos: Vec<Value> = tools().iter().map(|tool| serde_json::to_value(tool.info()).unwrap()).collect();
    insta::assert_json_snapshot!(infos);
}

#[test]
fn names_are_fit_for_every_provider() {
    let mut seen = std::collections::HashSet::new();
    for tool in tools() {
        let info = tool.info();
        assert!(info.name.as_str().chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '_') && info.name.as_str().len() <= 64);
        assert_eq!(info.name.as_str(), format!("{}__{}", info.server, info.tool));
        assert!(seen.insert(info.name.clone()));
    }
}

#[tokio::test]
async fn system_tools_answer() {
    let none = CancellationToken::new;
    let sum = call("system__calculate", json!({"expression": "17% of 2,340"}), none()).await.unwrap();
    assert_eq!(
        (sum.text.as_str(), sum.structured),
        ("17% of 2,340 = 397.8", Some(json!({"expression": "17% of 2,340", "value": "397.8"})))
    );
    let time = call("system__current_time", json!({"timezone": "Asia/Tokyo"}), none()).await.unwrap();
    assert_eq!(time.text, "Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)");
    let here = call("system__current_time", json!({"timezone": null}), none()).await.unwrap();
    assert_eq!(here.text, "Thursday, 2026-01-01 12:00:00 (UTC, UTC+00:00)");
    let machine = call("system__system_info", json!({}), none()).await.unwrap();
    assert!(machine.text.contains("Memory: "), "{}", machine.text);
    let wrong = call("system__calculate", json!({"expression": "1/0"}), none()).await.unwrap();
    assert!(wrong.is_error && wrong.text == "division by zero at position 2");
}

#[tokio::test]
async fn wrong_arguments_are_refused_by_name() {
    let check = async |name: &str, arguments: Value, parts: &[&str]| {
        let error = call(name, arguments, CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadArguments);
        assert!(parts.iter().all(|part| error.message.contains(part)), "{}", error.message);
    };
    check("files__read_file", json!({}), &["missing field `path`", "`offset` (optional)"]).await;
    check("files__read_file", json!({"path": "a", "colour": 1}), &["unknown field `colour`"]).await;
    check("files__read_file", json!({"path": ["a"]}), &["expected a string"]).await;
    check("system__system_info", json!({"x": 1}), &["no arguments"]).await;
}

#[tokio::test]
async fn a_stopped_call_ends_at_once() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = call("files__search_files", json!({"pattern": "x"}), cancel).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
}
