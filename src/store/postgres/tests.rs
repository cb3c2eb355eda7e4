//! The store on a real server: the suites of every store, outages, and what only this store has.

mod outage;
mod server;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::NewEvent;
use crate::store::postgres::tests::server::Server;
use crate::store::suite::{Check, batch, custom, seqs, store_suite};
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
    assert!(!error.is_transient() && error.report().contains("certificate"), "{}", error.report());
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
