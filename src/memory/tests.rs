//! What the service promises.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::clock::{Instant, ManualClock};
use crate::domain::event::ErrorKind;
use crate::domain::ids::CallId;
use crate::domain::memory::Note;
use crate::llm;
use crate::tools::{CallContext, ToolError, ToolOutcome};

/// Vectors of hashed words, made here.
#[derive(Default)]
struct Hashed {
    away: AtomicBool,
    calls: AtomicUsize,
    dimensions: AtomicUsize,
}

struct HashedEmbedder(Arc<Hashed>, &'static str);

impl Embedder for HashedEmbedder {
    fn id(&self) -> &str {
        self.1
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Vec<Vec<f32>>, llm::Error>> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        if self.0.away.load(Ordering::SeqCst) {
            return std::future::ready(Err(llm::Error::Unavailable("connection refused".to_owned()))).boxed();
        }
        let dimensions = self.0.dimensions.load(Ordering::SeqCst).max(4096);
        let vector = |text: &String| {
            let mut numbers = vec![0.01_f32; dimensions];
            // `car` and `automobile` mean the same here.
            for word in
                text.to_lowercase().replace("automobile", "car").split(|ch: char| !ch.is_alphanumeric()).filter(|word| word.len() > 2)
            {
                let hash = word.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
                numbers[hash % dimensions] += 1.0;
            }
            numbers
        };
        std::future::ready(Ok(texts.iter().map(vector).collect())).boxed()
    }
}

struct Bench {
    folder: TempDir,
    service: MemoryService,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        Self::with(Options::default(), None)
    }

    fn with(options: Options, embedder: Option<Arc<dyn Embedder>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::starting_at(Instant::from_millis(1_760_000_000_000));
        let store = MemoryStore::at(folder.path().join("memory.db"));
        let service = MemoryService::new(store, embedder, Arc::new(clock.clone()), options);
        Self { folder, service, clock }
    }

    async fn remember(&self, text: &str) -> Put {
        self.clock.advance(Duration::from_secs(1));
        self.service.remember(NewMemory { content: text.to_owned(), ..NewMemory::default() }).await.unwrap()
    }

    async fn recalled(&self, message: &str) -> Vec<String> {
        self.service.recall(message, &[]).await.unwrap().into_iter().map(|note| note.content).collect()
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<ToolOutcome, ToolError> {
        let (_, tools) = tools::catalog(&self.service);
        let tool = tools.iter().find(|known| known.info().tool == tool).unwrap();
        let Value::Object(arguments) = arguments else { panic!("no object") };
        let context = CallContext { call_id: CallId::from("c"), session: None, cancel: CancellationToken::new() };
        tool.call(arguments, context).await
    }

    async fn good(&self, tool: &str, arguments: Value) -> Value {
        let outcome = self.call(tool, arguments).await.unwrap();
        assert!(!outcome.is_error, "{}", outcome.text);
        assert_eq!(serde_json::from_str::<Value>(&outcome.text).unwrap(), outcome.structured.clone().unwrap());
        outcome.structured.unwrap()
    }

    async fn bad(&self, tool: &str, arguments: Value) -> String {
        let outcome = self.call(tool, arguments).await.unwrap();
        assert!(outcome.is_error, "{}", outcome.text);
        outcome.text
    }
}

#[tokio::test]
async fn what_cannot_be_remembered_is_said() {
    let bench = Bench::new();
    let remember = |content: &str| bench.service.remember(NewMemory { content: content.to_owned(), ..NewMemory::default() });
    assert!(matches!(remember(" \u{1b}[31m ").await, Err(Error::Empty)));
    assert!(matches!(remember(&"x".repeat(CONTENT_BYTES_MAX + 1)).await, Err(Error::TooLong(_))));
    let secret = remember("my card is 4111 1111 1111 1111").await.unwrap_err().to_string();
    assert!(secret.contains("the number of a payment card") && secret.contains("`force`"), "{secret}");
    assert!(!secret.contains("4111"), "{secret}");
    assert!(!bench.service.store().exists());
    let forced = NewMemory { content: "my card is 4111 1111 1111 1111".to_owned(), force: true, ..NewMemory::default() };
    assert!(bench.service.remember(forced).await.is_ok());
    let tags = NewMemory { content: "x1".to_owned(), tags: vec!["t".repeat(41)], ..NewMemory::default() };
    assert!(matches!(bench.service.remember(tags).await, Err(Error::Tags(_))));
}

#[tokio::test]
async fn words_that_fit_several_forget_none() {
    let bench = Bench::new();
    bench.remember("the staging server is blue").await;
    bench.remember("the production server is green").await;
    let several = bench.service.forget("server").await.unwrap_err();
    assert!(several.to_string().starts_with("2 memories fit `server`, none was forgotten"), "{several}");
    assert!(matches!(bench.service.forget("bicycle").await, Err(Error::NothingFits(_))));
    assert_eq!(bench.service.forget("staging server").await.unwrap().content, "the staging server is blue");
    let id = of(&bench.remember("tea is nice").await).memory_id.as_str().to_owned();
    assert_eq!(bench.service.forget(&id[..8]).await.unwrap().content, "tea is nice");
    assert_eq!(bench.service.page(MemoryFilter::default()).await.unwrap().total, 1);
}

#[tokio::test]
async fn what_fits_a_message_is_recalled_within_its_budget() {
    let bench = Bench::with(Options { recall_tokens: 60, ..Options::default() }, None);
    assert!(bench.recalled("what is my favourite colour?").await.is_empty());
    assert!(!bench.service.store().exists(), "a recall makes no file");
    bench.remember("my favourite colour is green").await;
    bench.remember("我最喜欢的茶是龙井").await;
    bench.remember(&format!("favourite colours of the house: {}", "blue and green, ".repeat(60))).await;
    assert_eq!(bench.recalled("what is my favourite colour?").await[0], "my favourite colour is green");
    assert_eq!(bench.recalled("你知道我喜欢喝什么茶吗？最喜欢的茶").await, ["我最喜欢的茶是龙井"]);
    assert!(bench.recalled("list the files in this folder").await.is_empty());
    let known = bench.service.recall("what is my favourite colour?", &[]).await.unwrap();
    let again = bench.service.recall("what is my favourite colour?", &known).await.unwrap();
    assert!(again.iter().all(|note: &Note| !known.contains(note)), "what is known is not told twice");
    let tokens: usize = known.iter().map(|note| note.content.len() / 4).sum();
    assert!(tokens <= 60, "{tokens}");
    let off = MemoryService::new(
        bench.service.store().clone(),
        None,
        Arc::new(bench.clock.clone()),
        Options { recall: false, ..Options::default() },
    );
    assert!(off.recall("what is my favourite colour?", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn tools_answer_with_structure_and_say_what_to_try() {
    let bench = Bench::new();
    let made = bench.good("remember", json!({"content": "Ana's birthday is 3 May", "tags": ["Family", "#family"]})).await;
    assert_eq!(
        (&made["status"], &made["memory"]["kind"], &made["memory"]["tags"]),
        (&json!("remembered"), &json!("person"), &json!(["family"]))
    );
    let id = made["memory"]["memory_id"].as_str().unwrap().to_owned();
    assert_eq!(bench.good("remember", json!({"content": "ana's birthday is 3 may."})).await["status"], "known");
    let found = bench.good("search_memories", json!({"query": "when is Ana's birthday"})).await;
    assert_eq!((&found["total"], &found["memories"][0]["memory_id"]), (&json!(1), &json!(id)));
    assert_eq!(bench.good("search_memories", json!({"query": "birthday", "kind": "project"})).await["total"], 0);
    assert_eq!(bench.good("list_memories", json!({"limit": 5})).await["total"], 1);
    let changed = bench.good("update_memory", json!({"memory_id": id[..6], "content": "Ana's birthday is 4 May"})).await;
    assert_eq!(changed["memory"]["content"], "Ana's birthday is 4 May");
    bench.good("remember", json!({"content": "Ana likes birthday cake"})).await;
    let unclear = bench.good("forget", json!({"query": "Ana birthday"})).await;
    assert_eq!((&unclear["status"], unclear["memories"].as_array().unwrap().len()), (&json!("unclear"), 2));
    assert_eq!(bench.good("forget", json!({"memory_id": id})).await["status"], "forgotten");
    for (tool, arguments, part) in [
        ("remember", json!({"content": ""}), "`content` is empty"),
        ("remember", json!({"content": "password: hunter22x"}), "leave it out, or pass `force`"),
        ("forget", json!({}), "give the id of a memory"),
        ("forget", json!({"query": "nothing like it"}), "no memory fits"),
        ("search_memories", json!({"query": " "}), "say what to look for"),
        ("search_memories", json!({"query": "x", "limit": 0}), "1 to 100"),
        ("list_memories", json!({"limit": 999}), "1 to 200"),
        ("update_memory", json!({"memory_id": "nope", "content": "x"}), "no memory `nope`"),
        ("update_memory", json!({"memory_id": "nope"}), "give the new `content`"),
    ] {
        let told = bench.bad(tool, arguments).await;
        assert!(told.contains(part), "{tool}: {told}");
    }
    let wrong = bench.call("remember", json!({"content": "x", "kind": "thing"})).await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::BadArguments);
    assert!(bench.folder.path().join("memory.db").exists());
}

#[tokio::test]
async fn an_export_is_read_back_without_doubling_anything() {
    let bench = Bench::new();
    bench.remember("my favourite colour is green").await;
    bench.remember("我住在上海").await;
    let (lines, count) = bench.service.export_part(None, 0).await.unwrap();
    assert_eq!((count, lines.lines().count()), (2, 2));
    let other = Bench::new();
    let imported = other.service.import(&lines, false).await.unwrap();
    assert_eq!((imported.new, imported.known, imported.refused), (2, 0, 0));
    let again = other.service.import(&lines, false).await.unwrap();
    assert_eq!((again.new, again.known, again.refused), (0, 2, 0));
    let (same, _) = other.service.export_part(None, 0).await.unwrap();
    assert_eq!(same.replace("\"import\"", "\"user\""), lines);
    let broken = "{\"content\":\"ok\"}\n\nnot json\n{\"content\":\"\"}\n{\"content\":\"x\",\"kind\":\"thing\"}\n{\"content\":\"password: hunter22x\"}";
    let imported = other.service.import(broken, false).await.unwrap();
    let lines: Vec<usize> = imported.problems.iter().map(|(line, _)| *line).collect();
    assert_eq!((imported.new, lines), (1, vec![3, 4, 5, 6]));
}

fn hashed(away: bool, model: &'static str) -> (Arc<Hashed>, Option<Arc<dyn Embedder>>) {
    let hashed = Arc::new(Hashed { away: AtomicBool::new(away), ..Hashed::default() });
    (Arc::clone(&hashed), Some(Arc::new(HashedEmbedder(hashed, model))))
}

async fn vectors(service: &MemoryService, done: u64) -> VectorStatus {
    for _ in 0..10_000 {
        let status = service.status().await.unwrap().vectors.unwrap();
        if status.done == done && status.total == done {
            return status;
        }
        tokio::task::yield_now().await;
    }
    panic!("{:?}", service.status().await.unwrap());
}

#[tokio::test]
async fn vectors_are_made_behind_and_find_what_is_meant() {
    let (_, embedder) = hashed(false, "p/one");
    let bench = Bench::with(Options { embeddings: "p/one".to_owned(), ..Options::default() }, embedder);
    let lines: Vec<String> = (0..150).map(|number| format!("{{\"content\":\"note number{number} about thing{number}\"}}")).collect();
    bench.service.import(&lines.join("\n"), false).await.unwrap();
    bench.remember("the car is grey").await;
    let status = vectors(&bench.service, 151).await;
    assert_eq!((status.model.as_str(), status.dimensions, status.problem), ("p/one", 4096, None));
    let page = bench.service.page(MemoryFilter { query: "automobile".to_owned(), ..MemoryFilter::default() }).await.unwrap();
    assert_eq!(page.memories[0].content, "the car is grey");
    assert_eq!(bench.recalled("automobile").await, ["the car is grey"]);
    // Another model: all is made anew, and full text answers from the start.
    let (_, embedder) = hashed(false, "p/two");
    let other = MemoryService::new(
        bench.service.store().clone(),
        embedder,
        Arc::new(bench.clock.clone()),
        Options { embeddings: "p/two".to_owned(), ..Options::default() },
    );
    assert_eq!(other.page(MemoryFilter { query: "grey".to_owned(), ..MemoryFilter::default() }).await.unwrap().total, 1);
    assert_eq!(vectors(&other, 151).await.model, "p/two");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_away_is_told_and_tried_again() {
    let (hashed, embedder) = hashed(true, "p/one");
    let bench = Bench::with(Options { embeddings: "p/one".to_owned(), ..Options::default() }, embedder);
    bench.remember("the car is grey").await;
    let page = bench.service.page(MemoryFilter { query: "car".to_owned(), ..MemoryFilter::default() }).await.unwrap();
    assert_eq!(page.total, 1, "full text goes on");
    let status = bench.service.status().await.unwrap().vectors.unwrap();
    assert_eq!((status.done, status.total), (0, 1));
    assert!(status.problem.unwrap().contains("connection refused"));
    hashed.away.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(vectors(&bench.service, 1).await.problem, None);
    assert!(hashed.calls.load(Ordering::SeqCst) < 20);
}
