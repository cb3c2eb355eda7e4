//! Command lines and URLs for people, without what may be secret in them.

/// What stands for something hidden.
const HIDDEN: &str = "***";

/// Parts of names that speak of secrets.
const SECRET_NAMES: &[&str] = &["key", "token", "secret", "password", "passwd", "auth", "credential", "bearer"];

/// Beginnings of well-known keys.
const SECRET_PREFIXES: &[&str] = &["sk-", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "Bearer "];

fn speaks_of_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// A URL without user, password and the values of its query.
pub(super) fn url(url: &str) -> String {
    let (front, query) = url.split_once('?').map_or((url, None), |(front, query)| (front, Some(query)));
    let front = match front.split_once("://") {
        Some((scheme, rest)) => {
            let authority_end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..authority_end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[authority_end..])
        }
        None => front.to_owned(),
    };
    match query {
        None => front,
        Some(query) => {
            let hide = |pair: &str| pair.split_once('=').map_or_else(|| HIDDEN.to_owned(), |(name, _)| format!("{name}={HIDDEN}"));
            format!("{front}?{}", query.split('&').map(hide).collect::<Vec<_>>().join("&"))
        }
    }
}

/// A command line whose secret arguments are hidden.
pub(super) fn command_line(command: &str, args: &[String]) -> String {
    let mut out = vec![quote(command)];
    let mut hide_next = false;
    for arg in args {
        let shown =
            if std::mem::take(&mut hide_next) && !arg.starts_with('-') { HIDDEN.to_owned() } else { shown_arg(arg, &mut hide_next) };
        out.push(shown);
    }
    out.join(" ")
}

fn shown_arg(arg: &str, hide_next: &mut bool) -> String {
    if SECRET_PREFIXES.iter().any(|prefix| arg.starts_with(prefix)) {
        return HIDDEN.to_owned();
    }
    if arg.starts_with("http://") || arg.starts_with("https://") {
        return url(arg);
    }
    match arg.split_once('=') {
        Some((name, _)) if speaks_of_secret(name) => format!("{name}={HIDDEN}"),
        None if arg.starts_with('-') && speaks_of_secret(arg) => {
            *hide_next = true;
            arg.to_owned()
        }
        _ => quote(arg),
    }
}

fn quote(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| HIDDEN.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_no_secret() {
        assert_eq!(url("http://h:1/mcp"), "http://h:1/mcp");
        assert_eq!(url("https://user:pw@h/mcp?key=abc&x"), "https://h/mcp?key=***&***");
    }

    #[test]
    fn command_lines_keep_no_secret() {
        let check = |args: &[&str], shown: &str| {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            assert_eq!(command_line("npx", &args), shown);
        };
        check(&["-y", "a b"], "npx -y 'a b'");
        check(&["--api-key", "abc", "x"], "npx --api-key *** x");
        check(&["--token=abc"], "npx --token=***");
        check(&["--no-auth", "--port", "3"], "npx --no-auth --port 3");
        check(&["sk-abc"], "npx ***");
    }
}
