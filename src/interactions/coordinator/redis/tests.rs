//! The consumer and the transport together, over a real server.

use std::time::Duration;

use super::*;
use crate::interactions::testing::{LIMIT, RedisServer, intake, record, sent, stored, until};
use crate::interactions::transport::redis::Redis;
use crate::interactions::transport::{Settled, Transport, Verdict};

fn options(server: &RedisServer) -> StreamOptions {
    StreamOptions { url: server.url().into(), stream: "reports".to_owned(), group: "coordinators".to_owned(), cap: 10_000 }
}

struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    counts: Arc<Counts>,
}

fn run(server: &RedisServer, name: &str, intake: &Arc<Intake>) -> Running {
    let (stop, counts) = (CancellationToken::new(), Arc::new(Counts::default()));
    let consumer = Consumer::new(options(server), name.to_owned(), Arc::clone(intake), Arc::clone(&counts));
    let task = tokio::spawn(consumer.run(stop.clone()));
    Running { stop, task, counts }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap();
    }
}

async fn ask<T: redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let mut connection = redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(&mut connection).await.unwrap()
}

async fn send(transport: &Redis, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut handles = Vec::new();
    for part in sent(numbers).chunks(100) {
        for verdict in transport.send(part).await.unwrap() {
            let Verdict::Handed(handle) = verdict else { panic!("{verdict:?}") };
            handles.push(handle);
        }
    }
    handles
}

#[tokio::test]
async fn what_is_sent_is_stored_in_order_told_and_trimmed() {
    let (server, folder) = (RedisServer::start(None), tempfile::tempdir().unwrap());
    let (transport, intake) = (Redis::new(options(&server)), intake(folder.path()));
    // Sent before and after there is a coordinator; a part twice, by a reporter that did not hear of the first time.
    let mut handles = send(&transport, 0..1_500).await;
    let running = run(&server, "one", &intake);
    handles.extend(send(&transport, 1_400..3_000).await);
    until("all are stored", async || transport.settled(&handles).await.unwrap().iter().all(|settled| *settled == Settled::Stored)).await;
    let wanted: Vec<String> = (0..3_000).map(|number| record(number).record_id.to_string()).collect();
    assert_eq!(stored(&intake).await, wanted);
    assert_eq!(running.counts.now(), (3_100, 3_000, 0, 0));
    until("what was stored is trimmed", async || ask::<usize>(&server, &["XLEN", "reports"]).await <= 200).await;
    assert!(transport.settled(&handles).await.unwrap().iter().all(|settled| *settled == Settled::Stored));
    running.end().await;
}

#[tokio::test]
async fn what_is_no_record_is_kept_aside_and_holds_up_nobody() {
    let (server, folder) = (RedisServer::start(None), tempfile::tempdir().unwrap());
    let (transport, intake) = (Redis::new(options(&server)), intake(folder.path()));
    let _: String = ask(&server, &["XADD", "reports", "*", "data", "{\"action\": \"dance\"}"]).await;
    let _: String = ask(&server, &["XADD", "reports", "*", "something", "else"]).await;
    let handles = send(&transport, 0..2).await;
    let running = run(&server, "one", &intake);
    until("the records are stored", async || transport.settled(&handles).await.unwrap() == [Settled::Stored; 2]).await;
    let kept: redis::streams::StreamRangeReply = ask(&server, &["XRANGE", "reports:refused", "-", "+"]).await;
    let told: Vec<String> = kept.ids.iter().map(|entry| entry.get("problem").unwrap()).collect();
    assert!(told.len() == 2 && told[0].contains("`action`") && told[1].contains("no field `data`"), "{told:?}");
    assert_eq!(running.counts.now().2, 2);
    running.end().await;
}

#[tokio::test]
async fn a_consumer_that_comes_back_does_first_what_it_left() {
    let (server, folder) = (RedisServer::start(None), tempfile::tempdir().unwrap());
    let (transport, intake) = (Redis::new(options(&server)), intake(folder.path()));
    let handles = send(&transport, 0..300).await;
    // It read a part, and died before it stored anything.
    let _: () = ask(&server, &["XGROUP", "CREATE", "reports", "coordinators", "0"]).await;
    let _: redis::Value = ask(&server, &["XREADGROUP", "GROUP", "coordinators", "one", "COUNT", "150", "STREAMS", "reports", ">"]).await;
    let running = run(&server, "one", &intake);
    until("all are stored", async || transport.settled(&handles).await.unwrap().iter().all(|settled| *settled == Settled::Stored)).await;
    assert_eq!(stored(&intake).await.len(), 300);
    running.end().await;
}

#[tokio::test]
async fn what_a_dead_consumer_held_is_claimed_by_another() {
    let (server, folder) = (RedisServer::start(None), tempfile::tempdir().unwrap());
    let (transport, intake) = (Redis::new(options(&server)), intake(folder.path()));
    let handles = send(&transport, 0..250).await;
    let _: () = ask(&server, &["XGROUP", "CREATE", "reports", "coordinators", "0"]).await;
    let _: redis::Value = ask(&server, &["XREADGROUP", "GROUP", "coordinators", "dead", "COUNT", "250", "STREAMS", "reports", ">"]).await;
    // Held for longer than a consumer may be silent.
    let mut claim = vec!["XCLAIM", "reports", "coordinators", "dead", "0"];
    claim.extend(handles.iter().map(String::as_str));
    claim.extend(["IDLE", "120000"]);
    let _: redis::Value = ask(&server, &claim).await;
    let consumer = Consumer::new(options(&server), "two".to_owned(), Arc::clone(&intake), Arc::default());
    let stop = CancellationToken::new();
    consumer.link.run(async |connection| consumer.make_group(connection).await).await.unwrap();
    consumer.claim(&stop).await.unwrap();
    assert_eq!(transport.settled(&handles).await.unwrap(), vec![Settled::Stored; 250]);
    assert_eq!(stored(&intake).await.len(), 250);
}

#[tokio::test]
async fn a_server_that_went_away_is_found_again() {
    let (server, folder) = (RedisServer::start(None), tempfile::tempdir().unwrap());
    let (transport, intake) = (Redis::new(options(&server)), intake(folder.path()));
    let running = run(&server, "one", &intake);
    let handles = send(&transport, 0..10).await;
    until("the first are stored", async || transport.settled(&handles).await.unwrap() == [Settled::Stored; 10]).await;
    let port = server.port;
    drop(server);
    until("the loss is noticed", async || running.counts.now().3 > 0).await;
    let _again = RedisServer::start(Some(port));
    // Redis has forgotten everything: what was not confirmed is lost and sent again.
    until("it can be reached", async || transport.probe().await.is_ok()).await;
    let handles = send(&transport, 5..20).await;
    until("all are stored", async || transport.settled(&handles).await.is_ok_and(|settled| settled == [Settled::Stored; 15])).await;
    assert_eq!(stored(&intake).await.len(), 20);
    tokio::time::timeout(Duration::from_secs(30), running.end()).await.unwrap();
}
