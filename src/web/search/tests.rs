//! Searching: fakes of the services over real sockets.

use std::sync::Mutex;

use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::domain::clock::ManualClock;

/// What a fake was asked: path with query, headers, body.
type Asked = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

async fn fake(status: u16, answer: Value) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let seen = asked.clone();
    let router = axum::Router::new().fallback(move |uri: axum::http::Uri, headers: HeaderMap, body: String| {
        seen.lock().unwrap().push((uri.to_string(), headers, body));
        std::future::ready((axum::http::StatusCode::from_u16(status).unwrap(), axum::Json(answer.clone())).into_response())
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

fn search(provider: Option<Provider>, url: &str, key: Option<&str>) -> Search {
    let options = SearchOptions { provider, url: url.to_owned(), ..SearchOptions::default() };
    let key = key.map(str::to_owned);
    let cache = Cache::in_memory(Arc::new(ManualClock::default()));
    Search::new(&options, net::Client::default(), cache, &|_| key.clone())
}

#[tokio::test]
async fn searxng_is_asked_for_json_and_its_answer_is_cleaned() {
    let answer = json!({"results": [
        {"title": "Rust &amp; <b>you</b>", "url": "https://a.example/x", "content": "About \u{1b}[31mRust", "publishedDate": "2026-01-02"},
        {"title": null, "url": "https://b.example/"},
        {"title": "twice", "url": "https://a.example/x"},
        {"title": "no page", "url": "javascript:alert(1)"},
        {"title": "neither", "url": "ftp://c.example/"},
    ]});
    let (url, asked) = fake(200, answer).await;
    let search = search(Some(Provider::Searxng), &format!("{url}/"), None);
    let (found, engine, _) = search.search("rust  async & more", 5).await.unwrap();
    assert_eq!(engine, "SearXNG");
    let rows: Vec<_> = found.iter().map(|row| (row.title.as_str(), row.url.as_str(), row.snippet.as_str())).collect();
    assert_eq!(rows, [("Rust & you", "https://a.example/x", "About Rust"), ("b.example", "https://b.example/", "")]);
    assert_eq!(found[0].published.as_deref(), Some("2026-01-02"));
    assert_eq!(asked.lock().unwrap()[0].0, "/search?q=rust+async+%26+more&format=json");
    let (one, ..) = search.search("rust async & more", 1).await.unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(asked.lock().unwrap().len(), 1, "the same words are asked once");
}

#[tokio::test]
async fn brave_and_tavily_get_their_key_where_they_want_it() {
    let (url, asked) =
        fake(200, json!({"web": {"results": [{"title": "A", "url": "https://a.example/", "description": "<strong>a</strong>"}]}})).await;
    let (found, ..) = search(Some(Provider::Brave), &url, Some("secret-key")).search("x", 5).await.unwrap();
    assert_eq!(found[0].snippet, "a");
    let (path, headers, _) = asked.lock().unwrap()[0].clone();
    assert_eq!((path.as_str(), headers["x-subscription-token"].to_str().unwrap()), ("/res/v1/web/search?q=x&count=20", "secret-key"));

    let (url, asked) = fake(200, json!({"results": [{"title": "T", "url": "https://t.example/", "content": "t", "score": 0.5}]})).await;
    let (found, ..) = search(Some(Provider::Tavily), &url, Some("secret-key")).search("x", 5).await.unwrap();
    assert_eq!(found[0].title, "T");
    let (path, headers, body) = asked.lock().unwrap()[0].clone();
    assert_eq!((path.as_str(), headers["authorization"].to_str().unwrap()), ("/search", "Bearer secret-key"));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["query"], "x");
}

#[tokio::test]
async fn what_goes_wrong_says_what_to_do_and_holds_no_key() {
    let none = search(None, "", None).search("x", 5).await.unwrap_err();
    assert!(none.contains("[web.search]") && none.contains("searxng") && none.contains("BRAVE_API_KEY"), "{none}");
    let keyless = search(Some(Provider::Brave), "", None).search("x", 5).await.unwrap_err();
    assert!(keyless.contains("`BRAVE_API_KEY`"), "{keyless}");
    for (status, answer, words) in [
        (401, json!({}), "refuses the key (401)"),
        (429, json!({}), "asked too often"),
        (422, json!({"detail": "no such\nparameter"}), "answers 422: no such parameter"),
        (200, json!([]), "something else than expected"),
    ] {
        let (url, _) = fake(status, answer).await;
        let error = search(Some(Provider::Tavily), &url, Some("secret-key")).search("x", 5).await.unwrap_err();
        assert!(error.contains(words) && !error.contains("secret-key"), "{error}");
    }
    let away = search(Some(Provider::Searxng), "http://127.0.0.1:1", None).search("x", 5).await.unwrap_err();
    assert!(away.contains("cannot be reached") && away.contains("`web.search.url`"), "{away}");
}
