//! One open stream, and who waits for which answer on it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::interactions::grpc::generated::interaction_service_client::InteractionServiceClient;
use crate::interactions::grpc::generated::{InteractionData, InteractionResponse};
use crate::interactions::transport::grpc::trouble;
use crate::interactions::transport::{Trouble, Verdict};

/// Messages that may wait for the connection.
const QUEUE: usize = 1_024;

/// The status of a refusal that names none.
const REFUSED: u16 = 400;

/// The stream. Cheap to clone; it ends with the last clone, or by [`Line::end`].
#[derive(Clone)]
pub(super) struct Line {
    messages: mpsc::Sender<InteractionData>,
    waiting: Arc<Mutex<Waiting>>,
    over: CancellationToken,
}

/// Who waits.
#[derive(Default)]
struct Waiting {
    by_record: HashMap<String, Vec<oneshot::Sender<Verdict>>>,
    /// The records of each interaction, in the order in which they were sent.
    of_interaction: HashMap<String, VecDeque<String>>,
    /// Why the stream ended.
    ended: Option<Trouble>,
}

impl Line {
    /// Opens a stream. That it is open shows with its first answer: some servers send nothing before.
    pub(super) fn open(
        channel: Channel,
        request: impl FnOnce(ReceiverStream<InteractionData>) -> Result<Request<ReceiverStream<InteractionData>>, Trouble>,
    ) -> Result<Self, Trouble> {
        let (messages, queue) = mpsc::channel(QUEUE);
        let request = request(ReceiverStream::new(queue))?;
        let line = Self { messages, waiting: Arc::default(), over: CancellationToken::new() };
        let (waiting, over) = (Arc::clone(&line.waiting), line.over.clone());
        tokio::spawn(async move {
            let reading = async {
                let mut client = InteractionServiceClient::new(channel);
                let mut answers = client.stream_interactions(request).await?.into_inner();
                while let Some(answer) = answers.message().await? {
                    lock(&waiting).answer(answer);
                }
                Ok::<_, Status>(())
            };
            let ended = tokio::select! {
                ended = reading => ended.err().map(|status| trouble(&status)),
                () = over.cancelled() => None,
            };
            let ended = ended.unwrap_or_else(|| Trouble::Unreachable("the coordinator ended the stream".to_owned()));
            over.cancel();
            let mut waiting = lock(&waiting);
            waiting.ended = Some(ended);
            // Whoever waits learns it by the loss of the sender.
            waiting.by_record.clear();
            waiting.of_interaction.clear();
        });
        Ok(line)
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Ends it: nothing more is known of what was not answered.
    pub(super) fn end(&self) {
        self.over.cancel();
    }

    /// Sends records and waits for all answers.
    pub(super) async fn send(&self, records: Vec<(String, InteractionData)>) -> Result<Vec<Verdict>, Trouble> {
        let mut answers = Vec::with_capacity(records.len());
        for (record_id, message) in records {
            let answer = lock(&self.waiting).wait_for(record_id, &message.interaction_id);
            let Some(answer) = answer else { return Err(self.why()) };
            answers.push(answer);
            tokio::select! {
                sent = self.messages.send(message) => {
                    if sent.is_err() {
                        break;
                    }
                }
                () = self.over.cancelled() => break,
            }
        }
        let verdicts: Option<Vec<Verdict>> = join_all(answers).await.into_iter().map(Result::ok).collect();
        verdicts.ok_or_else(|| self.why())
    }

    fn why(&self) -> Trouble {
        self.end();
        lock(&self.waiting).ended.clone().unwrap_or_else(|| Trouble::Unreachable("the stream broke off".to_owned()))
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    /// Begins to wait; none where the stream has ended.
    fn wait_for(&mut self, record_id: String, interaction_id: &str) -> Option<oneshot::Receiver<Verdict>> {
        if self.ended.is_some() {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        self.of_interaction.entry(interaction_id.to_owned()).or_default().push_back(record_id.clone());
        self.by_record.entry(record_id).or_default().push(sender);
        Some(answer)
    }

    fn answer(&mut self, answer: InteractionResponse) {
        let verdict = verdict(&answer);
        let record_id = if answer.record_id.is_empty() {
            let oldest = self.of_interaction.get(&answer.interaction_id).and_then(|records| records.front()).cloned();
            let Some(oldest) = oldest else { return };
            oldest
        } else {
            answer.record_id
        };
        let Some(waiting) = self.by_record.remove(&record_id) else { return };
        if let Some(records) = self.of_interaction.get_mut(&answer.interaction_id) {
            records.retain(|waiting| *waiting != record_id);
            if records.is_empty() {
                self.of_interaction.remove(&answer.interaction_id);
            }
        }
        for sender in waiting {
            let _nobody_waits = sender.send(verdict.clone());
        }
    }
}

/// What an answer means: a refusal is about the record, for what is about the coordinator ends the stream.
fn verdict(answer: &InteractionResponse) -> Verdict {
    if answer.success {
        return Verdict::Stored;
    }
    let code = answer.message.get(..3).filter(|_| answer.message.get(3..4) == Some(":")).and_then(|code| code.parse().ok());
    Verdict::Refused { code: code.filter(|code| (400..500).contains(code)).unwrap_or(REFUSED), message: answer.message.clone() }
}
