//! The store on a real server: the suites of every store, outages, and what only this store has.

mod outage;
pub(in crate::store) mod server;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::NewEvent;
use crate::store::postgres::tests::server::Server;
use crate::store::suite::tasks::{at, claim, complete, make, task_suite};
use crate::store::suite::{Check, batch, custom, seqs, store_suite};
use crate::store::tasks::{Claim, Claimed, Fence, TaskStore};
use crate::store::{Error, EventStore, PgClock, PgOptions, PgStore, StoreUrl};

/// Test time counts, and nothing waits long for a server that is away.
fn options() -> PgOptions {
    PgOptions { clock: PgClock::Given, patience: Duration::from_secs(10), ..PgOptions::default() }
}

async fn connect(url: &str) -> Result<PgStore, Error> {
    PgStore::connect(&StoreUrl::new(url), &options()).await
}

async fn store(server: &Server, schema: &str) -> PgStore {
    connect(&server.url(schema, "")).await.unwrap()
}

/// Runs each check in a schema of its own, on one server: starting one for each takes too long.
async fn run<S>(server: &Server, checks: Vec<Check<S>>, wrap: fn(PgStore) -> S) {
    for (name, check) in checks {
        let store = store(server, name).await;
        let wrapped = wrap(store.clone());
        let checked = tokio::time::timeout(crate::store::suite::LIMIT, check(&wrapped)).await;
        assert!(checked.is_ok(), "{name} took longer than {:?}", crate::store::suite::LIMIT);
        println!("{name}: ok");
        store.shutdown().await;
    }
}

#[tokio::test]
async fn events_are_kept_as_every_store_keeps_them() {
    let server = Server::start();
    let checks: Vec<Check<Arc<dyn EventStore>>> = store_suite!(list);
    assert!(checks.len() >= 14);
    run(&server, checks, |store| Arc::new(store)).await;
}

#[tokio::test]
async fn tasks_are_kept_as_every_store_keeps_them() {
    let server = Server::start();
    let checks: Vec<Check<Arc<dyn TaskStore>>> = task_suite!(@tasks list ());
    assert!(checks.len() >= 17);
    run(&server, checks, |store| Arc::new(store)).await;
}

#[tokio::test]
async fn queues_are_kept_as_every_store_keeps_them() {
    let server = Server::start();
    let checks: Vec<Check<Arc<dyn TaskStore>>> = task_suite!(@queues list ());
    assert!(checks.len() >= 12);
    run(&server, checks, |store| Arc::new(store)).await;
}

#[tokio::test]
async fn connections_are_encrypted_as_the_url_wants() {
    let server = Server::start();
    let encrypted = async |more: &str| -> Result<bool, Error> {
        let store = connect(&server.url("tls", more)).await?;
        let encrypted = store
            .ask("test", |link| {
                Box::pin(async move {
                    let row = link.first("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await?;
                    Ok(row.unwrap().try_get::<_, bool>(0)?)
                })
            })
            .await;
        store.shutdown().await;
        encrypted
    };
    let authority = format!("{}/src/store/postgres/tests/ca.pem", env!("CARGO_MANIFEST_DIR"));
    assert!(!encrypted("&sslmode=disable").await.unwrap());
    assert!(encrypted("").await.unwrap());
    assert!(encrypted("&sslmode=prefer").await.unwrap());
    assert!(encrypted(&format!("&sslmode=require&sslrootcert={authority}")).await.unwrap());
    // Nobody that this system trusts vouches for the server.
    let error = encrypted("&sslmode=require").await.unwrap_err();
    assert!(matches!(error, Error::Unsafe { .. }) && !error.is_transient(), "{}", error.report());
    assert!(error.report().contains("certificate"), "{}", error.report());
    let error = encrypted("&sslrootcert=/nowhere.pem").await.unwrap_err();
    assert!(error.report().contains("`/nowhere.pem`"), "{}", error.report());
}

#[tokio::test]
async fn errors_say_where_and_never_the_password() {
    let server = Server::start();
    let told = async |url: &str| {
        let options = PgOptions { patience: Duration::from_millis(200), ..options() };
        let error = PgStore::connect(&StoreUrl::new(url), &options).await.err().unwrap();
        let report = error.report();
        for secret in ["s3cret", "wr0ng"] {
            assert!(!report.contains(secret) && !format!("{error:?}").contains(secret), "{report}");
        }
        (error, report)
    };
    let port = server.port();
    let (error, report) = told(&format!("postgres://wakeful:wr0ng@127.0.0.1:{port}/postgres")).await;
    assert!(matches!(error, Error::Refused { .. }) && !error.is_transient(), "{report}");
    assert!(report.contains(&format!("`postgres://wakeful:••••@127.0.0.1:{port}/postgres`")), "{report}");
    let (error, report) = told(&format!("postgres://wakeful:s3cret@127.0.0.1:{port}/nowhere")).await;
    assert!(matches!(error, Error::Refused { .. }) && report.contains("\"nowhere\" does not exist"), "{report}");
    // Nobody listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (error, report) = told(&format!("postgres://wakeful:s3cret@127.0.0.1:{free}/postgres")).await;
    assert!(matches!(error, Error::Away { .. }) && error.is_transient() && report.contains("check that it runs"), "{report}");
}

#[tokio::test]
async fn schemas_that_are_not_ours_are_left_alone() {
    let server = Server::start();
    let sql = |store: &PgStore, sql: &'static str| store.ask("test", move |link| Box::pin(link.simple(sql)));
    let first = store(&server, "ours").await;
    sql(&first, "CREATE SCHEMA theirs; CREATE TABLE theirs.events (a int)").await.unwrap();
    let error = connect(&server.url("theirs", "")).await.err().unwrap();
    assert!(matches!(&error, Error::ForeignSchema { schema, .. } if schema == "theirs"), "{error}");
    // Two logs in one database, and the same log again, over the socket.
    let other = store(&server, "other").await;
    let again = connect(&server.socket_url("ours")).await.unwrap();
    assert!(first.epoch() != other.epoch() && first.epoch() == again.epoch());
    sql(&first, "UPDATE wakeful_meta SET value = '999' WHERE key = 'version'").await.unwrap();
    let error = connect(&server.url("ours", "")).await.err().unwrap();
    assert!(matches!(error, Error::NewerSchema { found: 999, newest: 1, .. }), "{error}");
    for (statement, why) in [
        ("UPDATE events SET body = '{}'", "cannot be changed"),
        ("DELETE FROM events", "cannot be changed or deleted"),
        ("TRUNCATE events", "cannot be changed or deleted"),
        ("INSERT INTO events VALUES (7, 'x', 's', 1, 't', 0, NULL, 1, '{}')", "the next position"),
        ("INSERT INTO events VALUES (1, 'x', 's', 2, 't', 0, NULL, 1, '{}')", "the next version"),
    ] {
        let report = sql(&other, statement).await.unwrap_err().report();
        assert!(report.contains(why), "{statement}: {report}");
    }
    assert_eq!(seqs(&other.append(batch([NewEvent::system(custom("x", 1))])).await.unwrap()), [1]);
}

#[tokio::test]
async fn many_appends_share_commits_and_each_gets_its_own_answer() {
    let server = Server::start();
    let (one, two) = (store(&server, "many").await, store(&server, "many").await);
    let appends = (0..200_u64).map(|number| {
        let store = if number % 2 == 0 { &one } else { &two };
        let mut wanted = batch([NewEvent::system(custom("x", number)), NewEvent::system(custom("y", number))]);
        if number % 10 == 0 {
            // Nobody stands there: refused, and the others of its group are not.
            wanted.expected = vec![(crate::domain::ids::StreamId::system(), 1_000_000)];
        }
        store.append(wanted)
    });
    let outcomes = futures::future::join_all(appends).await;
    let mut positions = Vec::new();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        if number % 10 == 0 {
            assert!(outcome.unwrap_err().is_conflict());
        } else {
            let own = seqs(&outcome.unwrap());
            assert_eq!(own[0] + 1, own[1]);
            positions.extend(own);
        }
    }
    positions.sort_unstable();
    assert_eq!(positions, (1..=360).collect::<Vec<u64>>());
    // A text that the database cannot take fails alone.
    let good = one.append(batch([NewEvent::system(custom("x", 1))]));
    let bad = one.append(batch([NewEvent::of(&crate::store::suite::session("a\0b"), custom("x", 2))]));
    let (good, bad) = tokio::join!(good, bad);
    assert!(good.is_ok() && !bad.unwrap_err().is_transient());
}

#[tokio::test]
async fn two_stores_on_one_database_share_the_tasks_by_its_clock() {
    let server = Server::start();
    let by_database = PgOptions { clock: PgClock::Database, ..options() };
    let url = StoreUrl::new(server.url("shared", ""));
    let (one, two) = (PgStore::connect(&url, &by_database).await.unwrap(), PgStore::connect(&url, &by_database).await.unwrap());
    let (one, two): (Arc<dyn TaskStore>, Arc<dyn TaskStore>) = (Arc::new(one), Arc::new(two));
    for number in 0..60 {
        make(&one, &format!("t{number}"), number).await;
    }
    // Clocks of machines may be wrong: these are a year behind and a year ahead.
    let year = 365 * 86_400_000;
    let wanted = |owner: &str, ms: i64| Claim { lease: Duration::from_mins(5), limit: 7, ..claim(owner, ms) };
    let mut held: Vec<(&str, Claimed)> = Vec::new();
    loop {
        let (first, second) = tokio::join!(one.claim_tasks(wanted("one", -year)), two.claim_tasks(wanted("two", year)));
        let (first, second) = (first.unwrap(), second.unwrap());
        if first.is_empty() && second.is_empty() {
            break;
        }
        held.extend(first.into_iter().map(|claimed| ("one", claimed)));
        held.extend(second.into_iter().map(|claimed| ("two", claimed)));
    }
    let ids: std::collections::BTreeSet<_> = held.iter().map(|(_, claimed)| claimed.work.task_id.clone()).collect();
    assert_eq!((held.len(), ids.len()), (60, 60));
    assert!(["one", "two"].iter().all(|owner| held.iter().any(|(holder, _)| holder == owner)));
    // Both agree until when: the database says so.
    let until: Vec<i64> = held.iter().map(|(_, claimed)| claimed.work.lease_until.unwrap().as_millis()).collect();
    assert!(until.iter().max().unwrap() - until.iter().min().unwrap() < 60_000);
    for (owner, claimed) in &held {
        let (own, other) = if *owner == "one" { (&one, &two) } else { (&two, &one) };
        let stranger = if *owner == "one" { "two" } else { "one" };
        let fence = Fence::Task(claimed.work.task_id.clone(), claimed.work.epoch);
        assert!(own.renew(wanted(owner, 0), fence.clone()).await.unwrap());
        assert!(!other.renew(wanted(stranger, 0), fence).await.unwrap());
        complete(own, &claimed.work, year * 10).await.unwrap();
    }
    let lead = one.lead("scheduler".into(), wanted("one", year)).await.unwrap().unwrap();
    assert_eq!(two.lead("scheduler".into(), wanted("two", 2 * year)).await.unwrap(), None);
    assert_eq!(two.leader("scheduler".into(), at(-year)).await.unwrap(), Some(lead));
}

#[tokio::test]
async fn text_with_strange_characters_is_found() {
    use crate::domain::message::Role;
    use crate::store::suite::{said, session};

    let server = Server::start();
    let store = store(&server, "search").await;
    for (name, text) in [("a", "one\u{0}two three"), ("b", "\\u0000 four"), ("c", "back\\\u{0}\u{0}slash five")] {
        store.append(batch([NewEvent::of(&session(name), said(Role::User, text))])).await.unwrap();
    }
    for (search, expected) in [("three", "a"), ("FOUR", "b"), ("\\u0000 f", "b"), ("five", "c"), ("one\u{0}two", "a")] {
        let found: Vec<_> = store.sessions(Some(search.into()), 10).await.unwrap().into_iter().map(|row| row.id).collect();
        assert_eq!(found, [session(expected)], "{search:?}");
    }
}
