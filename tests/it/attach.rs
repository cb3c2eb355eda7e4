//! A program that serves, and what is attached to it from afar: the connection in this process, and the program itself.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wakeful::bus::{Delivery, Subscription};
use wakeful::domain::clock::SystemClock;
use wakeful::domain::command::{self, Command, SessionOptions};
use wakeful::domain::event::{Event, EventBody, SessionEvent};
use wakeful::domain::ids::{MessageId, SessionId};
use wakeful::domain::query::{EventFilter, InboxFilter};
use wakeful::domain::remote::{Line, LineState};
use wakeful::remote::Connection;
use wakeful::remote::address::Address;

use crate::support::Home;
use crate::support::pty::Pty;

const LIMIT: Duration = Duration::from_mins(1);

/// Requests are not limited: tests send more of them than a person does.
const CONFIG: &str = "[server]\nrequests_per_second = 0\n";

/// A running `wakeful serve`; killed when it goes.
struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Serving {
    /// Serves the log of `home` at `address` (port 0: any), with the token `token` if there is one.
    fn start(home: &Home, address: &str, token: Option<&str>) -> Self {
        let mut command = home.wakeful(&["serve", "--listen", address]);
        if let Some(token) = token {
            command.args(["--token-env", "SERVING_TOKEN"]).env("SERVING_TOKEN", token);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let url = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it does not serve:\n{said}")).unwrap();
            if let Some(url) = line.strip_prefix("feed, API and dashboard: http://") {
                break url.to_owned();
            }
            said += &line;
            said.push('\n');
        };
        // A full pipe must not hold it up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: url.parse().unwrap() }
    }

    fn kill(mut self) -> SocketAddr {
        self.end();
        self.address
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

/// Passes connections on, until it is told to cut them.
#[derive(Clone)]
struct Relay {
    address: SocketAddr,
    upstream: Arc<Mutex<SocketAddr>>,
    cuts: Arc<watch::Sender<u64>>,
}

impl Relay {
    async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay =
            Self { address: listener.local_addr().unwrap(), upstream: Arc::new(Mutex::new(upstream)), cuts: Arc::new(watch::channel(0).0) };
        let shared = relay.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (upstream, mut cut) = (*shared.upstream.lock().unwrap(), shared.cuts.subscribe());
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(upstream).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        relay
    }

    fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    fn lead_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap() = upstream;
        self.cut();
    }
}

fn open(address: SocketAddr, token: Option<&str>) -> Connection {
    let address = Address::parse(&address.to_string()).unwrap();
    Connection::open(address, token.map(|token| token.to_owned().into()), Arc::new(SystemClock))
}

async fn until(connection: &Connection, wanted: impl Fn(&LineState) -> bool) -> Line {
    let mut line = connection.line();
    tokio::time::timeout(LIMIT, line.wait_for(|line| wanted(&line.state))).await.expect("in time").unwrap().clone()
}

async fn next(events: &mut Subscription) -> Arc<Event> {
    match tokio::time::timeout(LIMIT, events.recv()).await.expect("in time") {
        Some(Delivery::Event(event)) => event,
        other => panic!("no event: {other:?}"),
    }
}

/// The error of this end that comes next.
async fn next_error(events: &mut Subscription) -> (String, Value) {
    loop {
        if let EventBody::Error(error) = &next(events).await.body
            && error.source == "attach"
        {
            return (error.message.clone(), error.details.clone());
        }
    }
}

fn rename(session: &SessionId, number: usize) -> Command {
    Command::Rename { session: session.clone(), title: format!("title {number}") }
}

fn number(event: &Event) -> Option<usize> {
    match &event.body {
        EventBody::SessionEvent(SessionEvent::Renamed { title }) => title.strip_prefix("title ")?.parse().ok(),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_goes_on_without_gap_or_repeat_and_commands_keep_their_order() {
    const RENAMES: usize = 150;
    let home = Home::with(CONFIG);
    let serving = Serving::start(&home, "127.0.0.1:0", None);
    let relay = Relay::start(serving.address).await;
    let mut connection = open(relay.address, None);
    let mut events = connection.subscribe();
    let status = tokio::time::timeout(LIMIT, connection.status()).await.unwrap().unwrap();
    let session = SessionId::generate();
    let commands = connection.commands();
    commands.send(Command::NewSession { session: session.clone(), options: SessionOptions::default() }).unwrap();
    for number in 1..=RENAMES {
        commands.send(rename(&session, number)).unwrap();
    }
    let (mut seqs, mut numbers, mut cuts) = (Vec::new(), Vec::new(), 0);
    while numbers.last() != Some(&RENAMES) {
        let event = next(&mut events).await;
        seqs.extend(event.seq.map(|seq| seq.0));
        numbers.extend(number(&event));
        if numbers.len() >= (cuts + 1) * 30 {
            cuts += 1;
            relay.cut();
        }
    }
    assert!(cuts >= 4, "{cuts}");
    let first = status.head.0 + 1;
    assert_eq!(seqs, (first..first + seqs.len() as u64).collect::<Vec<_>>(), "every stored event once, in order");
    // One whose answer was lost may have been sent twice: a title that is set again changes nothing.
    numbers.dedup();
    assert_eq!(numbers, (1..=RENAMES).collect::<Vec<_>>());

    let stored = connection.queries().events(EventFilter { after: Some(status.head), ..EventFilter::default() }).await.unwrap();
    let stored: Vec<u64> = stored.iter().filter_map(|event| event.seq).map(|seq| seq.0).collect();
    assert!(stored.starts_with(&seqs), "{} of {}", seqs.len(), stored.len());
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_is_answered_from_afar() {
    let home = Home::with(CONFIG);
    let serving = Serving::start(&home, "127.0.0.1:0", None);
    let connection = open(serving.address, None);
    let queries = connection.queries();
    let session = SessionId::generate();
    connection.commands().send(Command::NewSession { session: session.clone(), options: SessionOptions::default() }).unwrap();
    let limit = tokio::time::Instant::now() + LIMIT;
    while queries.session_events(session.clone()).await.unwrap().is_empty() {
        assert!(tokio::time::Instant::now() < limit, "the session is made");
    }
    assert_eq!(queries.sessions(None, 5).await.unwrap()[0].id, session);
    assert_eq!(queries.sessions(Some("nowhere to be found".to_owned()), 5).await.unwrap(), []);
    let servers = queries.servers().await.unwrap();
    assert!(servers.iter().any(|server| server.name.as_str() == "files"), "{servers:?}");
    assert!(!queries.tools().await.unwrap().is_empty());
    assert!(queries.models().await.unwrap().iter().any(|model| model.id.starts_with("offline")));
    assert_eq!(queries.tasks(None).await.unwrap(), []);
    assert_eq!(queries.questions().await.unwrap(), []);
    assert_eq!(queries.ambient_status().await.unwrap().total_tasks, 0);
    assert!(!queries.doctor().await.unwrap().is_empty());
    let _ = (queries.agents().await.unwrap(), queries.prompts().await.unwrap(), queries.resources(None).await.unwrap());
    let _ = (queries.inbox(InboxFilter::default()).await.unwrap(), queries.deliveries(3).await.unwrap());
    assert!(queries.server_log("files".into(), 3).await.unwrap().len() <= 3);
    let reason =
        queries.prompt("nobody".into(), "nothing".to_owned(), std::collections::BTreeMap::default()).await.unwrap_err().to_string();
    assert!(reason.contains("nobody"), "{reason}");
    let reason = queries.task_detail("none".into()).await.unwrap_err().to_string();
    assert!(!reason.is_empty() && !reason.contains("http"), "{reason}");

    let address = serving.kill();
    let reason = queries.servers().await.unwrap_err().to_string();
    assert_eq!(reason, format!("{address} is not reached: connection refused"));
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_token_is_told_why() {
    let home = Home::with(CONFIG);
    let token = "a token that is long enough for anybody";
    let serving = Serving::start(&home, "127.0.0.1:0", Some(token));
    for wrong in [None, Some("another token, which is wrong")] {
        let mut connection = open(serving.address, wrong);
        let mut events = connection.subscribe();
        let line = until(&connection, |state| matches!(state, LineState::Refused { .. })).await;
        let LineState::Refused { reason, retry_at } = line.state else { unreachable!("waited for it") };
        assert!(reason.contains("token"), "{reason}");
        // Not soon: it does not go away by itself.
        assert!(retry_at.since(wakeful::domain::clock::Clock::now(&SystemClock)) > Duration::from_secs(15));
        let (message, _) = next_error(&mut events).await;
        assert!(message.contains("does not let us in") && !message.contains(token), "{message}");
        connection.close().await;
    }
    let connection = open(serving.address, Some(token));
    until(&connection, |state| matches!(state, LineState::Live { .. })).await;
    connection.close().await;

    let url = format!("http://{}", serving.address);
    let refused = home.run(&["events", "--url", &url]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
    assert!(refused.err.contains("does not let us in") && refused.err.contains("token"), "{}", refused.err);
    let there = home.run(&["events", "--url", &url, "--token", token, "--json", "--since", "0"]);
    assert_eq!(there.code, 0, "{}", there.err);
    let here = home.run(&["events", "--json", "--since", "0"]);
    assert!(!here.out.is_empty() && here.out.starts_with(&there.out), "the same output");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_log_behind_the_address_is_said_and_followed() {
    let (one, two) = (Home::with(CONFIG), Home::with(CONFIG));
    let (first, second) = (Serving::start(&one, "127.0.0.1:0", None), Serving::start(&two, "127.0.0.1:0", None));
    let relay = Relay::start(first.address).await;
    let mut connection = open(relay.address, None);
    let mut events = connection.subscribe();
    let epoch = |line: Line| match line.state {
        LineState::Live { epoch } => epoch,
        other => panic!("{other:?}"),
    };
    let before = epoch(until(&connection, |state| matches!(state, LineState::Live { .. })).await);
    relay.lead_to(second.address);
    let (message, _) = next_error(&mut events).await;
    assert!(message.contains("another log"), "{message}");
    let after = epoch(until(&connection, |state| matches!(state, LineState::Live { epoch } if *epoch != before)).await);
    assert_ne!(before, after);
    // What happens there from now on is seen.
    let session = SessionId::generate();
    connection.commands().send(Command::NewSession { session: session.clone(), options: SessionOptions::default() }).unwrap();
    while next(&mut events).await.session.as_ref() != Some(&session) {}
    connection.close().await;
}

/// A server that takes requests and breaks off without an answer where `breaks` says so; what was posted comes out.
async fn breaking(breaks: impl Fn(usize, &Value) -> bool + Send + Sync + 'static) -> (SocketAddr, tokio::sync::mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (posted, seen) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let mut count = 0;
        while let Ok((mut socket, _)) = listener.accept().await {
            // One request a connection.
            let mut bytes = Vec::new();
            let body = loop {
                let mut part = [0; 4_096];
                let read = socket.read(&mut part).await.unwrap_or(0);
                bytes.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    if read == 0 {
                        break None;
                    }
                    continue;
                };
                let head = head.to_ascii_lowercase();
                if !head.starts_with("post /api/v2/commands ") {
                    break None;
                }
                let length: usize = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
                if body.len() >= length {
                    break Some(serde_json::from_str::<Value>(body).unwrap());
                }
                assert!(read > 0, "the request is whole");
            };
            let Some(command) = body else { continue };
            count += 1;
            let broken = breaks(count, &command);
            posted.send(command).await.unwrap();
            if !broken {
                let answer = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (address, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_answer_only_what_does_no_harm_is_sent_again() {
    // The answers to the first message and to the first order to stop are lost.
    let (address, mut seen) = breaking(|count, _| count == 1 || count == 3).await;
    let mut connection = open(address, None);
    let mut events = connection.subscribe();
    let session = SessionId::generate();
    let submit = Command::Submit {
        session: session.clone(),
        message_id: MessageId::generate(),
        text: "hello".to_owned(),
        delivery: command::Delivery::Steer,
    };
    let interrupt = Command::Interrupt { session: session.clone() };
    for command in [&submit, &interrupt, &rename(&session, 1)] {
        connection.commands().send(command.clone()).unwrap();
    }
    let mut came = Vec::new();
    for _ in 0..4 {
        let command = tokio::time::timeout(LIMIT, seen.recv()).await.unwrap().unwrap();
        came.push(serde_json::from_value::<Command>(command).unwrap());
    }
    assert_eq!(came, [submit.clone(), submit, interrupt, rename(&session, 1)]);
    let (message, details) = next_error(&mut events).await;
    assert!(message.contains("not known whether the command `interrupt` arrived"), "{message}");
    assert_eq!(details.get("undelivered"), None);
    connection.close().await;
}

#[test]
fn the_screen_is_the_same_from_afar_and_comes_back_after_the_server_was_killed() {
    let home = Home::with(CONFIG);
    let away = Home::with("");
    let serving = Serving::start(&home, "127.0.0.1:0", None);
    let url = format!("http://{}", serving.address);
    let attached = format!("attached {}", serving.address);
    let mut pty = Pty::spawn(away.wakeful(&["attach", &url]), 120, 40);
    pty.wait_text(LIMIT, &attached);
    pty.send("What is 6 * 7?\r");
    pty.wait_text(LIMIT, "Worked for");
    pty.wait_text(LIMIT, "42");

    // A second screen shows the same conversation, and what goes on in it.
    let mut second = Pty::spawn(away.wakeful(&["attach", &url, "--resume", "last"]), 120, 40);
    second.wait_text(LIMIT, "What is 6 * 7?");
    second.wait_text(LIMIT, "42");
    pty.send("What is 5 * 7?\r");
    pty.wait_text(LIMIT, "35");
    second.wait_text(LIMIT, "35");
    second.send("\x04");
    assert_eq!(second.wait_exit(LIMIT), Some(0));

    let address = serving.kill();
    pty.wait_text(LIMIT, "reconnecting in ");
    let _serving = Serving::start(&home, &address.to_string(), None);
    pty.wait_text(LIMIT, &attached);
    pty.send("What is 8 * 9?\r");
    pty.wait_text(LIMIT, "72");
    pty.send("\x04");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
    assert!(String::from_utf8_lossy(&pty.bytes()).contains(&format!("go on with: wakeful attach {url} --resume ")));

    let prompts: Vec<Value> = home.events().into_iter().filter(|event| event["data"]["role"] == "user").collect();
    let texts: BTreeSet<&str> = prompts.iter().filter_map(|event| event["data"]["text"].as_str()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(!away.root().join("data").join("events.db").exists(), "nothing is kept here");
}

#[test]
fn what_cannot_be_an_address_or_a_token_is_said_at_once() {
    let home = Home::with("");
    let check = |arguments: &[&str], part: &str| {
        let ran = home.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(part), "{arguments:?}: {}", ran.err);
    };
    check(&["attach", "ftp://box"], "only http, https, ws and wss are spoken");
    check(&["attach", "http://me:secret@box"], "--token-env");
    check(&["attach", "box:8000", "--token-env", "NOT_SET"], "`NOT_SET`");
    check(&["attach", "127.0.0.1:1"], "needs a terminal");
    check(&["events", "--token", "x"], "--url");
    let ran = home.run(&["events", "--url", "127.0.0.1:1"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("127.0.0.1:1 is not reached: connection refused"), "{}", ran.err);
}
