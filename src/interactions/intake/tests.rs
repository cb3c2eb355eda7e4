//! The check, the queue, the keys.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::domain::clock::{Instant, ManualClock};

fn open(folder: &tempfile::TempDir, queue_kib: usize) -> Intake {
    let clock = Arc::new(ManualClock::starting_at(Instant::from_millis(1_700_000_000_000)));
    Intake::new(Place::File(folder.path().join("records.db")), queue_kib, clock)
}

fn value(id: &str) -> Value {
    json!({"action": "interaction_start", "record_id": id, "interaction_id": "int_1", "mcp_id": "me", "timestamp": 1.5, "x": [1]})
}

#[test]
fn what_is_no_record_is_told_and_what_is_one_keeps_its_words() {
    let text = value("r-1").to_string();
    assert_eq!(check_text(text.as_bytes()).unwrap().data, text);
    assert_eq!(check(value("r-1")).unwrap().data, text);
    // One without an id is named by what it says, and carries its name from then on.
    let mut nameless = value("");
    nameless.as_object_mut().unwrap().shift_remove("record_id");
    let (one, other) = (check(nameless.clone()).unwrap(), check_text(nameless.to_string().as_bytes()).unwrap());
    assert_eq!(one, other);
    assert_eq!(serde_json::from_str::<Value>(&one.data).unwrap()["record_id"], json!(one.record_id));
    for (text, said) in [("{", "must be JSON"), ("[]", "must be a JSON object"), ("{}", "`action`"), ("\u{fffd}", "must be JSON")] {
        let error = check_text(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(check_text(b"\xff\xfe").is_err());
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_those_who_wait_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let intake = open(&folder, 2);
    let records = |count: usize| (0..count).map(|number| check(value(&format!("r-{number}"))).unwrap()).collect::<Vec<_>>();
    assert_eq!(intake.offer(records(3)).await, Err(Refusal::TooLarge));
    let held = intake.queue.try_acquire_many(1).unwrap();
    assert_eq!(intake.offer(records(2)).await, Err(Refusal::Full));
    let waits = intake.take(records(2));
    tokio::pin!(waits);
    assert!(futures::poll!(&mut waits).is_pending());
    drop(held);
    assert_eq!(waits.await, Ok(2));
    assert_eq!(intake.offer(records(2)).await, Ok(0));
    assert_eq!(intake.queue.available_permits(), 2);
}

#[tokio::test]
async fn without_keys_only_an_open_door_opens_and_a_key_opens_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let intake = open(&folder, 64);
    let nothing = |is_open| Shown { is_open, ..Shown::default() };
    let key = |key| Shown { key: Some(key), is_open: true, ..Shown::default() };
    assert_eq!(intake.admit(nothing(true)).await, Ok(Access::All));
    assert_eq!(intake.admit(nothing(false)).await, Err(Refusal::Key));
    assert_eq!(intake.admit(key("whatever")).await, Ok(Access::All));

    tokio::time::pause();
    let made = intake.add_key("me").await.unwrap();
    let other = intake.add_key("*").await.unwrap();
    // What was read of the keys is believed for a second.
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let (own, all) = (made.key.expose_secret().to_owned(), other.key.expose_secret().to_owned());
    assert!(own.starts_with(&made.info.prefix) && own.len() == 67 && made.info.prefix.len() == 11, "{own}");
    assert_eq!(intake.admit(key(&own)).await, Ok(Access::Only("me".to_owned())));
    assert_eq!(intake.admit(key(&all)).await, Ok(Access::All));
    for shown in [nothing(true), key("whatever"), key(&own[..66])] {
        assert_eq!(intake.admit(shown).await, Err(Refusal::Key));
    }
    assert_eq!(intake.admit(Shown { is_owner: true, ..Shown::default() }).await, Ok(Access::All));

    assert_eq!(intake.revoke_keys(&made.info.prefix).await, Ok(1));
    assert_eq!(intake.revoke_keys("*").await, Ok(1));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    // All keys are revoked: the door does not stand open for that.
    for shown in [nothing(true), key(&own), key(&all)] {
        assert_eq!(intake.admit(shown).await, Err(Refusal::Key));
    }
    // No file holds a key.
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for key in [&own, &all] {
            assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()));
        }
    }
    assert!(!format!("{made:?}").contains(&own));
    for bad in ["", " ", "a\u{1b}b"] {
        assert!(intake.add_key(bad).await.is_err());
    }
}
