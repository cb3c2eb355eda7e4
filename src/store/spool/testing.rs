//! For tests of modules above: the queue of another program, as today's users have it.

use std::path::Path;

/// Makes one with these rows.
///
/// # Panics
/// When it cannot be made.
pub fn old_queue(path: &Path, rows: &[&str]) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("CREATE TABLE failed_interactions (id INTEGER PRIMARY KEY AUTOINCREMENT, data TEXT, retry_count INTEGER DEFAULT 0)")
        .unwrap();
    for row in rows {
        db.execute("INSERT INTO failed_interactions (data) VALUES (?1)", [row]).unwrap();
    }
}
