//! `@server:uri` in a prompt: the resource is read and its text goes along.

use futures::future::join_all;

use crate::domain::ids::ServerName;
use crate::mcp::ServerPool;

/// The most resources of one prompt.
const MENTIONS_MAX: usize = 10;

/// The prompt with what its mentions name. What cannot be read is said in its place.
pub async fn expand(pool: &ServerPool, text: String) -> String {
    let known: Vec<String> = pool.servers().iter().map(|server| server.name.to_string()).collect();
    let mentions = mentions(&text, &known);
    if mentions.is_empty() {
        return text;
    }
    let read = mentions.iter().map(|(server, uri)| async move {
        let name = ServerName::new(server);
        match pool.read_resource(&name, uri).await {
            Ok(parts) => {
                let texts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
                format!("[resource {server}:{uri}]\n{}\n[end of the resource]", texts.join("\n"))
            }
            Err(problem) => format!("[the resource {server}:{uri} could not be read: {problem}]"),
        }
    });
    let attached = join_all(read).await;
    format!("{text}\n\n{}", attached.join("\n\n"))
}

/// Whether a prompt mentions a resource of one of the servers.
pub fn has_mention(pool: &ServerPool, text: &str) -> bool {
    text.contains('@') && {
        let known: Vec<String> = pool.servers().iter().map(|server| server.name.to_string()).collect();
        !mentions(text, &known).is_empty()
    }
}

/// Servers and addresses that a text mentions, each once.
fn mentions<'a>(text: &'a str, known: &[String]) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for word in text.split_whitespace() {
        let Some((server, uri)) = word.strip_prefix('@').and_then(|word| word.split_once(':')) else { continue };
        let uri = uri.trim_end_matches([',', ';', '!', '?', ')', '"', '\'']);
        let uri = uri.strip_suffix('.').unwrap_or(uri);
        if known.iter().any(|name| name == server) && uri.contains(':') && !found.contains(&(server, uri)) && found.len() < MENTIONS_MAX {
            found.push((server, uri));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resources_of_known_servers_are_mentions() {
        let known = ["docs".to_owned(), "a.b".to_owned()];
        let check = |text: &str, expected: &[(&str, &str)]| assert_eq!(mentions(text, &known), expected, "{text}");
        check("look at @docs:file:///a/b.md, please", &[("docs", "file:///a/b.md")]);
        check("@docs:x://1 and @docs:x://1 and @a.b:y://2.", &[("docs", "x://1"), ("a.b", "y://2")]);
        check("mail me@docs:x or @other:x://1 or @docs or @docs:nothing", &[]);
    }
}
