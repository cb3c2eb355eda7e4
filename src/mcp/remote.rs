//! A server's tool as the agent sees it.

use std::sync::{Arc, OnceLock, Weak};

use futures::FutureExt;
use futures::future::BoxFuture;
use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::domain::event::ErrorKind;
use crate::domain::text::{clean_line, ellipsis};
use crate::domain::tool::ToolInfo;
use crate::mcp::service::Service;
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome};

/// The longest description of what is wrong with a result, in characters.
const PROBLEM_CHARS_MAX: usize = 300;

/// One tool of one server.
pub(super) struct RemoteTool {
    info: ToolInfo,
    service: Weak<Service>,
    /// The tool itself where it is ours: it alone can show what a call would change.
    local: Option<Arc<dyn Tool>>,
    /// What its results are checked against, made at the first call.
    promise: Arc<OnceLock<Option<Validator>>>,
}

impl RemoteTool {
    pub(super) fn new(info: ToolInfo, service: Weak<Service>, local: Option<Arc<dyn Tool>>) -> Self {
        Self { info, service, local, promise: Arc::default() }
    }
}

impl Tool for RemoteTool {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn preview<'a>(&'a self, arguments: &'a Map<String, Value>) -> BoxFuture<'a, Option<String>> {
        match &self.local {
            Some(tool) => tool.preview(arguments),
            None => std::future::ready(None).boxed(),
        }
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let (service, tool) = (self.service.clone(), self.info.tool.clone());
        let server = self.info.server.clone();
        let promised = self.info.output.clone().map(|schema| (schema, Arc::clone(&self.promise)));
        async move {
            let Some(service) = service.upgrade() else {
                return Err(ToolError::new(ErrorKind::NotFound, format!("server `{server}` was removed")));
            };
            let outcome = service.call(&tool, arguments, &context).await?;
            Ok(match promised {
                Some((schema, promise)) => kept(outcome, promise.get_or_init(|| validator(&schema)).as_ref()),
                None => outcome,
            })
        }
        .boxed()
    }
}

/// A checker for a schema; `None` where the schema is none. Nothing it points to is fetched.
fn validator(schema: &Map<String, Value>) -> Option<Validator> {
    jsonschema::options()
        .build(&Value::Object(schema.clone()))
        .inspect_err(|error| tracing::debug!(target: "mcp", %error, "output schema"))
        .ok()
}

/// The outcome with a word where it is not what the tool promised; what does not fit counts as no structured content.
fn kept(mut outcome: ToolOutcome, promise: Option<&Validator>) -> ToolOutcome {
    let Some(promise) = promise.filter(|_| !outcome.is_error) else { return outcome };
    let problem = match &outcome.structured {
        None => Some("there is none".to_owned()),
        Some(value) => promise.validate(value).err().map(|error| {
            let at = error.instance_path().to_string();
            ellipsis(&clean_line(&format!("{error}{}{at}", if at.is_empty() { "" } else { " at " })), PROBLEM_CHARS_MAX).into_owned()
        }),
    };
    if let Some(problem) = problem {
        outcome.structured = None;
        outcome.text.push_str(&format!("\n[the structured result is not what the tool promises: {problem}]"));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: Value, structured: Option<Value>, problem: Option<&str>) {
        let Value::Object(schema) = schema else { panic!("no schema") };
        let outcome = ToolOutcome { text: "t".to_owned(), structured: structured.clone(), is_error: false };
        let checked = kept(outcome, validator(&schema).as_ref());
        match problem {
            None => assert_eq!((checked.text.as_str(), checked.structured), ("t", structured)),
            Some(problem) => {
                assert!(checked.text.contains(problem), "{}", checked.text);
                assert_eq!(checked.structured, None);
            }
        }
    }

    #[test]
    fn structured_results_are_checked_against_the_promise() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
        check(schema.clone(), Some(json!({"n": 1})), None);
        check(schema.clone(), Some(json!({"n": "x"})), Some("at /n"));
        check(schema.clone(), Some(json!({})), Some("required"));
        check(schema, None, Some("there is none"));
        // A schema that points elsewhere is never followed: it cannot be checked.
        check(json!({"$ref": "http://127.0.0.1:1/schema.json"}), Some(json!({"n": "x"})), None);
        check(json!({"type": 5}), Some(json!(1)), None);
    }

    #[test]
    fn a_failure_promises_nothing() {
        let Value::Object(schema) = json!({"type": "object"}) else { panic!("no schema") };
        let outcome = ToolOutcome::error("no");
        assert_eq!(kept(outcome.clone(), validator(&schema).as_ref()), outcome);
    }
}
