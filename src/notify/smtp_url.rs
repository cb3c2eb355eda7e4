//! Reads `SMTP_URL`. Pure; no error repeats the URL, because it holds a password.

use http::Uri;
use secrecy::SecretString;

use crate::notify::options::OptionsError;

const KEY: &str = "email.url";

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// From the first byte: `smtps://`.
    Wrapped,
    /// By `STARTTLS`; without it nothing is sent.
    Required,
    /// By `STARTTLS` where the server offers it.
    Opportunistic,
    /// Not at all.
    Off,
}

/// A mail server.
#[derive(Debug, Clone)]
pub(super) struct SmtpUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    /// User and password.
    pub(super) login: Option<(String, SecretString)>,
}

impl SmtpUrl {
    /// Reads `smtps://user:password@host:465` or `smtp://host:587?tls=required|opportunistic`. Characters that mean
    /// something in URLs are written as `%40` and the like in user and password.
    pub(super) fn parse(text: &str) -> Result<Self, OptionsError> {
        let wrong = |why: &str| OptionsError::new(KEY, format!("(or `SMTP_URL`) {why}"));
        let hint = "is no address of a mail server; write `smtps://user:password@host:465`, with `%40` for `@` in the user";
        let uri: Uri = text.trim().parse().map_err(|_| wrong(hint))?;
        let authority = uri.authority().ok_or_else(|| wrong(hint))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong(hint));
        }
        let query = uri.query().unwrap_or_default();
        let tls = match (uri.scheme_str(), query) {
            (Some("smtps"), "" | "tls=wrapper" | "tls=required") => Tls::Wrapped,
            (Some("smtp"), "tls=required") => Tls::Required,
            (Some("smtp"), "tls=opportunistic") => Tls::Opportunistic,
            (Some("smtp"), "") => Tls::Off,
            (Some("smtp" | "smtps"), _) => return Err(wrong("may end in `?tls=required` or `?tls=opportunistic` only")),
            _ => return Err(wrong("must begin with `smtps://` or `smtp://`")),
        };
        let port = authority.port_u16().unwrap_or(match tls {
            Tls::Wrapped => 465,
            Tls::Required | Tls::Opportunistic => 587,
            Tls::Off => 25,
        });
        let login = match authority.as_str().rsplit_once('@') {
            None => None,
            Some((userinfo, _)) => {
                let (user, password) = userinfo.split_once(':').ok_or_else(|| wrong("names a user without a password"))?;
                let decode = |part: &str| percent_decoded(part).ok_or_else(|| wrong("has a broken `%` in user or password; write `%25`"));
                Some((decode(user)?, SecretString::from(decode(password)?)))
            }
        };
        let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if login.is_some() && !local && matches!(tls, Tls::Off | Tls::Opportunistic) {
            return Err(wrong("would send the password unprotected; use `smtps://` or `?tls=required`"));
        }
        Ok(Self { host, port, tls, login })
    }
}

/// `%xx` as bytes; none where that is broken, no UTF-8 or holds control characters.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn check(text: &str, expected: Result<(&str, u16, Tls, Option<(&str, &str)>), &str>) {
        match (SmtpUrl::parse(text), expected) {
            (Ok(url), Ok((host, port, tls, login))) => {
                let found = url.login.as_ref().map(|(user, password)| (user.as_str(), password.expose_secret()));
                assert_eq!((url.host.as_str(), url.port, url.tls, found), (host, port, tls, login), "{text}");
            }
            (Err(error), Err(why)) => {
                let told = error.to_string();
                assert!(told.contains(why), "{text}: {told}");
                assert!(!told.contains("hunter2"), "{told}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn addresses_of_mail_servers_are_read() {
        check("smtps://me%40x.org:p%2Fw@mail.x.org", Ok(("mail.x.org", 465, Tls::Wrapped, Some(("me@x.org", "p/w")))));
        check("smtp://u:p@mail.x.org?tls=required", Ok(("mail.x.org", 587, Tls::Required, Some(("u", "p")))));
        check("smtp://mail.x.org?tls=opportunistic", Ok(("mail.x.org", 587, Tls::Opportunistic, None)));
        check("smtp://127.0.0.1:2525", Ok(("127.0.0.1", 2525, Tls::Off, None)));
        check("smtp://u:p@[::1]:2525", Ok(("::1", 2525, Tls::Off, Some(("u", "p")))));
    }

    #[test]
    fn wrong_addresses_are_told_without_the_password() {
        check("mail.x.org", Err("must begin with `smtps://`"));
        check("smtps://u:hunter2@", Err("is no address of a mail server"));
        check("http://u:hunter2@mail.x.org", Err("must begin with `smtps://`"));
        check("smtp://u:hunter2@mail.x.org", Err("unprotected"));
        check("smtp://u:hunter2@mail.x.org?tls=opportunistic", Err("unprotected"));
        check("smtp://u:hunter2@mail.x.org?tls=maybe", Err("`?tls=required`"));
        check("smtps://u:hunter2%zz@mail.x.org", Err("broken `%`"));
        check("smtps://u:hunter2%0d%0a@mail.x.org", Err("broken `%`"));
        check("smtps://user@mail.x.org", Err("without a password"));
    }
}
