//! The generated code, and what a message may hold.

use prost_types::{ListValue, Struct, Value as ProtoValue};
use serde_json::json;

use super::*;
use crate::interactions::intake::check_text;
use crate::interactions::testing::record;

/// `UPDATE_GRPC=1` writes the file anew.
#[test]
fn the_generated_code_is_that_of_the_proto_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/interactions/grpc");
    let made = tempfile::tempdir().unwrap();
    let files = protox::compile([folder.join("interactions.proto")], [&folder]).unwrap();
    tonic_prost_build::configure().out_dir(made.path()).compile_fds(files).unwrap();
    let code = std::fs::read_to_string(made.path().join("_.rs")).unwrap();
    let head = "//! Made from `interactions.proto` by tonic-prost-build; a test makes it again and compares. Not edited by hand.\n\n";
    let path = folder.join("generated.rs");
    if std::env::var_os("UPDATE_GRPC").is_some() {
        std::fs::write(&path, format!("{head}{code}")).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{head}{code}"), "run this test with UPDATE_GRPC=1");
}

#[test]
fn a_record_comes_out_as_it_went_in() {
    let message = pack(&Outgoing::from(&record(7)));
    assert_eq!((message.mcp_id.as_str(), message.interaction_id.as_str(), message.timestamp), ("me", "int_0", 1_700_000_000));
    let text = unpack(message).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), record(7).to_json());
}

fn message(type_url: &str, value: Vec<u8>) -> InteractionData {
    let data = Some(Any { type_url: type_url.to_owned(), value });
    InteractionData { mcp_id: "me".to_owned(), interaction_id: "int_1".to_owned(), timestamp: 7, data }
}

#[test]
fn other_ways_to_put_a_record_in_are_understood() {
    let text = record(1).to_json().to_string();
    let bytes = message("type.googleapis.com/google.protobuf.BytesValue", text.clone().into_bytes().encode_to_vec());
    assert_eq!(unpack(bytes).unwrap(), text.as_bytes());
    let value = |kind| ProtoValue { kind: Some(kind) };
    let inner = Struct { fields: [("success".to_owned(), value(Kind::BoolValue(true)))].into() };
    let list = ListValue { values: vec![value(Kind::NumberValue(1.5)), value(Kind::NullValue(0)), value(Kind::NumberValue(f64::NAN))] };
    let fields = [
        ("action".to_owned(), value(Kind::StringValue("interaction_complete".to_owned()))),
        ("result_data".to_owned(), value(Kind::StructValue(inner))),
        ("list".to_owned(), value(Kind::ListValue(list))),
    ];
    let structure = Struct { fields: fields.into() };
    let text = unpack(message("any.example/google.protobuf.Struct", structure.encode_to_vec())).unwrap();
    let read: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&read["mcp_id"], &read["interaction_id"], &read["timestamp"]), (&json!("me"), &json!("int_1"), &json!(7)));
    assert_eq!((&read["result_data"], &read["list"]), (&json!({"success": true}), &json!([1.5, null, null])));
    check_text(&text).unwrap();
}

#[test]
fn what_holds_no_record_is_told() {
    let cases = [
        (InteractionData::default(), "`data` is empty"),
        (message("type.googleapis.com/google.protobuf.Int32Value", Vec::new()), "`data` is a `google.protobuf.Int32Value`"),
        (message("type.googleapis.com/google.protobuf.StringValue", vec![0x0a, 0xff]), "`data` is no"),
        (message("type.googleapis.com/google.protobuf.Struct", vec![0xff]), "`data` is no"),
        (message("", Vec::new()), "`data` is a ``"),
    ];
    for (message, said) in cases {
        let error = unpack(message).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    // Nested without end.
    let mut value = ProtoValue { kind: Some(Kind::BoolValue(true)) };
    for _ in 0..500 {
        value = ProtoValue { kind: Some(Kind::ListValue(ListValue { values: vec![value] })) };
    }
    let deep = Struct { fields: [("x".to_owned(), value)].into() }.encode_to_vec();
    assert!(unpack(message("type.googleapis.com/google.protobuf.Struct", deep)).is_err());
}
