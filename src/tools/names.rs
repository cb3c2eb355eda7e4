//! Names of tools for the model: `server__tool`, safe, unique and the same whatever the order of connection.
//!
//! Pure. A name depends on its server and tool alone. Where the plain form would be ambiguous, too long or unsafe, a hash
//! of both tells it apart.

use sha2::{Digest, Sha256};

use crate::domain::ids::{ServerName, ToolName};

/// The longest name that every provider takes.
const CHARS_MAX: usize = 64;

/// Hexadecimal digits of the hash: 32 bits.
const HASH_CHARS: usize = 8;

/// What stands between server and tool.
const SEPARATOR: &str = "__";

/// The name of `tool` of `server` for the model.
pub fn tool_name(server: &ServerName, tool: &str) -> ToolName {
    let plain = format!("{server}{SEPARATOR}{tool}");
    // With such a server the first separator ends the server's name, so two plain names differ whenever the pairs do.
    let unambiguous = !server.as_str().contains(SEPARATOR) && !server.as_str().ends_with('_');
    if unambiguous && plain.len() <= CHARS_MAX && plain.chars().all(is_safe) {
        return ToolName::from(plain);
    }
    let safe: String = plain.chars().map(|ch| if is_safe(ch) { ch } else { '_' }).take(CHARS_MAX - HASH_CHARS - 1).collect();
    ToolName::from(format!("{safe}_{}", hash(server.as_str(), tool)))
}

fn is_safe(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-')
}

fn hash(server: &str, tool: &str) -> String {
    let digest = Sha256::new().chain_update(server).chain_update([0]).chain_update(tool).finalize();
    digest.iter().take(HASH_CHARS / 2).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whether `name` fits one of `patterns`, in which `*` stands for any characters.
pub fn fits_any(name: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| fits(name, pattern))
}

fn fits(name: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.len() >= tail.len() && left.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(server: &str, tool: &str) -> String {
        tool_name(&server.into(), tool).to_string()
    }

    #[test]
    fn plain_names_stay_plain() {
        assert_eq!(name("everything", "echo"), "everything__echo");
        assert_eq!(name("a-b_c", "get-sum"), "a-b_c__get-sum");
    }

    #[test]
    fn unsafe_long_and_ambiguous_names_carry_a_hash() {
        assert_eq!(name("a.b", "x/y").len(), "a_b__x_y".len() + 9);
        assert!(name("a.b", "x/y").starts_with("a_b__x_y_"));
        assert_eq!(name("server", &"x".repeat(100)).len(), 64);
        assert_ne!(name("server", &format!("{}1", "x".repeat(100))), name("server", &format!("{}2", "x".repeat(100))));
        assert_ne!(name("a", "b__c"), name("a__b", "c"));
        assert_ne!(name("a_", "b"), name("a", "_b"));
        assert_ne!(name("a.b", "c"), name("a_b", "c"));
    }

    #[test]
    fn names_are_safe_and_unique_for_any_pair() {
        proptest::proptest!(|(a in "[a_.-]{1,6}", b in "[a_ü/]{1,70}", c in "[a_.-]{1,6}", d in "[a_ü/]{1,70}")| {
            let (first, second) = (name(&a, &b), name(&c, &d));
            proptest::prop_assert!(first.chars().all(is_safe) && (1..=64).contains(&first.len()));
            proptest::prop_assert_eq!(first == second, (a, b) == (c, d));
        });
    }

    #[test]
    fn patterns_match_whole_names() {
        let check = |name: &str, pattern: &str, fits: bool| assert_eq!(fits_any(name, &[pattern.to_owned()]), fits, "{name} {pattern}");
        check("echo", "echo", true);
        check("echo2", "echo", false);
        check("get_x", "get_*", true);
        check("get_x_all", "*_x_*", true);
        check("abc", "a*c", true);
        check("ac", "a*cc", false);
        check("anything", "*", true);
        check("aba", "ab*ba", false);
    }
}
