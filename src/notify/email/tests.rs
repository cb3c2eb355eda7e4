//! Tests against a mail server of our own behind a real socket, and of what a hostile title cannot do.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::notify::testing::{notice, nowhere, send};

/// A mail server that answers a command beginning so with this (nothing: hangs up), and all others kindly. `.` is the end
/// of the text. Hands back all lines it was sent.
async fn server(special: &'static str, answer: Option<&'static str>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 sink\r\n").await.unwrap();
        let (mut seen, mut in_text) = (Vec::new(), false);
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
            let command = std::mem::take(&mut line).trim_end_matches(['\r', '\n']).to_owned();
            seen.push(command.clone());
            if in_text && command != "." {
                continue;
            }
            let usual = match command.split(' ').next().unwrap() {
                "EHLO" => "250-sink\r\n250-AUTH PLAIN\r\n250 8BITMIME",
                "AUTH" => "235 welcome",
                "DATA" => "354 go on",
                "." => "250 2.0.0 queued as Q1",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            let answer = if !special.is_empty() && command.starts_with(special) { answer } else { Some(usual) };
            let Some(answer) = answer else { return seen };
            in_text = answer.starts_with("354");
            if stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return seen;
            }
        }
        seen
    });
    (address, task)
}

async fn mail(url: &str, told: Notice) -> Result<Receipt, SendError> {
    send("[email]\nfrom = 'wakeful <me@sender.test>'", &[("SMTP_URL", url)], told).await
}

async fn outcome(special: &'static str, answer: Option<&'static str>) -> SendError {
    let (address, server) = server(special, answer).await;
    let error = mail(&format!("smtp://user:hunter22@{address}"), notice(ChannelKind::Email, "anna@example.org")).await.unwrap_err();
    server.await.unwrap();
    let told = error.to_string();
    assert!(!told.contains("hunter22") && !told.contains("anna@example.org"), "{told}");
    error
}

#[tokio::test]
async fn a_mail_has_two_forms_and_an_id_made_of_the_notice() {
    let (address, server) = server("", None).await;
    let told = Notice { body: "Über <b>\n.dot".into(), ..notice(ChannelKind::Email, "Anna <anna@example.org>") };
    let receipt = mail(&format!("smtp://user:hunter22@{address}"), told).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("2.0.0 queued as Q1"));
    assert!(receipt.detail.contains("a•••@example.org"), "{receipt:?}");
    let lines = server.await.unwrap();
    // base64 of `\0user\0hunter22`.
    assert!(lines.contains(&"AUTH PLAIN AHVzZXIAaHVudGVyMjI=".to_owned()), "{lines:?}");
    assert!(
        lines.contains(&"MAIL FROM:<me@sender.test>".to_owned()) && lines.contains(&"RCPT TO:<anna@example.org>".to_owned()),
        "{lines:?}"
    );
    for line in [
        "Message-ID: <0b5f3c1e-0000-4000-8000-000000000001@sender.test>",
        "X-Wakeful-Notice: 0b5f3c1e-0000-4000-8000-000000000001",
        "Subject: AI news",
        "Date: Thu, 01 Jan 2026 12:00:00 +0000",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(lines.iter().any(|seen| seen == line), "{line}: {lines:#?}");
    }
    let text = lines.join("\n");
    assert!(text.contains("multipart/alternative") && text.contains("text/plain") && text.contains("text/html"), "{text}");
}

#[tokio::test]
async fn the_line_between_not_taken_and_unknown_is_the_end_of_the_text() {
    let unknown = outcome(".", None).await;
    assert!(matches!(unknown, SendError::Unknown { .. }), "{unknown}");
    for command in ["EHLO", "MAIL", "RCPT", "DATA"] {
        let down = outcome(command, None).await;
        assert!(matches!(down, SendError::Down { .. }), "{command}: {down}");
    }
    let refused = mail(&format!("smtp://{}", nowhere().await), notice(ChannelKind::Email, "anna@example.org")).await.unwrap_err();
    assert!(matches!(refused, SendError::Down { .. }), "{refused}");
}

#[tokio::test]
async fn the_server_s_answers_are_understood() {
    let error = outcome("RCPT", Some("550 5.1.1 no such user anna@example.org")).await;
    assert!(matches!(&error, SendError::Rejected { reason } if reason.contains("550") && reason.contains("a•••@example.org")), "{error}");
    let error = outcome("RCPT", Some("450 4.2.0 greylisted")).await;
    assert!(matches!(&error, SendError::Down { reason } if reason.contains("greylisted")), "{error}");
    let error = outcome("AUTH", Some("535 5.7.8 bad hunter22")).await;
    assert!(matches!(&error, SendError::Auth { reason } if reason.contains("535")), "{error}");
    let error = outcome(".", Some("554 5.7.1 spam")).await;
    assert!(matches!(&error, SendError::Rejected { reason } if reason.contains("spam")), "{error}");
    let error = outcome(".", Some("452 4.3.1 disk full")).await;
    assert!(matches!(error, SendError::Down { .. }), "{error}");
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_where_it_is_required() {
    let (address, server) = server("", None).await;
    let url = format!("smtp://user:hunter22@{address}?tls=required");
    let error = mail(&url, notice(ChannelKind::Email, "anna@example.org")).await.unwrap_err();
    assert!(matches!(&error, SendError::Rejected { reason } if reason.contains("STARTTLS")), "{error}");
    let lines = server.await.unwrap();
    assert!(!lines.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")), "{lines:?}");
}

#[tokio::test]
async fn nothing_in_a_notice_can_add_a_header_or_a_receiver() {
    let (address, server) = server("", None).await;
    let told = Notice {
        title: "Hi\r\nBcc: eve@evil.test\r\n\r\nbody".into(),
        body: "x\r\n.\r\nMAIL FROM:<eve@evil.test>".into(),
        ..notice(ChannelKind::Email, "anna@example.org")
    };
    mail(&format!("smtp://{address}"), told).await.unwrap();
    let lines = server.await.unwrap();
    assert!(lines.contains(&"Subject: Hi Bcc: eve@evil.test body".to_owned()), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("Bcc")), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.as_str() == ".").count(), 1, "the text ends once: {lines:#?}");
    for to in ["anna@example.org\r\nBcc: eve@evil.test", "anna@example.org, eve@evil.test", "anna@example.org>", "anna", ""] {
        assert!(matches!(mailbox(to), Err(SendError::Rejected { .. })), "{to:?}");
    }
}
