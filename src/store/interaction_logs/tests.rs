//! One suite over all three kinds of database, each a real one.

mod mariadb;

use super::*;

fn row(id: &str) -> Row {
    Row {
        record_id: id.to_owned(),
        mcp_id: "me".to_owned(),
        interaction_id: "int_1".to_owned(),
        timestamp: 1.5,
        data: format!("{{\"record_id\":\"{id}\",\"text\":\"ä\\\\u0000 ''\"}}"),
    }
}

fn rows(ids: &[&str]) -> Vec<Row> {
    ids.iter().map(|id| row(id)).collect()
}

fn names(page: &Page) -> Vec<&str> {
    page.rows.iter().map(|row| row.record_id.as_deref().unwrap()).collect()
}

async fn fates(table: &Exchange, ids: &[&str]) -> Vec<Fate> {
    table.settled(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()).await.unwrap()
}

async fn suite(table: &Exchange, locks: bool) {
    table.probe().await.unwrap();
    assert!(table.poll(10).await.unwrap().rows.is_empty());
    // Once, however often; ids that differ in case, in blanks or in accents are different ones.
    table.insert(&rows(&["a", "b", "A", "a ", "á"])).await.unwrap();
    table.insert(&rows(&["b", "c"])).await.unwrap();
    if locks {
        // Somebody has the first rows; what follows them in their interaction waits for them, others do not.
        let other = Row { interaction_id: "int_2".to_owned(), ..row("z") };
        table.insert(&[other]).await.unwrap();
        let first = table.poll(2).await.unwrap();
        let page = table.poll(10).await.unwrap();
        assert_eq!((names(&first), names(&page)), (vec!["a", "b"], vec!["z"]));
        let ids = page.rows.iter().map(|row| row.id).collect();
        page.done(ids, Vec::new()).await.unwrap();
        first.done(Vec::new(), Vec::new()).await.unwrap();
    }
    let page = table.poll(10).await.unwrap();
    assert_eq!(names(&page), ["a", "b", "A", "a ", "á", "c"]);
    assert!(page.rows.iter().all(|row| row.interaction_id == "int_1"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&page.rows[1].data).unwrap()["record_id"], "b");
    // A page that is not done waits as before; what one coordinator has taken another passes over.
    let other = table.poll(10).await.unwrap();
    assert_eq!(other.rows.is_empty(), locks);
    drop((page, other));
    assert_eq!(fates(table, &["a", "c", "d"]).await, [Fate::Waiting, Fate::Waiting, Fate::Missing]);
    let page = table.poll(2).await.unwrap();
    let taken = page.rows.iter().map(|row| row.id).collect();
    page.done(taken, Vec::new()).await.unwrap();
    let page = table.poll(10).await.unwrap();
    assert_eq!(names(&page), ["A", "a ", "á", "c"]);
    let bad = page.rows[0].id;
    page.done(Vec::new(), vec![(bad, "no\0record".to_owned())]).await.unwrap();
    assert_eq!(names(&table.poll(10).await.unwrap()), ["a ", "á", "c"]);
    assert_eq!(fates(table, &["a", "A", "b"]).await, [Fate::Processed, Fate::Waiting, Fate::Processed]);
    // Resending what was processed changes nothing.
    table.insert(&rows(&["a"])).await.unwrap();
    assert_eq!(fates(table, &["a"]).await, [Fate::Processed]);
    assert_eq!(table.purge(1.5, 10).await.unwrap(), 0);
    assert_eq!(table.purge(1.6, 1).await.unwrap(), 1);
    assert_eq!(fates(table, &["a", "b"]).await, [Fate::Missing, Fate::Processed]);
    // More than one statement takes, in their order.
    let many: Vec<Row> = (0..2_500).map(|number| row(&format!("m{number:05}"))).collect();
    table.insert(&many).await.unwrap();
    let page = table.poll(5_000).await.unwrap();
    assert_eq!((page.rows.len(), names(&page)[3]), (PAGE_MAX, "m00000"));
    assert!(names(&page)[3..].is_sorted());
}

fn at(url: &str) -> Exchange {
    Exchange::new(&ExchangeUrl::new(url)).unwrap()
}

#[tokio::test]
async fn a_file_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("logs.db");
    suite(&at(&format!("sqlite:{}", path.display())), false).await;
    // A file that went is made again.
    let table = at(path.to_str().unwrap());
    table.insert(&rows(&["x"])).await.unwrap();
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert_eq!(fates(&table, &["x"]).await, [Fate::Missing]);
}

#[tokio::test]
async fn a_table_that_others_made_gets_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE interaction_logs (id INTEGER PRIMARY KEY, mcp_id TEXT, interaction_id TEXT, timestamp REAL, data JSON, processed BOOLEAN DEFAULT FALSE);
             INSERT INTO interaction_logs (mcp_id, interaction_id, timestamp, data) VALUES ('me', 'int_1', 1.5, '{}'), ('me', 'int_1', 1.5, '{}');",
        )
        .unwrap();
    let table = at(path.to_str().unwrap());
    table.insert(&rows(&["a"])).await.unwrap();
    let page = table.poll(10).await.unwrap();
    let ids: Vec<_> = page.rows.iter().map(|row| row.record_id.as_deref()).collect();
    assert_eq!(ids, [None, None, Some("a")]);
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgresql_has_the_table() {
    let mut server = crate::store::postgres::tests::server::Server::start();
    let table = at(&server.url("public", ""));
    suite(&table, true).await;
    server.kill();
    let error = table.probe().await.unwrap_err();
    assert!(error.is_transient() && !error.report().contains("s3cret"), "{}", error.report());
    server.start_again();
    table.probe().await.unwrap();
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn mariadb_has_the_table() {
    let server = mariadb::Server::start();
    let table = at(&server.url("s3cret"));
    suite(&table, true).await;
    let wrong = at(&server.url("wr0ng")).probe().await.unwrap_err();
    assert!(!wrong.is_transient() && !wrong.report().contains("wr0ng"), "{}", wrong.report());
    drop(server);
    let error = table.probe().await.unwrap_err();
    assert!(error.is_transient() && !error.report().contains("s3cret"), "{}", error.report());
}

#[test]
fn a_url_is_shown_without_its_password() {
    for (url, shown) in [
        ("mysql://anna:s3cret@db.example.org:3307/reports?require_ssl=true", "mysql://anna:••••@db.example.org:3307/reports"),
        ("mariadb://anna:s3cret@db/reports", "mariadb://anna:••••@db/reports"),
        ("postgres://anna:s3cret@db/reports?sslmode=require", "postgres://anna:••••@db/reports"),
        ("sqlite:///srv/logs.db", "/srv/logs.db"),
        ("/srv/logs.db", "/srv/logs.db"),
        ("mysql://anna:s3@cret@db/reports", "••••"),
        ("mysql://anna:s3cret@db", "••••"),
        ("ftp://anna:s3cret@db/x", "••••"),
        ("", "••••"),
    ] {
        let url = ExchangeUrl::new(url);
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("ExchangeUrl({shown})"));
        assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
    }
    let error = Exchange::new(&ExchangeUrl::new("ftp://anna:s3cret@db/x")).unwrap_err().report();
    assert!(error.contains("mysql://USER:PASSWORD@HOST/DATABASE") && !error.contains("s3cret"), "{error}");
}
