//! What a turn is told of earlier sessions: bounded in time, in the log, and the same again later.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::agent::Options;
use crate::agent::recall::Recall;
use crate::agent::testing::{Bench, ScriptedLlm, answer};
use crate::bus::testing::MemoryRecorder;
use crate::domain::clock::Instant;
use crate::domain::command::{Command, SessionOptions};
use crate::domain::ids::SessionId;
use crate::domain::memory::{MemoryKind, Note};

/// Gives one note after a while, unless it is known.
struct Slow {
    after: Duration,
    asked: Mutex<Vec<(String, usize)>>,
}

impl Recall for Slow {
    fn recall(&self, message: String, known: Vec<Note>) -> BoxFuture<'static, Vec<Note>> {
        self.asked.lock().unwrap().push((message, known.len()));
        let note = Note {
            memory_id: "m".into(),
            kind: MemoryKind::Preference,
            content: "tea, not coffee".to_owned(),
            updated: Instant::from_millis(0),
        };
        let (after, notes) = (self.after, if known.is_empty() { vec![note] } else { Vec::new() });
        async move {
            tokio::time::sleep(after).await;
            notes
        }
        .boxed()
    }
}

fn bench(recorder: MemoryRecorder, session: SessionId, after: Duration) -> (Bench, Arc<Slow>) {
    let slow = Arc::new(Slow { after, asked: Mutex::default() });
    let port: Arc<dyn Recall> = Arc::clone(&slow) as Arc<dyn Recall>;
    (Bench::recalling(recorder, ScriptedLlm::default(), Options::default(), session, Some(port)), slow)
}

fn open(bench: &Bench) {
    let command = Command::NewSession { session: bench.session.clone(), options: SessionOptions::default() };
    bench.handle.handle(command).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_same_prompt_comes_from_the_log_and_nothing_is_told_twice() {
    let recorder = MemoryRecorder::default();
    let (mut first, slow) = bench(recorder.clone(), SessionId::generate(), Duration::from_millis(50));
    open(&first);
    first.llm.say(answer("tea then"));
    first.send("what do I drink?");
    first.finished().await;
    let told = first.last_request();
    let prompt = told.last().unwrap().content.clone();
    assert!(prompt.starts_with("<memory-") && prompt.ends_with(">\n\nwhat do I drink?") && prompt.contains("tea, not coffee"), "{prompt}");
    assert_eq!(first.story()[1..], ["user done what do I drink?", "turn started", "memory_event", "assistant done tea then", "turn done"]);
    first.handle.shutdown().await;

    let (mut second, again) = bench(recorder, first.session.clone(), Duration::ZERO);
    second.llm.say(answer("yes"));
    second.send("sure?");
    second.finished().await;
    let told: Vec<String> = second.last_request().into_iter().map(|message| message.content).collect();
    assert_eq!(told, [prompt, "tea then".to_owned(), "sure?".to_owned()]);
    assert_eq!(*slow.asked.lock().unwrap(), [("what do I drink?".to_owned(), 0)]);
    assert_eq!(*again.asked.lock().unwrap(), [("sure?".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_takes_too_long_is_given_up() {
    let (mut bench, _) = bench(MemoryRecorder::default(), SessionId::generate(), Duration::from_mins(1));
    open(&bench);
    bench.llm.say(answer("ok"));
    let begun = tokio::time::Instant::now();
    bench.send("hello");
    bench.finished().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(bench.last_request().last().unwrap().content, "hello");
    assert!(bench.story().iter().all(|line| line != "memory_event"));
}
