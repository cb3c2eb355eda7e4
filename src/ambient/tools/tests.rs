//! The task tools as a model calls them.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{Asks, catalog};
use crate::ambient::nudge::Nudges;
use crate::ambient::ports::{Preview, Previewer};
use crate::ambient::service::{Options, TaskService};
use crate::domain::clock::{Instant, ManualClock};
use crate::domain::ids::CallId;
use crate::domain::task::TaskSpec;
use crate::store::EventLog;
use crate::tools::{CallContext, Tool};

struct Bench {
    service: TaskService,
    tools: Vec<Arc<dyn Tool>>,
}

fn bench(previewer: Option<Arc<dyn Previewer>>) -> Bench {
    let clock = ManualClock::starting_at(Instant::from_millis(1_767_268_800_000));
    let log = EventLog::open_in_memory(Arc::new(clock)).unwrap();
    let service = TaskService::new(log, TimeZone::UTC, Nudges::default(), Options::default());
    let (_, tools) = catalog(&service, previewer, Asks::Person);
    Bench { service, tools }
}

impl Bench {
    fn tool(&self, name: &str) -> &Arc<dyn Tool> {
        self.tools.iter().find(|tool| tool.info().tool == name).unwrap()
    }

    async fn call(&self, name: &str, arguments: Value) -> Value {
        let context = CallContext { call_id: CallId::generate(), session: None, cancel: CancellationToken::new() };
        let outcome = self.tool(name).call(arguments.as_object().unwrap().clone(), context).await.unwrap();
        let envelope = outcome.structured.clone().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&outcome.text).unwrap(), envelope, "text and structured content are the same");
        assert_eq!(outcome.is_error, envelope["status"] == "error", "{envelope}");
        assert_eq!((&envelope["action"], &envelope["timestamp"]), (&json!(name), &json!("2026-01-01T12:00:00.000Z")));
        envelope
    }

    async fn good(&self, name: &str, arguments: Value) -> Value {
        let envelope = self.call(name, arguments).await;
        assert_eq!(envelope["status"], "success", "{envelope}");
        assert!(envelope.get("error").is_none(), "{envelope}");
        envelope
    }

    /// The field and the error of a refusal.
    async fn bad(&self, name: &str, arguments: Value) -> (String, String) {
        let envelope = self.call(name, arguments).await;
        assert_eq!(envelope["status"], "error", "{envelope}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&envelope["data"]["field"]), text(&envelope["error"]))
    }

    async fn monitor(&self) -> Value {
        let config = json!({"urls": ["https://techcrunch.com"], "keywords": ["AI"], "check_interval_minutes": 30,
            "notification": {"method": "send_sms", "phone_number": "+1234567890"}});
        let arguments = json!({"task_type": "web_monitor", "description": "watch AI", "config": config});
        self.good("create_background_task", arguments).await
    }
}

#[test]
fn the_tools_are_those_of_the_wire() {
    let bench = bench(None);
    let hints = |tool: &Arc<dyn Tool>| {
        let hints = tool.info().hints;
        let kind = if hints.read_only {
            "reads"
        } else if hints.destructive {
            "destroys"
        } else {
            "changes"
        };
        format!("{} {kind}", tool.info().tool)
    };
    let listed: Vec<String> = bench.tools.iter().map(hints).collect();
    let expected = [
        "create_background_task changes",
        "list_background_tasks reads",
        "pause_background_task changes",
        "resume_background_task changes",
        "delete_background_task destroys",
        "run_background_task changes",
        "preview_background_task reads",
        "get_background_task_history reads",
        "update_background_task changes",
        "get_event_sourcing_status reads",
    ];
    assert_eq!(listed, expected);
    for tool in &bench.tools {
        let info = tool.info();
        assert_eq!(info.name.as_str(), format!("tasks__{}", info.tool));
        assert_eq!(info.parameters["type"], "object", "{}", info.tool);
    }
}

#[tokio::test]
async fn a_task_lives_through_its_tools() {
    let bench = bench(None);
    let made = bench.monitor().await;
    let task = &made["data"];
    let id = task["task_id"].as_str().unwrap().to_owned();
    assert_eq!((&task["task_type"], &task["status"], &task["user_id"]), (&json!("web_monitor"), &json!("active"), &json!("default")));
    assert_eq!(task["config"]["notification"], json!({"method": "send_sms", "phone_number": "+1234567890"}));
    assert!(made["message"].as_str().unwrap().contains("every 30 min"), "{made}");
    assert!(!made["message"].as_str().unwrap().contains("234567890"), "the number is masked: {made}");
    let list = bench.good("list_background_tasks", json!({})).await;
    assert_eq!((&list["data"]["total"], &list["data"]["tasks"][0]["task_id"]), (&json!(1), &json!(id)));
    assert_eq!(bench.good("list_background_tasks", json!({"user_id": "anna"})).await["data"]["total"], 0);
    let paused = bench.good("pause_background_task", json!({"task_id": "watch AI"})).await;
    assert_eq!((&paused["data"]["status"], paused["data"].get("next_check")), (&json!("paused"), None));
    assert_eq!(bench.good("resume_background_task", json!({"task_id": &id[..6]})).await["data"]["status"], "active");
    bench.good("run_background_task", json!({"task_id": id})).await;
    let updated = bench.good("update_background_task", json!({"task_id": id, "config": {"check_interval_minutes": 10}})).await;
    assert_eq!(updated["data"]["config"]["check_interval_minutes"], 10);
    assert_eq!(updated["data"]["config"]["keywords"], json!(["AI"]), "the rest stays");
    let history = bench.good("get_background_task_history", json!({"task_id": id, "limit": "2"})).await;
    let types: Vec<&Value> = history["data"]["events"].as_array().unwrap().iter().map(|event| &event["data"]["event_type"]).collect();
    assert_eq!(types, [&json!("task_updated"), &json!("task_resumed")]);
    assert!(history["data"]["why"].as_array().is_some_and(|why| !why.is_empty()));
    let status = bench.good("get_event_sourcing_status", json!({})).await;
    assert_eq!(status["data"]["task_types"], json!({"web_monitor": 1, "schedule": 0, "news_digest": 0, "threshold_watch": 0}));
    assert_eq!((&status["data"]["total_tasks"], &status["data"]["running_monitors"]), (&json!(1), &json!(1)));
    bench.good("delete_background_task", json!({"task_id": id})).await;
    let (field, error) = bench.bad("pause_background_task", json!({"task_id": id})).await;
    assert_eq!(field, "task_id", "{error}");
}

#[tokio::test]
async fn bad_input_names_the_field_and_the_way_out() {
    let bench = bench(None);
    let create = |config: Value| json!({"task_type": "schedule", "description": "x", "config": config});
    let check = async |name: &str, arguments: Value, field: &str, says: &str| {
        let (found, error) = bench.bad(name, arguments).await;
        assert_eq!(found, field, "{error}");
        assert!(error.contains(says), "{error}");
    };
    check("create_background_task", json!({"task_type": "web", "description": "x", "config": {}}), "task_type", "web_monitor").await;
    check("create_background_task", json!({"task_type": {}, "description": "x"}), "task_type", "give text").await;
    check("create_background_task", create(json!({"type": "daily", "hour": 27})), "config.hour", "27").await;
    check("create_background_task", create(json!({"type": "cron", "cron": "0 25 * * *"})), "config.cron", "0 25 * * *").await;
    check("create_background_task", create(json!({"type": "daily", "timezone": "Europe/Berln"})), "config.timezone", "Europe/Berlin").await;
    check("create_background_task", create(json!("{\"type\": \"daily\",}")), "config", "JSON").await;
    check("pause_background_task", json!({}), "task_id", "list_background_tasks").await;
    check("pause_background_task", json!({"task_id": ["a"]}), "task_id", "a list was given").await;
    check("get_background_task_history", json!({"task_id": "x", "limit": 0}), "limit", "give 1 to 200").await;
    check("update_background_task", json!({"task_id": "x"}), "config", "nothing to change").await;
    assert!(bench.service.list("admin").await.unwrap().is_empty(), "nothing half-made stays");
}

#[tokio::test]
async fn a_config_is_taken_in_every_form_that_models_give_it() {
    let bench = bench(None);
    let object = json!({"type": "daily", "hour": 9, "minute": 0});
    let create = |mut arguments: Value, description: &str| {
        arguments["task_type"] = "schedule".into();
        arguments["description"] = description.into();
        arguments
    };
    for (index, arguments) in [json!({"config": object}), json!({"config": object.to_string()}), object.clone()].into_iter().enumerate() {
        let made = bench.good("create_background_task", create(arguments, &format!("task {index}"))).await;
        assert_eq!(made["data"]["config"], object, "form {index}");
        assert_eq!(made["data"].get("warnings").is_some(), index == 2, "{made}");
    }
}

#[tokio::test]
async fn consent_shows_what_a_task_would_do() {
    let bench = bench(None);
    let preview = async |tool: &str, arguments: Value| bench.tool(tool).preview(arguments.as_object().unwrap()).await;
    let config = json!({"metric": "disk", "threshold": 90, "source": {"command": ["/bin/sh", "-c", "df \u{1b}[2J| tail"]}});
    let create = json!({"task_type": "threshold_watch", "description": "disk", "config": config});
    let shown = preview("create_background_task", create).await.unwrap();
    assert!(shown.contains(r#"each time, on this machine, it runs "/bin/sh" "-c""#), "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.contains("every 15 min"), "{shown}");
    assert!(shown.contains("next: at once, to have something to compare with; then 2"), "{shown}");
    let source = json!({"server": "disk", "tool": "free", "arguments": {"path": "/home"}});
    let create =
        json!({"task_type": "threshold_watch", "description": "disk", "config": {"metric": "m", "threshold": 1, "source": source}});
    let shown = preview("create_background_task", create).await.unwrap();
    assert!(shown.contains(r#"it calls "free" of "disk" with {"path":"/home"}"#), "{shown}");
    assert_eq!(preview("create_background_task", json!({"task_type": "nonsense"})).await, None);
    bench.monitor().await;
    let shown =
        preview("update_background_task", json!({"task_id": "watch AI", "config": {"urls": ["https://other.example"]}})).await.unwrap();
    assert!(shown.contains("looks at: https://other.example") && !shown.contains("at once"), "{shown}");
    let reminder = json!({"task_type": "schedule", "description": "r", "config": {"type": "interval", "minutes": 60, "action": "say hi"}});
    let shown = preview("create_background_task", reminder).await.unwrap();
    assert!(!shown.contains("at once"), "only what watches looks at once: {shown}");
}

#[tokio::test]
async fn a_task_keeps_what_was_agreed_and_strangers_agree_to_nothing() {
    let create = |command: &[&str]| {
        let config = json!({"metric": "disk", "threshold": 90, "source": {"command": command}});
        json!({"task_type": "threshold_watch", "description": "disk", "config": config})
    };
    let asked = bench(None);
    let made = asked.good("create_background_task", create(&["df", "/"])).await;
    assert_eq!(made["data"]["agreed"]["command"], json!(["df", "/"]), "{made}");
    assert_eq!(made["data"]["agreed"]["by"], "answer");
    let told = asked.good("update_background_task", json!({"task_id": "disk", "config": {"threshold": 80}})).await;
    assert_eq!(told["data"]["agreed"]["command"], json!(["df", "/"]), "another field says nothing about it: {told}");
    let changed =
        asked.good("update_background_task", json!({"task_id": "disk", "config": {"source": {"command": ["df", "/home"]}}})).await;
    assert_eq!(changed["data"]["agreed"]["command"], json!(["df", "/home"]), "this call was shown: {changed}");
    let (_, tools) = catalog(&asked.service, None, Asks::Nobody);
    let stranger = Bench { service: asked.service.clone(), tools };
    let changed = stranger.good("update_background_task", json!({"task_id": "disk", "config": {"source": {"command": ["sh"]}}})).await;
    assert_eq!(changed["data"].get("agreed"), None, "{changed}");
    assert!(changed["data"]["warnings"].to_string().contains("wakeful tasks agree"), "{changed}");
    let made = stranger.good("create_background_task", create(&["true"])).await;
    assert_eq!(made["data"].get("agreed"), None, "{made}");
}

struct Past;

impl Previewer for Past {
    fn preview(&self, spec: TaskSpec) -> BoxFuture<'_, Result<Preview, String>> {
        let answer = if spec.description == "broken" {
            Err("https://techcrunch.com: HTTP 404; check the address".to_owned())
        } else {
            Ok(Preview {
                lines: vec!["12 items now".into()],
                would_have_fired: Some((2, 20)),
                sample: Some("AI news".into()),
                ..Preview::default()
            })
        };
        std::future::ready(answer).boxed()
    }
}

#[tokio::test]
async fn a_preview_makes_nothing_and_tells_what_it_can() {
    let arguments =
        |description: &str| json!({"task_type": "web_monitor", "description": description, "config": {"urls": ["https://techcrunch.com"]}});
    let plain = bench(None);
    let preview = plain.good("preview_background_task", arguments("watch")).await;
    assert_eq!(preview["data"]["next_checks"].as_array().unwrap().len(), 3);
    assert!(preview["data"]["lines"].to_string().contains("only when it is due"), "{preview}");
    let bench = bench(Some(Arc::new(Past)));
    let preview = bench.good("preview_background_task", arguments("watch")).await;
    assert_eq!(preview["data"]["would_have_fired"], json!({"times": 2, "of": 20}));
    assert!(preview["data"]["lines"].to_string().contains("would have told you 2 of the last 20 times"), "{preview}");
    let (_, error) = bench.bad("preview_background_task", arguments("broken")).await;
    assert!(error.contains("HTTP 404"), "{error}");
    assert!(bench.service.list("admin").await.unwrap().is_empty());
    let made: Map<String, Value> = bench.monitor().await["data"].as_object().unwrap().clone();
    let again = bench.good("preview_background_task", json!({"task_id": made["task_id"]})).await;
    assert_eq!(again["data"]["description"], "watch AI");
}
