//! Mail through a real server from `PyPI` (installed by `.ci/peers`): over TLS, with a password, and where one of them is
//! wrong.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::mcp_support::root;
use crate::support::{Home, Ran};

const LIMIT: Duration = Duration::from_mins(1);

/// A user, with a password that has to be written with care in a URL.
pub const LOGIN: &str = "anna:s3cret%20word";

/// A certificate of the tests.
pub fn certificate(name: &str) -> PathBuf {
    root().join("src/store/postgres/tests").join(name)
}

/// The server; ends with its value.
pub struct Sink {
    child: Child,
    /// Where it listens.
    pub port: u64,
    said: mpsc::Receiver<Value>,
}

impl Sink {
    /// A server that wants TLS as `how` says: `wrapped` or `starttls`.
    pub fn start(how: &str) -> Self {
        let python = crate::peers::installed().join("py/bin/python");
        let mut command = Command::new(python);
        command.arg(root().join("tests/peers/smtp_sink.py")).arg(how).args([certificate("server.pem"), certificate("server.key")]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (tell, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines {
                if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let first: Value = said.recv_timeout(LIMIT).expect("it listens");
        Self { child, port: first["port"].as_u64().unwrap(), said }
    }

    /// The mails that came until now.
    pub fn mails(&self) -> Vec<Value> {
        self.said.try_iter().collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// Sends a test mail with this address of the server, trusting what `trusted` names.
fn test_mail(url: &str, trusted: Option<&str>) -> Ran {
    let trust = trusted.map(|name| format!("ca_file = '{}'\n", certificate(name).display())).unwrap_or_default();
    let home = Home::with(&format!("[notify.email]\nfrom = \"wakeful <me@sender.test>\"\n{trust}"));
    let mut command = home.wakeful(&["notify", "test", "email", "bob@example.org"]);
    command.env("SMTP_URL", url).env("SSL_CERT_FILE", "/dev/null").env("WAKEFUL_LOG", "off");
    Ran::from(command.stdin(Stdio::null()).output().unwrap())
}

fn assert_taken(sink: &Sink, ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let mails = sink.mails();
    let [mail] = mails.as_slice() else { panic!("one mail, not {mails:?}") };
    assert_eq!(mail["user"], "anna");
    assert_eq!(mail["tls"], true);
    assert_eq!(mail["sender"], "me@sender.test");
    assert_eq!(mail["receivers"], serde_json::json!(["bob@example.org"]));
    assert!(mail["mail"].as_str().unwrap().contains("Subject: A test from wakeful"), "{mail}");
}

fn assert_refused(sink: &Sink, ran: &Ran, why: &str) {
    assert_ne!(ran.code, 0, "{}{}", ran.out, ran.err);
    let told = format!("{}{}", ran.out, ran.err);
    assert!(told.contains(why), "no `{why}` in {told}");
    assert!(!told.contains("s3cret"), "{told}");
    assert_eq!(sink.mails(), Vec::<Value>::new(), "nothing was taken");
}

#[test]
fn mail_goes_over_tls_with_a_password() {
    let sink = Sink::start("wrapped");
    assert_taken(&sink, &test_mail(&format!("smtps://{LOGIN}@localhost:{}", sink.port), Some("ca.pem")));
    let stranger = test_mail(&format!("smtps://{LOGIN}@localhost:{}", sink.port), None);
    assert_refused(&sink, &stranger, "certificate");
}

#[test]
fn mail_goes_over_starttls_with_a_password() {
    let sink = Sink::start("starttls");
    let url = |login: &str| format!("smtp://{login}@localhost:{}?tls=required", sink.port);
    assert_taken(&sink, &test_mail(&url(LOGIN), Some("ca.pem")));
    assert_refused(&sink, &test_mail(&url("anna:s3cret"), Some("ca.pem")), "535");
    assert_refused(&sink, &test_mail(&url(LOGIN), None), "certificate");
}
