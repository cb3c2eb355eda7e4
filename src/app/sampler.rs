//! Lends the model to servers that ask for it (MCP sampling): the default model, within a time limit.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::domain::ids::{CallId, ToolName};
use crate::domain::message::{Message, Role, ToolCall};
use crate::llm::{Catalog, ChatRequest, Delta, Finish, ToolSpec};
use crate::mcp::{SampleAnswer, SampleCall, SampleMessage, SampleRequest, SampleTool, Sampler};

/// The longest that an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_mins(5);

/// The default model as a sampler.
pub struct ModelSampler {
    catalog: Catalog,
}

impl ModelSampler {
    /// Asks the default model of `catalog`.
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }
}

impl Sampler for ModelSampler {
    fn model(&self) -> String {
        self.catalog.default_id().to_owned()
    }

    fn sample(&self, request: SampleRequest) -> BoxFuture<'static, Result<SampleAnswer, String>> {
        let resolved = match self.catalog.resolve(self.catalog.default_id(), None) {
            Ok(resolved) => resolved,
            Err(error) => return std::future::ready(Err(error.to_string())).boxed(),
        };
        let asked = async move {
            let id = resolved.id();
            let mut stream = resolved.llm.chat(chat(request, &resolved.model));
            while let Some(delta) = stream.next().await {
                if let Delta::Done(completion) = delta.map_err(|error| error.to_string())? {
                    return Ok(SampleAnswer {
                        model: id,
                        is_cut: completion.finish == Finish::Length,
                        calls: completion.message.tool_calls.into_iter().map(call).collect(),
                        text: completion.message.content,
                    });
                }
            }
            Err("the answer broke off".to_owned())
        };
        async move { tokio::time::timeout(ANSWER_LIMIT, asked).await.unwrap_or_else(|_| Err("the model took too long".to_owned())) }.boxed()
    }
}

fn chat(request: SampleRequest, model: &str) -> ChatRequest {
    let system = request.system.into_iter().map(|text| Message::text(Role::System, text));
    ChatRequest {
        model: model.to_owned(),
        messages: system.chain(request.messages.into_iter().map(message)).collect(),
        tools: request.tools.into_iter().map(tool).collect(),
        output_tokens_max: u32::try_from(request.max_tokens).ok(),
    }
}

fn message(message: SampleMessage) -> Message {
    match message {
        SampleMessage::User(text) => Message::text(Role::User, text),
        SampleMessage::Assistant { text, calls } => {
            let call = |call: SampleCall| ToolCall {
                id: CallId::from(call.id),
                name: ToolName::from(call.name),
                arguments: call.arguments,
                invalid: None,
                extra: serde_json::Map::new(),
            };
            Message { tool_calls: calls.into_iter().map(call).collect(), ..Message::text(Role::Assistant, text) }
        }
        SampleMessage::Result { id, text } => Message::tool_result(CallId::from(id), text),
    }
}

fn call(call: ToolCall) -> SampleCall {
    SampleCall { id: call.id.to_string(), name: call.name.to_string(), arguments: call.arguments }
}

fn tool(tool: SampleTool) -> ToolSpec {
    ToolSpec { name: ToolName::from(tool.name), description: tool.description, parameters: Arc::new(tool.parameters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_becomes_a_chat() {
        let calls = vec![SampleCall { id: "1".to_owned(), name: "look".to_owned(), arguments: serde_json::Map::new() }];
        let request = SampleRequest {
            system: Some("be short".to_owned()),
            messages: vec![
                SampleMessage::User("hi".to_owned()),
                SampleMessage::Assistant { text: String::new(), calls },
                SampleMessage::Result { id: "1".to_owned(), text: "seen".to_owned() },
            ],
            tools: vec![SampleTool { name: "look".to_owned(), description: String::new(), parameters: serde_json::Map::new() }],
            max_tokens: 7,
        };
        let chat = chat(request, "m");
        let roles: Vec<Role> = chat.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
        assert_eq!((chat.model.as_str(), chat.tools.len(), chat.output_tokens_max), ("m", 1, Some(7)));
        assert_eq!(chat.messages[3].tool_call_id, Some("1".into()));
    }
}
