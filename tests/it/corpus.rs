//! Pairs of pages that changed in meaning, or by noise only: how well the two are told apart at default rules.
//!
//! `tests/corpus/NAME.LABEL.txt` holds one pair. Those in `held/` were written before the rules were and are not looked
//! at while the rules are made better.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wakeful::domain::task::WebMonitor;
use wakeful::web::page::{Change, Fault, Reading, Rules, compare, read, settle};

/// The least share of firings that must be right, and of changes that must fire.
const PRECISION_MIN: f64 = 0.97;
const RECALL_MIN: f64 = 0.99;

struct Pair {
    name: String,
    shape: String,
    meaning: bool,
    held: bool,
    content_type: String,
    url: String,
    before: String,
    after: String,
}

#[derive(Default, Clone, Copy)]
struct Score {
    pairs: u32,
    right: u32,
    false_alarms: u32,
    missed: u32,
}

impl Score {
    fn add(&mut self, meaning: bool, fired: bool) {
        self.pairs += 1;
        self.right += u32::from(meaning && fired);
        self.false_alarms += u32::from(!meaning && fired);
        self.missed += u32::from(meaning && !fired);
    }

    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.false_alarms).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }

    fn line(self, name: &str) -> String {
        let Self { pairs, false_alarms, missed, .. } = self;
        let (precision, recall) = (self.precision(), self.recall());
        format!("{name}: {pairs} pairs, precision {precision:.3}, recall {recall:.3} ({false_alarms} false alarms, {missed} missed)")
    }
}

fn pairs() -> Vec<Pair> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut pairs = Vec::new();
    for (folder, held) in [(root.clone(), false), (root.join("held"), true)] {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
        files.sort();
        pairs.extend(files.iter().map(|file| pair(file, held)));
    }
    pairs
}

fn pair(file: &Path, held: bool) -> Pair {
    let name = file.file_name().unwrap().to_str().unwrap();
    let [name, label, "txt"] = name.split('.').collect::<Vec<_>>()[..] else { panic!("{name}: want NAME.LABEL.txt") };
    let meaning = match label {
        "meaning" => true,
        "noise" => false,
        other => panic!("{name}: unknown label `{other}`"),
    };
    let text = fs::read_to_string(file).unwrap();
    let (about, pages) = text.split_once("--- before\n").unwrap();
    let (before, after) = pages.split_once("--- after\n").unwrap();
    let field = |key: &str| about.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim().to_owned();
    let shape = name.split('-').next().unwrap().to_owned();
    let name = name.to_owned();
    Pair {
        name,
        shape,
        meaning,
        held,
        content_type: field("type:"),
        url: field("url:"),
        before: before.to_owned(),
        after: after.to_owned(),
    }
}

fn rules() -> Rules {
    let config: WebMonitor = serde_json::from_str(r#"{"urls": ["https://site.example/"]}"#).unwrap();
    Rules::new(&config).unwrap()
}

/// What a task would see: a suspicious look is followed by a second fetch, which finds the same page.
fn look(pair: &Pair, rules: &Rules) -> Result<Change, Fault> {
    let read = |text: &str| read(text.as_bytes(), Some(&pair.content_type), &pair.url, rules);
    let old: Reading = read(&pair.before)?;
    let new = read(&pair.after)?;
    // As it comes back from the store.
    let old: Reading = serde_json::from_str(&serde_json::to_string(&old).unwrap()).unwrap();
    Ok(match compare(&old, &new, rules) {
        Change::Suspicious { .. } => settle(&old, &new, &read(&pair.after)?, rules),
        change => change,
    })
}

#[test]
fn meaning_and_noise_are_told_apart() {
    let rules = rules();
    let (mut all, mut held) = (Score::default(), Score::default());
    let mut shapes: BTreeMap<String, Score> = BTreeMap::new();
    let only = std::env::var("CORPUS_ONLY").ok();
    for pair in pairs() {
        if only.as_deref().is_some_and(|only| (only == "open" && pair.held) || (only != "open" && !pair.name.contains(only))) {
            continue;
        }
        let change = look(&pair, &rules).unwrap_or_else(|fault| panic!("{}: {fault}", pair.name));
        let fired = matches!(change, Change::Changed(_));
        if fired != pair.meaning || only.as_ref().is_some_and(|only| only != "open") {
            let diff = if let Change::Changed(found) = &change { found.diff.clone() } else { format!("{change:?}") };
            println!(
                "{}{} ({}):\n{diff}",
                pair.name,
                if fired == pair.meaning { "" } else { " IS WRONG" },
                if pair.meaning { "meaning" } else { "noise" }
            );
        }
        for score in [&mut all, shapes.entry(pair.shape.clone()).or_default()].into_iter().chain(pair.held.then_some(&mut held)) {
            score.add(pair.meaning, fired);
        }
    }
    for (shape, score) in &shapes {
        println!("  {}", score.line(shape));
    }
    println!("{}", held.line("held out"));
    println!("{}", all.line("corpus"));
    if only.is_none() {
        assert!(all.pairs >= 140 && held.pairs >= 40, "{} pairs, {} held out", all.pairs, held.pairs);
    }
    assert!(all.precision() >= PRECISION_MIN && all.recall() >= RECALL_MIN, "{}", all.line("corpus"));
}
