//! What a refusal asks for: the `WWW-Authenticate` header of a 401 or 403 (RFC 6750, RFC 9728).

use crate::mcp::auth::options::is_scope;

/// The longest header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 8 * 1_024;

/// Scopes of one challenge that count.
const SCOPES_MAX: usize = 128;

/// A challenge to show a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::mcp) struct Challenge {
    /// Where the resource describes itself.
    pub(super) resource_metadata: Option<String>,
    /// What the token must allow.
    pub(super) scopes: Vec<String>,
    /// `invalid_token`, `insufficient_scope`, …
    pub(super) error: Option<String>,
}

impl Challenge {
    /// The Bearer challenge of a header; an empty one where there is none.
    pub(in crate::mcp) fn parse(header: &str) -> Self {
        let mut challenge = Self::default();
        if header.len() > HEADER_BYTES_MAX {
            return challenge;
        }
        let mut counts = false;
        for (scheme, name, value) in params(header) {
            if let Some(scheme) = scheme {
                counts = scheme.eq_ignore_ascii_case("bearer");
            }
            if !counts {
                continue;
            }
            match name.to_ascii_lowercase().as_str() {
                "resource_metadata" => challenge.resource_metadata = Some(value),
                "scope" => challenge.scopes = scopes(&value),
                "error" => challenge.error = Some(value),
                _ => {}
            }
        }
        challenge
    }

    /// Whether the token is good but does not allow enough.
    pub(in crate::mcp) fn wants_more(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }
}

/// The scopes in a list with blanks between them; what is none is left out.
pub(super) fn scopes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for scope in text.split(' ').filter(|scope| is_scope(scope)).take(SCOPES_MAX) {
        if !found.iter().any(|known| known == scope) {
            found.push(scope.to_owned());
        }
    }
    found
}

/// The parameters of all challenges in a header, each with its scheme where it is the first of one.
fn params(header: &str) -> Vec<(Option<String>, String, String)> {
    let mut found = Vec::new();
    let mut scheme = None;
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|ch: char| ch == '=' || ch == ',' || ch.is_ascii_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after = after.trim_start();
        if let Some(value) = after.strip_prefix('=') {
            let (value, after) = value_of(value.trim_start());
            found.push((scheme.take(), word.to_owned(), value));
            rest = after;
        } else {
            // A word without a value begins a challenge.
            scheme = Some(word.to_owned()).filter(|word| !word.is_empty()).or(scheme);
            rest = after;
        }
        rest = rest.trim_start_matches(|ch: char| ch == ',' || ch.is_ascii_whitespace());
    }
    found
}

/// A token or quoted string at the start of `text`, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|ch: char| ch == ',' || ch.is_ascii_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, ch)) = chars.next() {
        match ch {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, ch)| ch)),
            ch => value.push(ch),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_servers_write_them() {
        let check = |header: &str, metadata: Option<&str>, scopes: &[&str], error: Option<&str>| {
            let challenge = Challenge::parse(header);
            let seen = (challenge.resource_metadata.as_deref(), challenge.scopes, challenge.error.as_deref());
            assert_eq!(seen, (metadata, scopes.iter().map(ToString::to_string).collect(), error), "{header}");
        };
        check("Bearer", None, &[], None);
        check("", None, &[], None);
        check(
            r#"Bearer scope="a b:c", resource_metadata="https://h/.well-known/x", error="insufficient_scope""#,
            Some("https://h/.well-known/x"),
            &["a", "b:c"],
            Some("insufficient_scope"),
        );
        check(r#"bearer realm="a, b=\"c\"" ,error=invalid_token"#, None, &[], Some("invalid_token"));
        check(r#"Basic realm="x", scope="no", Bearer scope="yes""#, None, &["yes"], None);
        check(r#"Bearer scope="yes", DPoP scope="no", error="no""#, None, &["yes"], None);
        check(r#"Bearer scope="a a é "unended"#, None, &["a"], None);
        check(&format!("Bearer scope=\"{}\"", "x ".repeat(9_000)), None, &[], None);
    }

    #[test]
    fn no_header_makes_the_reader_hang_or_panic() {
        proptest::proptest!(|(header in "[ -~\u{e9}]{0,80}")| {
            let _ = Challenge::parse(&header);
        });
    }
}
