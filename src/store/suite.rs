//! What every store must do: the same tests over each implementation.

pub(super) mod queues;
pub(super) mod tasks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use serde_json::json;

use crate::domain::clock::Instant;
use crate::domain::command::ApprovalMode;
use crate::domain::event::{Chat, ChatStatus, Custom, Event, EventBody, Fork, NewEvent, SessionEvent};
use crate::domain::ids::{EventId, Seq, SessionId, StreamId};
use crate::domain::message::Role;
use crate::domain::query::{EventFilter, SessionPage};
use crate::store::{Batch, Error, EventStore, Stamped};

/// No healthy run comes near it.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// A check by its name.
#[cfg(feature = "postgres")]
pub(super) type Check<S> = (&'static str, for<'s> fn(&'s S) -> futures::future::BoxFuture<'s, ()>);

/// Makes one test of each check for the store that `$make` gives; with `list`, a list of all [`Check`]s.
macro_rules! store_suite {
    ($module:ident, $make:expr) => {
        mod $module {
            $crate::store::suite::store_suite!(@all tests $make);
        }
    };
    (list) => {
        $crate::store::suite::store_suite!(@all list ())
    };
    (@all $what:ident $make:expr) => {
        $crate::store::suite::store_suite! { @$what $make;
            positions_and_versions_have_no_gaps what_is_read_is_what_was_appended an_expectation_that_fails_appends_nothing
            an_expectation_that_holds_appends filters_choose_what_a_plain_loop_would_choose
            a_session_has_the_events_of_its_ancestors_up_to_the_forks
            the_parts_of_a_session_make_up_the_whole forks_in_a_circle_end the_list_of_sessions_is_a_fold
            sessions_are_found_by_title_and_text the_listener_hears_of_commits_before_the_answer
            heads_tell_of_each_growth an_empty_batch_is_nothing rebuilding_changes_nothing nothing_works_after_the_shutdown
        }
    };
    (@list $make:expr; $($name:ident)+) => {
        vec![$({
            let check: $crate::store::suite::Check<_> = (stringify!($name), |store| Box::pin($crate::store::suite::$name(store)));
            check
        }),+]
    };
    (@tests $make:expr; $($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, _guard) = $make;
                tokio::time::timeout($crate::store::suite::LIMIT, $crate::store::suite::$name(&store)).await.unwrap();
            }
        )+
    };
}
pub(super) use store_suite;

type Store = Arc<dyn EventStore>;

pub(super) fn stamped(at_ms: i64, event: NewEvent) -> Stamped {
    Stamped { id: EventId::generate(), at: Instant::from_millis(at_ms), event }
}

pub(super) fn batch(events: impl IntoIterator<Item = NewEvent>) -> Batch {
    Batch { events: (1_000..).zip(events).map(|(at, event)| stamped(at, event)).collect(), ..Batch::default() }
}

pub(super) fn session(name: &str) -> SessionId {
    SessionId::new(name)
}

pub(super) fn custom(type_name: &str, number: u64) -> EventBody {
    EventBody::Custom(Custom { type_name: type_name.into(), data: json!({ "number": number }) })
}

pub(super) fn said(role: Role, text: &str) -> Chat {
    Chat::new(role, ChatStatus::Done).with_text(text)
}

fn created(fork: Option<(&str, u64)>) -> SessionEvent {
    let fork = fork.map(|(from, upto)| Fork { session: session(from), upto: Seq(upto) });
    SessionEvent::Created { cwd: "/work".into(), model: "offline/rules".into(), mode: ApprovalMode::Ask, fork }
}

pub(super) fn seqs(events: &[Arc<Event>]) -> Vec<u64> {
    events.iter().map(|event| event.seq.unwrap().0).collect()
}

async fn append(store: &Store, events: impl IntoIterator<Item = NewEvent>) -> Vec<u64> {
    seqs(&store.append(batch(events)).await.unwrap())
}

async fn all(store: &Store) -> Vec<Arc<Event>> {
    store.events(EventFilter::default()).await.unwrap()
}

pub(super) async fn positions_and_versions_have_no_gaps(store: &Store) {
    let (a, b) = (session("a"), session("b"));
    assert_eq!(store.head().await.unwrap(), Seq(0));
    assert_eq!(append(store, [NewEvent::of(&a, custom("x", 1)), NewEvent::of(&b, custom("x", 2))]).await, [1, 2]);
    assert_eq!(append(store, [NewEvent::system(custom("x", 3)), NewEvent::of(&a, custom("x", 4))]).await, [3, 4]);
    assert_eq!(store.head().await.unwrap(), Seq(4));
    for (stream, version) in
        [(StreamId::session(&a), 2), (StreamId::session(&b), 1), (StreamId::system(), 1), (StreamId::new("session-none"), 0)]
    {
        assert_eq!(store.version(stream.clone()).await.unwrap(), version, "{stream}");
    }
    assert_eq!(store.epoch().len(), 36);
}

pub(super) async fn what_is_read_is_what_was_appended(store: &Store) {
    let mut chat = said(Role::Assistant, "a\u{0}b \"quoted\" \\ 中文 👩‍👩‍👧\n\u{2028}");
    chat.extra.insert("zebra".into(), json!({"b": 1, "a": [null, 1.5, -3]}));
    let events = [
        NewEvent::of(&session("s"), created(None)),
        NewEvent::of(&session("s"), chat),
        NewEvent::system(custom("deploy", u64::MAX)),
        NewEvent::system(EventBody::Custom(Custom { type_name: "odd type 中".into(), data: json!("text alone") })),
    ];
    let written = store.append(batch(events)).await.unwrap();
    assert_eq!(all(store).await, written);
    let filter = EventFilter { session: Some(session("s")), ..EventFilter::default() };
    assert_eq!(store.events(filter).await.unwrap(), written[..2]);
}

pub(super) async fn an_expectation_that_fails_appends_nothing(store: &Store) {
    let (a, b) = (session("a"), session("b"));
    append(store, [NewEvent::of(&a, custom("x", 1))]).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    store.on_commit(Arc::new(move |events| sink.lock().unwrap().extend(seqs(events))));
    let mut refused = batch([NewEvent::of(&b, custom("x", 2)), NewEvent::of(&a, custom("x", 3))]);
    refused.expected = vec![(StreamId::session(&b), 0), (StreamId::session(&a), 0)];
    let error = store.append(refused).await.unwrap_err();
    assert!(error.is_conflict() && !error.is_transient());
    assert!(matches!(&error, Error::Conflict { stream, expected: 0, actual: 1 } if *stream == StreamId::session(&a)), "{error}");
    assert_eq!(store.head().await.unwrap(), Seq(1));
    assert_eq!(store.version(StreamId::session(&b)).await.unwrap(), 0);
    assert!(heard.lock().unwrap().is_empty());
}

pub(super) async fn an_expectation_that_holds_appends(store: &Store) {
    let stream = StreamId::session(&session("a"));
    for version in 0..3 {
        let mut wanted = batch([NewEvent::of(&session("a"), custom("x", version))]);
        wanted.expected = vec![(stream.clone(), version)];
        assert_eq!(seqs(&store.append(wanted).await.unwrap()), [version + 1]);
    }
    let racers = (0..8).map(|number| {
        let mut wanted = batch([NewEvent::of(&session("a"), custom("race", number))]);
        wanted.expected = vec![(stream.clone(), 3)];
        store.append(wanted)
    });
    let outcomes = futures::future::join_all(racers).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(Error::is_conflict));
}

pub(super) async fn filters_choose_what_a_plain_loop_would_choose(store: &Store) {
    let (types, sessions) = (["chat", "tool", "x"], [None, Some("a"), Some("b")]);
    let events = (0..60_usize).map(|number| {
        let session = sessions[number % 7 % 3].map(session);
        NewEvent { session, body: custom(types[number % 5 % 3], number as u64) }
    });
    append(store, events).await;
    let everything = all(store).await;
    let type_choices: [&[&str]; 4] = [&[], &["tool"], &["chat", "x"], &["none"]];
    for names in type_choices {
        for of in sessions {
            for (after, upto) in [(None, None), (Some(10), None), (None, Some(20)), (Some(15), Some(45)), (Some(45), Some(15))] {
                for (limit, newest) in [(None, false), (Some(5), false), (Some(5), true), (Some(0), false), (Some(1_000), true)] {
                    let filter = EventFilter {
                        types: names.iter().map(ToString::to_string).collect(),
                        session: of.map(session),
                        after: after.map(Seq),
                        upto: upto.map(Seq),
                        limit,
                        newest,
                    };
                    let mut wanted: Vec<_> = everything.iter().filter(|event| plainly_wants(&filter, event)).cloned().collect();
                    let keep = limit.unwrap_or(usize::MAX).min(wanted.len());
                    if newest {
                        wanted.drain(..wanted.len() - keep);
                    }
                    wanted.truncate(keep);
                    assert_eq!(store.events(filter.clone()).await.unwrap(), wanted, "{filter:?}");
                }
            }
        }
    }
}

fn plainly_wants(filter: &EventFilter, event: &Event) -> bool {
    (filter.types.is_empty() || filter.types.contains(&event.body.type_name().to_owned()))
        && (filter.session.is_none() || filter.session == event.session)
        && filter.after.is_none_or(|after| event.seq.unwrap() > after)
        && filter.upto.is_none_or(|upto| event.seq.unwrap() <= upto)
}

pub(super) async fn a_session_has_the_events_of_its_ancestors_up_to_the_forks(store: &Store) {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(session);
    append(store, [NewEvent::of(&a, created(None)), NewEvent::of(&a, custom("x", 2)), NewEvent::of(&a, custom("x", 3))]).await;
    append(store, [NewEvent::of(&b, created(Some(("a", 2)))), NewEvent::of(&b, custom("x", 5)), NewEvent::of(&a, custom("x", 6))]).await;
    append(store, [NewEvent::of(&c, created(Some(("b", 5)))), NewEvent::of(&b, custom("x", 8)), NewEvent::of(&c, custom("x", 9))]).await;
    // Forked at a place that its parent had itself from its own parent.
    append(store, [NewEvent::of(&d, created(Some(("c", 1)))), NewEvent::of(&d, custom("x", 11))]).await;
    let expectations: [(SessionId, &[u64]); 5] =
        [(a, &[1, 2, 3, 6]), (b, &[1, 2, 4, 5, 8]), (c, &[1, 2, 4, 5, 7, 9]), (d, &[1, 10, 11]), (session("none"), &[])];
    for (id, expected) in expectations {
        assert_eq!(seqs(&store.session_events(id.clone()).await.unwrap()), expected, "{id}");
    }
}

pub(super) async fn the_parts_of_a_session_make_up_the_whole(store: &Store) {
    let (a, b) = (session("a"), session("b"));
    append(store, [NewEvent::of(&a, created(None)), NewEvent::of(&a, custom("x", 2)), NewEvent::of(&a, custom("y", 3))]).await;
    append(store, [NewEvent::of(&b, created(Some(("a", 2)))), NewEvent::of(&b, custom(&"long ".repeat(100), 5))]).await;
    append(store, (6..12).map(|n| NewEvent::of(&b, custom("x", n)))).await;
    for id in [a, b, session("none")] {
        let whole = store.session_events(id.clone()).await.unwrap();
        for bytes_max in [0, 1, 100, 400, 1_000_000] {
            for newest in [false, true] {
                let mut page = SessionPage { newest, ..SessionPage::first(id.clone(), bytes_max) };
                let (mut parts, mut reads) = (Vec::new(), 0);
                loop {
                    reads += 1;
                    let part = store.session_page(page.clone()).await.unwrap();
                    assert!(!part.more || !part.events.is_empty(), "reading gets on");
                    if newest {
                        page.before = part.events.first().and_then(|event| event.seq);
                        parts.splice(0..0, part.events);
                    } else {
                        page.after = part.events.last().and_then(|event| event.seq);
                        parts.extend(part.events);
                    }
                    if !part.more {
                        break;
                    }
                }
                assert_eq!(parts, whole, "{id}, {bytes_max} bytes, newest {newest}");
                let expected = if bytes_max < 2 { whole.len().max(1) } else { reads };
                assert_eq!(reads, expected, "no more is read than is wanted");
            }
        }
        let page = SessionPage { types: vec!["session_event".to_owned()], ..SessionPage::last(id.clone(), 1_000_000) };
        let made = store.session_page(page).await.unwrap();
        let expected: Vec<_> = whole.iter().filter(|event| event.body.type_name() == "session_event").cloned().collect();
        assert_eq!((made.events, made.more), (expected, false));
    }
}

pub(super) async fn forks_in_a_circle_end(store: &Store) {
    append(store, [NewEvent::of(&session("a"), created(Some(("b", 9)))), NewEvent::of(&session("b"), created(Some(("a", 9))))]).await;
    append(store, [NewEvent::of(&session("self"), created(Some(("self", 9))))]).await;
    assert_eq!(seqs(&store.session_events(session("a")).await.unwrap()), [2, 1]);
    assert_eq!(seqs(&store.session_events(session("self")).await.unwrap()), [3]);
}

pub(super) async fn the_list_of_sessions_is_a_fold(store: &Store) {
    let (a, b) = (session("a"), session("b"));
    let long = format!("  first\n\u{1b}[31mline {}", "wörter ".repeat(40));
    let mut inner = said(Role::User, "task of a handoff");
    inner.parent = Some("call".into());
    append(store, [NewEvent::of(&a, created(None)), NewEvent::of(&a, inner), NewEvent::of(&a, said(Role::User, &long))]).await;
    append(
        store,
        [
            NewEvent::of(&a, said(Role::Assistant, "answer")),
            NewEvent::of(&a, said(Role::User, "second")),
            NewEvent::of(&a, SessionEvent::ModelSet { model: "lab/big".into() }),
        ],
    )
    .await;
    let mut later = batch([NewEvent::of(&b, created(Some(("a", 3)))), NewEvent::of(&b, said(Role::User, "in the fork"))]);
    later.events.iter_mut().for_each(|event| event.at = Instant::from_millis(9_000));
    store.append(later).await.unwrap();

    let list = store.sessions(None, 10).await.unwrap();
    let [fork, first] = &list[..] else { panic!("{list:?}") };
    assert!(first.title.starts_with("first line wörter") && first.title.ends_with('…'), "{}", first.title);
    assert_eq!(first.title.chars().count(), 80);
    assert_eq!((first.prompts, first.model.as_str(), first.cwd.as_str(), first.last_seq), (2, "lab/big", "/work", Seq(6)));
    assert_eq!((first.created, first.updated), (Instant::from_millis(1_000), Instant::from_millis(1_002)));
    assert_eq!((&fork.title, &fork.forked_from, fork.prompts), (&first.title, &Some(a.clone()), 1));

    append(store, [NewEvent::of(&b, SessionEvent::Renamed { title: "mine".into() }), NewEvent::of(&b, said(Role::User, "more"))]).await;
    let renamed = store.sessions(None, 10).await.unwrap().into_iter().find(|row| row.id == b).unwrap();
    assert_eq!((renamed.title.as_str(), renamed.prompts), ("mine", 2));
    assert_eq!(store.sessions(None, 1).await.unwrap().len(), 1);
}

pub(super) async fn sessions_are_found_by_title_and_text(store: &Store) {
    let texts = [("a", "fix the Parser"), ("b", "天气怎么样"), ("c", "100% sure_thing \"quoted\" back\\slash")];
    for (name, text) in texts {
        append(store, [NewEvent::of(&session(name), created(None)), NewEvent::of(&session(name), said(Role::User, text))]).await;
    }
    append(store, [NewEvent::of(&session("a"), said(Role::Assistant, "the tokenizer\nwas wrong"))]).await;
    append(store, [NewEvent::of(&session("b"), SessionEvent::Renamed { title: "weather".into() })]).await;
    let expectations: [(&str, &[&str]); 13] = [
        ("parser", &["a"]),
        ("TOKENIZER", &["a"]),
        ("tokenizer\nwas", &["a"]),
        ("天气", &["b"]),
        ("weather", &["b"]),
        ("100%", &["c"]),
        ("sure_thing", &["c"]),
        ("sure-thing", &[]),
        ("\"quoted\"", &["c"]),
        ("back\\slash", &["c"]),
        ("assistant", &[]),
        ("done", &[]),
        (" ", &["a", "b", "c"]),
    ];
    for (search, expected) in expectations {
        let mut found: Vec<_> = store.sessions(Some(search.into()), 10).await.unwrap().into_iter().map(|row| row.id).collect();
        found.sort();
        assert_eq!(found, expected.iter().map(|name| session(name)).collect::<Vec<_>>(), "{search:?}");
    }
}

pub(super) async fn the_listener_hears_of_commits_before_the_answer(store: &Store) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    store.on_commit(Arc::new(move |events| sink.lock().unwrap().extend(seqs(events))));
    store.on_commit(Arc::new(|_| panic!("only the first listener counts")));
    for count in 1..=20 {
        append(store, (0..3).map(|number| NewEvent::system(custom("x", number)))).await;
        assert_eq!(*heard.lock().unwrap(), (1..=count * 3).collect::<Vec<u64>>());
    }
}

pub(super) async fn heads_tell_of_each_growth(store: &Store) {
    append(store, [NewEvent::system(custom("x", 1))]).await;
    let mut heads = store.heads();
    assert_eq!(heads.next().await.unwrap().unwrap(), Seq(1));
    append(store, [NewEvent::system(custom("x", 2)), NewEvent::system(custom("x", 3))]).await;
    assert_eq!(heads.next().await.unwrap().unwrap(), Seq(3));
}

pub(super) async fn an_empty_batch_is_nothing(store: &Store) {
    assert!(store.append(Batch::default()).await.unwrap().is_empty());
    let check = Batch { events: Vec::new(), expected: vec![(StreamId::system(), 1)], ..Batch::default() };
    assert!(store.append(check).await.unwrap_err().is_conflict());
    assert_eq!(store.head().await.unwrap(), Seq(0));
}

pub(super) async fn rebuilding_changes_nothing(store: &Store) {
    for number in 0..50 {
        let id = session(&format!("s{}", number % 7));
        let body: EventBody = match number % 4 {
            0 => created(None).into(),
            1 => said(Role::User, &format!("message {number}")).into(),
            2 => SessionEvent::Renamed { title: format!("title {number}") }.into(),
            _ => custom("x", number).clone(),
        };
        append(store, [NewEvent::of(&id, body)]).await;
    }
    let before = store.sessions(None, 100).await.unwrap();
    assert_eq!(before.len(), 7);
    store.rebuild().await.unwrap();
    assert_eq!(store.sessions(None, 100).await.unwrap(), before);
}

pub(super) async fn nothing_works_after_the_shutdown(store: &Store) {
    append(store, [NewEvent::system(custom("x", 1))]).await;
    store.shutdown().await;
    store.shutdown().await;
    assert!(matches!(store.append(batch([NewEvent::system(custom("x", 2))])).await, Err(Error::Closed)));
    assert!(matches!(store.head().await, Err(Error::Closed)));
    assert!(matches!(store.rebuild().await, Err(Error::Closed)));
    assert!(matches!(store.heads().next().await, Some(Err(Error::Closed))));
}
