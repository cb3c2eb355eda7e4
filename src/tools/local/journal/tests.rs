//! The journal on real folders: what is kept, taken back, refused and forgotten.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::undo::Error;
use super::*;
use crate::domain::clock::ManualClock;
use crate::domain::undo::UndoState;
use crate::tools::local::files::put;

struct Bench {
    home: TempDir,
    clock: ManualClock,
    journal: Journal,
    session: SessionId,
}

impl Bench {
    fn new(options: Options) -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = ManualClock::starting_at("2026-01-01T12:00:00.000Z".parse().unwrap());
        let journal = Journal::new(home.path().join("undo"), options, Arc::new(clock.clone()));
        Self { home, clock, journal, session: SessionId::from("s".to_owned()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What a file tool does: keep, then replace.
    fn write(&self, name: &str, text: &str) {
        self.keep(name, text);
        put::replace(&self.path(name), text.as_bytes(), None).unwrap();
    }

    /// The first half of it: as after a crash before the rename.
    fn keep(&self, name: &str, text: &str) {
        let path = self.path(name);
        let held = self.journal.hold().unwrap();
        let old = fs::read(&path).ok();
        let by = By { session: Some(&self.session), call: "c", tool: "write_file", undoes: None };
        self.journal.record(&held, &by, &path, old.as_deref().map(|old| (old, put::mode_of(&path))), Some(text.as_bytes())).unwrap();
    }

    fn undo(&self, wanted: &str, force: bool) -> Result<bool, Error> {
        self.journal.undo(Some(&self.session), wanted, force, "u").map(|plan| !plan.is_done)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    fn states(&self) -> Vec<(String, UndoState)> {
        self.journal.rows(Some(&self.session)).unwrap().into_iter().map(|row| (row.tool, row.state)).collect()
    }
}

#[test]
fn changes_are_taken_back_one_by_one_and_done_again() {
    let bench = Bench::new(Options::default());
    bench.write("a", "one");
    bench.write("a", "two");
    bench.write("b", "new");
    assert!(bench.undo("", false).unwrap());
    assert_eq!(bench.text("b"), None, "a new file is removed");
    assert!(bench.undo("", false).unwrap());
    assert_eq!(bench.text("a").as_deref(), Some("one"));
    // The newest is the undo of `two`: to take it back is to redo.
    assert!(bench.undo("1", false).unwrap());
    assert_eq!(bench.text("a").as_deref(), Some("two"));
    assert!(bench.undo("", false).unwrap());
    assert_eq!(bench.text("a").as_deref(), Some("one"));
    assert!(bench.undo("", false).unwrap());
    assert_eq!(bench.text("a"), None);
    assert!(matches!(bench.undo("", false), Err(Error::Nothing { .. })));
}

#[test]
fn what_changed_since_is_left_unless_it_is_forced() {
    let bench = Bench::new(Options::default());
    bench.write("a", "one");
    bench.write("a", "two");
    fs::write(bench.path("a"), "mine").unwrap();
    let refused = bench.undo("", false).unwrap_err();
    assert!(refused.to_string().contains("has changed since") && refused.to_string().contains("/undo force"), "{refused}");
    assert_eq!(bench.text("a").as_deref(), Some("mine"));
    assert!(bench.undo("", true).unwrap());
    assert_eq!(bench.text("a").as_deref(), Some("one"));
    assert!(bench.undo("1", false).unwrap());
    assert_eq!(bench.text("a").as_deref(), Some("mine"), "what force replaced is kept as well");
}

#[test]
fn a_change_that_never_took_effect_is_told_and_passed_over() {
    let bench = Bench::new(Options::default());
    bench.write("a", "one");
    bench.write("a", "two");
    bench.keep("a", "three");
    assert_eq!(bench.states()[0], ("write_file".to_owned(), UndoState::Absent));
    assert!(!bench.undo("1", false).unwrap(), "nothing to change");
    assert_eq!(bench.text("a").as_deref(), Some("two"));
    assert!(bench.undo("", false).unwrap());
    assert_eq!(bench.text("a").as_deref(), Some("one"));
}

#[test]
fn permissions_come_back_with_a_file_that_was_removed() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(Options::default());
    fs::write(bench.path("run.sh"), "old").unwrap();
    fs::set_permissions(bench.path("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    bench.write("run.sh", "new");
    assert_eq!(put::mode_of(&bench.path("run.sh")), Some(0o750), "kept while it is changed");
    fs::remove_file(bench.path("run.sh")).unwrap();
    assert!(bench.undo("", true).unwrap());
    assert_eq!((bench.text("run.sh").as_deref(), put::mode_of(&bench.path("run.sh"))), (Some("old"), Some(0o750)));
}

#[test]
fn the_journal_is_for_its_owner_and_heals_what_is_broken() {
    let bench = Bench::new(Options::default());
    fs::write(bench.path("a"), "secret").unwrap();
    bench.write("a", "two");
    assert_eq!(put::mode_of(&bench.path("undo/objects")), Some(0o700));
    let object = bench.path("undo/objects").join(Hash::of(b"secret").0);
    assert_eq!(put::mode_of(&object), Some(0o600));
    fs::write(bench.path("undo/entries/torn.json"), "{\"id\":").unwrap();
    assert_eq!(bench.states().len(), 1, "what cannot be read is passed over");
    fs::write(&object, "forged").unwrap();
    assert!(matches!(bench.undo("", false), Err(Error::Gone { .. })), "a content is its hash or nothing");
    assert_eq!(bench.text("a").as_deref(), Some("two"));
}

#[test]
fn it_forgets_by_age_and_by_bytes() {
    let bench = Bench::new(Options { keep_mib_max: 3, keep_days: 2 });
    bench.write("small", "1");
    bench.write("small", "2");
    bench.clock.advance(Duration::from_hours(49));
    for round in 0..6_u8 {
        bench.write("large", &char::from(b'a' + round).to_string().repeat(1_100_000));
    }
    let rows = bench.journal.rows(None).unwrap();
    assert!(rows.iter().all(|row| row.path.ends_with("large")), "the old ones are gone: {rows:?}");
    let bytes: u64 = fs::read_dir(bench.path("undo/objects")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 3 * 1_024 * 1_024, "{bytes} bytes are kept");
    assert!(bench.undo("", false).unwrap());
    assert!(bench.text("large").is_some_and(|text| text.starts_with('e')));
}

#[test]
fn other_sessions_and_nonsense_are_no_changes_of_this_one() {
    let bench = Bench::new(Options::default());
    bench.write("a", "one");
    let other = SessionId::from("other".to_owned());
    assert!(matches!(bench.journal.undo(Some(&other), "", false, "u"), Err(Error::Nothing { .. })));
    assert!(matches!(bench.undo("0", false), Err(Error::NoSuch { .. })));
    assert!(matches!(bench.undo("7", false), Err(Error::NoSuch { .. })));
    assert!(matches!(bench.undo("zzz", false), Err(Error::NoSuch { .. })));
    assert!(bench.journal.undo(None, "", false, "u").is_ok(), "without a session all count");
}
