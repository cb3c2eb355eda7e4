//! The queue: order, bounds, dead letters, restarts.

use super::*;

fn at(ms: i64) -> Instant {
    Instant::from_millis(ms)
}

fn row(id: &str, interaction: &str) -> NewRow {
    NewRow { record_id: id.to_owned(), interaction_id: interaction.to_owned(), data: format!("{{\"id\":\"{id}\"}}") }
}

fn spool(folder: &tempfile::TempDir, options: Options) -> Spool {
    Spool::open(&folder.path().join("deep").join("queue.db"), options).unwrap()
}

async fn ids(spool: &Spool, now: i64) -> Vec<String> {
    let page = spool.next(0, 100, 1 << 20, at(now)).await.unwrap();
    page.rows
        .into_iter()
        .map(|row| serde_json::from_str::<serde_json::Value>(&row.data).unwrap()["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn rows_and_the_place_in_the_log_survive_together() {
    let folder = tempfile::tempdir().unwrap();
    let mark = Mark { epoch: "e".into(), seq: 9, fold: "{}".into() };
    {
        let spool = spool(&folder, Options::default());
        assert_eq!(spool.mark().await.unwrap(), None);
        assert_eq!(spool.put(vec![row("1", "a"), row("2", "a"), row("1", "a")], Some(mark.clone()), at(1)).await.unwrap(), 2);
    }
    let spool = spool(&folder, Options::default());
    assert_eq!(spool.mark().await.unwrap(), Some(mark));
    assert_eq!(ids(&spool, 2).await, ["1", "2"]);
    assert_eq!(spool.salt([7; 32]).await.unwrap(), spool.salt([8; 32]).await.unwrap());
    spool.forget_mark().await.unwrap();
    assert_eq!(spool.mark().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_delivered_does_not_come_back_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options::default());
    spool.put(vec![row("1", "a"), row("2", "b")], None, at(1)).await.unwrap();
    spool.settle(vec![(1, Outcome::Stored), (99, Outcome::Stored)], "http", at(5)).await.unwrap();
    assert_eq!(spool.put(vec![row("1", "a")], None, at(6)).await.unwrap(), 0);
    let totals = spool.totals().await.unwrap();
    assert_eq!((totals.waiting, totals.delivered, totals.delivered_ever), (1, 1, 1));
    let week = i64::try_from(DAY.as_millis()).unwrap() * 7;
    assert_eq!(spool.clean(at(5 + week)).await.unwrap().forgotten, 0);
    assert_eq!(spool.clean(at(6 + week)).await.unwrap().forgotten, 1);
    assert_eq!(spool.totals().await.unwrap().delivered, 0);
    assert_eq!(spool.totals().await.unwrap().delivered_ever, 1);
}

#[tokio::test]
async fn order_is_kept_within_an_interaction_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options::default());
    spool.put(["a1", "b1", "a2", "b2"].map(|id| row(id, &id[..1])).to_vec(), None, at(1)).await.unwrap();
    let refused = Outcome::Refused { next: at(100), reason: "no".into() };
    spool.settle(vec![(1, refused)], "http", at(2)).await.unwrap();
    assert_eq!(ids(&spool, 99).await, ["b1", "b2"]);
    assert_eq!(ids(&spool, 100).await, ["a1", "b1", "a2", "b2"]);
    spool.settle(vec![(2, Outcome::Handed("h".into()))], "redis", at(3)).await.unwrap();
    let page = spool.next(0, 100, 1 << 20, at(99)).await.unwrap();
    assert!(page.rows.is_empty(), "b2 waits for b1, which may be lost where it lies");
    assert_eq!((page.blocked, page.next_at), (Some(3), Some(at(100))));
    let handed = spool.handed("redis", 0, 10).await.unwrap();
    assert_eq!(handed, [Handed { number: 2, handle: "h".into(), since: at(3) }]);
    spool.settle(vec![(2, Outcome::Lost)], "redis", at(4)).await.unwrap();
    assert_eq!(ids(&spool, 99).await, ["b1", "b2"]);
    assert_eq!((spool.totals().await.unwrap().handed, spool.totals().await.unwrap().refused), (0, 1));
    assert_eq!(spool.hurry().await.unwrap(), 1);
    assert_eq!(ids(&spool, 5).await, ["a1", "b1", "a2", "b2"]);
}

#[tokio::test]
async fn pages_are_bounded_by_rows_and_by_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options::default());
    spool.put((0..10).map(|number| row(&format!("{number}"), "a")).collect(), None, at(1)).await.unwrap();
    let length = |page: Page| page.rows.len();
    assert_eq!(length(spool.next(0, 4, 1 << 20, at(1)).await.unwrap()), 4);
    assert_eq!(length(spool.next(8, 4, 1 << 20, at(1)).await.unwrap()), 2);
    assert_eq!(length(spool.next(0, 10, 20, at(1)).await.unwrap()), 2);
    assert_eq!(length(spool.next(0, 10, 1, at(1)).await.unwrap()), 1, "one comes whatever its length");
}

#[tokio::test]
async fn dead_letters_are_told_resent_and_never_lost_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options { bytes_max: 40, ..Options::default() });
    spool.put(vec![row("1", "a"), row("2", "a"), row("3", "a")], None, at(1)).await.unwrap();
    let dead = |number| (number, Outcome::Dead { reason: "422: no".into() });
    spool.settle(vec![dead(1), dead(2), dead(3)], "http", at(2)).await.unwrap();
    assert_eq!(spool.clean(at(3)).await.unwrap().dropped, 0, "nobody has seen them");
    assert_eq!(spool.totals().await.unwrap().dead_unseen, 3);
    let seen = spool.dead(0, 2, true).await.unwrap();
    assert_eq!(
        seen.iter().map(|letter| (letter.record_id.as_str(), letter.reason.as_str(), letter.refusals)).collect::<Vec<_>>(),
        [("1", "422: no", 1), ("2", "422: no", 1)]
    );
    assert_eq!(spool.clean(at(3)).await.unwrap().dropped, 1);
    let totals = spool.totals().await.unwrap();
    assert_eq!((totals.dead, totals.dead_unseen, totals.dropped), (2, 1, 1));
    assert_eq!(spool.resend(Some(vec![2, 77]), at(4)).await.unwrap(), 1);
    assert_eq!(spool.resend(None, at(4)).await.unwrap(), 1);
    assert_eq!(ids(&spool, 5).await, ["2", "3"]);
    assert_eq!(spool.totals().await.unwrap().dead_bytes, 0);
}

#[tokio::test]
async fn a_full_queue_takes_nothing_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options { bytes_max: 25, ..Options::default() });
    let mark = |seq| Some(Mark { epoch: "e".into(), seq, fold: String::new() });
    spool.put(vec![row("1", "a"), row("2", "a")], mark(1), at(1)).await.unwrap();
    assert!(matches!(spool.put(vec![row("3", "a")], mark(2), at(1)).await, Err(Error::Full { .. })));
    assert_eq!(spool.mark().await.unwrap().unwrap().seq, 1, "the log is read again from there");
    spool.settle(vec![(1, Outcome::Stored)], "http", at(2)).await.unwrap();
    assert_eq!(spool.put(vec![row("3", "a")], mark(2), at(3)).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_too_old_becomes_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options { age_max: DAY, ..Options::default() });
    spool.put(vec![row("1", "a"), row("2", "b")], None, at(1)).await.unwrap();
    spool.settle(vec![(2, Outcome::Handed("h".into()))], "redis", at(1)).await.unwrap();
    let day = i64::try_from(DAY.as_millis()).unwrap();
    assert_eq!(spool.clean(at(1 + day)).await.unwrap().expired, 0);
    assert_eq!(spool.clean(at(2 + day)).await.unwrap().expired, 1, "what was handed over may have arrived");
    assert_eq!(spool.dead(0, 9, false).await.unwrap()[0].reason, "could not be delivered within 1 days");
    assert_eq!(spool.totals().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn handed_rows_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options::default());
    spool.put(vec![row("1", "a"), row("2", "b"), row("3", "c")], None, at(1)).await.unwrap();
    spool.settle(vec![(1, Outcome::Handed("x".into()))], "redis", at(5)).await.unwrap();
    spool.settle(vec![(2, Outcome::Handed("y".into()))], "database", at(9)).await.unwrap();
    assert_eq!(spool.take_back(Some("database"), Vec::new(), at(9)).await.unwrap(), 0);
    assert_eq!(spool.take_back(None, vec!["database"], at(100)).await.unwrap(), 1);
    assert_eq!(ids(&spool, 10).await, ["1", "3"]);
    assert_eq!(spool.totals().await.unwrap().handed, 1);
}

#[tokio::test]
async fn one_process_sends() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (spool(&folder, Options::default()), spool(&folder, Options::default()));
    let lead = one.lead().unwrap();
    assert!(lead.is_some() && other.lead().unwrap().is_none());
    drop(lead);
    assert!(other.lead().unwrap().is_some());
}

#[test]
fn another_program_s_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("interaction_cache.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE failed_interactions (id INTEGER, data TEXT)").unwrap();
    assert!(matches!(Spool::open(&path, Options::default()), Err(Error::Foreign { .. })));
    let path = folder.path().join("newer.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(Spool::open(&path, Options::default()), Err(Error::Newer { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owner_s_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(&folder, Options::default());
    let _lead = spool.lead().unwrap();
    for path in [spool.path().to_owned(), spool.path().with_extension("lock")] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
