//! Sessions read in parts: as much as is asked for, from either end, without touching the rest.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::domain::ids::StreamId;
use crate::domain::query::{SessionPage, SessionPart};
use crate::store::sqlite::place::Failure;
use crate::store::sqlite::read::{EVENT_COLUMNS, event, lineage};
use crate::store::sqlite::write::number;
use crate::store::upcast::Upcasters;

/// The part of a session that `page` wants.
pub(super) fn session_page(connection: &Connection, upcasters: Upcasters, page: &SessionPage) -> Result<SessionPart, Failure> {
    // One transaction, so that all of it is of one moment.
    let moment = connection.unchecked_transaction()?;
    let mut chain = lineage(&moment, page.session.clone())?;
    if page.newest {
        chain.reverse();
    }
    let sql = statement(page);
    let mut part = SessionPart::default();
    let mut bytes = 0;
    for (session, upto) in chain {
        let before = page.before.map_or(i64::MAX, |before| number(before.0) - 1);
        let mut values = vec![
            Value::Text(StreamId::session(&session).as_str().to_owned()),
            Value::Integer(number(page.after.unwrap_or_default().0)),
            Value::Integer(upto.min(before)),
        ];
        values.extend(page.types.iter().cloned().map(Value::Text));
        let mut statement = moment.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if bytes >= page.bytes_max && !part.events.is_empty() {
                part.more = true;
                break;
            }
            bytes += row.get_ref(6)?.as_bytes().map_err(rusqlite::Error::from)?.len();
            part.events.push(event(row, upcasters)?);
        }
        if part.more {
            break;
        }
    }
    if page.newest {
        part.events.reverse();
    }
    Ok(part)
}

fn statement(page: &SessionPage) -> String {
    let types = match page.types.len() {
        0 => String::new(),
        count => format!(" AND type IN (?{})", ", ?".repeat(count - 1)),
    };
    let direction = if page.newest { "DESC" } else { "ASC" };
    format!("SELECT {EVENT_COLUMNS} FROM events WHERE stream = ? AND seq > ? AND seq <= ?{types} ORDER BY version {direction}")
}
