//! Lists in pages. Pure.
//!
//! A cursor is the position where the next page begins. It means nothing to a client, and a list that changes in between is
//! announced as changed.

use crate::mcp::server::PAGE_ENTRIES;
use crate::mcp::server::error::Error;

const MARK: &str = "from-";

/// The page that `cursor` asks for, and the cursor of the next one.
///
/// # Errors
/// When the cursor is none of ours.
pub(super) fn page<T>(all: Vec<T>, cursor: Option<&str>, entries: usize) -> Result<(Vec<T>, Option<String>), Error> {
    let entries = if entries == 0 { PAGE_ENTRIES } else { entries };
    let start = match cursor {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix(MARK)
            .and_then(|number| number.parse::<usize>().ok())
            .filter(|start| *start <= all.len())
            .ok_or_else(|| Error::BadRequest("the cursor is none of this list: begin without one".to_owned()))?,
    };
    let next = start.saturating_add(entries);
    let cursor = (next < all.len()).then(|| format!("{MARK}{next}"));
    Ok((all.into_iter().skip(start).take(entries).collect(), cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_the_list_once_and_a_foreign_cursor_is_refused() {
        let all: Vec<u32> = (0..5).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = page(all.clone(), cursor.as_deref(), 2).unwrap();
            assert!(page.len() <= 2);
            seen.extend(page);
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
        for foreign in ["", "from-", "from-6", "from--1", "2"] {
            assert!(matches!(page(all.clone(), Some(foreign), 2), Err(Error::BadRequest(_))), "{foreign}");
        }
        assert_eq!(page(Vec::<u32>::new(), None, 2).unwrap(), (Vec::new(), None));
    }
}
