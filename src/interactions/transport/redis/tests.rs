//! The transport against a real server; who reads the stream is played by hand.

use super::*;
use crate::interactions::testing::{RedisServer, record, sent};

fn options(server: &RedisServer, cap: usize) -> StreamOptions {
    StreamOptions { url: server.url().into(), stream: "reports".to_owned(), group: "coordinators".to_owned(), cap }
}

async fn ask<T: redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let mut connection = redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(&mut connection).await.unwrap()
}

fn handles(verdicts: Vec<Verdict>) -> Vec<String> {
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Handed(handle) => handle,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn an_entry_is_stored_once_the_group_has_acknowledged_it() {
    let server = RedisServer::start(None);
    let transport = Redis::new(options(&server, 1_000));
    transport.probe().await.unwrap();
    let ids = handles(transport.send(&sent(0..3)).await.unwrap());
    let entry: StreamRangeReply = ask(&server, &["XRANGE", "reports", &ids[0], &ids[0]]).await;
    let data: String = entry.ids[0].get("data").unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&data).unwrap(), record(0).to_json());
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Waiting; 3]);
    let _: () = ask(&server, &["XGROUP", "CREATE", "reports", "coordinators", "0"]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Waiting; 3]);
    let _: redis::Value = ask(&server, &["XREADGROUP", "GROUP", "coordinators", "one", "COUNT", "2", "STREAMS", "reports", ">"]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Waiting; 3]);
    let _: usize = ask(&server, &["XACK", "reports", "coordinators", &ids[0]]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Stored, Settled::Waiting, Settled::Waiting]);
    // The coordinator tells nothing of its own: what it had and trimmed counts.
    let _: usize = ask(&server, &["XTRIM", "reports", "MINID", "=", &ids[1]]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Stored, Settled::Waiting, Settled::Waiting]);
    let strange = ["nonsense".to_owned(), ids[2].clone()];
    assert_eq!(transport.settled(&strange).await.unwrap(), [Settled::Lost, Settled::Waiting]);
}

#[tokio::test]
async fn what_was_trimmed_unread_is_lost() {
    let server = RedisServer::start(None);
    let transport = Redis::new(options(&server, 1_000));
    let ids = handles(transport.send(&sent(0..3)).await.unwrap());
    let _: usize = ask(&server, &["XTRIM", "reports", "MAXLEN", "=", "1"]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Lost, Settled::Lost, Settled::Waiting]);
    let _: () = ask(&server, &["DEL", "reports"]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Lost; 3]);
}

#[tokio::test]
async fn what_a_coordinator_tells_decides_where_it_tells() {
    let server = RedisServer::start(None);
    let transport = Redis::new(options(&server, 1_000));
    let _: String = ask(&server, &["XADD", "reports:stored:coordinators", "*", "data", ""]).await;
    let _: () = ask(&server, &["XGROUP", "CREATE", "reports", "coordinators", "0", "MKSTREAM"]).await;
    let ids = handles(transport.send(&sent(0..3)).await.unwrap());
    // Somebody trims the first two before they are read; the group goes beyond them.
    let _: usize = ask(&server, &["XTRIM", "reports", "MINID", "=", &ids[2]]).await;
    let _: redis::Value = ask(&server, &["XREADGROUP", "GROUP", "coordinators", "one", "COUNT", "9", "STREAMS", "reports", ">"]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Lost, Settled::Lost, Settled::Waiting]);
    let told = format!("{} {}", ids[1], ids[2]);
    let _: String = ask(&server, &["XADD", "reports:stored:coordinators", "*", "data", &told]).await;
    let _: usize = ask(&server, &["XACK", "reports", "coordinators", &ids[2]]).await;
    let _: usize = ask(&server, &["XTRIM", "reports", "MAXLEN", "=", "0"]).await;
    assert_eq!(transport.settled(&ids).await.unwrap(), [Settled::Lost, Settled::Stored, Settled::Stored]);
    // Also to one that asks for the first time.
    assert_eq!(Redis::new(options(&server, 1_000)).settled(&ids).await.unwrap(), [Settled::Lost, Settled::Stored, Settled::Stored]);
}

#[tokio::test]
async fn nothing_is_added_while_too_much_is_unread() {
    let server = RedisServer::start(None);
    let transport = Redis::new(options(&server, 1_000));
    let mut sent = 0;
    let full = loop {
        match transport.send(&crate::interactions::testing::sent(sent..sent + 50)).await {
            Ok(_) => sent += 50,
            Err(trouble) => break trouble,
        }
        assert!(sent <= 1_000);
    };
    assert!(matches!(full, Trouble::Busy { .. }), "{full:?}");
    assert_eq!((sent, ask::<usize>(&server, &["XLEN", "reports"]).await), (800, 800));
    // A coordinator that reads and never trims makes room too.
    let _: () = ask(&server, &["XGROUP", "CREATE", "reports", "coordinators", "0"]).await;
    let _: redis::Value =
        ask(&server, &["XREADGROUP", "GROUP", "coordinators", "one", "COUNT", "500", "NOACK", "STREAMS", "reports", ">"]).await;
    assert_eq!(transport.send(&crate::interactions::testing::sent(800..850)).await.unwrap().len(), 50);
}

#[tokio::test]
async fn troubles_are_told_apart_and_hold_no_password() {
    let server = RedisServer::start(None);
    let with = |url: String| Redis::new(StreamOptions { url: url.into(), ..options(&server, 1_000) });
    let wrong = with(format!("redis://:wr0ng@127.0.0.1:{}/0", server.port)).probe().await.unwrap_err();
    assert!(matches!(wrong, Trouble::Key(_)) && !wrong.to_string().contains("wr0ng"), "{wrong:?}");
    let bad = with("http://:wr0ng@127.0.0.1/0".to_owned()).probe().await.unwrap_err();
    assert!(matches!(bad, Trouble::Config(_)) && !bad.to_string().contains("wr0ng"), "{bad:?}");
    let _: () = ask(&server, &["SET", "reports", "x"]).await;
    let other = with(server.url()).probe().await.unwrap_err();
    assert!(matches!(other, Trouble::Config(_)), "{other:?}");
    let (port, transport) = (server.port, with(server.url()));
    drop(server);
    assert!(matches!(transport.send(&sent(0..1)).await, Err(Trouble::Unreachable(_))));
    let _again = RedisServer::start(Some(port));
    assert_eq!(transport.send(&sent(0..1)).await.unwrap().len(), 1);
}
