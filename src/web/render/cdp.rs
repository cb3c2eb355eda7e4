//! Drives one page over the Chrome DevTools Protocol: opens it, lets its requests pass the guard, waits until it is quiet,
//! reads what became of it.

use std::collections::HashSet;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::Error;
use super::gate::Way;
use crate::domain::text::{clean_line, ellipsis};

/// The largest message of the browser, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Requests that are counted as under way; a page with more is not waited for.
const REQUESTS_MAX: usize = 4_096;

/// How long and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The network must have been quiet for so long after the page was loaded.
    pub(super) quiet: Duration,
    /// After so long the page is read as it stands.
    pub(super) load: Duration,
    /// How long the browser may take to answer.
    pub(super) answer: Duration,
    /// The largest page, in characters.
    pub(super) chars_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (quiet, load, answer) = (Duration::from_millis(500), Duration::from_secs(25), Duration::from_secs(20));
        Self { quiet, load, answer, chars_max: 8 << 20 }
    }
}

/// The page at `url` as HTML, made by the browser whose DevTools listen at `address`.
pub(super) async fn read(address: &str, url: &str, way: &Way, limits: Limits) -> Result<String, Error> {
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connected = tokio::time::timeout(limits.answer, connect_async_with_config(address, Some(config), true)).await;
    let (socket, _) = connected.map_err(|_| silent("connecting"))?.map_err(|error| Error::Broken(error.to_string()))?;
    let mut page =
        Page { socket, way, limits, session: None, target: None, last_id: 0, under_way: HashSet::new(), loaded: false, refused: None };
    page.open(url).await?;
    page.settle().await?;
    page.html().await
}

fn silent(doing: &str) -> Error {
    Error::Broken(format!("no answer while {doing}"))
}

struct Page<'a> {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    way: &'a Way,
    limits: Limits,
    session: Option<String>,
    target: Option<String>,
    last_id: u64,
    /// The requests of the page that have no end yet.
    under_way: HashSet<String>,
    loaded: bool,
    /// Why the page itself was refused.
    refused: Option<String>,
}

impl Page<'_> {
    async fn open(&mut self, url: &str) -> Result<(), Error> {
        // Nothing lands on the disk.
        self.call("Browser.setDownloadBehavior", json!({"behavior": "deny"})).await?;
        let target = self.call("Target.createTarget", json!({"url": "about:blank"})).await?;
        self.target = target["targetId"].as_str().map(str::to_owned);
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", attach).await?;
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for (method, params) in [
            ("Page.enable", json!({})),
            ("Network.enable", json!({})),
            ("Network.setBypassServiceWorker", json!({"bypass": true})),
            ("Fetch.enable", json!({"patterns": [{"urlPattern": "*"}]})),
        ] {
            self.call(method, params).await?;
        }
        // The blank page has loaded too.
        (self.loaded, self.under_way) = (false, HashSet::new());
        let answer = self.call("Page.navigate", json!({"url": url})).await?;
        match (self.refused.take(), answer["errorText"].as_str()) {
            (Some(refused), _) => Err(Error::Refused(refused)),
            (None, Some(text)) => Err(Error::Said(shown(text))),
            (None, None) => Ok(()),
        }
    }

    /// Waits until the page is loaded and quiet, or for as long as anybody would wait.
    async fn settle(&mut self) -> Result<(), Error> {
        let end = Instant::now() + self.limits.load;
        loop {
            let idle = self.loaded && self.under_way.is_empty();
            let wake = if idle { end.min(Instant::now() + self.limits.quiet) } else { end };
            match tokio::time::timeout_at(wake, self.message()).await {
                Ok(message) => self.take(&message?).await?,
                Err(_) => return Ok(()),
            }
            if let Some(refused) = self.refused.take() {
                return Err(Error::Refused(refused));
            }
        }
    }

    /// What became of the page.
    async fn html(&mut self) -> Result<String, Error> {
        // A page that is too large stays in the browser.
        let max = self.limits.chars_max;
        let expression = format!("(html => html.length > {max} ? html.length : html)(document.documentElement.outerHTML)");
        let answer = self.call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true})).await?;
        match &answer["result"]["value"] {
            Value::String(html) if !html.is_empty() && html.len() <= max.saturating_mul(4) => Ok(html.clone()),
            Value::String(html) if !html.is_empty() => Err(Error::TooLarge(u64::try_from(html.len()).unwrap_or(u64::MAX), max)),
            Value::Number(length) => Err(Error::TooLarge(length.as_u64().unwrap_or(u64::MAX), max)),
            _ => Err(Error::Said("the page is empty".to_owned())),
        }
    }

    /// Asks for something and waits for the answer; what happens meanwhile is taken in.
    async fn call(&mut self, method: &str, params: Value) -> Result<Value, Error> {
        let id = self.send(method, params).await?;
        let end = Instant::now() + self.limits.answer;
        loop {
            let message = tokio::time::timeout_at(end, self.message()).await.map_err(|_| silent(method))??;
            if message["id"].as_u64() != Some(id) {
                self.take(&message).await?;
                continue;
            }
            return match message["error"]["message"].as_str() {
                Some(error) => Err(Error::Said(shown(error))),
                None => Ok(message["result"].clone()),
            };
        }
    }

    async fn send(&mut self, method: &str, params: Value) -> Result<u64, Error> {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.socket.send(Message::text(message.to_string())).await;
        sent.map_err(|error| Error::Broken(error.to_string()))?;
        Ok(self.last_id)
    }

    async fn message(&mut self) -> Result<Value, Error> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(text.as_str()).map_err(|error| Error::Broken(error.to_string()));
                }
                Some(Ok(Message::Close(_))) | None => return Err(Error::Broken("it hung up".to_owned())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::Broken(error.to_string())),
            }
        }
    }

    /// Takes in an event.
    async fn take(&mut self, message: &Value) -> Result<(), Error> {
        let params = &message["params"];
        let request = || params["requestId"].as_str().unwrap_or_default().to_owned();
        match message["method"].as_str().unwrap_or_default() {
            "Fetch.requestPaused" => return self.decide(params).await,
            "Page.javascriptDialogOpening" => {
                // Nobody is there to answer it.
                self.send("Page.handleJavaScriptDialog", json!({"accept": false})).await?;
            }
            "Page.loadEventFired" => self.loaded = true,
            "Network.requestWillBeSent" if self.under_way.len() < REQUESTS_MAX => {
                self.under_way.insert(request());
            }
            "Network.loadingFinished" | "Network.loadingFailed" => {
                self.under_way.remove(&request());
            }
            "Inspector.targetCrashed" => return Err(Error::Said("the page crashed".to_owned())),
            _ => {}
        }
        Ok(())
    }

    /// Lets a request go on, or fails it.
    async fn decide(&mut self, params: &Value) -> Result<(), Error> {
        let id = &params["requestId"];
        let url = params["request"]["url"].as_str().unwrap_or_default();
        match self.way.check(url).await {
            Ok(()) => self.send("Fetch.continueRequest", json!({"requestId": id})).await.map(drop),
            Err(why) => {
                tracing::debug!(url = %shown(url), why, "a request of a page is refused");
                // What a frame or a script wants does not matter; the page itself does. The top frame goes by the target's id.
                if params["resourceType"] == "Document" && params["frameId"].as_str() == self.target.as_deref() {
                    self.refused.get_or_insert(why);
                }
                self.send("Fetch.failRequest", json!({"requestId": id, "errorReason": "AddressUnreachable"})).await.map(drop)
            }
        }
    }
}

fn shown(text: &str) -> String {
    ellipsis(&clean_line(text), 200).into_owned()
}
