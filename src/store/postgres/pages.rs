//! Sessions read in parts: as much as is asked for, from either end.

use crate::domain::ids::StreamId;
use crate::domain::query::{SessionPage, SessionPart};
use crate::store::postgres::link::{Failure, Link};
use crate::store::postgres::read::{event, lineage, number};
use crate::store::postgres::schema::{COMMIT, SNAPSHOT};
use crate::store::upcast::Upcasters;

/// Rows that begin before byte `$5` of all that are wanted. Only their lengths are summed up, which needs no bodies.
macro_rules! page_sql {
    ($order:literal) => {
        concat!(
            "SELECT seq, id, type, at_ms, session, schema, body, bytes FROM (
                 SELECT seq, id, type, at_ms, session, schema, body, version, octet_length(body)::bigint AS bytes,
                     (SUM(octet_length(body)) OVER (ORDER BY version ",
            $order,
            "))::bigint AS total
                 FROM events WHERE stream = $1 AND seq > $2 AND seq <= $3 AND (cardinality($4::text[]) = 0 OR type = ANY($4))
             ) AS sized WHERE total - bytes < $5 ORDER BY version ",
            $order
        )
    };
}

/// The part of a session that `page` wants.
pub(super) async fn session_page(link: &Link, upcasters: Upcasters, page: SessionPage) -> Result<SessionPart, Failure> {
    // One snapshot, so that all of it is of one moment.
    link.execute(SNAPSHOT, &[]).await?;
    let mut chain = lineage(link, page.session.clone()).await?;
    if page.newest {
        chain.reverse();
    }
    let (after, before) = (number(page.after.unwrap_or_default().0), page.before.map_or(i64::MAX, |before| number(before.0) - 1));
    let mut left = i64::try_from(page.bytes_max).unwrap_or(i64::MAX).max(1);
    let mut part = SessionPart::default();
    for (session, upto) in chain {
        let stream = StreamId::session(&session);
        let mut upto = upto.min(before);
        let mut after = after;
        if left > 0 {
            let sql = if page.newest { page_sql!("DESC") } else { page_sql!("ASC") };
            for row in &link.query(sql, &[&stream.as_str(), &after, &upto, &page.types, &left]).await? {
                left = left.saturating_sub(row.try_get::<_, i64>(7)?.max(1));
                let seq: i64 = row.try_get(0)?;
                if page.newest {
                    upto = seq - 1;
                } else {
                    after = seq;
                }
                part.events.push(event(row, upcasters)?);
            }
        }
        if left <= 0 {
            let sql = "SELECT 1 FROM events WHERE stream = $1 AND seq > $2 AND seq <= $3
                           AND (cardinality($4::text[]) = 0 OR type = ANY($4)) LIMIT 1";
            part.more = link.first(sql, &[&stream.as_str(), &after, &upto, &page.types]).await?.is_some();
            if part.more {
                break;
            }
        }
    }
    link.execute(COMMIT, &[]).await?;
    if page.newest {
        part.events.reverse();
    }
    Ok(part)
}
