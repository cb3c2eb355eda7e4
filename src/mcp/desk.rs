//! Where servers' questions wait for an answer: a person's at a screen, or a rule's where nobody is there.
//!
//! Bounded: so many questions may wait, of one server fewer, each for so long. An answer is checked against what was
//! asked; its values are never in the log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::bus::Recorder;
use crate::domain::event::NewEvent;
use crate::domain::ids::{CallId, QuestionId, ServerName, SessionId};
use crate::domain::question::{Ask, Field, Question, QuestionEvent, Reply};

/// Questions that may wait, of all servers.
const WAITING_MAX: usize = 32;

/// Questions of one server that may wait.
const WAITING_OF_ONE_MAX: usize = 4;

/// How long a question waits.
const ANSWER_LIMIT: Duration = Duration::from_mins(15);

/// Who answers.
#[derive(Debug, Clone, Default)]
pub enum Answering {
    /// A person at a screen.
    Person,
    /// These rules: nobody is there.
    #[default]
    Nobody,
    /// These rules.
    Rules(Rules),
}

impl Answering {
    /// These rules; nobody is there where they allow nothing.
    pub fn by(rules: Rules) -> Self {
        if rules == Rules::default() { Self::Nobody } else { Self::Rules(rules) }
    }
}

/// Answers for programs without a screen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Values for forms, by field; a form whose needed fields have neither such a value nor a default is declined.
    pub values: Map<String, Value>,
    /// Fill in forms, rather than decline them.
    pub fill_forms: bool,
    /// Let servers use the model.
    pub sampling: bool,
    /// Start programs that never ran before.
    pub first_runs: bool,
    /// Go on using tools that changed.
    pub changed_tools: bool,
    /// Open addresses.
    pub addresses: bool,
}

/// Whom a question concerns.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) call_id: Option<CallId>,
    pub(super) session: Option<SessionId>,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// It was answered already, or was closed.
    #[error("that question no longer waits for an answer")]
    Gone,
    /// A field's value may not be sent.
    #[error("`{field}` {problem}")]
    Field {
        /// The field as people read it.
        field: String,
        /// What is wrong, as the rest of the sentence.
        problem: String,
    },
}

/// Takes questions and hands out answers. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    answering: Answering,
    /// Absent where nothing is recorded.
    recorder: Option<Arc<dyn Recorder>>,
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    question: Question,
    answer: oneshot::Sender<Reply>,
}

impl Desk {
    /// A desk where `answering` answers.
    pub fn new(recorder: Arc<dyn Recorder>, answering: Answering) -> Self {
        Self(Arc::new(Inner { answering, recorder: Some(recorder), waiting: Mutex::default() }))
    }

    /// A desk that records nothing.
    pub(super) fn unrecorded(rules: Rules) -> Self {
        Self(Arc::new(Inner { answering: Answering::Rules(rules), recorder: None, waiting: Mutex::default() }))
    }

    /// Whether a person answers, at a surface that does what was agreed to.
    pub(super) fn has_person(&self) -> bool {
        matches!(self.0.answering, Answering::Person)
    }

    /// Whether anybody or any rule may open an address here.
    pub(super) fn opens_addresses(&self) -> bool {
        match &self.0.answering {
            Answering::Person => true,
            Answering::Nobody => false,
            Answering::Rules(rules) => rules.addresses,
        }
    }

    /// Questions that wait, oldest first.
    pub fn waiting(&self) -> Vec<Question> {
        self.lock().iter().map(|waiting| waiting.question.clone()).collect()
    }

    /// Answers a question.
    ///
    /// # Errors
    /// When it no longer waits, or a value may not be sent; it goes on waiting then.
    pub fn reply(&self, question: &QuestionId, reply: Reply) -> Result<(), ReplyError> {
        let mut waiting = self.lock();
        let at = waiting.iter().position(|waiting| waiting.question.id == *question).ok_or(ReplyError::Gone)?;
        if let (Ask::Form { fields, .. }, Reply::Accept { values }) = (&waiting[at].question.ask, &reply) {
            check(fields, values)?;
        }
        let answered = waiting.remove(at);
        drop(waiting);
        answered.answer.send(reply).map_err(|_| ReplyError::Gone)
    }

    /// Asks, and waits for the answer. Dropped before, the question is closed.
    pub(super) async fn ask(&self, server: &ServerName, about: About, ask: Ask) -> Reply {
        let question = Question { id: QuestionId::generate(), server: server.clone(), call_id: about.call_id, ask };
        let by_rule = match &self.0.answering {
            Answering::Person => None,
            Answering::Nobody => Some((Reply::Decline, "nobody is there")),
            Answering::Rules(rules) => Some((rules.answer(&question.ask), "by rule")),
        };
        if let Some((reply, by)) = by_rule {
            let asked = Self::event(about.session.as_ref(), QuestionEvent::Asked { question: question.clone() });
            let answered = Self::event(about.session.as_ref(), answered(&question, &reply, Some(by)));
            self.record(vec![asked, answered]).await;
            return reply;
        }
        let (answer, receiver) = oneshot::channel();
        {
            let mut waiting = self.lock();
            let of_one = waiting.iter().filter(|other| other.question.server == *server).count();
            if waiting.len() >= WAITING_MAX || of_one >= WAITING_OF_ONE_MAX {
                return Reply::Cancel;
            }
            waiting.push(Waiting { question: question.clone(), answer });
        }
        let mut open = Open { desk: self, session: about.session, question: Some(question.clone()) };
        let asked = Self::event(open.session.as_ref(), QuestionEvent::Asked { question: question.clone() });
        if !self.record(vec![asked]).await {
            return Reply::Cancel;
        }
        let (reply, by) = match timeout(ANSWER_LIMIT, receiver).await {
            Ok(Ok(reply)) => (reply, None),
            Ok(Err(_)) => (Reply::Cancel, Some("closed")),
            Err(_) => (Reply::Cancel, Some("no answer in time")),
        };
        open.question = None;
        self.forget(&question.id);
        self.record(vec![Self::event(open.session.as_ref(), answered(&question, &reply, by))]).await;
        reply
    }

    async fn record(&self, events: Vec<NewEvent>) -> bool {
        match &self.0.recorder {
            Some(recorder) => recorder.record(events).await.is_ok(),
            None => true,
        }
    }

    fn forget(&self, id: &QuestionId) {
        self.lock().retain(|waiting| waiting.question.id != *id);
    }

    fn event(session: Option<&SessionId>, event: QuestionEvent) -> NewEvent {
        NewEvent { session: session.cloned(), body: event.into() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that waits. Dropped, it is closed.
struct Open<'a> {
    desk: &'a Desk,
    session: Option<SessionId>,
    question: Option<Question>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Some(question) = self.question.take() else { return };
        self.desk.forget(&question.id);
        let event = Desk::event(self.session.as_ref(), answered(&question, &Reply::Cancel, Some("no longer wanted")));
        let desk = self.desk.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { desk.record(vec![event]).await });
        }
    }
}

fn answered(question: &Question, reply: &Reply, by: Option<&str>) -> QuestionEvent {
    QuestionEvent::Answered {
        question_id: question.id.clone(),
        server: question.server.clone(),
        action: reply.action(),
        by: by.map(str::to_owned),
    }
}

/// Whether a form may be sent so.
pub(super) fn check(fields: &[Field], values: &Map<String, Value>) -> Result<(), ReplyError> {
    for field in fields {
        let checked = field.check(values.get(&field.name));
        checked.map_err(|problem| ReplyError::Field { field: field.label().to_owned(), problem })?;
    }
    match values.keys().find(|name| fields.iter().all(|field| field.name != **name)) {
        Some(name) => Err(ReplyError::Field { field: name.clone(), problem: "was not asked for".to_owned() }),
        None => Ok(()),
    }
}

impl Rules {
    fn answer(&self, ask: &Ask) -> Reply {
        let allowed = |allowed: bool| if allowed { Reply::yes() } else { Reply::Decline };
        match ask {
            Ask::Form { fields, .. } if self.fill_forms => self.fill(fields),
            Ask::Form { .. } => Reply::Decline,
            Ask::Url { .. } => allowed(self.addresses),
            Ask::Sampling { .. } => allowed(self.sampling),
            Ask::FirstRun { .. } => allowed(self.first_runs),
            Ask::ToolsChanged { .. } => allowed(self.changed_tools),
        }
    }

    fn fill(&self, fields: &[Field]) -> Reply {
        let value = |field: &Field| self.values.get(&field.name).cloned().or_else(|| field.default_value());
        let values: Map<String, Value> = fields.iter().filter_map(|field| Some((field.name.clone(), value(field)?))).collect();
        if check(fields, &values).is_ok() { Reply::Accept { values } } else { Reply::Decline }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bus::testing::MemoryRecorder;
    use crate::domain::event::EventBody;
    use crate::domain::question::{FieldKind, ReplyAction};

    fn form() -> Ask {
        let kind = FieldKind::Number { integer: true, minimum: Some(1.0), maximum: None, default: Some(3.0) };
        let field = Field { name: "count".to_owned(), title: None, description: None, required: true, kind };
        Ask::Form { message: "how many".to_owned(), fields: vec![field] }
    }

    fn values(value: Value) -> Reply {
        let Value::Object(values) = value else { panic!("no object") };
        Reply::Accept { values }
    }

    fn told(recorder: &MemoryRecorder) -> Vec<ReplyAction> {
        let actions = recorder.events().into_iter().filter_map(|event| match &event.body {
            EventBody::Question(QuestionEvent::Answered { action, .. }) => Some(*action),
            _ => None,
        });
        actions.collect()
    }

    #[tokio::test]
    async fn a_person_answers_and_a_wrong_answer_leaves_the_question_open() {
        let recorder = MemoryRecorder::default();
        let desk = Desk::new(Arc::new(recorder.clone()), Answering::Person);
        let asking = tokio::spawn({
            let desk = desk.clone();
            async move { desk.ask(&"s".into(), About::default(), form()).await }
        });
        while desk.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        let id = desk.waiting()[0].id.clone();
        let wrong = desk.reply(&id, values(json!({"count": 0})));
        assert_eq!(wrong.unwrap_err().to_string(), "`count` must be at least 1");
        assert!(desk.reply(&id, values(json!({"count": 1, "other": 2}))).unwrap_err().to_string().contains("not asked for"));
        desk.reply(&id, values(json!({"count": 2}))).unwrap();
        assert_eq!(asking.await.unwrap(), values(json!({"count": 2})));
        assert_eq!(desk.reply(&id, Reply::Decline), Err(ReplyError::Gone));
        assert_eq!(told(&recorder), [ReplyAction::Accept]);
    }

    #[tokio::test]
    async fn a_dropped_question_is_closed_and_a_flood_is_refused() {
        let recorder = MemoryRecorder::default();
        let desk = Desk::new(Arc::new(recorder.clone()), Answering::Person);
        let tasks: Vec<_> = (0..WAITING_OF_ONE_MAX)
            .map(|_| {
                let desk = desk.clone();
                tokio::spawn(async move { desk.ask(&"s".into(), About::default(), form()).await })
            })
            .collect();
        while desk.waiting().len() < WAITING_OF_ONE_MAX {
            tokio::task::yield_now().await;
        }
        assert_eq!(desk.ask(&"s".into(), About::default(), form()).await, Reply::Cancel);
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        while told(&recorder).len() < WAITING_OF_ONE_MAX {
            tokio::task::yield_now().await;
        }
        assert!(desk.waiting().is_empty());
    }

    #[tokio::test]
    async fn rules_fill_forms_and_nobody_declines() {
        let ask = |answering: Answering| async move {
            Desk::new(Arc::new(MemoryRecorder::default()), answering).ask(&"s".into(), About::default(), form()).await
        };
        assert_eq!(ask(Answering::Nobody).await, Reply::Decline);
        assert_eq!(ask(Answering::Rules(Rules::default())).await, Reply::Decline);
        let fill = Rules { fill_forms: true, ..Rules::default() };
        assert_eq!(ask(Answering::Rules(fill.clone())).await, values(json!({"count": 3})));
        let Value::Object(wrong) = json!({"count": 0}) else { panic!("no object") };
        assert_eq!(ask(Answering::Rules(Rules { values: wrong, ..fill })).await, Reply::Decline);
    }
}
