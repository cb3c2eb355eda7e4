//! Options, and the poller over a real file.

use super::*;
use crate::interactions::testing::{intake, record, records, stored, until};
use crate::store::interaction_logs::{ExchangeUrl, Fate, Row};

fn rows(numbers: std::ops::Range<usize>) -> Vec<Row> {
    let row = |record: crate::domain::interaction::InteractionRecord| Row {
        record_id: record.record_id.to_string(),
        mcp_id: record.mcp_id.clone(),
        interaction_id: record.interaction_id.to_string(),
        timestamp: 1.5,
        data: record.to_json().to_string(),
    };
    records(numbers).into_iter().map(row).collect()
}

fn poller(table: &Exchange, intake: &Arc<Intake>) -> Poller {
    Poller {
        table: table.clone(),
        place: "here".to_owned(),
        every: Duration::from_millis(20),
        kept: None,
        intake: Arc::clone(intake),
        counts: Arc::default(),
    }
}

#[tokio::test]
async fn the_table_is_emptied_page_by_page_and_bad_rows_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let table = Exchange::new(&ExchangeUrl::new(folder.path().join("logs.db").to_str().unwrap())).unwrap();
    table.insert(&rows(0..1_200)).await.unwrap();
    let bad = |id: &str, data: &str| Row { record_id: id.to_owned(), data: data.to_owned(), ..rows(0..1).remove(0) };
    table.insert(&[bad("bad", "{}"), bad("other", &record(5_000).to_json().to_string())]).await.unwrap();
    let poller = poller(&table, &intake);
    assert_eq!((poller.poll().await, poller.poll().await, poller.poll().await), (Ok(true), Ok(false), Ok(false)));
    assert_eq!(stored(&intake).await, (0..1_200).map(|number| record(number).record_id.to_string()).collect::<Vec<_>>());
    let ids: Vec<String> = ["r-000000", "r-001199", "bad", "other", "nobody"].map(str::to_owned).to_vec();
    assert_eq!(table.settled(&ids).await.unwrap(), [Fate::Processed, Fate::Processed, Fate::Waiting, Fate::Waiting, Fate::Missing]);
    assert_eq!(poller.counts.now(), (1_200, 1_200, 2, 0));
}

#[tokio::test]
async fn two_pollers_on_one_table_store_each_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let table = Exchange::new(&ExchangeUrl::new(folder.path().join("logs.db").to_str().unwrap())).unwrap();
    let stop = CancellationToken::new();
    let running = [poller(&table, &intake), poller(&table, &intake)].map(|poller| tokio::spawn(poller.run(stop.clone())));
    for from in (0..2_000).step_by(100) {
        table.insert(&rows(from..from + 100)).await.unwrap();
    }
    until("all are stored", async || stored(&intake).await.len() == 2_000).await;
    stop.cancel();
    for task in running {
        task.await.unwrap();
    }
}

#[test]
fn options_that_do_not_fit_are_named() {
    let read = |text: &str| toml::from_str::<Options>(text).unwrap();
    assert_eq!(Options::default().problem(), None);
    assert!(!Options::default().has_ways());
    for (text, said) in [
        ("queue_mib = 0", "`queue_mib`"),
        ("database_poll_ms = 1", "`database_poll_ms`"),
        ("retention_days = 99999", "`retention_days`"),
        ("redis_stream = ''", "`redis_stream`"),
        ("redis_group = 'a b'", "`redis_group`"),
        ("database_url = 'ftp://x'", "`database_url`"),
    ] {
        let problem = read(text).problem().unwrap();
        assert!(problem.contains(said), "{problem}");
    }
    let secret = read("redis_url = 'redis://:s3cret@x/0'\ndatabase_url = 'mysql://a:s3cret@x/y'\nurl = 'postgres://a:s3cret@x/y'");
    assert!(!format!("{secret:?}").contains("s3cret") && !toml::to_string(&secret).unwrap().contains("s3cret"));
    assert!(secret.has_ways());
}

#[tokio::test]
async fn an_address_that_others_reach_takes_keys() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let options = Options { grpc_listen: Some(SocketAddr::from(([0, 0, 0, 0], 0))), ..Options::default() };
    let stop = CancellationToken::new();
    let refused = Ways::open(&options, None, &intake, &stop).await.unwrap_err();
    assert!(refused.contains("wakeful coordinator keys add"), "{refused}");
    intake.add_key("me").await.unwrap();
    // What was read of the keys is believed for a second.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let ways = Ways::open(&options, None, &intake, &stop).await.unwrap();
    assert!(ways.grpc.is_some());
    stop.cancel();
    ways.ended().await;
}
