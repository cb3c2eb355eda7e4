//! The catalogue of the built-in tools as another MCP client sees it: held by a golden file, and by the rules that every
//! tool keeps.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Home;

/// All tools that `wakeful mcp serve` offers, in its order.
pub fn served(home: &Home) -> Vec<Value> {
    let mut child = home.wakeful(&["mcp", "serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    let mut ask = |message: Value| -> Value {
        writeln!(input, "{message}").unwrap();
        let Some(id) = message.get("id") else { return Value::Null };
        loop {
            let answer: Value = serde_json::from_str(&output.next().unwrap().unwrap()).unwrap();
            if answer.get("id") == Some(id) {
                assert!(answer.get("error").is_none(), "{answer}");
                return answer["result"].clone();
            }
        }
    };
    let about = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "catalogue", "version": "1"}});
    ask(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}));
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let (mut tools, mut cursor) = (Vec::new(), None::<Value>);
    loop {
        let params = cursor.map_or(json!({}), |cursor| json!({"cursor": cursor}));
        let page = ask(json!({"jsonrpc": "2.0", "id": tools.len() + 2, "method": "tools/list", "params": params}));
        tools.extend(page["tools"].as_array().unwrap().iter().cloned());
        cursor = page.get("nextCursor").filter(|cursor| !cursor.is_null()).cloned();
        if cursor.is_none() {
            break;
        }
    }
    drop(input);
    child.wait().unwrap();
    tools
}

/// A changed tool is a changed promise: whoever changes one looks at the difference (`cargo insta review`).
#[test]
fn the_whole_catalogue_is_as_it_was() {
    insta::assert_json_snapshot!(served(&Home::with("")));
}

#[test]
fn every_tool_keeps_the_rules() {
    let tools = served(&Home::with(""));
    let mut names = HashSet::new();
    let mut broken = Vec::new();
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                broken.push(format!("{name}: {what}"));
            }
        };
        expect(names.insert(name), "its name is taken");
        expect(name.len() <= 64 && name.chars().all(|ch| ch.is_ascii_lowercase() || ch == '_'), "its name does not fit every provider");
        expect(tool["title"].as_str().is_some_and(|title| (3..=60).contains(&title.len())), "no title of 3 to 60 characters");
        expect(
            tool["description"].as_str().is_some_and(|text| (20..=2_000).contains(&text.len())),
            "no description of 20 to 2000 characters",
        );
        let schema = &tool["inputSchema"];
        expect(schema["type"] == "object", "its schema is no object");
        expect(jsonschema::meta::is_valid(schema), "its schema is not valid");
        for (property, about) in schema["properties"].as_object().into_iter().flatten() {
            expect(described(about), &format!("`{property}` has no description"));
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            expect(schema["properties"].get(required.as_str().unwrap()).is_some(), &format!("{required} is required and not there"));
        }
        if let Some(output) = tool.get("outputSchema") {
            expect(jsonschema::meta::is_valid(output), "its output schema is not valid");
        }
        let hints = &tool["annotations"];
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            expect(hints[hint].is_boolean(), &format!("no `{hint}`"));
        }
        expect(!(hints["readOnlyHint"] == true && hints["destructiveHint"] == true), "it cannot only read and destroy");
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(!names.contains("undo"), "what only people may do is lent to nobody");
}

fn described(about: &Value) -> bool {
    about["description"].as_str().is_some_and(|text| text.trim().len() >= 5)
}
