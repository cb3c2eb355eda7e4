//! Addresses in pages: made absolute, and freed of what differs from visit to visit.

use std::sync::LazyLock;

use regex::Regex;

/// The longest address that is kept, in bytes.
const URL_BYTES_MAX: usize = 2_000;

/// Parameters that say where a visitor came from; no page needs them.
const TRACKING: &[&str] =
    &["fbclid", "gclid", "dclid", "msclkid", "yclid", "igshid", "mc_cid", "mc_eid", "gh_src", "spm", "scm", "ref_src", "cmpid", "_ga"];

/// Parameters that differ from visit to visit and may still be needed to get there.
const FLEETING: &[&str] = &[
    "ref",
    "referrer",
    "source",
    "src",
    "from",
    "campaign",
    "cid",
    "sid",
    "sessionid",
    "session_id",
    "phpsessid",
    "jsessionid",
    "token",
    "auth",
    "sig",
    "signature",
    "expires",
    "exp",
    "nonce",
    "csrf",
    "_",
    "cb",
    "cachebuster",
    "rnd",
    "rand",
    "ts",
    "timestamp",
    "hash",
    "pos",
    "position",
    "idx",
    "search",
];

/// `href` as an absolute address, seen from the page `base`; nothing where it does not lead to a page.
pub(super) fn absolute(base: &str, href: &str) -> Option<String> {
    let href = href.trim();
    let scheme = href
        .split_once(':')
        .map(|(scheme, _)| scheme)
        .filter(|scheme| !scheme.is_empty() && scheme.chars().all(|ch| ch.is_ascii_alphanumeric() || "+-.".contains(ch)));
    if href.is_empty() || href.starts_with('#') || href.len() > URL_BYTES_MAX {
        return None;
    }
    if let Some(scheme) = scheme {
        let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        return web.then(|| href.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(other) = href.strip_prefix("//") {
        return Some(format!("{scheme}://{other}"));
    }
    if href.starts_with('/') {
        return Some(format!("{scheme}://{host}{}", without_dots(href)));
    }
    if href.starts_with('?') {
        return Some(format!("{scheme}://{host}/{path}{href}"));
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let joined = if folder.is_empty() { format!("/{href}") } else { format!("/{folder}/{href}") };
    Some(format!("{scheme}://{host}{}", without_dots(&joined)))
}

/// `path` without `.` and `..`.
fn without_dots(path: &str) -> String {
    let (path, query) = path.find(['?', '#']).map_or((path, ""), |at| path.split_at(at));
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let slash = if path.ends_with("/.") || path.ends_with("/..") { "/" } else { "" };
    format!("/{}{slash}{query}", parts.join("/"))
}

/// `url` without tracking parameters and fragment; it leads to the same page.
pub(super) fn clean(url: &str) -> String {
    without(url, |name| name.starts_with("utm_") || TRACKING.contains(&name))
}

/// `url` without its fragment and the parameters that `drop` names, in lower case.
fn without(url: &str, drop: impl Fn(&str) -> bool) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().trim_start_matches("amp;").to_ascii_lowercase();
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !drop(&name(pair))).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// `url` as a mark of where it leads, to compare and not to follow: nothing fleeting, its parameters in order, hashes of
/// built files taken out.
pub(super) fn stable(url: &str) -> String {
    static HASHED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[._-]([0-9a-f]{8,64})(\.[a-z0-9]{1,5})$").ok());
    let drop = |name: &str| name.starts_with("utm_") || name.starts_with("x-amz-") || TRACKING.contains(&name) || FLEETING.contains(&name);
    let url = without(url, drop);
    let (path, query) = url.split_once('?').map_or((url.as_str(), None), |(path, query)| (path, Some(query)));
    let mut path = path.to_owned();
    if let Some(found) = HASHED.as_ref().and_then(|hashed| hashed.captures(&path)) {
        // A run of digits is a date or a number, not a hash.
        let is_hash = found[1].bytes().any(|byte| byte.is_ascii_alphabetic()) && found[1].bytes().any(|byte| byte.is_ascii_digit());
        if is_hash {
            path = format!("{}{}", &path[..path.len() - found[0].len()], &found[2]);
        }
    }
    match query {
        None => path,
        Some(query) => {
            let mut pairs: Vec<&str> = query.split('&').collect();
            pairs.sort_unstable();
            format!("{path}?{}", pairs.join("&"))
        }
    }
}

/// Whether `url` leads to a file that is the content itself.
pub(super) fn is_file(url: &str) -> bool {
    const FILES: &[&str] = &[
        "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "csv", "zip", "gz", "tgz", "xz", "bz2", "7z", "rar", "exe",
        "msi", "dmg", "pkg", "deb", "rpm", "appimage", "apk", "jar", "iso", "whl", "ics", "epub",
    ];
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').is_some_and(|(_, extension)| FILES.contains(&extension.to_ascii_lowercase().as_str()))
}
