//! What needs no coordinator; the rest is tested with it, and against one that others wrote.

use super::*;
use crate::interactions::testing::sent;

fn transport(url: &str) -> Grpc {
    Grpc::new(GrpcOptions { url: url.to_owned(), ca: None, key: None, timeout: Duration::from_secs(5) })
}

#[tokio::test]
async fn an_address_that_cannot_work_is_told() {
    for url in ["", "http://", "ftp://host:1", "127.0.0.1:50051", "http://bad host"] {
        let trouble = transport(url).probe().await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Config(text) if text.contains("`grpc_url`")), "{url}: {trouble:?}");
    }
    let options =
        GrpcOptions { url: "https://127.0.0.1:1".to_owned(), ca: Some("/nowhere.pem".into()), key: None, timeout: Duration::from_secs(5) };
    let trouble = Grpc::new(options).send(&sent(0..1)).await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Config(text) if text.contains("/nowhere.pem")), "{trouble:?}");
    let options = GrpcOptions { key: Some("s3cret\n".to_owned().into()), ..transport("http://127.0.0.1:1").options };
    assert!(!format!("{options:?}").contains("s3cret"));
    let trouble = Grpc::new(options).probe().await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Config(text) if !text.contains("s3cret")), "{trouble:?}");
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers_are_outages() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = transport(&format!("http://{free}"));
    assert!(matches!(gone.send(&sent(0..2)).await, Err(Trouble::Unreachable(_))));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_one = transport(&format!("http://{}", silent.local_addr().unwrap()));
    // Only the limit ends the wait: the clock stands still and moves to it.
    tokio::time::pause();
    assert!(matches!(silent_one.send(&sent(0..2)).await, Err(Trouble::Unreachable(_))));
    assert!(matches!(silent_one.probe().await, Err(Trouble::Unreachable(_))));
}

#[test]
fn the_end_of_a_stream_means_what_its_status_says() {
    let check = |status: Status, wanted: fn(&Trouble) -> bool| assert!(wanted(&trouble(&status)), "{status:?}");
    check(Status::unauthenticated("x"), |trouble| matches!(trouble, Trouble::Key(_)));
    check(Status::permission_denied("x"), |trouble| matches!(trouble, Trouble::Key(_)));
    check(Status::resource_exhausted("x"), |trouble| matches!(trouble, Trouble::Busy { .. }));
    check(Status::invalid_argument("x"), |trouble| matches!(trouble, Trouble::Batch(_)));
    check(Status::internal("a\u{1b}[2Jb"), |trouble| matches!(trouble, Trouble::Unreachable(text) if text == "ab"));
    check(Status::unavailable(""), |trouble| matches!(trouble, Trouble::Unreachable(text) if !text.is_empty()));
}
