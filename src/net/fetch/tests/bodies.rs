//! Bodies: packed, too large, slow, cut.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures::StreamExt;
use futures::stream;

use super::*;

const TEXT: &str = "the page, in words that repeat, repeat, repeat";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Brotli with one uncompressed block (RFC 7932, 9.2).
fn brotli(bytes: &[u8]) -> Vec<u8> {
    let head = u32::try_from(bytes.len() - 1).unwrap() << 4 | 1 << 20;
    [&head.to_le_bytes()[..3], bytes, &[3]].concat()
}

fn endless(part: &'static [u8]) -> Body {
    Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(Bytes::from_static(part))))
}

#[tokio::test]
async fn packed_bodies_are_unpacked_and_the_charset_is_kept() {
    let site = Site::plain(|hit| {
        let html = ("content-type", "text/html; charset=Shift_JIS");
        match hit.path.as_str() {
            "/gzip" => reply(200, &[html, ("content-encoding", "gzip")], gzip(TEXT.as_bytes())),
            "/br" => reply(200, &[html, ("content-encoding", "br")], brotli(TEXT.as_bytes())),
            "/deflate" => reply(200, &[html, ("content-encoding", "deflate")], zlib(TEXT.as_bytes())),
            _ => reply(200, &[html], TEXT),
        }
    })
    .await;
    let fetcher = fetcher(Options::default());
    for path in ["/gzip", "/br", "/deflate", "/plain"] {
        let got = fetcher.get(page(site.at(path))).await.unwrap();
        assert_eq!(got.body, TEXT, "{path}");
        assert_eq!(got.content_type.as_deref(), Some("text/html; charset=Shift_JIS"), "{path}");
    }
    let bytes = Site::plain(|_| reply(200, &[], vec![0x93, 0xfa, 0x96, 0x7b])).await;
    let got = fetcher.get(page(bytes.at("/"))).await.unwrap();
    assert_eq!(&got.body[..], &[0x93, 0xfa, 0x96, 0x7b], "bytes are handed on as they came");
}

#[tokio::test]
async fn too_large_is_noticed_early_however_it_comes() {
    let site = Site::plain(|hit| match hit.path.as_str() {
        "/exact" => reply(200, &[], vec![b'x'; 100_000]),
        "/announced" => reply(200, &[], vec![b'x'; 100_001]),
        "/endless" => reply(200, &[], endless(&[b'x'; 8_192])),
        // 64 MiB of nothing in 64 KiB.
        "/bomb" => reply(200, &[("content-encoding", "gzip")], gzip(&vec![0; 64 << 20])),
        _ => reply(200, &[("content-encoding", "br")], brotli(&[b'x'; 65_536]).repeat(2)),
    })
    .await;
    let fetcher = fetcher(Options { body_bytes_max: 100_000, ..Options::default() });
    assert_eq!(fetcher.get(page(site.at("/exact"))).await.unwrap().body.len(), 100_000);
    for path in ["/announced", "/endless", "/bomb"] {
        let error = fetcher.get(page(site.at(path))).await.unwrap_err();
        assert_eq!(error, Error::TooLarge { url: site.at(path), limit_bytes: 100_000 }, "{path}");
    }
    assert_eq!(fetcher.get(page(site.at("/exact"))).await.unwrap().body.len(), 100_000, "the host is free again");
}

#[tokio::test]
async fn a_body_that_was_cut_is_no_page() {
    let fetcher = fetcher(Options::default());
    let url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it").await;
    let error = fetcher.get(page(&url)).await.unwrap_err();
    assert!(matches!(&error, Error::Cut { received_bytes: 10, .. }), "{error:?}");
    assert!(error.is_transient());

    let url = raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    let error = fetcher.get(page(&url)).await.unwrap_err();
    assert!(matches!(&error, Error::Cut { received_bytes: 5, .. }), "{error:?}");

    let url = raw(b"").await;
    let error = fetcher.get(page(&url)).await.unwrap_err();
    assert!(matches!(&error, Error::Cut { received_bytes: 0, .. }), "{error:?}");
}

#[tokio::test]
async fn packing_that_is_broken_is_no_page_either() {
    let site = Site::plain(|hit| match hit.path.as_str() {
        "/cut" => {
            let packed = gzip(TEXT.repeat(100).as_bytes());
            reply(200, &[("content-encoding", "gzip")], packed[..packed.len() / 2].to_vec())
        }
        _ => reply(200, &[("content-encoding", "gzip")], "not gzip at all, whatever the header says"),
    })
    .await;
    let fetcher = fetcher(Options::default());
    let error = fetcher.get(page(site.at("/cut"))).await.unwrap_err();
    assert!(matches!(&error, Error::Cut { .. }), "{error:?}");
    let error = fetcher.get(page(site.at("/no"))).await.unwrap_err();
    assert!(matches!(&error, Error::Garbled { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_after_the_limit() {
    let reached = Arc::new(tokio::sync::Notify::new());
    let told = reached.clone();
    let site = Site::plain(move |_| {
        let told = told.clone();
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"the beginning"))]);
        let rest = stream::once(async move {
            told.notify_one();
            std::future::pending().await
        });
        reply(200, &[], Body::from_stream(first.chain(rest)))
    })
    .await;
    let fetcher = fetcher(Options { timeout_seconds: 7, ..Options::default() });
    let request = page(site.at("/"));
    let slow = tokio::spawn(async move { fetcher.get(request).await });
    reached.notified().await;
    // Lets the head and the first part arrive before time flies.
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(error, Error::TimedOut { url: site.at("/"), limit: Duration::from_secs(7), during: Stage::Body });
}
