//! Why a request is not answered, and what that is on the wire.

use rmcp::model::{ClientCapabilities, ErrorCode, ErrorData};
use serde_json::{Value, json};

use crate::mcp::server::context::Capability;
use crate::mcp::server::rounds::Waiting;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no tool of that name.
    #[error("there is no tool `{0}`: `tools/list` names those there are")]
    NoTool(String),
    /// There is no prompt of that name.
    #[error("there is no prompt `{0}`: `prompts/list` names those there are")]
    NoPrompt(String),
    /// There is no resource of that address.
    #[error("there is no resource `{0}`")]
    NoResource(String),
    /// The request cannot be meant like this, in words.
    #[error("{0}")]
    BadRequest(String),
    /// It takes something of the client that the client did not declare.
    #[error("the client did not declare the capability `{}`, which this takes", .0.name())]
    MissingCapability(Capability),
    /// The client did not answer what it was asked, in words.
    #[error("{0}")]
    NoAnswer(String),
    /// The client has to answer first. Hand it on: the layer makes a round of it.
    #[error("the client has to answer first")]
    Waiting(Box<Waiting>),
    /// Anything else.
    #[error("{message}")]
    Failed {
        /// The JSON-RPC code.
        code: i32,
        /// One sentence.
        message: String,
        /// What programs need of it.
        data: Option<Value>,
    },
}

impl Error {
    /// A failure of the server's own making.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Failed { code: ErrorCode::INTERNAL_ERROR.0, message: message.into(), data: None }
    }

    /// As it goes to the client. A resource that is missing has a code of its own in the legacy era; rmcp exchanges it for
    /// the newer one.
    pub(super) fn wire(self) -> ErrorData {
        let message = self.to_string();
        match self {
            Self::NoTool(_) | Self::NoPrompt(_) | Self::BadRequest(_) => ErrorData::invalid_params(message, None),
            Self::NoResource(uri) => ErrorData::resource_not_found(message, Some(json!({ "uri": uri }))),
            Self::MissingCapability(capability) => ErrorData::missing_required_client_capability(required(capability)),
            Self::NoAnswer(_) | Self::Waiting(_) => ErrorData::internal_error(message, None),
            Self::Failed { code, data, .. } => ErrorData::new(ErrorCode(code), message, data),
        }
    }
}

fn required(capability: Capability) -> ClientCapabilities {
    serde_json::from_value(json!({ capability.name(): {} })).unwrap_or_default()
}
