//! The dashboard at `/`: one page with its scripts and styles, embedded in the program. It speaks the public API only.
//!
//! Nothing of it is secret: it is served without a token, and asks for one itself where the API does.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::server::api::Api;
use crate::server::http::problem::Problem;

/// What the page may do: load what is embedded here, and talk to where it came from. `'self'` means the WebSocket too (CSP
/// level 3). No text becomes markup: Trusted Types have no policy that could make any.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// Bytes of the hash that an `ETag` shows.
const TAG_BYTES: usize = 12;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the dashboard.
struct Asset {
    name: &'static str,
    media: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($( $name:literal: $media:ident ),+ $(,)?) => {
        &[$(Asset { name: $name, media: $media, bytes: include_bytes!(concat!("../../../assets/dashboard/", $name)) }),+]
    };
}

const PAGE: &str = "index.html";

/// The page and what it loads.
const ASSETS: &[Asset] = assets![
    "index.html": HTML,
    "style.css": CSS,
    "icon.svg": SVG,
    "theme.js": JAVASCRIPT,
    "app.js": JAVASCRIPT,
    "api.js": JAVASCRIPT,
    "asks.js": JAVASCRIPT,
    "chat.js": JAVASCRIPT,
    "dom.js": JAVASCRIPT,
    "feed.js": JAVASCRIPT,
    "inbox.js": JAVASCRIPT,
    "lines.js": JAVASCRIPT,
    "markdown.js": JAVASCRIPT,
    "servers.js": JAVASCRIPT,
    "stream.js": JAVASCRIPT,
    "task_form.js": JAVASCRIPT,
    "tasks.js": JAVASCRIPT,
    "when.js": JAVASCRIPT,
];

/// An `ETag` for each of [`ASSETS`]. Weak: the body may be compressed on its way.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| ASSETS.iter().map(|asset| tag(asset.bytes)).collect());

/// The files that the page loads. The page itself is [`page`]'s.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/dashboard/{name}", get(file))
}

/// The page. `headers` are those of the request.
pub(super) fn page(headers: &HeaderMap) -> Response {
    named(PAGE, headers)
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    named(if name == PAGE { "" } else { &name }, &headers)
}

fn named(name: &str, headers: &HeaderMap) -> Response {
    let found = ASSETS.iter().zip(TAGS.iter()).find(|(asset, _)| asset.name == name);
    let Some((asset, tag)) = found else { return Problem::not_found("there is no such file of the dashboard").into_response() };
    // Always asked for anew, seldom sent anew: a new version shows at once.
    let common = [(CACHE_CONTROL, "no-cache"), (ETAG, tag.as_str())];
    if is_known(headers, tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let opener = (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    (common, [(CONTENT_TYPE, asset.media)], [(CONTENT_SECURITY_POLICY, POLICY), opener], asset.bytes).into_response()
}

/// Whether the browser has it (RFC 9110, section 13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let strong = tag.trim_start_matches("W/");
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tags.map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == strong)
}

fn tag(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let hash = Sha256::digest(bytes);
    let hex = hash.iter().take(TAG_BYTES).fold(String::new(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("W/\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, known: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        headers.extend(known.map(|tag| (IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap())));
        named(name, &headers)
    }

    fn text(name: &str) -> &'static str {
        let asset = ASSETS.iter().find(|asset| asset.name == name).unwrap();
        std::str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn everything_in_the_folder_is_embedded_and_nothing_is_asked_for_that_is_not() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/dashboard");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let mut names: Vec<&str> = ASSETS.iter().map(|asset| asset.name).collect();
        files.sort();
        names.sort_unstable();
        assert_eq!(names, files);
        for asset in ASSETS.iter().filter(|asset| asset.media == JAVASCRIPT) {
            for imported in text(asset.name).split("from \"./").skip(1) {
                let imported = imported.split('"').next().unwrap();
                assert!(names.contains(&imported), "{} imports {imported}", asset.name);
            }
        }
        for link in text(PAGE).split("\"/dashboard/").skip(1) {
            let link = link.split('"').next().unwrap();
            assert!(names.contains(&link), "the page loads {link}");
        }
    }

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        let page = text(PAGE);
        for forbidden in ["style=", "onclick=", "<style", "javascript:", "http://", "https://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for script in ASSETS.iter().filter(|asset| asset.media == JAVASCRIPT).map(|asset| text(asset.name)) {
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "setAttribute(\"style\""]
            {
                assert!(!script.contains(forbidden), "{forbidden}");
            }
        }
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let first = asked("app.js", None);
        assert_eq!((first.status(), &first.headers()[CONTENT_TYPE]), (StatusCode::OK, &HeaderValue::from_static(JAVASCRIPT)));
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for known in [tag.clone(), tag.trim_start_matches("W/").to_owned(), format!("\"x\", {tag}"), "*".to_owned()] {
            assert_eq!(asked("app.js", Some(&known)).status(), StatusCode::NOT_MODIFIED, "{known}");
        }
        assert_eq!(asked("app.js", Some("\"x\"")).status(), StatusCode::OK);
        assert_eq!(asked("../Cargo.toml", None).status(), StatusCode::NOT_FOUND);
        assert_eq!(page(&HeaderMap::new()).headers()[CONTENT_SECURITY_POLICY], POLICY);
    }
}
