//! Stored samples of every shape that was ever written: files out there hold them, so they must be read for ever.
//!
//! `samples/TYPE.VERSION.json` holds a list of bodies. When a type's shape changes, its samples stay, an upcaster and a
//! file for the new version come along.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::domain::event::EventBody;
use crate::store::upcast::STANDARD;

fn samples() -> Vec<(String, u32, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/tests/samples");
    let mut out: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let [type_name, version, "json"] = name.split('.').collect::<Vec<_>>()[..] else { panic!("{name}: not TYPE.VERSION.json") };
            let bodies = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (type_name.to_owned(), version.parse().unwrap(), bodies)
        })
        .collect();
    out.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    out
}

#[test]
fn every_type_has_samples_of_its_present_shape() {
    let present: BTreeSet<_> = samples().into_iter().map(|(name, version, _)| (name, version)).collect();
    for name in EventBody::TYPES {
        assert!(present.contains(&((*name).to_owned(), STANDARD.current(name))), "no sample of `{name}` as it is written now");
    }
}

#[test]
fn every_sample_is_read_and_the_present_ones_are_written_the_same() {
    for (name, version, bodies) in samples() {
        assert!(!bodies.is_empty(), "{name}");
        for body in bodies {
            let read = STANDARD.read(&name, version, &body.to_string()).unwrap();
            assert!(!matches!(read, EventBody::Custom(_)), "`{name}` version {version} is not known any more: {body}");
            if version == STANDARD.current(&name) {
                let written: Value = serde_json::from_str(&read.data_json().unwrap()).unwrap();
                assert_eq!(written, body, "the shape of `{name}` changed: raise its version, add an upcaster and a sample");
            }
        }
    }
}

#[test]
fn the_samples_show_every_kind_of_fact() {
    let kinds = |name: &str| {
        let all = samples().into_iter().filter(|(found, ..)| found == name).flat_map(|(.., bodies)| bodies);
        all.map(|body| body["event_type"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let named = |names: &str| names.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(kinds("inbox_event"), named("added read unread snoozed archived answered"));
    assert_eq!(kinds("memory_event"), named("recalled remembered updated forgotten"));
    let facts = "task_created task_updated task_paused task_resumed task_completed task_deleted run_finished occurrences_skipped
        checks_rolled_up web_content_change scheduled_trigger daily_news_digest threshold_reached firing_judged prompt_finished
        feedback_given";
    assert_eq!(kinds("task_event"), named(facts));
}
