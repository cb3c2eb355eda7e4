//! Where a provider is and how it is spoken to: address, headers, query.

use std::collections::BTreeMap;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};

use crate::llm::Error;
use crate::llm::openai::options::{Auth, ProviderOptions};

/// The shortest secret that is looked for in messages; shorter ones would mask ordinary words.
const SECRET_CHARS_MIN: usize = 6;

/// Where and how.
#[derive(Clone)]
pub(super) struct Endpoint {
    base: String,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    key: SecretString,
    secrets: Vec<SecretString>,
}

impl Endpoint {
    /// Reads the options; `key` is the key as it was found.
    pub(super) fn new(options: &ProviderOptions, key: Option<SecretString>) -> Result<Self, Error> {
        let base = read_base(&options.base_url)?;
        let key = key.unwrap_or_default();
        let mut headers = HeaderMap::new();
        if let Some(organization) = &options.organization {
            headers.insert("openai-organization", value("organization", organization)?);
        }
        if !key.expose_secret().is_empty() {
            match &options.auth {
                Auth::Bearer => {
                    headers.insert(AUTHORIZATION, secret_value("the key", &format!("Bearer {}", key.expose_secret()))?);
                }
                Auth::Header(header) => {
                    headers.insert(name(header)?, secret_value("the key", key.expose_secret())?);
                }
                Auth::None => {}
            }
        }
        for (header, secret) in &options.headers {
            headers.insert(name(header)?, secret_value(header, secret.expose_secret())?);
        }
        let query = options.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let secrets = secrets(&key, &options.headers);
        Ok(Self { base, headers, query, key, secrets })
    }

    /// The address of `path`.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// `text` without any of our secrets: some servers repeat the key they refuse.
    pub(super) fn censor(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            if text.contains(secret.expose_secret()) { text.replace(secret.expose_secret(), "••••") } else { text }
        })
    }
}

fn secrets(key: &SecretString, headers: &BTreeMap<String, SecretString>) -> Vec<SecretString> {
    let long = |secret: &&SecretString| secret.expose_secret().len() >= SECRET_CHARS_MIN;
    std::iter::once(key).chain(headers.values()).filter(long).cloned().collect()
}

fn read_base(text: &str) -> Result<String, Error> {
    let base = text.trim().trim_end_matches('/');
    let base = base.strip_suffix("/chat/completions").unwrap_or(base).trim_end_matches('/');
    let wrong = |why: &str| Error::Config(format!("`base_url` {why}"));
    let uri: Uri = base.parse().map_err(|_| wrong("is no URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("must begin with `http://` or `https://`"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("must not hold a password; use `api_key` or `headers`"));
    }
    if uri.query().is_some() {
        return Err(wrong("must not hold a query; use `query`"));
    }
    Ok(base.to_owned())
}

fn name(header: &str) -> Result<HeaderName, Error> {
    HeaderName::try_from(header).map_err(|_| Error::Config(format!("`{header}` is no name of a header")))
}

fn value(what: &str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(text.trim()).map_err(|_| Error::Config(format!("{what} holds characters that no header can carry")))
}

fn secret_value(what: &str, text: &str) -> Result<HeaderValue, Error> {
    let mut value = value(what, text)?;
    value.set_sensitive(true);
    Ok(value)
}

impl async_openai::config::Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        self.address(path)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_kindly_and_strictly() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let options = ProviderOptions { base_url: text.into(), ..ProviderOptions::default() };
            let read = Endpoint::new(&options, None).map(|endpoint| endpoint.address("/models")).map_err(|error| error.to_string());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("https://x.test/v1", Ok("https://x.test/v1/models"));
        check(" http://127.0.0.1:8080/v1/ ", Ok("http://127.0.0.1:8080/v1/models"));
        check("https://x.test/v1/chat/completions", Ok("https://x.test/v1/models"));
        check("x.test/v1", Err("`base_url` is no URL"));
        check("", Err("`base_url` is no URL"));
        check("ftp://x.test", Err("`base_url` must begin with `http://` or `https://`"));
        check("https://me:secret@x.test/v1", Err("`base_url` must not hold a password; use `api_key` or `headers`"));
        check("https://x.test/v1?api-version=1", Err("`base_url` must not hold a query; use `query`"));
    }

    #[test]
    fn keys_go_where_they_are_wanted_and_nowhere_else() {
        let headers = |auth: Auth| {
            let options = ProviderOptions { auth, organization: Some("org".into()), ..ProviderOptions::default() };
            Endpoint::new(&options, Some("sk-secret".into())).unwrap()
        };
        let bearer = headers(Auth::Bearer);
        assert_eq!(bearer.headers()[AUTHORIZATION], "Bearer sk-secret");
        assert_eq!(bearer.headers()["openai-organization"], "org");
        assert!(!format!("{:?}", bearer.headers()).contains("secret"));
        assert_eq!(headers(Auth::Header("api-key".into())).headers()["api-key"], "sk-secret");
        assert!(headers(Auth::None).headers().get(AUTHORIZATION).is_none());
        assert_eq!(bearer.censor("bad key sk-secret!".into()), "bad key ••••!");
        assert!(Endpoint::new(&ProviderOptions::default(), Some("a\nb".into())).is_err());
    }
}
