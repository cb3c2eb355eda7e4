//! The log in a database: what a config with `[store] url` gets, from outside.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use wakeful::bus::Recorder;
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::{Custom, EventBody, NewEvent};
use wakeful::domain::ids::Seq;
use wakeful::domain::query::EventFilter;
use wakeful::store::{EventLog, Options, StoreUrl};

#[path = "../../src/store/postgres/tests/server.rs"]
pub mod server;

/// No healthy run comes near it.
const LIMIT: Duration = Duration::from_mins(1);

fn happened(number: u64) -> NewEvent {
    NewEvent::system(EventBody::Custom(Custom { type_name: "x".into(), data: serde_json::json!({ "number": number }) }))
}

async fn connect(url: &str, folder: &Path) -> EventLog {
    let options = Options { url: Some(StoreUrl::new(url)), ..Options::default() };
    EventLog::connect(&options, &folder.join("events.db"), Arc::new(SystemClock)).await.unwrap()
}

#[tokio::test]
async fn a_url_puts_the_log_into_a_database_that_several_share() {
    let server = server::Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (connect(&server.url("team", ""), folder.path()).await, connect(&server.socket_url("team"), folder.path()).await);
    assert_eq!(here.epoch(), there.epoch());
    assert!(!folder.path().join("events.db").exists());
    let mut follower = there.follow(EventFilter::default(), Seq(0));
    for number in 1..=20 {
        let from = if number % 2 == 0 { &here } else { &there };
        from.record(vec![happened(number)]).await.unwrap();
        let next = tokio::time::timeout(LIMIT, follower.next()).await.unwrap().unwrap();
        assert_eq!(next.seq, Some(Seq(number)));
    }
    here.shutdown().await;
    there.shutdown().await;
    let again = connect(&server.url("team", ""), folder.path()).await;
    assert_eq!(again.head().await.unwrap(), Seq(20));
    again.shutdown().await;
}
