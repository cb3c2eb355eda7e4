//! The table in real databases.

use super::*;

pub(super) fn entry(id: &str) -> Entry {
    Entry {
        record_id: id.to_owned(),
        mcp_id: "m".to_owned(),
        interaction_id: "int_1_00000000".to_owned(),
        timestamp: 1.5,
        data: r#"{"a": "ö \u0000 \\ '"}"#.to_owned(),
    }
}

/// What every kind of database must do; `confirm` stands for the coordinator.
pub(super) async fn suite<F: Future<Output = ()>>(table: &dyn Exchange, confirm: impl Fn(&'static str) -> F) {
    table.check().await.unwrap();
    table.insert(&[entry("1"), entry("2")]).await.unwrap();
    table.insert(&[entry("2"), entry("3")]).await.unwrap();
    let ids = ["3", "1", "none", "2"].map(str::to_owned);
    assert_eq!(table.progress(&ids).await.unwrap(), [Progress::Waiting, Progress::Waiting, Progress::Missing, Progress::Waiting]);
    confirm("1").await;
    assert_eq!(table.progress(&ids[..2]).await.unwrap(), [Progress::Waiting, Progress::Processed]);
    assert_eq!(table.clean("m", 1.0).await.unwrap(), 0);
    assert_eq!(table.clean("other", 2.0).await.unwrap(), 0);
    assert_eq!(table.clean("m", 2.0).await.unwrap(), 1);
    assert_eq!(table.progress(&ids).await.unwrap(), [Progress::Waiting, Progress::Missing, Progress::Missing, Progress::Waiting]);
    table.insert(&(0..100).map(|number| entry(&format!("more-{number}"))).collect::<Vec<_>>()).await.unwrap();
}

#[tokio::test]
async fn a_file_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("logs.db");
    let table = open(&format!("sqlite://{}", path.display())).unwrap();
    suite(&*table, |id| {
        let db = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(db.execute("UPDATE interaction_logs SET processed = TRUE WHERE record_id = ?1", [id]).unwrap(), 1);
        std::future::ready(())
    })
    .await;
}

#[tokio::test]
async fn a_table_of_today_s_users_gets_its_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let old = "CREATE TABLE interaction_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, mcp_id TEXT, interaction_id TEXT, timestamp REAL, \
               data JSON, processed BOOLEAN DEFAULT FALSE); INSERT INTO interaction_logs (mcp_id, data) VALUES ('x', '{}'), ('y', '{}');";
    rusqlite::Connection::open(&path).unwrap().execute_batch(old).unwrap();
    let table = open(path.to_str().unwrap()).unwrap();
    table.insert(&[entry("1"), entry("1")]).await.unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = db.query_row("SELECT count(*) FROM interaction_logs", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 3);
}

#[test]
fn addresses_that_cannot_be_are_refused_without_being_repeated() {
    for url in ["", "oracle://user:s3cret@h/db", "mysql://", "postgres://u:s3cr?et@h/db"] {
        match open(url) {
            Err(Error::Config(why)) => assert!(why.contains("database_url") && !why.contains("s3cr"), "{url}: {why}"),
            Err(other) => panic!("{url}: {other:?}"),
            Ok(_) => panic!("{url} was taken"),
        }
    }
}

#[cfg(feature = "postgres")]
#[allow(clippy::duplicate_mod, reason = "the server of the tests beside it")]
#[path = "../postgres/tests/server.rs"]
mod postgres_server;

#[cfg(feature = "mysql")]
mod mariadb;

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_a_table() {
    let server = postgres_server::Server::start();
    // The schema that is there; the log makes one of its own, a shared table does not.
    let url = server.url("public", "");
    let table = open(&url).unwrap();
    suite(&*table, |id| {
        let url = url.clone();
        async move {
            let client = crate::store::postgres::plain::Plain::new(&url).unwrap().connect().await.unwrap();
            assert_eq!(client.execute("UPDATE interaction_logs SET processed = TRUE WHERE record_id = $1", &[&id]).await.unwrap(), 1);
        }
    })
    .await;
    let wrong = open(&url.replace("s3cret", "wrong-one")).unwrap();
    assert!(matches!(wrong.check().await, Err(Error::Login(why)) if !why.contains("wrong-one")));
    drop(server);
    assert!(matches!(table.check().await, Err(Error::Failed(_))));
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_a_table() {
    let server = mariadb::Server::start();
    let url = server.url();
    let table = open(&url).unwrap();
    suite(&*table, |id| {
        let url = url.clone();
        async move {
            use mysql_async::prelude::Queryable;
            let mut connection = mysql_async::Conn::from_url(url).await.unwrap();
            connection.exec_drop("UPDATE interaction_logs SET processed = TRUE WHERE record_id = ?", (id,)).await.unwrap();
            assert_eq!(connection.affected_rows(), 1);
        }
    })
    .await;
    let wrong = open(&url.replace("s3cret", "wrong-one")).unwrap();
    assert!(matches!(wrong.check().await, Err(Error::Login(why)) if !why.contains("wrong-one")));
    drop(server);
    assert!(matches!(table.check().await, Err(Error::Failed(_))));
}
