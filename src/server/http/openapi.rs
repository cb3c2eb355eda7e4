//! The `OpenAPI` 3.1 document, made from the table of routes.

use std::collections::BTreeSet;

use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::server::http::problem::{PROBLEM_JSON, Problem};
use crate::server::http::table::{Answer, Content, Route};

/// Answers that any route may give: before a handler is asked.
const ALWAYS: [(&str, &str); 3] = [
    ("401", "The token is missing or wrong, where one is set"),
    ("429", "Too many requests; `Retry-After` says when to try again"),
    ("503", "Too much at once, or the program is ending; `Retry-After` says when to try again"),
];

/// The document.
pub(super) fn document(rows: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for row in rows {
        let item = paths.entry(row.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method_key(&row.method), operation(row, &mut schemas));
        }
    }
    let definitions = schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "wakeful",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What other programs can ask of a running wakeful, and tell it",
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn method_key(method: &Method) -> String {
    method.as_str().to_ascii_lowercase()
}

fn operation(row: &Route, schemas: &mut SchemaGenerator) -> Value {
    let parameters: Vec<Value> = row
        .parameters
        .iter()
        .map(|parameter| {
            let schema = (parameter.schema)(schemas);
            json!({
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.text,
                "schema": schema,
            })
        })
        .collect();
    let mut out = json!({"operationId": row.operation, "summary": row.summary, "responses": responses(&row.answers, schemas)});
    if let Some(out) = out.as_object_mut() {
        if !parameters.is_empty() {
            out.insert("parameters".to_owned(), parameters.into());
        }
        if let Some(body) = &row.body {
            out.insert("requestBody".to_owned(), json!({"required": true, "content": contents(std::slice::from_ref(body), schemas)}));
        }
    }
    out
}

fn responses(answers: &[Answer], schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let mut out = Map::new();
    for answer in answers {
        let mut response = json!({"description": answer.text});
        if let (Some(response), false) = (response.as_object_mut(), answer.contents.is_empty()) {
            response.insert("content".to_owned(), contents(&answer.contents, schemas));
        }
        out.insert(answer.status.as_str().to_owned(), response);
    }
    let given: BTreeSet<String> = out.keys().cloned().collect();
    for (status, text) in ALWAYS.iter().filter(|(status, _)| !given.contains(*status)) {
        let schema = schemas.subschema_for::<Problem>();
        out.insert((*status).to_owned(), json!({"description": text, "content": {PROBLEM_JSON: {"schema": schema}}}));
    }
    out
}

fn contents(contents: &[Content], schemas: &mut SchemaGenerator) -> Value {
    let media = contents.iter().map(|content| {
        let schema = content.schema.map(|schema| schema(schemas).to_value());
        (content.media.to_owned(), schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema })))
    });
    Value::Object(media.collect())
}
