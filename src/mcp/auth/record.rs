//! What is kept of a login: with which authorization server, as which client, which tokens. Secrets are never in `Debug`.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::clock::Instant;

/// A token that ends within so many milliseconds is not used any more: the request takes its time.
const LEEWAY_MS: i64 = 30_000;

/// Everything about one login; good for one issuer, one client and one resource only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) issuer: String,
    pub(super) resource: String,
    pub(super) token_endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revocation_endpoint: Option<String>,
    pub(super) client: Client,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<Tokens>,
}

/// Who we are to an authorization server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Client {
    pub(super) id: String,
    #[serde(default, with = "optional_secret", skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<SecretString>,
    pub(super) method: Method,
    pub(super) origin: Origin,
    /// The port of the redirect address it is registered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    /// When its secret ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Instant>,
}

/// How the client shows who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    /// By its id alone.
    None,
    /// In the header.
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }

    /// The method of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost].into_iter().find(|method| method.as_str() == name)
    }
}

/// Where a client's identity comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    /// From the config.
    Configured,
    /// It is the address of a document.
    Document,
    /// The authorization server gave it to us.
    Registered,
}

/// What opens the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tokens {
    #[serde(with = "secret")]
    pub(super) access: SecretString,
    #[serde(default, with = "optional_secret", skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<SecretString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Instant>,
    /// What it allows.
    #[serde(default)]
    pub(super) scopes: Vec<String>,
}

impl Tokens {
    /// Whether it can still be used.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until.as_millis() - LEEWAY_MS > now.as_millis())
    }

    /// Whether this is the access token `other`.
    pub(super) fn is(&self, other: Option<&SecretString>) -> bool {
        other.is_some_and(|other| other.expose_secret() == self.access.expose_secret())
    }
}

mod secret {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
        String::deserialize(deserializer).map(SecretString::from)
    }
}

mod optional_secret {
    use super::{Deserialize, Deserializer, ExposeSecret, SecretString, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub(super) fn serialize<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_some(secret.expose_secret()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_secrets_but_do_not_show_them() {
        let json = r#"{"issuer":"https://as","resource":"https://h/mcp","token_endpoint":"https://as/token",
            "client":{"id":"c","secret":"pw1","method":"client_secret_basic","origin":"registered","port":1234},
            "tokens":{"access":"pw2","refresh":"pw3","until":"2026-01-01T00:00:00.000Z","scopes":["a"]}}"#;
        let record: Record = serde_json::from_str(json).unwrap();
        assert!(!format!("{record:?}").contains("pw"), "{record:?}");
        let kept = serde_json::to_string(&record).unwrap();
        assert!(["pw1", "pw2", "pw3"].iter().all(|secret| kept.contains(secret)), "{kept}");
        let tokens = record.tokens.unwrap();
        let until = tokens.until.unwrap();
        assert!(!tokens.is_fresh(until));
        assert!(!tokens.is_fresh(Instant::from_millis(until.as_millis() - LEEWAY_MS)));
        assert!(tokens.is_fresh(Instant::from_millis(until.as_millis() - LEEWAY_MS - 1)));
        assert!(tokens.is(Some(&"pw2".into())) && !tokens.is(Some(&"pw3".into())) && !tokens.is(None));
    }
}
