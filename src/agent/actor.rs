//! One open session: takes commands, carries out the effects of its turns, keeps the log ahead of everything else.
//!
//! All turns of the session (the main one and those of handoffs) run in one task, so that there is one order of events.
//! What is in memory is the fold of what the log has confirmed. Where the log fails the task ends; the next command
//! loads the session anew and closes what was left open.
//!
//! The queue: a message that comes while a turn runs is recorded at once. `Steer` joins before the next model call,
//! `Queue` gets a turn of its own afterwards. After an interruption or a failure what waits stays where it is until the
//! user sends again; then all of it goes along, in its order, before the new message.

mod commands;
mod offer;
mod opening;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::approval::Policy;
use crate::agent::compact;
use crate::agent::engine::Shared;
use crate::agent::history::State;
use crate::agent::jobs::{self, Batch, Job, RunId, Streams};
use crate::agent::prompt;
use crate::agent::recall;
use crate::agent::turn::{Effect, Env, Identity, Input, Limits, Outcome, Prompt, Target, Turn};
use crate::bus::RecordError;
use crate::domain::command::Command;
use crate::domain::event::{EventBody, NewEvent, SessionEvent, TurnEnd};
use crate::domain::ids::{AgentName, CallId, ServerName, SessionId, TurnId};
use crate::domain::memory::Notes;
use crate::domain::message::{Message, ToolCall, Usage};
use crate::domain::tool::ToolInfo;
use crate::llm::{self, Resolved};
use crate::tools::CallContext;

pub(super) use opening::Opening;

/// How long cancelled tools may take to say goodbye when the program stops.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Main,
    Agent(AgentName),
    Server(ServerName),
}

/// A running turn.
struct Run {
    turn: Turn,
    who: Who,
    /// Handoffs above it.
    depth: u32,
    /// The turn that handed the task over, and its call.
    up: Option<(RunId, CallId)>,
    /// Stops its tools and its summary.
    cancel: CancellationToken,
}

struct Actor {
    shared: Arc<Shared>,
    id: SessionId,
    state: State,
    runs: BTreeMap<RunId, Run>,
    next_run: u64,
    streams: Streams,
    jobs: JoinSet<Job>,
    /// A summary that the user asked for while no turn runs.
    compacting: Option<(RunId, CancellationToken)>,
    /// The queue may go on as soon as all that happened is in the log.
    go_on_due: bool,
    /// What is to be recorded together.
    outbox: Vec<EventBody>,
    pending: VecDeque<(RunId, Effect)>,
    /// Keeps other processes from the session.
    claim: Option<crate::agent::Claim>,
}

/// What comes next.
enum Next {
    Command(Option<Command>),
    Job(Job),
    Batch(RunId, Batch),
    Stop,
    Idle,
}

/// Runs a session until it is idle for long, the program stops or the log fails.
pub(super) async fn run(shared: Arc<Shared>, id: SessionId, opening: Opening, mut inbox: mpsc::Receiver<Command>) {
    shared.load(&id).await;
    let mut actor = match Actor::open(Arc::clone(&shared), id.clone(), opening).await {
        Ok(actor) => actor,
        Err(reason) => {
            shared.complain(&id, reason, "list the sessions with /sessions, or start a new one with /new");
            // What waits is the command that wanted the session open: the reason above answers it.
            while inbox.try_recv().is_ok() {}
            return give_up(&shared, &id, &mut inbox);
        }
    };
    if let Err(error) = actor.work(&mut inbox).await {
        shared.complain(
            &id,
            format!("the turn was stopped: {error}"),
            "free disk space or check the data folder, then send the message again",
        );
    }
    drop(actor);
    give_up(&shared, &id, &mut inbox);
}

/// Leaves the stage: the next command opens the session anew. Commands that wait are not lost silently.
fn give_up(shared: &Shared, id: &SessionId, inbox: &mut mpsc::Receiver<Command>) {
    while !shared.retire(id, inbox) {
        while inbox.try_recv().is_ok() {
            shared.complain(id, "a command came too late and was not taken", "send it again");
        }
    }
}

impl Actor {
    fn new(shared: Arc<Shared>, id: SessionId, state: State) -> Self {
        Self {
            shared,
            id,
            state,
            runs: BTreeMap::new(),
            next_run: 0,
            streams: Streams::default(),
            jobs: JoinSet::new(),
            compacting: None,
            go_on_due: false,
            outbox: Vec::new(),
            pending: VecDeque::new(),
            claim: None,
        }
    }

    async fn work(&mut self, inbox: &mut mpsc::Receiver<Command>) -> Result<(), RecordError> {
        self.settle().await?;
        loop {
            match self.next(inbox).await {
                Next::Command(Some(command)) => self.on_command(command).await?,
                Next::Command(None) | Next::Stop => return self.stop().await,
                Next::Job(job) => {
                    self.on_job(job);
                    // Results that are there together are recorded together.
                    while let Some(Ok(job)) = self.jobs.try_join_next() {
                        self.on_job(job);
                    }
                }
                Next::Batch(run, batch) => self.on_batch(run, batch).await,
                Next::Idle if self.shared.retire(&self.id, inbox) => return Ok(()),
                // A command came in this moment.
                Next::Idle => {}
            }
            self.settle().await?;
        }
    }

    /// Commands first, so that nothing holds up an interruption.
    async fn next(&mut self, inbox: &mut mpsc::Receiver<Command>) -> Next {
        let quiet = self.runs.is_empty() && self.compacting.is_none();
        let idle = Duration::from_secs(self.shared.deps.options.session_idle_seconds);
        let stop = self.shared.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Next::Stop,
                command = inbox.recv() => return Next::Command(command),
                Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => {
                    // A job that was aborted has nothing to tell.
                    if let Ok(job) = done {
                        return Next::Job(job);
                    }
                }
                (run, batch) = self.streams.next(), if !self.streams.is_empty() => return Next::Batch(run, batch),
                () = tokio::time::sleep(idle), if quiet => return Next::Idle,
            }
        }
    }

    async fn stop(&mut self) -> Result<(), RecordError> {
        self.interrupt();
        self.settle().await?;
        let goodbye = async { while self.jobs.join_next().await.is_some() {} };
        // Tools that do not heed it are dropped with the session.
        let _ = tokio::time::timeout(STOP_GRACE, goodbye).await;
        Ok(())
    }

    fn main_run(&self) -> Option<RunId> {
        self.runs.iter().find(|(_, run)| run.up.is_none()).map(|(id, _)| *id)
    }

    fn is_busy(&self) -> bool {
        !self.runs.is_empty() || self.compacting.is_some()
    }

    fn interrupt(&mut self) {
        if let Some((_, cancel)) = self.compacting.take() {
            cancel.cancel();
        }
        if let Some(run) = self.main_run() {
            self.step(run, Input::Interrupt);
        }
    }

    /// Gives an input to a turn; its effects wait for [`Self::settle`].
    fn step(&mut self, id: RunId, input: Input) {
        let effects = self.effects(id, input);
        self.pending.extend(effects.into_iter().map(|effect| (id, effect)));
    }

    fn effects(&mut self, id: RunId, input: Input) -> Vec<Effect> {
        let Some(run) = self.runs.get_mut(&id) else { return Vec::new() };
        let deps = &self.shared.deps;
        let now = deps.clock.now();
        let lasting = self.shared.consents();
        let policy = Policy {
            mode: self.state.mode,
            rules: &deps.options.approvals,
            session: &self.state.consents,
            lasting: &lasting,
            unattended: deps.options.unattended,
        };
        let (model, cwd) = (self.state.model.as_str(), self.state.cwd.as_str());
        let offer = || offer::make(deps, &run.who, run.depth, model, cwd, now);
        let mut env = Env { now, call_ids: &mut self.state.call_ids, policy, offer: &offer };
        run.turn.step(&mut env, input)
    }

    /// Carries out all effects; what they say is in the log before what they do begins.
    async fn settle(&mut self) -> Result<(), RecordError> {
        loop {
            while let Some((run, effect)) = self.pending.pop_front() {
                match effect {
                    Effect::Publish(body) => self.outbox.push(body),
                    Effect::Emit(body) => self.emit(body),
                    Effect::CancelModel => self.streams.remove(run),
                    Effect::CancelTools => self.cancel_below(run),
                    act => {
                        self.flush().await?;
                        let (budget, session) = (self.shared.deps.budget.clone(), self.id.clone());
                        let within = match self.model_call(run, &act) {
                            Some((model, running)) => budget.check(Some(&session), &model, &running).await,
                            None => Ok(()),
                        };
                        match within {
                            Ok(()) => self.act(run, act),
                            Err(reason) => self.step(run, Input::ModelFailed(llm::Error::Config(reason))),
                        }
                    }
                }
            }
            self.flush().await?;
            if self.pending.is_empty() && std::mem::take(&mut self.go_on_due) {
                self.go_on();
            }
            if self.pending.is_empty() {
                return Ok(());
            }
        }
    }

    /// The model that is to be called, and what the running turns took so far; for other effects nothing.
    fn model_call(&self, id: RunId, effect: &Effect) -> Option<(String, Vec<(String, Usage)>)> {
        let Effect::CallModel(_) = effect else { return None };
        let model = self.runs.get(&id)?.turn.model().to_owned();
        Some((model, self.runs.values().map(|run| (run.turn.model().to_owned(), run.turn.usage())).collect()))
    }

    /// Records what waits in the outbox, then folds it in.
    async fn flush(&mut self) -> Result<(), RecordError> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let events = self.outbox.drain(..).map(|body| NewEvent::of(&self.id, body)).collect();
        let mut learnt = false;
        for event in self.shared.deps.recorder.record(events).await? {
            self.state.apply(&event);
            if let EventBody::Approval(approval) = &event.body {
                learnt |= approval.scope.is_some();
                self.shared.learn(approval);
            }
        }
        if learnt {
            let runs: Vec<_> = self.runs.keys().copied().collect();
            for run in runs {
                self.step(run, Input::Reconsider);
            }
        }
        Ok(())
    }

    /// Stops the tools of a turn; the turns below it end first, so that their events come before its own.
    fn cancel_below(&mut self, id: RunId) {
        if let Some(run) = self.runs.get(&id) {
            run.cancel.cancel();
        }
        let below = |run: &Run| run.up.as_ref().is_some_and(|(up, _)| *up == id);
        let children: Vec<_> = self.runs.iter().filter(|(_, run)| below(run)).map(|(child, _)| *child).collect();
        for child in children.into_iter().rev() {
            let effects = self.effects(child, Input::Interrupt);
            for effect in effects.into_iter().rev() {
                self.pending.push_front((child, effect));
            }
        }
    }

    fn act(&mut self, id: RunId, effect: Effect) {
        match effect {
            Effect::CallModel(request) => match self.llm_of(id) {
                Ok(resolved) => self.streams.insert(id, resolved.llm.chat(request)),
                Err(error) => self.step(id, Input::ModelFailed(error)),
            },
            Effect::RunTool { call_id, name, arguments } => {
                let Some(run) = self.runs.get(&id) else { return };
                let Some(tool) = self.shared.deps.tools.find(&name) else {
                    let error = crate::tools::ToolError::new(
                        crate::domain::event::ErrorKind::NotFound,
                        format!("the tool `{name}` is gone; its server is not connected any more"),
                    );
                    return self.step(id, Input::ToolFinished { call_id, result: Err(error) });
                };
                let context = CallContext { call_id, session: Some(self.id.clone()), cancel: run.cancel.child_token() };
                self.jobs.spawn(jobs::run_tool(id, tool, arguments, context));
            }
            Effect::AskApproval(approval) => {
                let tools = self.shared.deps.tools.tools();
                let is_it = |tool: &Arc<dyn crate::tools::Tool>| {
                    tool.info().server == approval.service_name && tool.info().tool == approval.tool_name
                };
                // What only a person may call is in no list.
                let own = || self.shared.deps.tools.find(&format!("{}__{}", approval.service_name, approval.tool_name).into());
                self.jobs.spawn(jobs::prepare_question(id, tools.into_iter().find(is_it).or_else(own), approval));
            }
            Effect::Handoff { call_id, target, task } => self.hand_over(id, call_id, &target, prompt::task_text(&task)),
            Effect::Recall(message) => self.recall(id, message),
            Effect::Compact => self.compact(id),
            Effect::Finish(outcome) => self.finished(id, outcome),
            // Carried out by `settle` without waiting for the log.
            Effect::Publish(_) | Effect::Emit(_) | Effect::CancelModel | Effect::CancelTools => {}
        }
    }

    fn recall(&mut self, id: RunId, message: String) {
        let (Some(port), Some(run)) = (self.shared.deps.recall.clone(), self.runs.get(&id)) else {
            return self.step(id, Input::Recalled(Notes::default()));
        };
        let (known, cancel) = (self.state.recalled(), run.cancel.child_token());
        self.jobs.spawn(async move { Job::Recalled { run: id, notes: recall::ask(port, message, known, cancel).await } });
    }

    /// The model of a turn's running step.
    fn llm_of(&self, id: RunId) -> Result<Resolved, llm::Error> {
        let model = self.runs.get(&id).map_or(self.state.model.as_str(), |run| run.turn.model());
        self.shared.deps.models.resolve(model, None)
    }

    fn start(&mut self, prompts: Vec<Prompt>) {
        let run = self.main_turn();
        self.begin(run, Input::Start(prompts));
    }

    /// Starts a turn with a call of the user's own.
    fn start_call(&mut self, prompt: Prompt, call: ToolCall, tool: ToolInfo) {
        self.go_on_due = false;
        let run = self.main_turn();
        self.begin(run, Input::StartWithCall { prompt, call, tool: Box::new(tool) });
    }

    fn main_turn(&self) -> Run {
        let deps = &self.shared.deps;
        let limits = Limits { recalls: deps.recall.is_some(), ..Limits::from(&deps.options) };
        let turn = Turn::new(TurnId::generate(), Identity::default(), limits, self.state.messages());
        Run { turn, who: Who::Main, depth: 0, up: None, cancel: CancellationToken::new() }
    }

    fn begin(&mut self, run: Run, input: Input) {
        let id = self.next_id();
        self.runs.insert(id, run);
        self.step(id, input);
    }

    fn next_id(&mut self) -> RunId {
        self.next_run += 1;
        RunId(self.next_run)
    }

    fn hand_over(&mut self, up: RunId, call_id: CallId, target: &Target, text: String) {
        let Some(above) = self.runs.get(&up) else { return };
        let who = if target.agent { Who::Agent(AgentName::new(&target.name)) } else { Who::Server(ServerName::new(&target.name)) };
        let identity = Identity { agent: Some(AgentName::new(&target.name)), parent: Some(call_id.clone()) };
        let turn = Turn::new(TurnId::generate(), identity, Limits::from(&self.shared.deps.options), Vec::new());
        let run = Run { turn, who, depth: above.depth + 1, up: Some((up, call_id)), cancel: above.cancel.child_token() };
        self.begin(run, Input::Start(vec![Prompt { message_id: None, text }]));
    }

    fn finished(&mut self, id: RunId, outcome: Outcome) {
        let Some(run) = self.runs.remove(&id) else { return };
        match run.up {
            Some((up, call_id)) => self.step(up, Input::HandoffFinished { call_id, result: handoff_result(outcome) }),
            None => self.go_on_due = true,
        }
    }

    /// The next message of the queue gets its turn, unless what waits is held back.
    fn go_on(&mut self) {
        if self.is_busy() || self.state.is_held() || self.shared.stop.is_cancelled() {
            return;
        }
        if let Some(next) = self.state.queue.first() {
            let prompt = Prompt { message_id: Some(next.message_id.clone()), text: next.text.clone() };
            self.start(vec![prompt]);
        }
    }

    async fn on_batch(&mut self, id: RunId, batch: Batch) {
        if !batch.deltas.is_empty() {
            self.step(id, Input::Deltas(batch.deltas));
        }
        match batch.end {
            Some(Ok(completion)) => self.step(id, Input::Completed(completion)),
            Some(Err(error)) => self.step(id, Input::ModelFailed(error)),
            // A model that writes without a pause must not keep the screen from its share.
            None if batch.more => tokio::task::yield_now().await,
            None => {}
        }
    }

    fn on_job(&mut self, job: Job) {
        match job {
            Job::Tool { run, call_id, result } => self.step(run, Input::ToolFinished { call_id, result }),
            Job::Question { run, approval } => {
                if self.runs.get(&run).is_some_and(|run| run.turn.is_asking(&approval.call_id)) {
                    self.outbox.push(approval.into());
                }
            }
            Job::Recalled { run, notes } => self.step(run, Input::Recalled(notes)),
            Job::Summary { run, cut, result } if self.compacting.as_ref().is_some_and(|(id, _)| *id == run) => {
                self.session_summarised(cut, result);
            }
            Job::Summary { run, cut, result } => self.summarised(run, cut, result),
        }
    }

    /// Has the history of a turn summarised.
    fn compact(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else { return };
        let messages = match run.who {
            Who::Main => self.state.messages(),
            Who::Agent(_) | Who::Server(_) => run.turn.messages().to_vec(),
        };
        let (window, cancel) = (run.turn.context_tokens_max(), run.cancel.child_token());
        if let Err(reason) = self.summarise(id, &messages, window, cancel) {
            self.step(id, Input::CompactFailed(reason));
        }
    }

    fn summarise(&mut self, run: RunId, messages: &[Message], window: u64, cancel: CancellationToken) -> Result<(), String> {
        let cut = compact::cut(messages, window).ok_or("there is nothing to summarise yet")?;
        let model = self.llm_of(run).map_err(|error| error.to_string())?;
        let request = compact::request(&model.model, &messages[..cut], window);
        self.jobs.spawn(jobs::summarise(run, cut, model.llm, request, cancel));
        Ok(())
    }

    fn summarised(&mut self, id: RunId, cut: usize, result: Result<(String, Usage), llm::Error>) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let (summary, usage) = match result {
            Ok(done) => done,
            Err(error) => return self.step(id, Input::CompactFailed(error.to_string())),
        };
        run.turn.add_usage(usage);
        let messages = match run.who {
            Who::Main => {
                let placed = self.state.placed_messages();
                let messages: Vec<_> = placed.iter().map(|(_, message)| message.clone()).collect();
                self.outbox.push(self.compacted(&summary, cut, false));
                compact::rebuild(&summary, &messages, cut)
            }
            Who::Agent(_) | Who::Server(_) => compact::rebuild(&summary, run.turn.messages(), cut),
        };
        self.step(id, Input::Compacted(messages));
    }

    fn session_summarised(&mut self, cut: usize, result: Result<(String, Usage), llm::Error>) {
        self.compacting = None;
        match result {
            Ok((summary, _)) => self.outbox.push(self.compacted(&summary, cut, true)),
            Err(error) => self.shared.complain(&self.id, format!("could not summarise the conversation: {error}"), "try /compact again"),
        }
        self.go_on_due = true;
    }

    /// The event that replaces the first `cut` messages.
    fn compacted(&self, summary: &str, cut: usize, by_user: bool) -> EventBody {
        let placed = self.state.placed_messages();
        let upto = placed.get(cut).map_or(self.state.last_seq, |(seq, _)| crate::domain::ids::Seq(seq.0.saturating_sub(1)));
        SessionEvent::Compacted { summary: summary.to_owned(), upto, by_user }.into()
    }

    /// Asks for a summary while no turn runs.
    fn compact_session(&mut self) {
        let messages = self.state.messages();
        let window = offer::context_tokens(&self.shared.deps, &self.state.model);
        let (id, cancel) = (self.next_id(), CancellationToken::new());
        match self.summarise(id, &messages, window, cancel.clone()) {
            Ok(()) => self.compacting = Some((id, cancel)),
            Err(reason) => self.shared.complain(&self.id, format!("could not summarise the conversation: {reason}"), ""),
        }
    }
}

fn handoff_result(outcome: Outcome) -> Result<String, String> {
    let reason = |fallback: &str| outcome.message.clone().unwrap_or_else(|| fallback.to_owned());
    match outcome.end {
        TurnEnd::Done => Ok(outcome.text),
        TurnEnd::StepLimit => Err(format!("not finished: {}", reason("stopped at the step limit"))),
        TurnEnd::Interrupted => Err("interrupted".to_owned()),
        TurnEnd::Failed | TurnEnd::Crashed => Err(reason("it failed")),
    }
}
