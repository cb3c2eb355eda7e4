//! Old shapes of events, brought up to date when they are read.
//!
//! Events are never changed in the log. A row says in which schema version of its type it was written; when a type's
//! shape changes in a way that its struct cannot read, a row in [`STANDARD`] lifts the old JSON to the next version.
//! To add one: append the upcaster here, and a stored sample of the old shape to the tests.

use serde_json::Value;

use crate::domain::event::{Custom, EventBody};

/// The schema version that every type starts with.
pub const FIRST: u32 = 1;

/// Lifts one type's data by one schema version.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// The type.
    pub type_name: &'static str,
    /// The version that it reads; it gives the next one.
    pub from: u32,
    /// Changes the data.
    pub lift: fn(Value) -> Value,
}

/// All upcasters of this version of the program.
pub const STANDARD: Upcasters = Upcasters(&[]);

/// A table of upcasters.
#[derive(Debug, Clone, Copy)]
pub struct Upcasters(pub &'static [Upcaster]);

impl Upcasters {
    /// The version in which events of a type are written now.
    pub fn current(self, type_name: &str) -> u32 {
        let versions = self.0.iter().filter(|row| row.type_name == type_name).map(|row| row.from + 1);
        versions.max().unwrap_or(FIRST)
    }

    /// Reads a stored body. Data that does not have its type's shape (a later program wrote it) survives as
    /// [`Custom`], so that one strange event does not hide the rest of a session.
    ///
    /// # Errors
    /// When the body is no JSON.
    pub fn read(self, type_name: &str, schema: u32, body: &str) -> serde_json::Result<EventBody> {
        let current = self.current(type_name);
        if schema == current
            && let Ok(known) = EventBody::from_json(type_name, body)
        {
            return Ok(known);
        }
        let stored: Value = serde_json::from_str(body)?;
        if schema < current {
            let lifted = (schema..current).fold(stored.clone(), |data, from| self.lift(type_name, from, data));
            if let Ok(known) = EventBody::from_json(type_name, &lifted.to_string()) {
                return Ok(known);
            }
        }
        tracing::warn!(type_name, schema, current, "an event in the log has a shape that this version does not know");
        Ok(EventBody::Custom(Custom { type_name: type_name.to_owned(), data: stored }))
    }

    fn lift(self, type_name: &str, from: u32, data: Value) -> Value {
        match self.0.iter().find(|row| row.type_name == type_name && row.from == from) {
            Some(row) => (row.lift)(data),
            None => data,
        }
    }
}
