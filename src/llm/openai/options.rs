//! What the config says about one provider.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// One OpenAI-compatible provider, `[providers.NAME]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderOptions {
    /// Where the API is, up to and with its version; default `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key; better kept in the environment, see `api_key_env`.
    #[serde(serialize_with = "masked", skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretString>,
    /// The environment variable that holds the key where `api_key` is not set.
    pub api_key_env: Option<String>,
    /// The model to use where none is named.
    pub model: Option<String>,
    /// Models to offer, for providers that have no list of their own.
    pub models: Vec<String>,
    /// Further headers; their values count as secrets.
    #[serde(serialize_with = "masked_values")]
    pub headers: BTreeMap<String, SecretString>,
    /// Further query parameters, `api-version` for example.
    pub query: BTreeMap<String, String>,
    /// How the key is sent: `bearer` (default), `header:NAME` or `none`.
    pub auth: Auth,
    /// The organization that is billed, where the key belongs to several.
    pub organization: Option<String>,
    /// How many tokens the models can hold; default: what the provider tells, else what is known of the model.
    pub context_tokens: Option<u64>,
    /// The most tokens to write in one answer; default: the provider's.
    pub output_tokens_max: Option<u32>,
    /// How much chance there is in the answers; default: the provider's.
    pub temperature: Option<f64>,
    /// Whether the provider wants the model's reasoning back within a turn (`DeepSeek` does); default `false`.
    pub reasoning_back: bool,
    /// Whether the models can call tools; default `true`. With `false` none are offered.
    pub tools: bool,
    /// Longest wait for a connection, in seconds; default 10.
    pub connect_timeout_seconds: u64,
    /// Longest wait for the first part of an answer, in seconds; default 180: a local model may read a long prompt.
    pub first_chunk_timeout_seconds: u64,
    /// Longest wait between two parts of an answer, in seconds; default 90. Signs of life that say nothing do not count.
    pub idle_timeout_seconds: u64,
    /// How often a call is tried in all before the first text; default 5.
    pub attempts_max: u32,
    /// Merged into each request as it is, over our own keys.
    pub extra_body: Map<String, Value>,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key: None,
            api_key_env: None,
            model: None,
            models: Vec::new(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            auth: Auth::default(),
            organization: None,
            context_tokens: None,
            output_tokens_max: None,
            temperature: None,
            reasoning_back: false,
            tools: true,
            connect_timeout_seconds: 10,
            first_chunk_timeout_seconds: 180,
            idle_timeout_seconds: 90,
            attempts_max: 5,
            extra_body: Map::new(),
        }
    }
}

impl ProviderOptions {
    pub(super) fn first_chunk_timeout(&self) -> Duration {
        Duration::from_secs(self.first_chunk_timeout_seconds)
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }
}

/// How the key is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// A header of its own, `api-key` for example.
    Header(String),
    /// Not at all.
    None,
}

impl TryFrom<String> for Auth {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "bearer" => Ok(Self::Bearer),
            "none" => Ok(Self::None),
            _ => match text.strip_prefix("header:").map(str::trim) {
                Some(name) if http::HeaderName::try_from(name).is_ok() => Ok(Self::Header(name.to_owned())),
                _ => Err(format!("`{text}` is no way to send a key; there are `bearer`, `header:NAME` and `none`")),
            },
        }
    }
}

impl From<Auth> for String {
    fn from(auth: Auth) -> Self {
        match auth {
            Auth::Bearer => "bearer".to_owned(),
            Auth::Header(name) => format!("header:{name}"),
            Auth::None => "none".to_owned(),
        }
    }
}

/// What stands for a secret wherever options are shown.
const MASK: &str = "••••";

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn masked<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|secret| if secret.expose_secret().is_empty() { "" } else { MASK }).serialize(serializer)
}

fn masked_values<S: Serializer>(secrets: &BTreeMap<String, SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(secrets.keys().map(|name| (name, MASK)))
}
