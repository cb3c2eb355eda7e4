//! Memories in a real file.

use tempfile::TempDir;

use super::*;
use crate::domain::memory::{MemoryKind, MemorySource};

struct Bench {
    folder: TempDir,
    store: MemoryStore,
    now: i64,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::at(folder.path().join("data/memory.db"));
        Self { folder, store, now: 1_700_000_000_000 }
    }

    fn memory(&mut self, content: &str) -> Memory {
        self.now += 1_000;
        let at = Instant::from_millis(self.now);
        Memory {
            memory_id: MemoryId::generate(),
            content: content.to_owned(),
            kind: MemoryKind::Fact,
            tags: Vec::new(),
            source: MemorySource::User,
            created: at,
            updated: at,
            last_used: None,
            times_used: 0,
            score: None,
        }
    }

    async fn put(&mut self, content: &str) -> Put {
        let memory = self.memory(content);
        self.store.put(Draft { space: "s".to_owned(), memory, vector: None }).await.unwrap()
    }

    async fn all(&self) -> Vec<String> {
        let page = self.store.list("s".to_owned(), MemoryFilter { limit: Some(1_000), ..MemoryFilter::default() }).await.unwrap();
        page.memories.into_iter().map(|memory| memory.content).collect()
    }

    fn wanted(query: &str) -> Wanted {
        Wanted {
            space: "s".to_owned(),
            query: query.to_owned(),
            vector: None,
            kind: None,
            tags: Vec::new(),
            limit: 10,
            ranking: Ranking::plain(),
        }
    }

    async fn found(&self, query: &str) -> Vec<String> {
        let hits = self.store.search(Self::wanted(query)).await.unwrap();
        hits.into_iter().map(|hit| hit.memory.content).collect()
    }

    /// Every byte of the file and of what lies beside it.
    fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path().join("data")).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn asking_makes_no_file() {
    let bench = Bench::new();
    assert!(bench.all().await.is_empty() && bench.found("anything").await.is_empty());
    assert_eq!(bench.store.counts("s".to_owned()).await.unwrap(), Counts::default());
    assert!(bench.store.pending("p/m".to_owned(), 10).await.unwrap().is_empty());
    assert!(matches!(bench.store.forget("s".to_owned(), "abcd".to_owned()).await, Err(Error::Missing(_))));
    assert!(!bench.folder.path().join("data").exists());
}

#[tokio::test]
async fn english_and_chinese_are_found_by_words_of_one_stem_and_by_two_characters() {
    let mut bench = Bench::new();
    for text in ["My favourite colours are green and grey", "用户喜欢喝绿茶", "The staging server is blue", "我们周五部署灯塔项目"]
    {
        bench.put(text).await;
    }
    assert_eq!(bench.found("what's my favorite color?").await[0], "My favourite colours are green and grey");
    assert_eq!(bench.found("绿茶").await, ["用户喜欢喝绿茶"]);
    assert_eq!(bench.found("灯塔项目什么时候部署").await, ["我们周五部署灯塔项目"]);
    assert_eq!(bench.found("茶").await, ["用户喜欢喝绿茶"]);
    // The characters of both stand in it, but not beside each other.
    assert!(bench.found("绿喝").await.is_empty());
    assert!(bench.found("bicycle").await.is_empty());
    // What is looked for is text, not a language of queries.
    for odd in ["\"", "a OR b NOT *", "NEAR(x", "col:word", "' ; DROP TABLE memories", ""] {
        bench.found(odd).await;
    }
}

#[tokio::test]
async fn spaces_kinds_and_tags_keep_apart() {
    let mut bench = Bench::new();
    let mut tagged = bench.memory("green tea");
    (tagged.kind, tagged.tags) = (MemoryKind::Preference, vec!["drinks".to_owned()]);
    bench.store.put(Draft { space: "s".to_owned(), memory: tagged, vector: None }).await.unwrap();
    bench.put("tea kettle is broken").await;
    let memory = bench.memory("tea of somebody else");
    bench.store.put(Draft { space: "other".to_owned(), memory, vector: None }).await.unwrap();
    assert_eq!(bench.found("tea").await.len(), 2);
    assert_eq!(bench.found("drinks").await, ["green tea"]);
    let hits = bench.store.search(Wanted { kind: Some(MemoryKind::Preference), ..Bench::wanted("tea") }).await.unwrap();
    assert_eq!(hits.len(), 1);
    let hits = bench.store.search(Wanted { tags: vec!["drinks".to_owned()], ..Bench::wanted("tea") }).await.unwrap();
    assert_eq!(hits.len(), 1);
    let filter = MemoryFilter { tags: vec!["drinks".to_owned()], ..MemoryFilter::default() };
    assert_eq!(bench.store.list("s".to_owned(), filter).await.unwrap().total, 1);
    assert_eq!(bench.store.counts("s".to_owned()).await.unwrap().total, 2);
}

#[tokio::test]
async fn what_says_the_same_is_one_and_what_nearly_does_is_joined() {
    let mut bench = Bench::new();
    let Put::New(first) = bench.put("The dog is called Rex").await else { panic!("new") };
    let mut again = bench.memory("  the dog is called rex! ");
    again.tags = vec!["pets".to_owned()];
    let put = bench.store.put(Draft { space: "s".to_owned(), memory: again, vector: None }).await.unwrap();
    let Put::Same(now, true) = put else { panic!("{put:?}") };
    assert_eq!((now.memory_id, now.tags), (first.memory_id, vec!["pets".to_owned()]));
    bench.put("the big brown dog that lives in the house beside ours barks at night whenever a car passes").await;
    let put = bench.put("the big brown dog that lives in the house beside ours barked at night whenever cars passed").await;
    let Put::Near { memory, before } = put else { panic!("{put:?}") };
    assert!(memory.content.contains("barked") && before.contains("barks"));
    // Another number, or the opposite, is something else.
    assert!(matches!(bench.put("the meter in the hall of the house by the river in the north reads 5120").await, Put::New(_)));
    assert!(matches!(bench.put("the meter in the hall of the house by the river in the north reads 5121").await, Put::New(_)));
    assert!(matches!(bench.put("we do deploy the billing service on a Friday in the morning of each week").await, Put::New(_)));
    assert!(matches!(bench.put("we do not deploy the billing service on a Friday in the morning of each week").await, Put::New(_)));
}

#[tokio::test]
async fn a_memory_is_changed_and_found_by_its_new_words_only() {
    let mut bench = Bench::new();
    let Put::New(memory) = bench.put("the car is grey").await else { panic!("new") };
    bench.put("the boat is white").await;
    let id = memory.memory_id.as_str().to_owned();
    let changed = Changed { content: Some("the car is red".to_owned()), kind: Some(MemoryKind::Project), tags: Some(vec!["t".to_owned()]) };
    let now = bench.store.update("s".to_owned(), id[..8].to_owned(), changed, Instant::from_millis(bench.now + 5)).await.unwrap();
    assert_eq!((now.kind, now.memory_id.as_str()), (MemoryKind::Project, id.as_str()));
    assert!(bench.found("grey").await.is_empty());
    assert_eq!(bench.found("red").await, ["the car is red"]);
    let same = Changed { content: Some("The boat is white.".to_owned()), ..Changed::default() };
    assert!(matches!(bench.store.update("s".to_owned(), id.clone(), same, Instant::from_millis(bench.now)).await, Err(Error::Same(_))));
    let other = bench.store.update("other".to_owned(), id, Changed::default(), Instant::default()).await;
    assert!(matches!(other, Err(Error::Missing(_))), "another space's memory is not there");
}

#[tokio::test]
async fn what_is_forgotten_is_in_no_byte_of_the_file() {
    let mut bench = Bench::new();
    for number in 0..200 {
        bench.put(&format!("filler text number{number} about nothing")).await;
    }
    let Put::New(memory) = bench.put("zanzibarquux 秘密绿茶 is the word").await else { panic!("new") };
    let pending = bench.store.pending("p/m".to_owned(), 1).await.unwrap();
    let numbers = vec![0.123_456_7_f32; 16];
    let marker: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let vectors = vec![Vector { place: pending[0].place, revision: pending[0].revision, numbers }];
    bench.store.keep_vectors("p/m".to_owned(), vectors).await.unwrap();
    let before = bench.bytes();
    assert!(holds(&before, "zanzibarquux") && holds(&before, "秘密绿茶") && holds(&before, "绿茶"));
    assert!(before.windows(marker.len()).any(|part| part == marker));
    bench.store.forget("s".to_owned(), memory.memory_id.as_str().to_owned()).await.unwrap();
    bench.store.shutdown().await;
    let after = bench.bytes();
    for text in ["zanzibarquux", "zanzibar", "秘密", "绿茶", "绿"] {
        assert!(!holds(&after, text), "`{text}` is still there");
    }
    assert!(!after.windows(marker.len()).any(|part| part == marker));
    assert!(holds(&after, "number199"));
}

#[tokio::test]
async fn ids_are_taken_by_their_start_where_that_is_clear() {
    let mut bench = Bench::new();
    for (id, text) in [("aaaa1111", "one"), ("aaaa2222", "two"), ("aaaa", "three")] {
        let memory = Memory { memory_id: MemoryId::new(id), ..bench.memory(text) };
        bench.store.put(Draft { space: "s".to_owned(), memory, vector: None }).await.unwrap();
    }
    let find = |id: &str| bench.store.find("s".to_owned(), id.to_owned());
    assert_eq!(find("aaaa1").await.unwrap().memory.content, "one");
    assert_eq!(find("aaaa").await.unwrap().memory.content, "three", "a whole id is clear");
    assert!(matches!(find("aaa").await, Err(Error::Ambiguous(_))));
    assert!(matches!(find("*").await, Err(Error::Missing(_))));
    assert!(matches!(find("").await, Err(Error::Missing(_))));
}

#[tokio::test]
async fn another_process_sees_what_was_kept() {
    let mut bench = Bench::new();
    bench.put("the first").await;
    let other = MemoryStore::at(bench.store.path());
    assert_eq!(other.search(Bench::wanted("first")).await.unwrap().len(), 1);
    bench.put("a second thing").await;
    assert_eq!(other.search(Bench::wanted("second")).await.unwrap().len(), 1);
    bench.store.shutdown().await;
    assert!(matches!(bench.store.search(Bench::wanted("first")).await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_foreign_or_newer_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory.db");
    std::fs::write(&path, b"this is a letter and no database, and it is long enough to be looked at closely").unwrap();
    let found = MemoryStore::at(&path).search(Bench::wanted("x")).await;
    assert!(matches!(found, Err(Error::Foreign { .. })), "{found:?}");
    let newer = folder.path().join("newer.db");
    let connection = Connection::open(&newer).unwrap();
    connection.pragma_update(None, "application_id", 0x776d_656d).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let found = MemoryStore::at(&newer).search(Bench::wanted("x")).await;
    assert!(matches!(found, Err(Error::Newer { found: 99, .. })), "{found:?}");
}

async fn with_vectors(bench: &mut Bench, rows: &[(&str, [f32; 3])]) {
    for (text, _) in rows {
        bench.put(text).await;
    }
    loop {
        let pending = bench.store.pending("p/m".to_owned(), 2).await.unwrap();
        if pending.is_empty() {
            return;
        }
        let numbers = |content: &str| rows.iter().find(|(text, _)| *text == content).unwrap().1.to_vec();
        let vectors =
            pending.iter().map(|row| Vector { place: row.place, revision: row.revision, numbers: numbers(&row.content) }).collect();
        bench.store.keep_vectors("p/m".to_owned(), vectors).await.unwrap();
    }
}

#[tokio::test]
async fn vectors_find_what_has_no_common_word() {
    let mut bench = Bench::new();
    with_vectors(
        &mut bench,
        &[("the vehicle is grey", [1.0, 0.0, 0.1]), ("tea is green", [0.0, 1.0, 0.0]), ("the car park", [0.1, 0.2, 1.0])],
    )
    .await;
    let ask = |numbers: Vec<f32>, model: &str| Wanted { vector: Some((model.to_owned(), numbers)), ..Bench::wanted("automobile") };
    let hits = bench.store.search(ask(vec![1.0, 0.0, 0.0], "p/m")).await.unwrap();
    assert_eq!(hits[0].memory.content, "the vehicle is grey");
    let cosine = hits[0].similarity.unwrap();
    assert!((cosine - 0.995).abs() < 0.01, "{cosine}");
    // Vectors of another model, or of another length, are not compared.
    assert!(bench.store.search(ask(vec![1.0, 0.0, 0.0], "p/other")).await.unwrap().is_empty());
    assert!(bench.store.search(ask(vec![1.0, 0.0], "p/m")).await.unwrap().is_empty());
    // Another process loads them.
    let other = MemoryStore::at(bench.store.path());
    assert_eq!(other.search(ask(vec![0.0, 1.0, 0.0], "p/m")).await.unwrap()[0].memory.content, "tea is green");
    // What was changed has no vector before there is a new one; what was forgotten is not found there either.
    let found = bench.found("tea").await;
    assert_eq!(found, ["tea is green"]);
    let id = bench.store.search(Bench::wanted("tea")).await.unwrap()[0].memory.memory_id.as_str().to_owned();
    bench.store.forget("s".to_owned(), id).await.unwrap();
    for store in [&bench.store, &other] {
        let hits = store.search(ask(vec![0.0, 1.0, 0.0], "p/m")).await.unwrap();
        assert!(hits.iter().all(|hit| hit.memory.content != "tea is green"), "{hits:?}");
    }
}

#[tokio::test]
async fn vectors_that_cannot_be_right_are_refused_and_those_of_another_model_make_room() {
    let mut bench = Bench::new();
    with_vectors(&mut bench, &[("one", [1.0, 0.0, 0.0]), ("two", [0.0, 1.0, 0.0])]).await;
    bench.put("three").await;
    let pending = bench.store.pending("p/m".to_owned(), 9).await.unwrap();
    let keep = |numbers: Vec<f32>| {
        let vectors = vec![Vector { place: pending[0].place, revision: pending[0].revision, numbers }];
        bench.store.keep_vectors("p/m".to_owned(), vectors)
    };
    assert!(matches!(keep(vec![1.0; 4]).await, Err(Error::Dimension { expected: 3, found: 4, .. })));
    assert!(matches!(keep(vec![f32::NAN; 3]).await, Err(Error::NoVector { .. })));
    assert!(matches!(keep(vec![0.0; 3]).await, Err(Error::NoVector { .. })));
    assert_eq!(bench.store.counts("s".to_owned()).await.unwrap().vectors, 2);
    assert_eq!(bench.store.pending("p/new".to_owned(), 9).await.unwrap().len(), 3);
    let counts = bench.store.counts("s".to_owned()).await.unwrap();
    assert_eq!((counts.model.as_deref(), counts.vectors), (Some("p/new"), 0));
    assert_eq!(bench.found("two").await, ["two"], "full text goes on meanwhile");
}

#[tokio::test]
async fn newer_memories_come_first_where_they_fit_alike() {
    let mut bench = Bench::new();
    bench.put("the meeting room is Oslo").await;
    bench.now += 400 * 86_400_000;
    bench.put("the meeting room is Rome").await;
    let now = Instant::from_millis(bench.now);
    let ranking = Ranking { now, half_life_days: Some(30.0) };
    let hits = bench.store.search(Wanted { ranking, ..Bench::wanted("meeting room") }).await.unwrap();
    assert_eq!(hits[0].memory.content, "the meeting room is Rome");
}
