//! Tests of the probes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::{Probes, source};
use crate::domain::clock::{Clock, Instant, ManualClock};
use crate::domain::ids::ServerName;
use crate::domain::task::{AgreedBy, KindConfig, TaskSpec};
use crate::domain::tool::{ToolHints, ToolInfo};
use crate::net::fetch::{Fetcher, Options};
use crate::store::EventLog;
use crate::tools::{CallContext, Tool, ToolBox, ToolError, ToolOutcome, ToolSource};

/// 2026-01-01T12:00:00Z.
const START: Instant = Instant::from_millis(1_767_268_800_000);

/// A tool that answers 42 and notes its calls.
#[derive(Clone)]
struct Disk {
    info: ToolInfo,
    calls: Arc<Mutex<Vec<Map<String, Value>>>>,
}

impl Disk {
    fn new() -> Self {
        let info = ToolInfo {
            name: "disk__free".to_owned().into(),
            server: "disk".into(),
            tool: "free".to_owned(),
            title: None,
            description: String::new(),
            parameters: Arc::default(),
            output: None,
            hints: ToolHints::default(),
            trusted: false,
        };
        Self { info, calls: Arc::default() }
    }
}

impl Tool for Disk {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn call(&self, arguments: Map<String, Value>, _: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        self.calls.lock().unwrap().push(arguments);
        std::future::ready(Ok(ToolOutcome::text("42"))).boxed()
    }
}

impl ToolSource for Disk {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        vec![Arc::new(self.clone())]
    }

    fn servers(&self) -> Vec<ServerName> {
        vec![self.info.server.clone()]
    }
}

fn probes(tools: ToolBox) -> Probes {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::starting_at(START));
    let log = EventLog::open_in_memory(clock.clone()).unwrap();
    Probes::new(Fetcher::through(Some("off".to_owned()), Options::default(), clock), log, tools, BTreeMap::new())
}

fn watch(source: &Value) -> TaskSpec {
    let config = json!({"metric": "m", "threshold": 1, "source": source});
    let spec = json!({"task_id": "t", "task_type": "threshold_watch", "config": config, "description": "d", "user_id": "default",
        "created_at": START});
    serde_json::from_value(spec).unwrap()
}

async fn read(probes: &Probes, spec: &TaskSpec) -> Result<f64, String> {
    let KindConfig::ThresholdWatch(config) = &spec.kind else { panic!("{spec:?}") };
    source::number(probes, config, spec.agreed.as_ref()).await.map_err(|fault| fault.message)
}

#[tokio::test]
async fn a_program_runs_only_as_it_was_agreed() {
    let probes = probes(ToolBox::default());
    let mut spec = watch(&json!({"command": ["printf", "42"]}));
    let refused = read(&probes, &spec).await.unwrap_err();
    assert!(refused.contains(r#"not run: it runs "printf" "42", and nobody agreed"#), "{refused}");
    spec.agree(Some(AgreedBy::Person), START);
    assert_eq!(read(&probes, &spec).await, Ok(42.0));
    let other = TaskSpec { agreed: spec.agreed, ..watch(&json!({"command": ["printf", "43"]})) };
    let refused = read(&probes, &other).await.unwrap_err();
    assert!(refused.contains(r#"agreed was that it runs "printf" "42", now it runs "printf" "43""#), "{refused}");
}

#[tokio::test]
async fn a_tool_is_called_only_with_the_arguments_that_were_agreed() {
    let disk = Disk::new();
    let probes = probes(ToolBox::new(vec![Arc::new(disk.clone())]));
    let source = |path: &str| json!({"server": "disk", "tool": "free", "arguments": {"path": path}});
    let mut spec = watch(&source("/"));
    assert!(read(&probes, &spec).await.unwrap_err().contains("nobody agreed"), "its hints do not count");
    spec.agree(Some(AgreedBy::Answer), START);
    assert_eq!(read(&probes, &spec).await, Ok(42.0));
    let other = TaskSpec { agreed: spec.agreed, ..watch(&source("/home")) };
    assert!(read(&probes, &other).await.unwrap_err().contains(r#"with {"path":"/home"}"#));
    assert_eq!(*disk.calls.lock().unwrap(), [json!({"path": "/"}).as_object().unwrap().clone()]);
}
