//! What happens when the server dies, hangs or ends connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;

use crate::domain::event::NewEvent;
use crate::domain::ids::{Seq, StreamId};
use crate::domain::query::EventFilter;
use crate::store::postgres::link::values;
use crate::store::postgres::tests::server::Server;
use crate::store::postgres::tests::{options, store};
use crate::store::suite::{batch, custom, seqs, session};
use crate::store::{Error, EventStore, PgOptions, PgStore, StoreUrl};

/// Rounds of killing the server during appends.
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_and_nothing_is_there_twice() {
    let mut server = Server::start();
    let store = store(&server, "kills").await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    store.on_commit(Arc::new(move |events| sink.lock().unwrap().extend(seqs(events))));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (store, stopped) = (store.clone(), stopped.clone());
            tokio::spawn(async move {
                let id = session(&format!("w{writer}"));
                let (mut answered, mut number) = (BTreeMap::new(), 0_u64);
                while !*stopped.borrow() {
                    // The version is the number: a batch that was written twice would be refused, one that was lost too.
                    let mut next = batch([NewEvent::of(&id, custom("x", number))]);
                    next.expected = vec![(StreamId::session(&id), number)];
                    match store.append(next).await {
                        Ok(events) => {
                            answered.insert(number, seqs(&events)[0]);
                            number += 1;
                        }
                        Err(error) => assert!(error.is_transient(), "{}", error.report()),
                    }
                }
                (id, answered)
            })
        })
        .collect();
    for _ in 0..KILLS {
        let before = store.head().await.unwrap();
        // Some work between the kills, however fast the machine is.
        let mut heads = store.heads();
        while heads.next().await.unwrap().unwrap().0 < before.0 + 40 {}
        server.kill();
        server.start_again();
    }
    stop.send(true).unwrap();
    let mut total = 0;
    for writer in writers {
        let (id, answered) = writer.await.unwrap();
        let stored = store.events(EventFilter { session: Some(id), ..EventFilter::default() }).await.unwrap();
        assert_eq!(seqs(&stored), answered.values().copied().collect::<Vec<_>>());
        total += stored.len();
    }
    assert!(total >= 40 * KILLS);
    assert_eq!(*heard.lock().unwrap(), (1..=total as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_outage_is_an_error_that_passes() {
    let mut server = Server::start();
    let options = PgOptions { patience: Duration::from_millis(300), ..options() };
    let store = PgStore::connect(&StoreUrl::new(server.url("outage", "")), &options).await.unwrap();
    store.append(batch([NewEvent::system(custom("x", 1))])).await.unwrap();
    let mut heads = store.heads();
    assert_eq!(heads.next().await.unwrap().unwrap(), Seq(1));
    server.kill();
    for error in [
        store.append(batch([NewEvent::system(custom("x", 2))])).await.unwrap_err(),
        store.head().await.unwrap_err(),
        store.rebuild().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Away { .. }) && error.is_transient(), "{}", error.report());
        assert!(!error.report().contains("s3cret"));
    }
    server.start_again();
    let again = crate::store::suite::LIMIT;
    let appended = tokio::time::timeout(again, async {
        loop {
            match store.append(batch([NewEvent::system(custom("x", 3))])).await {
                Ok(events) => break events,
                Err(error) => assert!(error.is_transient(), "{}", error.report()),
            }
        }
    });
    assert_eq!(seqs(&appended.await.unwrap()), [2]);
    assert_eq!(tokio::time::timeout(again, heads.next()).await.unwrap().unwrap().unwrap(), Seq(2));
    store.shutdown().await;
}

#[tokio::test]
async fn a_commit_that_did_not_happen_is_tried_again() {
    let server = Server::start();
    let store = store(&server, "doubt").await;
    let sql = |sql: &'static str| store.ask("test", move |link| Box::pin(link.simple(sql)));
    // A trigger that runs at the very end of the commit and ends the connection: the events are not there.
    sql("CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'cut_done') THEN
                 PERFORM pg_terminate_backend(pg_backend_pid());
             END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();")
    .await
    .unwrap();
    let error = store.append(batch([NewEvent::system(custom("x", 1))])).await.unwrap_err();
    assert!(error.is_transient(), "{}", error.report());
    assert_eq!(store.head().await.unwrap(), Seq(0));
    // Now it goes through, however often the connection was cut before.
    sql("CREATE TABLE cut_done ()").await.unwrap();
    assert_eq!(seqs(&store.append(batch([NewEvent::system(custom("x", 1))])).await.unwrap()), [1]);
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_and_then_reported() {
    let server = Server::start();
    let options = PgOptions { patience: Duration::from_millis(300), ..options() };
    let url = StoreUrl::new(server.url("frozen", "&connect_timeout=1"));
    let store = PgStore::connect(&url, &options).await.unwrap();
    store.shutdown().await;
    server.freeze(true);
    let error = PgStore::connect(&url, &options).await.err().unwrap();
    server.freeze(false);
    assert!(error.is_transient(), "{}", error.report());
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_looked_for() {
    let server = Server::start();
    let (port, cut) = cutting_proxy(server.port()).await;
    let url = server.url("lost", "&sslmode=disable").replace(&format!(":{}/", server.port()), &format!(":{port}/"));
    let store = PgStore::connect(&StoreUrl::new(url), &options()).await.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    store.on_commit(Arc::new(move |events| sink.lock().unwrap().extend(seqs(events))));
    store.append(batch([NewEvent::system(custom("before", 1))])).await.unwrap();
    let appended = store.append(batch([NewEvent::system(custom(MARKER, 2))])).await.unwrap();
    assert_eq!(seqs(&appended), [2]);
    assert_eq!(cut.await.unwrap(), 1, "the answer of one commit was swallowed");
    store.append(batch([NewEvent::system(custom("after", 3))])).await.unwrap();
    let all = store.events(EventFilter::default()).await.unwrap();
    assert_eq!((seqs(&all), heard.lock().unwrap().clone()), (vec![1, 2, 3], vec![1, 2, 3]));
    store.shutdown().await;
}

/// What the proxy waits for on its way to the server.
const MARKER: &str = "cut-after-this-commit";

/// Hands everything on, until the marker passes to the server: the answers to that are swallowed up to the one that says
/// that the transaction is over, then the connection is cut. Once; after that it only hands on.
async fn cutting_proxy(server: u16) -> (u16, tokio::sync::oneshot::Receiver<usize>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let tell = Arc::clone(&tell);
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (mut up, mut down) = ([0_u8; 4_096], [0_u8; 4_096]);
                let (mut sent, mut swallowed) = (Vec::new(), None::<Vec<u8>>);
                loop {
                    tokio::select! {
                        read = client.read(&mut up) => {
                            let Ok(count @ 1..) = read else { return };
                            sent.extend_from_slice(&up[..count]);
                            let passed = sent.windows(MARKER.len()).any(|part| part == MARKER.as_bytes());
                            if passed && swallowed.is_none() && tell.lock().unwrap().is_some() {
                                swallowed = Some(Vec::new());
                            }
                            upstream.write_all(&up[..count]).await.unwrap();
                        }
                        read = upstream.read(&mut down) => {
                            let Ok(count @ 1..) = read else { return };
                            let Some(answers) = &mut swallowed else {
                                if client.write_all(&down[..count]).await.is_err() { return }
                                continue;
                            };
                            answers.extend_from_slice(&down[..count]);
                            // `ReadyForQuery`, and no transaction is open.
                            if answers.windows(6).any(|part| part == b"Z\0\0\0\x05I") {
                                if let Some(tell) = tell.lock().unwrap().take() {
                                    tell.send(1).unwrap();
                                }
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
    (port, told)
}

// Found by killing processes: a fresh connection whose first group was large never got an answer again.
#[tokio::test]
async fn long_answers_that_nobody_has_read_do_not_hold_up_a_statement_that_is_new() {
    let server = Server::start();
    let store = store(&server, "pipeline").await;
    let long = "SELECT repeat('x', 1000) FROM generate_series(1, 20000)";
    let asked = store.ask("test", move |link| {
        Box::pin(async move {
            let mut pipeline = link.pipeline();
            pipeline.send(long, values![]).await;
            pipeline.send(long, values![]).await;
            pipeline.send("SELECT 'new to this connection'", values![]).await;
            Ok(pipeline.finish().await?.iter().map(Vec::len).collect::<Vec<_>>())
        })
    });
    let lengths = tokio::time::timeout(Duration::from_secs(20), asked).await;
    assert_eq!(lengths.expect("the connection stands still").unwrap(), [20_000, 20_000, 1]);
    store.shutdown().await;
}
