//! What a service can ask its client, and what counts as an answer. Pure.

use serde_json::{Map, Value, json};

use crate::mcp::server::context::Capability;

/// A question to the client.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// A form for the person (`elicitation/create`).
    Form {
        /// What it is about.
        message: String,
        /// JSON Schema of an object whose properties are simple values.
        schema: Map<String, Value>,
    },
    /// A page for the person (`elicitation/create`, mode `url`).
    Url {
        /// What it is about.
        message: String,
        /// The page.
        url: String,
        /// Names this question, for what is told about it later.
        id: String,
    },
    /// A turn of the client's model (`sampling/createMessage`), with its parameters.
    Sample(Map<String, Value>),
    /// The client's roots (`roots/list`).
    Roots,
}

impl Ask {
    /// What the client must have declared.
    pub fn capability(&self) -> Capability {
        match self {
            Self::Form { .. } => Capability::Elicitation,
            Self::Url { .. } => Capability::UrlElicitation,
            Self::Sample(_) => Capability::Sampling,
            Self::Roots => Capability::Roots,
        }
    }

    /// Method and parameters, as the client is asked.
    pub(super) fn wire(&self) -> Value {
        match self {
            Self::Form { message, schema } => {
                json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}})
            }
            Self::Url { message, url, id } => {
                json!({"method": "elicitation/create", "params": {"mode": "url", "message": message, "url": url, "elicitationId": id}})
            }
            Self::Sample(params) => json!({"method": "sampling/createMessage", "params": params}),
            Self::Roots => json!({"method": "roots/list"}),
        }
    }

    /// Whether that answers this, in words if not.
    pub(super) fn check(&self, answer: &Value) -> Result<(), String> {
        let Some(answer) = answer.as_object() else { return Err("the answer is no object".to_owned()) };
        match self {
            Self::Form { schema, .. } => match action(answer)? {
                "accept" => fits(schema, answer.get("content")),
                _ => Ok(()),
            },
            Self::Url { .. } => action(answer).map(|_| ()),
            Self::Sample(_) => match (answer.get("role").is_some(), answer.get("content").is_some()) {
                (true, true) => Ok(()),
                _ => Err("the answer holds no message: `role` and `content` are needed".to_owned()),
            },
            Self::Roots => match answer.get("roots") {
                Some(Value::Array(_)) => Ok(()),
                _ => Err("the answer holds no `roots`".to_owned()),
            },
        }
    }
}

fn action(answer: &Map<String, Value>) -> Result<&str, String> {
    match answer.get("action").and_then(Value::as_str) {
        Some(action @ ("accept" | "decline" | "cancel")) => Ok(action),
        _ => Err("`action` must be accept, decline or cancel".to_owned()),
    }
}

/// Whether `content` is what a form's schema asks for: what is required is there, and what is there is of its type.
fn fits(schema: &Map<String, Value>, content: Option<&Value>) -> Result<(), String> {
    let empty = Map::new();
    let content = match content {
        Some(Value::Object(content)) => content,
        None | Some(Value::Null) => &empty,
        Some(_) => return Err("`content` is no object".to_owned()),
    };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !content.contains_key(name) {
            return Err(format!("`{name}` is missing"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in content {
        let Some(property) = properties.get(name) else { continue };
        if !is_of(property.get("type").and_then(Value::as_str), value) {
            return Err(format!("`{name}` is of another type than was asked for"));
        }
        if let Some(choices) = property.get("enum").and_then(Value::as_array)
            && !choices.contains(value)
        {
            return Err(format!("`{name}` is none of the choices"));
        }
    }
    Ok(())
}

fn is_of(kind: Option<&str>, value: &Value) -> bool {
    match kind {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        _ => true,
    }
}

/// What the client answered. Its shape was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer(pub(super) Value);

impl Answer {
    /// What a person did with a form or a page: `accept`, `decline` or `cancel`.
    pub fn action(&self) -> &str {
        self.0.get("action").and_then(Value::as_str).unwrap_or("cancel")
    }

    /// What a person filled in, where they accepted.
    pub fn accepted(&self) -> Option<&Map<String, Value>> {
        (self.action() == "accept").then(|| self.0.get("content").and_then(Value::as_object)).flatten()
    }

    /// The text of a model's message.
    pub fn text(&self) -> String {
        let text = |block: &Value| block.get("text").and_then(Value::as_str).map(str::to_owned);
        match self.0.get("content") {
            Some(Value::Array(blocks)) => blocks.iter().filter_map(text).collect::<Vec<_>>().join("\n"),
            Some(block) => text(block).unwrap_or_default(),
            None => String::new(),
        }
    }

    /// The addresses of the client's roots.
    pub fn roots(&self) -> Vec<String> {
        let roots = self.0.get("roots").and_then(Value::as_array).into_iter().flatten();
        roots.filter_map(|root| root.get("uri").and_then(Value::as_str).map(str::to_owned)).collect()
    }

    /// The answer as it came.
    pub fn raw(&self) -> &Value {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Ask {
        let schema = json!({
            "type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "how": {"type": "string", "enum": ["a", "b"]}},
        });
        Ask::Form { message: "who?".to_owned(), schema: schema.as_object().cloned().unwrap() }
    }

    #[test]
    fn an_answer_to_a_form_is_what_its_schema_asks_for_or_no() {
        let ask = form();
        for good in [
            json!({"action": "accept", "content": {"name": "A"}}),
            json!({"action": "accept", "content": {"name": "A", "age": 3, "how": "b", "more": []}}),
            json!({"action": "decline"}),
            json!({"action": "cancel", "content": 3}),
        ] {
            assert_eq!(ask.check(&good), Ok(()), "{good}");
        }
        for bad in [
            json!(12_345),
            json!(null),
            json!({}),
            json!({"action": "perhaps"}),
            json!({"action": "accept"}),
            json!({"action": "accept", "content": {"age": 3}}),
            json!({"action": "accept", "content": {"name": 3}}),
            json!({"action": "accept", "content": {"name": "A", "age": 3.5}}),
            json!({"action": "accept", "content": {"name": "A", "how": "c"}}),
        ] {
            assert!(ask.check(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_and_roots_are_read_from_their_answers() {
        assert_eq!(Ask::Roots.check(&json!({"roots": []})), Ok(()));
        assert!(Ask::Roots.check(&json!({"roots": 1})).is_err());
        assert!(Ask::Sample(Map::new()).check(&json!({"role": "assistant"})).is_err());
        let answer = Answer(json!({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}));
        assert_eq!(answer.text(), "a\nb");
        assert_eq!(Answer(json!({"roots": [{"uri": "file:///a"}, {}]})).roots(), ["file:///a"]);
    }
}
