//! The shape of records, for the document of the routes.

use schemars::{JsonSchema, json_schema};
use serde_json::json;

use crate::domain::interaction::{Action, BATCH_MAX, ID_CHARS_MAX};

/// A record, or several; only for its shape.
pub(super) struct Records;

impl JsonSchema for Records {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InteractionRecords".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds = Action::ALL.map(|action| {
            json!({
                "type": "object",
                "required": ["action", "interaction_id", "mcp_id", "timestamp"],
                "properties": {
                    "action": {"const": action.as_str()},
                    "interaction_id": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX},
                    "mcp_id": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX},
                    "timestamp": {"type": "number", "minimum": 0, "description": "Unix time in seconds"},
                    "record_id": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX, "description": "The same id again is the same record"},
                    action.payload(): {"type": "object"},
                },
            })
        });
        let [start, progress, complete, error] = kinds;
        let one = json!({"oneOf": [start, progress, complete, error]});
        json_schema!({"anyOf": [one, {"type": "array", "minItems": 1, "maxItems": BATCH_MAX, "items": one}]})
    }
}
