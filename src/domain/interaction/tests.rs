//! Records as they go over the wire.

use super::*;

fn record() -> Value {
    json!({
        "action": "interaction_complete", "record_id": "r-1", "interaction_id": "int_1700000000_0a1b2c3d", "mcp_id": "me",
        "timestamp": 1_700_000_000.25, "result_data": {"success": true},
    })
}

#[test]
fn a_record_comes_back_as_it_went() {
    let read = InteractionRecord::from_json(&record()).unwrap();
    assert_eq!(read.timestamp, Instant::from_millis(1_700_000_000_250));
    assert_eq!(read.to_json(), record());
}

#[test]
fn a_record_without_an_id_is_known_by_its_content_whatever_the_order_of_its_fields() {
    let mut first = record();
    first.as_object_mut().unwrap().shift_remove("record_id");
    let mut second = Map::new();
    for (key, value) in first.as_object().unwrap().iter().rev() {
        second.insert(key.clone(), value.clone());
    }
    let id = |value: &Value| InteractionRecord::from_json(value).unwrap().record_id;
    assert_eq!(id(&first), id(&Value::Object(second)));
    first["timestamp"] = json!(1.0);
    assert_ne!(id(&first), id(&record()));
}

#[test]
fn what_is_wrong_is_named() {
    for (field, value, said) in [
        ("action", json!("x"), "`action` must be one of interaction_start"),
        ("timestamp", json!("now"), "`timestamp`"),
        ("timestamp", json!(-1), "`timestamp`"),
        ("timestamp", json!(1e30), "`timestamp`"),
        ("mcp_id", json!(""), "`mcp_id`"),
        ("interaction_id", json!("x".repeat(201)), "`interaction_id`"),
        ("interaction_id", json!("int_1\u{1b}[2J"), "`interaction_id` must have no control characters"),
        ("record_id", json!(7), "`record_id`"),
        ("result_data", json!([]), "`result_data` must be an object"),
    ] {
        let mut wrong = record();
        wrong[field] = value;
        let error = InteractionRecord::from_json(&wrong).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(InteractionRecord::from_json(&json!([])).is_err());
}
