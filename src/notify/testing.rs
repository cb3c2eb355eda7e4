//! What tests of channels share: a server behind a real socket that gives one answer, and how channels are built for it.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::domain::clock::{Instant, ManualClock};
use crate::domain::notice::{ChannelKind, Notice};
use crate::notify::{Channels, Options, Receipt, SendError};

/// Noon of the first day of 2026.
pub(super) const NOW: Instant = Instant::from_millis(1_767_268_800_000);

/// Takes one request, gives `answer` (nothing: hangs up), and hands back the request as it came.
pub(super) async fn serve(answer: Option<String>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4_096];
        loop {
            let count = stream.read(&mut chunk).await.unwrap();
            request.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&request).into_owned();
            if count == 0 || text.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= length(head)) {
                break;
            }
        }
        if let Some(answer) = answer {
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        String::from_utf8(request).unwrap()
    });
    (base, task)
}

fn length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

/// An HTTP answer.
pub(super) fn http(status: &str, headers: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len()))
}

/// An address where nobody listens.
pub(super) async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("127.0.0.1:{}", listener.local_addr().unwrap().port())
}

/// A notice with a title, a text and a link.
pub(super) fn notice(channel: ChannelKind, to: &str) -> Notice {
    let json = serde_json::json!({
        "notice_id": "0b5f3c1e-0000-4000-8000-000000000001", "channel": channel, "to": to,
        "title": "AI news", "body": "A model was released", "url": "https://x.test/a?b=1&c=2", "priority": 4,
    });
    serde_json::from_value(json).unwrap()
}

/// Sends `notice` over the channel that these options and variables make.
pub(super) async fn send(toml: &str, variables: &[(&str, &str)], notice: Notice) -> Result<Receipt, SendError> {
    let options: Options = toml::from_str(&format!("timezone = 'UTC'\ntimeout_seconds = 20\n{toml}")).unwrap();
    let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let clock = Arc::new(ManualClock::starting_at(NOW));
    let guard = crate::net::fetch::Options::default().guard(None);
    let (channels, _) = Channels::new(&options, crate::net::Client::default().guarded(guard), clock, &lookup).unwrap();
    let channel = channels.get(notice.channel);
    assert!(!channel.simulated());
    channel.send(notice).await
}
