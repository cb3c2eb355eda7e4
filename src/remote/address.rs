//! Where a program runs: `http://host:8000`, `host:8000`, `ws://…`, `https://…`.

use std::fmt;

use url::Url;

use crate::domain::text::clean_line;

/// The port that `wakeful serve` listens on by itself.
const DEFAULT_PORT: u16 = 8_000;

/// The address of a program that serves its feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    /// A name or an address, IPv6 without brackets.
    host: String,
    port: u16,
    /// What stands before the routes; no slash at its end.
    base: String,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no address of a running wakeful: {reason}; like `http://127.0.0.1:8000`")]
pub struct AddressError {
    given: String,
    reason: &'static str,
}

impl Address {
    /// Reads an address. Without a scheme plain HTTP is meant, and without a port 8000 then.
    ///
    /// # Errors
    /// When it is no such address, or holds what belongs elsewhere (a token, a query).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let bare = !text.contains("://");
        // What stands before an `@` may be a secret.
        let given = clean_line(text.rsplit('@').next().unwrap_or_default());
        let wrong = |reason| AddressError { given: given.split('?').next().unwrap_or_default().to_owned(), reason };
        let whole = if bare { format!("http://{text}") } else { text.to_owned() };
        let url = Url::parse(&whole).map_err(|_| wrong("it cannot be read"))?;
        let tls = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(wrong("only http, https, ws and wss are spoken")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("no user and password belong in it, give `--token-env`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("nothing may follow the path; a token is given with `--token-env`"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        // The parser drops a port that is the scheme's own.
        let own_port = bare && !whole.trim_end_matches('/').ends_with(":80");
        let port = match url.port() {
            Some(port) => port,
            None if own_port => DEFAULT_PORT,
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
        };
        if port == 0 {
            return Err(wrong("there is no port 0"));
        }
        Ok(Self { tls, host, port, base: url.path().trim_end_matches('/').to_owned() })
    }

    /// Whether it is spoken to over TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host: a name or an address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a route for HTTP.
    pub fn http(&self, route: &str) -> String {
        format!("http{}://{self}{}{route}", if self.tls { "s" } else { "" }, self.base)
    }

    /// The address of a route for WebSocket.
    pub fn ws(&self, route: &str) -> String {
        format!("ws{}://{self}{}{route}", if self.tls { "s" } else { "" }, self.base)
    }
}

impl fmt::Display for Address {
    /// `host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_usual_forms_are_read() {
        let check = |text: &str, http: &str, ws: &str| {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.http("/x"), address.ws("/x")), (http.to_owned(), ws.to_owned()), "{text}");
        };
        check("127.0.0.1:8000", "http://127.0.0.1:8000/x", "ws://127.0.0.1:8000/x");
        check("localhost", "http://localhost:8000/x", "ws://localhost:8000/x");
        check("localhost:80", "http://localhost:80/x", "ws://localhost:80/x");
        check("http://box", "http://box:80/x", "ws://box:80/x");
        check("ws://box:9/", "http://box:9/x", "ws://box:9/x");
        check("https://box.example", "https://box.example:443/x", "wss://box.example:443/x");
        check("wss://box.example:8443/w/", "https://box.example:8443/w/x", "wss://box.example:8443/w/x");
        check("[::1]:8000", "http://[::1]:8000/x", "ws://[::1]:8000/x");
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_is_repeated() {
        let check = |text: &str, part: &str| {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        };
        check("", "cannot be read");
        check("ftp://box", "only http");
        check("http://me:secret@box:8000", "--token-env");
        check("http://box:8000/?token=secret", "--token-env");
        check("box:99999", "cannot be read");
        check("http://box:0", "port 0");
    }
}
