//! A real Chromium without a window, driven over the DevTools protocol: pages, clicks, keys, pictures, and what the browser
//! complains about.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// The longest that anything may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The largest message of the browser, in bytes: a picture.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The names it goes by.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

const SWITCHES: [&str; 9] = [
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
];

/// A browser with one page.
pub struct Browser {
    child: Child,
    _profile: tempfile::TempDir,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    last_id: u64,
    /// Errors on the console, exceptions, refusals by the page's policy.
    pub complaints: Vec<String>,
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    places.into_iter().find(|place| place.is_file()).expect("Chromium is not installed: run `.ci/setup`")
}

impl Browser {
    /// Starts it, with an empty page.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(program());
        command.args(SWITCHES).arg(format!("--user-data-dir={}", profile.path().display()));
        if rustix::process::geteuid().is_root() {
            // Chromium refuses to run as root with its sandbox.
            command.arg("--no-sandbox");
        }
        command.arg("about:blank").env("TZ", "UTC").env("LANG", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).process_group(0).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = tokio::time::timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().expect("the browser ended");
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.trim().to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
        let (socket, _) = connect_async_with_config(address, Some(config), true).await.unwrap();
        let complaints = Vec::new();
        let mut browser = Self { child, _profile: profile, socket, session: None, last_id: 0, complaints };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true})).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Audits"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Goes to an address.
    pub async fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({"url": url})).await;
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
    }

    /// Makes the page so wide and high.
    pub async fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// The system's colours: `dark` or `light`.
    pub async fn prefer(&mut self, scheme: &str) {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", feature).await;
    }

    /// What a script gives.
    pub async fn eval(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", asked).await;
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true (or anything that counts as such), and gives it.
    pub async fn until(&mut self, expression: &str) -> Value {
        let end = tokio::time::Instant::now() + LIMIT;
        loop {
            // The page waits for itself: for its next frame, or a moment where it draws none. What is not there yet is no error.
            let look = format!(
                "new Promise((done) => {{ const look = () => {{ try {{ done({expression}); }} catch {{ done(null); }} }}; \
                 requestAnimationFrame(look); setTimeout(look, 100); }})"
            );
            let value = self.eval(&look).await;
            if !(value.is_null() || value == json!(false) || value == json!(0) || value == json!("")) {
                return value;
            }
            if tokio::time::Instant::now() > end {
                let body = self.eval("document.body.innerText").await;
                panic!("not within {LIMIT:?}: {expression}\n{}\n{:?}", body.as_str().unwrap_or_default(), self.complaints);
            }
        }
    }

    /// Clicks in the middle of the first element of a selector, as a person would: what lies above it gets the click.
    pub async fn click(&mut self, selector: &str) {
        let quoted = json!(selector);
        self.until(&format!("document.querySelector({quoted})?.checkVisibility()")).await;
        let place = format!(
            "(() => {{ const it = document.querySelector({quoted}); it.scrollIntoView({{block: 'center'}}); \
             const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let place = self.eval(&place).await;
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let event = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "buttons": buttons, "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Types a text where the focus is.
    pub async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// Presses a key by its name; a single character is typed too.
    pub async fn press(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { json!(key) } else { json!(if key == "Enter" { "\r" } else { "" }) };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        let down = json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", down).await;
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code})).await;
    }

    /// What it looks like, as a PNG.
    pub async fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"})).await;
        base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// Ends it and all that it started.
    pub async fn end(mut self) {
        self.kill();
        self.child.wait().await.unwrap();
    }

    fn kill(&mut self) {
        let group = self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let message = tokio::time::timeout(LIMIT, self.socket.next()).await.expect(method).expect("the browser hung up").unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(text.as_str()).unwrap();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.take(&message);
        }
    }

    fn take(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" if ["error", "assert"].contains(&params["type"].as_str().unwrap_or_default()) => {
                self.complaints.push(params["args"].to_string());
            }
            "Log.entryAdded" if params["entry"]["level"] == "error" => self.complaints.push(params["entry"].to_string()),
            "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue" => {
                self.complaints.push(params["issue"].to_string());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.kill();
    }
}
