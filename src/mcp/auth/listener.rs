//! Where the browser comes back to after a login: one answer, on the loopback interface, at a port of the moment (RFC 8252).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use crate::domain::text::{clean_line, ellipsis};
use crate::mcp::auth::error::AuthError;

/// The path that the browser is sent to.
const PATH: &str = "/callback";

/// The longest request that is read, in bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1_024;

/// How long one visitor may take.
const VISIT_LIMIT: Duration = Duration::from_secs(10);

/// Visitors at once: browsers open connections that they may need.
const VISITORS_MAX: usize = 16;

/// The longest text of a refusal that is shown, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// What came back from the authorization server by way of the browser.
#[derive(Debug, Default)]
pub(super) struct Callback {
    pub(super) code: Option<SecretString>,
    /// Why there is no code.
    pub(super) error: Option<String>,
    /// Who answers (RFC 9207).
    pub(super) issuer: Option<String>,
}

/// Listens for the browser.
pub(super) struct Listener {
    socket: TcpListener,
    pub(super) port: u16,
}

impl Listener {
    /// Listens at `port`, or at any free one. `preferred` may be taken by others.
    pub(super) async fn bind(port: Option<u16>, preferred: Option<u16>) -> Result<Self, AuthError> {
        let at = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let socket = match (port, preferred) {
            (Some(port), _) => at(port).await,
            (None, Some(preferred)) => match at(preferred).await {
                Ok(socket) => Ok(socket),
                Err(_) => at(0).await,
            },
            (None, None) => at(0).await,
        };
        let bound = socket.and_then(|socket| Ok((socket.local_addr()?.port(), socket)));
        let wanted = port.map_or_else(String::new, |port| format!(" {port} (`redirect_port`)"));
        let (port, socket) =
            bound.map_err(|error| AuthError::Local(format!("could not listen at a port{wanted} for the browser: {error}")))?;
        Ok(Self { socket, port })
    }

    /// The address that the browser is to be sent back to.
    pub(super) fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the answer that shows `state`; others are turned away.
    pub(super) async fn callback(&self, state: &str) -> Callback {
        let state: Arc<str> = state.into();
        let (sender, mut callbacks) = mpsc::channel(1);
        let mut visitors = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(callback) = callbacks.recv() => return callback,
                Some(_) = visitors.join_next(), if !visitors.is_empty() => {}
                Ok((stream, _)) = self.socket.accept(), if visitors.len() < VISITORS_MAX => {
                    let (state, sender) = (Arc::clone(&state), sender.clone());
                    visitors.spawn(async move {
                        if let Ok(Some(callback)) = timeout(VISIT_LIMIT, visit(stream, &state)).await {
                            // Only the first one counts.
                            let _ = sender.try_send(callback);
                        }
                    });
                }
            }
        }
    }
}

/// Reads one request and answers with a page.
async fn visit(mut stream: TcpStream, state: &str) -> Option<Callback> {
    let _ = stream.set_nodelay(true);
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut part = [0; 2_048];
        let count = stream.read(&mut part).await.ok()?;
        if count == 0 || request.len() + count > REQUEST_BYTES_MAX {
            return None;
        }
        request.extend_from_slice(&part[..count]);
    }
    let head = String::from_utf8_lossy(&request);
    let (status, words, callback) = understand(head.lines().next().unwrap_or_default(), state);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>wakeful</title>\
         <body style=\"font:18px system-ui,sans-serif;margin:15vh auto;max-width:32em;padding:0 1em\"><h1>wakeful</h1><p>{words}</p></body></html>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n\r\n",
        page.len()
    );
    let _ = stream.write_all(format!("{head}{page}").as_bytes()).await;
    let _ = stream.shutdown().await;
    callback
}

/// What a request line means: the status and words of the page, and the answer if it is one. Nothing of it is repeated.
fn understand(line: &str, state: &str) -> (&'static str, &'static str, Option<Callback>) {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let url = Url::parse("http://127.0.0.1").ok().and_then(|base| base.join(target).ok());
    let Some(url) = url.filter(|url| method == "GET" && url.path() == PATH) else {
        return ("404 Not Found", "There is nothing here.", None);
    };
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if value("state").as_deref() != Some(state) {
        return ("400 Bad Request", "This answer does not belong to the login that is waited for.", None);
    }
    let shown = |text: String| ellipsis(&clean_line(&text), TEXT_CHARS_MAX).into_owned();
    let issuer = value("iss");
    match (value("code").filter(|code| !code.is_empty()), value("error")) {
        (Some(code), None) => {
            let callback = Callback { code: Some(code.into()), error: None, issuer };
            ("200 OK", "You can close this window and go back to the terminal.", Some(callback))
        }
        (_, error) => {
            let error = error.unwrap_or_else(|| "it sent no code".to_owned());
            let told = value("error_description").map_or_else(|| error.clone(), |words| format!("{words} ({error})"));
            let callback = Callback { code: None, error: Some(shown(told)), issuer };
            ("200 OK", "The login did not come about. The terminal says why.", Some(callback))
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn only_the_answer_with_our_state_counts() {
        let check = |line: &str, status: &str, outcome: Option<(Option<&str>, Option<&str>)>| {
            let (said, _, callback) = understand(line, "s1");
            assert!(said.starts_with(status), "{line}: {said}");
            let seen = callback.map(|callback| (callback.code.map(|code| code.expose_secret().to_owned()), callback.error));
            assert_eq!(seen, outcome.map(|(code, error)| (code.map(str::to_owned), error.map(str::to_owned))), "{line}");
        };
        check("GET /callback?code=c1&state=s1 HTTP/1.1", "200", Some((Some("c1"), None)));
        check("GET /callback?code=c1&state=s2 HTTP/1.1", "400", None);
        check("GET /callback?code=c1 HTTP/1.1", "400", None);
        check("POST /callback?code=c1&state=s1 HTTP/1.1", "404", None);
        check("GET /favicon.ico HTTP/1.1", "404", None);
        check("GET //evil/callback?code=c1&state=s1 HTTP/1.1", "200", Some((Some("c1"), None)));
        check(
            "GET /callback?error=access_denied&error_description=no%1b%5B31m&state=s1 HTTP/1.1",
            "200",
            Some((None, Some("no (access_denied)"))),
        );
        check("GET /callback?state=s1 HTTP/1.1", "200", Some((None, Some("it sent no code"))));
        check("", "404", None);
    }
}
