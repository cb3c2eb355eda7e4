//! What both ends of the transport `grpc` share: the messages, and how a record lies in one.

#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
pub mod generated;
#[cfg(test)]
mod tests;

use prost::Message;
use prost_types::value::Kind;
use prost_types::{Any, Struct};
use serde_json::{Map, Number, Value};

use crate::interactions::grpc::generated::InteractionData;
use crate::interactions::outgoing::Outgoing;

/// What type URLs begin with; only what follows the last `/` counts.
const TYPES: &str = "type.googleapis.com/";

/// The type that we send: the record's JSON as a text.
const TEXT: &str = "google.protobuf.StringValue";

/// A record as a message.
pub fn pack(record: &Outgoing) -> InteractionData {
    InteractionData {
        mcp_id: record.mcp_id.clone(),
        interaction_id: record.interaction_id.to_string(),
        timestamp: whole_seconds(record.timestamp),
        data: Some(Any { type_url: format!("{TYPES}{TEXT}"), value: record.text.encode_to_vec() }),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds until the year 9999 fit")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.floor() as i64
}

/// The record in a message, as JSON. What a structure leaves out is taken from around it.
///
/// # Errors
/// Says why there is none.
pub fn unpack(message: InteractionData) -> Result<Vec<u8>, String> {
    let data = message.data.ok_or("`data` is empty: it holds the record")?;
    let wrong = |error: prost::DecodeError| format!("`data` is no `{}`: {error}", data.type_url);
    match data.type_url.rsplit('/').next().unwrap_or_default() {
        TEXT => String::decode(&*data.value).map(String::into_bytes).map_err(wrong),
        "google.protobuf.BytesValue" => Vec::<u8>::decode(&*data.value).map_err(wrong),
        "google.protobuf.Struct" => {
            let mut object = object(Struct::decode(&*data.value).map_err(wrong)?);
            let mut fill = |name: &str, value: Value| {
                object.entry(name).or_insert(value);
            };
            fill("mcp_id", message.mcp_id.into());
            fill("interaction_id", message.interaction_id.into());
            fill("timestamp", message.timestamp.into());
            Ok(Value::Object(object).to_string().into_bytes())
        }
        other => Err(format!("`data` is a `{other}`: send a StringValue or BytesValue with the record's JSON, or a Struct")),
    }
}

fn object(fields: Struct) -> Map<String, Value> {
    fields.fields.into_iter().map(|(name, value)| (name, json(value))).collect()
}

/// Nested as deep as the decoder allows (100).
fn json(value: prost_types::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::NumberValue(number)) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::BoolValue(is)) => is.into(),
        Some(Kind::StructValue(fields)) => Value::Object(object(fields)),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect(),
    }
}
