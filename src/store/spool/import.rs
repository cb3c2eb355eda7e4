//! Reads the queue of another program: a table `failed_interactions` whose columns are not known for sure.
//!
//! The file is opened for reading only and nothing in it changes. A row is a record as JSON in one column, or one column
//! for each field, or a mixture: what the JSON lacks is taken from the columns.

use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Map, Value};

use crate::store::spool::Error;

/// Columns that hold a whole record, or its payload, as JSON; in the order in which they are looked for.
const JSON_COLUMNS: &[&str] = &["data", "interaction_data", "record", "payload", "body", "json", "event_data", "content"];

/// A row of the other program: where it stood and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct OldRow {
    /// Its row id there.
    pub number: i64,
    /// Its record, as far as it can be told.
    pub record: Map<String, Value>,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Rows that were read.
    pub read: u64,
    /// Records that were not in the queue yet.
    pub new: u64,
    /// Rows that are no records.
    pub wrong: u64,
}

/// Up to `limit` rows of `path` after the row id `after`. Blocks.
///
/// # Errors
/// When the file cannot be read or has no such table.
pub fn read(path: &Path, after: i64, limit: usize) -> Result<Vec<OldRow>, Error> {
    let failed = |error: rusqlite::Error| Error::Failed { doing: "read", path: path.to_owned(), source: Arc::new(error) };
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    let columns = columns(&db).map_err(failed)?;
    if columns.is_empty() {
        let reason = "has no table `failed_interactions`: name the queue of reports (`interaction_cache.db`)".to_owned();
        return Err(Error::Foreign { path: path.to_owned(), reason });
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = || -> rusqlite::Result<Vec<OldRow>> {
        let mut statement = db.prepare("SELECT rowid, * FROM failed_interactions WHERE rowid > ?1 ORDER BY rowid LIMIT ?2")?;
        let mut rows = statement.query(params![after, limit])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let mut fields = Map::new();
            for (at, column) in columns.iter().enumerate() {
                fields.insert(column.to_ascii_lowercase(), json(row.get_ref(at + 1)?));
            }
            out.push(OldRow { number: row.get(0)?, record: record(fields) });
        }
        Ok(out)
    };
    read().map_err(failed)
}

fn columns(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare("SELECT name FROM pragma_table_info('failed_interactions') ORDER BY cid")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) | ValueRef::Blob(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
    }
}

/// The record of a row: the JSON of its column, completed by the other columns.
fn record(mut fields: Map<String, Value>) -> Map<String, Value> {
    let parsed = JSON_COLUMNS.iter().find_map(|name| match serde_json::from_str(fields.get(*name)?.as_str()?) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    });
    let whole = parsed.as_ref().is_some_and(|object| object.contains_key("action") || object.contains_key("interaction_id"));
    let mut record = if whole { parsed.clone().unwrap_or_default() } else { Map::new() };
    for (from, to) in [
        ("action", "action"),
        ("interaction_type", "action"),
        ("event_type", "action"),
        ("record_id", "record_id"),
        ("interaction_id", "interaction_id"),
        ("mcp_id", "mcp_id"),
        ("timestamp", "timestamp"),
        ("created_at", "timestamp"),
    ] {
        if record.get(to).is_none_or(Value::is_null)
            && let Some(value) = fields.get(from).filter(|value| !value.is_null())
        {
            record.insert(to.to_owned(), value.clone());
        }
    }
    if let Some(action) = record.get("action").and_then(Value::as_str).and_then(full_name) {
        let payload = payload_name(action);
        record.insert("action".to_owned(), action.into());
        if !record.contains_key(payload) {
            let own = fields.remove(payload).and_then(|value| serde_json::from_str(value.as_str()?).ok());
            let value = own.or_else(|| parsed.filter(|_| !whole).map(Value::Object));
            value.and_then(|value| record.insert(payload.to_owned(), value));
        }
    }
    if let Some(seconds) = record.get("timestamp").and_then(seconds) {
        record.insert("timestamp".to_owned(), seconds.into());
    }
    record
}

fn full_name(word: &str) -> Option<&'static str> {
    ["interaction_start", "interaction_progress", "interaction_complete", "interaction_error"]
        .into_iter()
        .find(|name| *name == word || name.strip_prefix("interaction_") == Some(word))
}

fn payload_name(action: &str) -> &'static str {
    match action {
        "interaction_start" => "request_data",
        "interaction_progress" => "progress_data",
        "interaction_complete" => "result_data",
        _ => "error_data",
    }
}

/// Seconds since the epoch, from a number, a number as text, or a date as `SQLite` and Python write them.
#[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into the 53 bits of a double")]
fn seconds(value: &Value) -> Option<f64> {
    if let Some(number) = value.as_f64() {
        return Some(number);
    }
    let text = value.as_str()?.trim();
    let date = || {
        let stamp = text.parse::<jiff::Timestamp>().ok();
        stamp.or_else(|| Some(text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
    };
    text.parse().ok().or_else(|| Some(date()?.as_millisecond() as f64 / 1e3))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(sql: &str) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("interaction_cache.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let read = super::read(&path, 0, 100).unwrap();
        read.into_iter().map(|row| Value::Object(row.record)).collect()
    }

    #[test]
    fn tables_of_several_shapes_are_understood() {
        let whole = rows(
            r#"CREATE TABLE failed_interactions (id INTEGER PRIMARY KEY, interaction_id TEXT, data TEXT, retry_count INTEGER, created_at TIMESTAMP);
            INSERT INTO failed_interactions VALUES (7, 'int_1_00000000', '{"action":"interaction_start","interaction_id":"int_1_00000000","mcp_id":"m","timestamp":1.5,"request_data":{"a":1}}', 3, '2026-01-01 00:00:00');"#,
        );
        assert_eq!(
            whole,
            [json!({"action":"interaction_start","interaction_id":"int_1_00000000","mcp_id":"m","timestamp":1.5,"request_data":{"a":1}})]
        );
        let columns = rows(
            r#"CREATE TABLE failed_interactions (id INTEGER PRIMARY KEY, mcp_id TEXT, interaction_id TEXT, action TEXT, payload TEXT, timestamp TEXT);
            INSERT INTO failed_interactions VALUES (1, 'm', 'int_2_00000000', 'complete', '{"success":true}', '2026-01-01 00:00:01.500');"#,
        );
        assert_eq!(
            columns,
            [
                json!({"action":"interaction_complete","interaction_id":"int_2_00000000","mcp_id":"m","timestamp":1_767_225_601.5,"result_data":{"success":true}})
            ]
        );
    }

    #[test]
    fn another_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(read(&path, 0, 1).unwrap_err().to_string().contains("failed_interactions"));
    }
}
