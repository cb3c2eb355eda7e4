//! How a built-in tool is defined: a description, a struct of arguments, an async function.
//!
//! The schema comes from the struct; unknown or wrong arguments are refused by name before the function runs. Time and
//! output are bounded here, for every tool alike.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::event::ErrorKind;
use crate::domain::ids::{ServerName, ToolName};
use crate::domain::text::{cut_middle, with_causes};
use crate::domain::tool::{ToolHints, ToolInfo};
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome, schema};

/// The longest result of a built-in tool, in bytes; every tool has its own smaller limits, this is the last resort.
const OUTPUT_BYTES_MAX: usize = 1_024 * 1_024;

/// How long a tool may run where nobody says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What a tool tells about itself.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The server it belongs to.
    pub server: &'static str,
    /// Its name on that server.
    pub name: &'static str,
    /// Its title for people.
    pub title: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// What it changes.
    pub hints: ToolHints,
}

/// Why a tool could not do what it was asked, in words for the model and the user: what happened and what to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(with_causes(&error))
    }
}

type Arguments = Map<String, Value>;
type Run = Arc<dyn Fn(Arguments, CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> + Send + Sync>;
type Preview = Arc<dyn Fn(Arguments) -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// A tool that runs in this program.
#[derive(Clone)]
pub struct LocalTool {
    info: ToolInfo,
    time_limit: Duration,
    run: Run,
    preview: Option<Preview>,
}

impl LocalTool {
    /// A tool whose schema is that of `A`.
    pub fn new<A, F, Fut>(definition: &Definition, run: F) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(A, CallContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ToolOutcome, Failure>> + Send + 'static,
    {
        Self::with_schema(definition, derived_schema::<A>(), run)
    }

    /// A tool with a schema of its own making; `A` reads the arguments.
    pub fn with_schema<A, F, Fut>(definition: &Definition, parameters: Arguments, run: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        F: Fn(A, CallContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ToolOutcome, Failure>> + Send + 'static,
    {
        let parameters = Arc::new(parameters);
        let info = ToolInfo {
            name: ToolName::from(format!("{}__{}", definition.server, definition.name)),
            server: ServerName::new(definition.server),
            tool: definition.name.to_owned(),
            title: Some(definition.title.to_owned()),
            description: definition.description.to_owned(),
            parameters: Arc::clone(&parameters),
            output: None,
            hints: definition.hints,
            trusted: true,
        };
        let name = definition.name;
        let run: Run = Arc::new(move |arguments, context| match read_arguments::<A>(name, &parameters, arguments) {
            Ok(arguments) => {
                run(arguments, context).map(|result| Ok(result.unwrap_or_else(|Failure(message)| ToolOutcome::error(message)))).boxed()
            }
            Err(error) => std::future::ready(Err(error)).boxed(),
        });
        Self { info, time_limit: TIME_LIMIT, run, preview: None }
    }

    /// Adds what the question for consent shows: what a call would change.
    #[must_use]
    pub fn preview<A, F, Fut>(mut self, preview: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        let (name, parameters) = (self.info.tool.clone(), Arc::clone(&self.info.parameters));
        self.preview = Some(Arc::new(move |arguments| match read_arguments::<A>(&name, &parameters, arguments) {
            Ok(arguments) => preview(arguments).boxed(),
            Err(_) => std::future::ready(None).boxed(),
        }));
        self
    }

    /// Sets how long a call may take.
    pub fn limit_time(&mut self, limit: Duration) {
        self.time_limit = limit;
    }
}

impl Tool for LocalTool {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn preview<'a>(&'a self, arguments: &'a Arguments) -> BoxFuture<'a, Option<String>> {
        match &self.preview {
            Some(preview) => preview(arguments.clone()),
            None => std::future::ready(None).boxed(),
        }
    }

    fn call(&self, arguments: Arguments, mut context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let (run, limit, name) = (Arc::clone(&self.run), self.time_limit, self.info.tool.clone());
        Box::pin(async move {
            let stopped = context.cancel.clone();
            // Blocking work watches the child: it ends however this call ends.
            context.cancel = stopped.child_token();
            let _ends_with_the_call = context.cancel.clone().drop_guard();
            let result = tokio::select! {
                biased;
                () = stopped.cancelled() => return Err(ToolError::new(ErrorKind::Interrupted, format!("`{name}` was stopped"))),
                result = tokio::time::timeout(limit, run(arguments, context)) => result,
            };
            let mut outcome = result.map_err(|_| {
                let message = format!("`{name}` took longer than {} s and was given up; ask for less at a time", limit.as_secs());
                ToolError::new(ErrorKind::TimedOut, message)
            })??;
            if outcome.text.len() > OUTPUT_BYTES_MAX {
                outcome.text = cut_middle(&outcome.text, OUTPUT_BYTES_MAX).into_owned();
            }
            Ok(outcome)
        })
    }
}

/// Runs blocking work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(%error, "a tool broke off");
            Err(Failure("the tool broke off because of a fault of its own; the log has the details".to_owned()))
        }
    }
}

fn read_arguments<A: DeserializeOwned>(name: &str, parameters: &Arguments, arguments: Arguments) -> Result<A, ToolError> {
    let arguments = schema::coerce(parameters, arguments);
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        let known: Vec<String> = schema::properties(parameters)
            .map(|(property, _)| {
                let needed = schema::required(parameters).any(|needed| needed == property);
                if needed { format!("`{property}`") } else { format!("`{property}` (optional)") }
            })
            .collect();
        let takes = if known.is_empty() { "no arguments".to_owned() } else { known.join(", ") };
        ToolError::new(ErrorKind::BadArguments, format!("the arguments of `{name}` do not fit: {error}; it takes {takes}"))
    })
}

/// The schema of `A` without what no model needs: titles, formats of integers, `null` as a type.
fn derived_schema<A: JsonSchema>() -> Arguments {
    let mut schema = schemars::schema_for!(A).to_value();
    simplify(&mut schema);
    let Value::Object(mut object) = schema else { return Arguments::new() };
    object.remove("$schema");
    object.remove("title");
    object.remove("description");
    object.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    object
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            object.remove("format");
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            object.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}
