//! A service that has what the conformance suite asks a server for, on our own server layer.

use serde_json::{Map, Value, json};
use wakeful::mcp::server::ask::{Answer, Ask};
use wakeful::mcp::server::parts::{
    Block, Body, Completed, Completion, Contents, Icon, Prompt, PromptArgument, PromptReply, Resource, Role, Template, ToolListing,
    ToolReply,
};
use wakeful::mcp::server::{About, Changes, Context, Error, Keep, Level, Offers, Scope, Service};

/// A picture of one red point.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

/// A sound of no length.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// Tools without arguments, and what they are for.
const PLAIN: &[(&str, &str)] = &[
    ("test_simple_text", "Gives text"),
    ("test_image_content", "Gives a picture"),
    ("test_audio_content", "Gives a sound"),
    ("test_embedded_resource", "Gives a resource"),
    ("test_multiple_content_types", "Gives several kinds of content"),
    ("test_tool_with_logging", "Writes to the log while it runs"),
    ("test_logging_tool", "Writes to the log where that is wanted"),
    ("test_error_handling", "Fails"),
    ("test_tool_with_progress", "Tells its progress"),
    ("test_elicitation_sep1034_defaults", "Asks with defaults of all types"),
    ("test_elicitation_sep1330_enums", "Asks with choices of all kinds"),
    ("test_missing_capability", "Takes a client with sampling"),
    ("test_streaming_elicitation", "Asks in the middle of its work"),
    ("test_trigger_tool_change", "Tells that the tools changed"),
    ("test_trigger_prompt_change", "Tells that the prompts changed"),
    ("test_input_required_result_elicitation", "Asks for a name"),
    ("test_input_required_result_sampling", "Asks the model"),
    ("test_input_required_result_list_roots", "Asks for the roots"),
    ("test_input_required_result_request_state", "Asks, and keeps a state"),
    ("test_input_required_result_multiple_inputs", "Asks three things at once"),
    ("test_input_required_result_multi_round", "Asks two things one after the other"),
    ("test_input_required_result_tampered_state", "Asks, with a state that must not be changed"),
    ("test_input_required_result_capabilities", "Asks what the client can answer"),
];

/// The service.
#[derive(Default)]
pub struct Fixture {
    changes: Changes,
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

fn tool(name: &str, description: &str, input: Value) -> ToolListing {
    ToolListing { name: name.to_owned(), description: description.to_owned(), input: object(input), ..ToolListing::default() }
}

#[expect(clippy::needless_pass_by_value, reason = "written in place by every caller")]
fn form(message: &str, properties: Value, required: &[&str]) -> Ask {
    let schema = json!({"type": "object", "properties": properties, "required": required});
    Ask::Form { message: message.to_owned(), schema: object(schema) }
}

fn sample(text: &str, tokens: u32) -> Ask {
    let messages = json!([{"role": "user", "content": {"type": "text", "text": text}}]);
    Ask::Sample(object(json!({"messages": messages, "maxTokens": tokens})))
}

fn image() -> Block {
    Block::Image { data: PNG.to_owned(), mime_type: "image/png".to_owned() }
}

fn text_of(uri: &str, mime_type: &str, text: &str) -> Contents {
    Contents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body: Body::Text(text.to_owned()) }
}

/// `accept {"name":"A"}`
fn words(answer: &Answer) -> String {
    format!("action={}, content={}", answer.action(), Value::Object(answer.accepted().cloned().unwrap_or_default()))
}

fn accepted<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.accepted().and_then(|content| content.get(name)).and_then(Value::as_str).unwrap_or("nobody")
}

impl Fixture {
    async fn plain(&self, name: &str, context: &mut Context) -> Result<ToolReply, Error> {
        let content = match name {
            "test_simple_text" => vec![Block::text("This is a simple text response for testing.")],
            "test_image_content" => vec![image()],
            "test_audio_content" => vec![Block::Audio { data: WAV.to_owned(), mime_type: "audio/wav".to_owned() }],
            "test_embedded_resource" => {
                vec![Block::Resource(text_of("test://embedded-resource", "text/plain", "This is an embedded resource content."))]
            }
            "test_multiple_content_types" => {
                let mixed = text_of("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#);
                vec![Block::text("Multiple content types test:"), image(), Block::Resource(mixed)]
            }
            "test_tool_with_logging" | "test_logging_tool" => {
                for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    context.log(Level::Info, "fixture", json!(text)).await;
                }
                vec![Block::text("logged")]
            }
            "test_error_handling" => return Ok(ToolReply::error("This tool intentionally returns an error for testing")),
            "test_tool_with_progress" => {
                for done in [0.0, 50.0, 100.0] {
                    context.progress(done, Some(100.0), Some("under way")).await;
                }
                vec![Block::text("done")]
            }
            "test_trigger_tool_change" => {
                self.changes.tools();
                vec![Block::text("told")]
            }
            "test_trigger_prompt_change" => {
                self.changes.prompts();
                vec![Block::text("told")]
            }
            _ => return asked(name, context).await,
        };
        Ok(ToolReply { content, ..ToolReply::default() })
    }
}

/// Tools that ask the client. They are written once for both eras.
async fn asked(name: &str, context: &mut Context) -> Result<ToolReply, Error> {
    let text = match name {
        "test_missing_capability" => context.ask_one("answer", sample("Anything", 10)).await?.text(),
        "test_streaming_elicitation" => {
            context.progress(1.0, Some(2.0), None).await;
            words(&context.ask_one("answer", form("Go on?", json!({"ok": {"type": "boolean"}}), &[])).await?)
        }
        "test_elicitation_sep1034_defaults" => words(&context.ask_one("values", form("Values, please", defaults(), &[])).await?),
        "test_elicitation_sep1330_enums" => words(&context.ask_one("values", form("Choices, please", choices(), &[])).await?),
        "test_input_required_result_elicitation" => {
            let ask = form("What is your name?", json!({"name": {"type": "string"}}), &["name"]);
            format!("Hello, {}!", accepted(&context.ask_one("user_name", ask).await?, "name"))
        }
        "test_input_required_result_sampling" => {
            context.ask_one("capital_question", sample("What is the capital of France?", 100)).await?.text()
        }
        "test_input_required_result_list_roots" => context.ask_one("client_roots", Ask::Roots).await?.roots().join(" "),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            let ask = form("Please confirm", json!({"ok": {"type": "boolean"}}), &["ok"]);
            format!("state-ok {}", words(&context.ask_one("confirm", ask).await?))
        }
        "test_input_required_result_multiple_inputs" => {
            let name = form("What is your name?", json!({"name": {"type": "string"}}), &["name"]);
            let greeting = sample("Generate a greeting", 50);
            let asks = vec![("user_name".to_owned(), name), ("greeting".to_owned(), greeting), ("client_roots".to_owned(), Ask::Roots)];
            let answers = context.ask(asks).await?;
            let roots = answers["client_roots"].roots().join(" ");
            format!("{} {} {roots}", answers["greeting"].text(), accepted(&answers["user_name"], "name"))
        }
        "test_input_required_result_multi_round" => {
            let first = form("Step 1: What is your name?", json!({"name": {"type": "string"}}), &["name"]);
            let first = context.ask_one("step1", first).await?;
            let second = form("Step 2: What is your favorite color?", json!({"color": {"type": "string"}}), &["color"]);
            let second = context.ask_one("step2", second).await?;
            format!("{} likes {}", accepted(&first, "name"), accepted(&second, "color"))
        }
        "test_input_required_result_capabilities" => {
            let mut can = vec![
                ("model".to_owned(), sample("Anything", 10)),
                ("person".to_owned(), form("Anything?", json!({"text": {"type": "string"}}), &[])),
                ("roots".to_owned(), Ask::Roots),
            ];
            can.retain(|(_, ask)| context.client_can(ask.capability()));
            let answers = context.ask(can).await?;
            answers.into_keys().collect::<Vec<_>>().join(" ")
        }
        other => return Err(Error::NoTool(other.to_owned())),
    };
    Ok(ToolReply::text(text))
}

fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    })
}

fn choices() -> Value {
    let titled =
        |word: &str| json!([{"const": "value1", "title": format!("First {word}")}, {"const": "value2", "title": format!("Second {word}")}]);
    json!({
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled("Option")},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
    })
}

/// A schema with what JSON Schema 2020-12 has and older drafts have not.
fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

fn resource(uri: &str, name: &str, mime_type: &str) -> Resource {
    let description = Some(format!("The {name}"));
    Resource { uri: uri.to_owned(), name: name.to_owned(), description, mime_type: Some(mime_type.to_owned()), ..Resource::default() }
}

fn prompt(name: &str, arguments: &[(&str, &str)]) -> Prompt {
    let argument =
        |&(name, description): &(&str, &str)| PromptArgument { name: name.to_owned(), description: description.to_owned(), required: true };
    Prompt {
        name: name.to_owned(),
        description: format!("The prompt {name}"),
        arguments: arguments.iter().map(argument).collect(),
        ..Prompt::default()
    }
}

fn user(blocks: impl IntoIterator<Item = Block>) -> PromptReply {
    PromptReply { description: None, messages: blocks.into_iter().map(|block| (Role::User, block)).collect() }
}

impl Service for Fixture {
    fn about(&self) -> About {
        let icon =
            Icon { src: format!("data:image/png;base64,{PNG}"), mime_type: Some("image/png".to_owned()), sizes: vec!["1x1".to_owned()] };
        About {
            name: "wakeful-fixture".to_owned(),
            title: Some("The fixture of wakeful's server layer".to_owned()),
            version: "1.0.0".to_owned(),
            icons: vec![icon],
            instructions: Some("Serves the conformance suite.".to_owned()),
            offers: Offers { tools: true, resources: true, prompts: true, completions: true, logging: true },
            lists: Keep { ttl: std::time::Duration::from_secs(1), scope: Scope::Public },
            ..About::default()
        }
    }

    fn changes(&self) -> Option<&Changes> {
        Some(&self.changes)
    }

    fn tools(&self) -> Vec<ToolListing> {
        let mut tools: Vec<ToolListing> =
            PLAIN.iter().map(|(name, description)| tool(name, description, json!({"type": "object", "properties": {}}))).collect();
        let text = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
        tools.push(tool("test_sampling", "Asks the model of the client", text("prompt")));
        tools.push(tool("test_elicitation", "Asks the person behind the client", text("message")));
        let region = json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
        tools.push(tool("test_custom_header", "Has an argument that HTTP clients repeat in a header", region));
        tools.push(tool("json_schema_2020_12_tool", "Has a schema of 2020-12", schema_2020_12()));
        tools
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>, mut context: Context) -> Result<ToolReply, Error> {
        let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or("(nothing)");
        match name {
            "test_sampling" => {
                let answer = context.ask_one("answer", sample(argument("prompt"), 100)).await?;
                Ok(ToolReply::text(format!("LLM response: {}", answer.text())))
            }
            "test_elicitation" => {
                let properties = json!({
                    "username": {"type": "string", "description": "User's response"},
                    "email": {"type": "string", "description": "User's email address"},
                });
                let answer = context.ask_one("answer", form(argument("message"), properties, &["username", "email"])).await?;
                Ok(ToolReply::text(format!("User response: {}", words(&answer))))
            }
            "test_custom_header" => Ok(ToolReply::text(argument("region"))),
            "json_schema_2020_12_tool" => Ok(ToolReply::text(Value::Object(arguments).to_string())),
            _ => self.plain(name, &mut context).await,
        }
    }

    async fn resources(&self) -> Result<Vec<Resource>, Error> {
        Ok(vec![
            resource("test://static-text", "text", "text/plain"),
            resource("test://static-binary", "picture", "image/png"),
            resource("test://watched-resource", "watched text", "text/plain"),
        ])
    }

    fn templates(&self) -> Vec<Template> {
        vec![Template {
            uri: "test://template/{id}/data".to_owned(),
            name: "data".to_owned(),
            mime_type: Some("application/json".to_owned()),
            ..Template::default()
        }]
    }

    async fn read(&self, uri: String, _context: Context) -> Result<Vec<Contents>, Error> {
        let contents = match uri.as_str() {
            "test://static-text" => text_of(&uri, "text/plain", "This is the content of the static text resource."),
            "test://static-binary" => {
                Contents { uri: uri.clone(), mime_type: Some("image/png".to_owned()), body: Body::Blob(PNG.to_owned()) }
            }
            "test://watched-resource" => text_of(&uri, "text/plain", "Watched."),
            other => match other.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data")) {
                Some(id) => {
                    let text = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string();
                    text_of(&uri, "application/json", &text)
                }
                None => return Err(Error::NoResource(uri)),
            },
        };
        Ok(vec![contents])
    }

    fn prompts(&self) -> Vec<Prompt> {
        vec![
            prompt("test_simple_prompt", &[]),
            prompt("test_prompt_with_arguments", &[("arg1", "First test argument"), ("arg2", "Second test argument")]),
            prompt("test_prompt_with_embedded_resource", &[("resourceUri", "URI of the resource to embed")]),
            prompt("test_prompt_with_image", &[]),
            prompt("test_input_required_result_prompt", &[]),
        ]
    }

    async fn prompt(&self, name: String, arguments: Map<String, Value>, mut context: Context) -> Result<PromptReply, Error> {
        let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        Ok(match name.as_str() {
            "test_simple_prompt" => user([Block::text("This is a simple prompt for testing.")]),
            "test_prompt_with_arguments" => {
                user([Block::text(format!("Prompt with arguments: arg1='{}', arg2='{}'", argument("arg1"), argument("arg2")))])
            }
            "test_prompt_with_embedded_resource" => user([
                Block::Resource(text_of(argument("resourceUri"), "text/plain", "Embedded resource content for testing.")),
                Block::text("Please process the embedded resource above."),
            ]),
            "test_prompt_with_image" => user([image(), Block::text("Please analyze the image above.")]),
            "test_input_required_result_prompt" => {
                let ask = form("What context should the prompt use?", json!({"context": {"type": "string"}}), &["context"]);
                let answer = context.ask_one("user_context", ask).await?;
                user([Block::text(format!("Context: {}", accepted(&answer, "context")))])
            }
            _ => return Err(Error::NoPrompt(name)),
        })
    }

    async fn complete(&self, request: Completion) -> Result<Completed, Error> {
        let values = ["paris", "park", "party", "test"].into_iter().filter(|value| value.starts_with(&request.typed));
        Ok(Completed { values: values.map(str::to_owned).collect() })
    }
}
