//! The work that a session waits for: models that write, tools that run, previews and summaries that are made.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use serde_json::{Map, Value};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::domain::event::{Approval, ErrorKind};
use crate::domain::ids::CallId;
use crate::domain::memory::Notes;
use crate::domain::message::Usage;
use crate::llm::{self, ChatRequest, Completion, Delta, DeltaStream, Llm};
use crate::tools::{CallContext, Tool, ToolError, ToolOutcome};

/// Parts of an answer that are taken from a stream at once.
const BATCH_DELTAS_MAX: usize = 128;

/// How long a cancelled tool may take to say goodbye to its server before it is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// How long a preview may take before the question is asked without it.
const PREVIEW_TIMEOUT: Duration = Duration::from_secs(2);

/// One running turn within a session; never used twice while the session is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunId(pub(super) u64);

/// What a model has written since the last look.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Parts, neighbours of the same kind joined.
    pub(super) deltas: Vec<Delta>,
    /// How it ended, if it did.
    pub(super) end: Option<Result<Completion, llm::Error>>,
    /// There may be more at once: others are let through first.
    pub(super) more: bool,
}

/// The models that write now. Taking one out drops its stream, which closes its connection.
#[derive(Default)]
pub(super) struct Streams(Vec<(RunId, DeltaStream)>);

impl Streams {
    pub(super) fn insert(&mut self, run: RunId, stream: DeltaStream) {
        self.0.push((run, stream));
    }

    pub(super) fn remove(&mut self, run: RunId) {
        self.0.retain(|(known, _)| *known != run);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What comes next from any model. Safe to cancel. Waits for ever where no model writes.
    pub(super) async fn next(&mut self) -> (RunId, Batch) {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(RunId, Batch)> {
        for index in 0..self.0.len() {
            let (run, stream) = &mut self.0[index];
            let run = *run;
            let Some(batch) = poll_batch(stream, cx) else { continue };
            if batch.end.is_some() {
                drop(self.0.swap_remove(index));
            } else {
                // The others come first the next time.
                self.0[index..].rotate_left(1);
            }
            return Poll::Ready((run, batch));
        }
        Poll::Pending
    }
}

/// All that is ready, joined; `None` where nothing is.
fn poll_batch(stream: &mut DeltaStream, cx: &mut Context<'_>) -> Option<Batch> {
    let mut batch = Batch::default();
    for _ in 0..BATCH_DELTAS_MAX {
        match stream.poll_next_unpin(cx) {
            Poll::Pending => return (!batch.deltas.is_empty()).then_some(batch),
            Poll::Ready(Some(Ok(Delta::Done(completion)))) => batch.end = Some(Ok(completion)),
            Poll::Ready(Some(Ok(delta))) => push_joined(&mut batch.deltas, delta),
            Poll::Ready(Some(Err(error))) => batch.end = Some(Err(error)),
            Poll::Ready(None) => batch.end = Some(Err(llm::Error::Broken("the stream ended before the answer was whole".to_owned()))),
        }
        if batch.end.is_some() {
            return Some(batch);
        }
    }
    batch.more = true;
    Some(batch)
}

fn push_joined(deltas: &mut Vec<Delta>, delta: Delta) {
    match (deltas.last_mut(), delta) {
        (Some(Delta::Text(text)), Delta::Text(more)) | (Some(Delta::Reasoning(text)), Delta::Reasoning(more)) => text.push_str(&more),
        (_, delta) => deltas.push(delta),
    }
}

/// Work that is done.
pub(super) enum Job {
    /// A tool ran.
    Tool { run: RunId, call_id: CallId, result: Result<ToolOutcome, ToolError> },
    /// A question is ready to be asked.
    Question { run: RunId, approval: Approval },
    /// It was looked for what fits a message.
    Recalled { run: RunId, notes: Notes },
    /// A history was summarised.
    Summary { run: RunId, cut: usize, result: Result<(String, Usage), llm::Error> },
}

/// Runs a tool. Ends soon after `cancel`, whatever the tool does; a panic inside is an error like any other.
pub(super) async fn run_tool(run: RunId, tool: Arc<dyn Tool>, arguments: Map<String, Value>, context: CallContext) -> Job {
    let (call_id, cancel) = (context.call_id.clone(), context.cancel.clone());
    let call = AssertUnwindSafe(async { tool.call(arguments, context).await }).catch_unwind();
    let given_up = async {
        cancel.cancelled().await;
        time::sleep(CANCEL_GRACE).await;
    };
    let result = tokio::select! {
        result = call => result.unwrap_or_else(|_| {
            Err(ToolError::new(ErrorKind::UnknownOutcome, "the tool broke down; whether it took effect is unknown"))
        }),
        () = given_up => Err(ToolError::new(ErrorKind::Interrupted, "interrupted")),
    };
    Job::Tool { run, call_id, result }
}

/// Adds to a question what the call would change.
pub(super) async fn prepare_question(run: RunId, tool: Option<Arc<dyn Tool>>, mut approval: Approval) -> Job {
    if let Some(tool) = tool {
        let preview = AssertUnwindSafe(time::timeout(PREVIEW_TIMEOUT, tool.preview(&approval.arguments))).catch_unwind().await;
        approval.preview = preview.ok().and_then(Result::ok).flatten();
    }
    Job::Question { run, approval }
}

/// Has a model write a summary.
pub(super) async fn summarise(run: RunId, cut: usize, llm: Arc<dyn Llm>, request: ChatRequest, cancel: CancellationToken) -> Job {
    let work = async {
        let mut stream = llm.chat(request);
        while let Some(delta) = stream.next().await {
            if let Delta::Done(completion) = delta? {
                let text = completion.message.content.trim().to_owned();
                let empty = || Err(llm::Error::Unavailable("the summary was empty".to_owned()));
                return if text.is_empty() { empty() } else { Ok((text, completion.usage.unwrap_or_default())) };
            }
        }
        Err(llm::Error::Broken("the stream ended before the summary was whole".to_owned()))
    };
    let result = tokio::select! {
        result = work => result,
        () = cancel.cancelled() => Err(llm::Error::Unavailable("interrupted".to_owned())),
    };
    Job::Summary { run, cut, result }
}
