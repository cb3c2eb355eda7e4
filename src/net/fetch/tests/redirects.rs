//! Redirects: followed, bounded, and each hop checked.

use super::*;

fn to(location: &str) -> Response {
    reply(302, &[("location", location)], "")
}

async fn hops() -> Site {
    Site::plain(|hit| match hit.path.as_str() {
        "/a" => reply(301, &[("location", "/b")], ""),
        "/b" => reply(308, &[("location", "c?x=1#part")], ""),
        "/c" => reply(200, &[("etag", "\"c\"")], "arrived"),
        "/circle" => to("/circle2"),
        "/circle2" => to("/circle"),
        "/self" => to("/self"),
        "/metadata" => to("http://169.254.169.254/latest/meta-data/"),
        "/metadata-decimal" => to("http://2852039166/latest/"),
        "/metadata-mapped" => to("http://[::ffff:169.254.169.254]/"),
        "/file" => to("file:///etc/passwd"),
        "/login" => to("http://user:hunter2@127.0.0.1/"),
        "/nonsense" => to("http://[nonsense"),
        "/nowhere" => reply(302, &[], ""),
        path => match path[1..].parse::<u32>() {
            Ok(0) => reply(200, &[], "counted down"),
            Ok(left) => to(&format!("/{}", left - 1)),
            Err(_) => reply(404, &[], ""),
        },
    })
    .await
}

#[tokio::test]
async fn redirects_are_followed_to_the_end() {
    let site = hops().await;
    let got = fetcher(Options::default()).get(page(site.at("/a"))).await.unwrap();
    assert_eq!(got.body, "arrived");
    assert_eq!(got.url, site.at("/c?x=1"));
    assert_eq!(got.redirects, [site.at("/a"), site.at("/b")]);
    assert_eq!(got.validators.etag.as_deref(), Some("\"c\""));
}

#[tokio::test]
async fn redirects_cross_hosts() {
    let target = Site::plain(|_| reply(200, &[], "over here")).await;
    let location = target.at("/new");
    let site = Site::plain(move |_| to(&location)).await;
    let got = fetcher(Options::default()).get(page(site.at("/old"))).await.unwrap();
    assert_eq!((got.url.clone(), &got.body[..]), (target.at("/new"), &b"over here"[..]));
}

#[tokio::test]
async fn ten_redirects_are_followed_and_no_more() {
    let site = hops().await;
    let fetcher = fetcher(Options::default());
    assert_eq!(fetcher.get(page(site.at("/10"))).await.unwrap().body, "counted down");
    let error = fetcher.get(page(site.at("/11"))).await.unwrap_err();
    assert_eq!(error, Error::TooManyRedirects { url: site.at("/0"), limit: 10 });
}

#[tokio::test]
async fn redirects_that_lead_nowhere_good_are_told() {
    let site = hops().await;
    let fetcher = fetcher(Options::default());
    let get = async |path: &str| fetcher.get(page(site.at(path))).await.unwrap_err();
    assert_eq!(get("/circle").await, Error::RedirectLoop { url: site.at("/circle") });
    assert_eq!(get("/self").await, Error::RedirectLoop { url: site.at("/self") });
    assert!(matches!(get("/file").await, Error::BadUrl { url, .. } if url == "file:///etc/passwd"));
    assert!(matches!(get("/nonsense").await, Error::BadUrl { .. }));
    assert!(matches!(get("/nowhere").await, Error::Status { code: 302, .. }));
    let login = get("/login").await;
    assert!(matches!(&login, Error::BadUrl { .. }) && !login.to_string().contains("hunter2"), "{login}");
    for path in ["/metadata", "/metadata-decimal", "/metadata-mapped"] {
        let error = get(path).await;
        assert!(
            matches!(&error, Error::Refused { address, .. } if address.contains("169.254.169.254") || address.contains("a9fe:a9fe")),
            "{error:?}"
        );
        assert!(!error.is_transient());
    }
}

#[test]
fn a_step_from_tls_to_plain_text_is_not_taken() {
    let fetcher = fetcher(Options::default());
    let secure = Url::parse("https://example.com/a?token=1").unwrap();
    let error = fetcher.shared.follow(&secure, "http://example.com/b?token=2", 0).unwrap_err();
    assert_eq!(error, Error::Downgrade { from: "https://example.com/a?…".into(), to: "http://example.com/b?…".into() });
    assert_eq!(fetcher.shared.follow(&secure, "//other.org/b", 0).unwrap().as_str(), "https://other.org/b");
    let plain = Url::parse("http://example.com/").unwrap();
    assert_eq!(fetcher.shared.follow(&plain, "https://example.com/", 0).unwrap().as_str(), "https://example.com/");
}
