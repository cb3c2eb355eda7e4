//! What providers and their models are known for: lists of models in all shapes, and how much a model can hold.

use serde_json::Value;

/// One model of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) context_tokens: Option<u64>,
}

/// Where a list tells how much a model can hold.
const CONTEXT_KEYS: &[&str] =
    &["context_length", "max_model_len", "context_window", "loaded_context_length", "max_context_length", "context_size", "n_ctx"];

/// Reads a list of models: `{"data": [..]}`, `{"models": [..]}` or a bare list, of objects or of names.
pub(super) fn read(value: &Value) -> Vec<Listed> {
    let list = value.as_array().or_else(|| ["data", "models"].iter().find_map(|key| value.get(*key)?.as_array()));
    list.into_iter().flatten().filter_map(read_one).collect()
}

fn read_one(value: &Value) -> Option<Listed> {
    if let Some(id) = value.as_str() {
        return Some(Listed { id: id.to_owned(), context_tokens: None });
    }
    let id = ["id", "name", "model"].iter().find_map(|key| value.get(*key)?.as_str())?;
    let tokens = |inner: &Value| CONTEXT_KEYS.iter().find_map(|key| inner.get(*key)?.as_u64()).filter(|tokens| *tokens > 0);
    let context_tokens = tokens(value).or_else(|| tokens(value.get("meta")?)).or_else(|| tokens(value.get("limits")?));
    Some(Listed { id: id.to_owned(), context_tokens })
}

/// Families of models and how many tokens they hold, from their makers' pages; the longest match counts.
const KNOWN: &[(&str, u64)] = &[
    ("gpt-3.5-turbo", 16_385),
    ("gpt-4", 8_192),
    ("gpt-4-turbo", 128_000),
    ("gpt-4o", 128_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-5", 400_000),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4-mini", 200_000),
    ("claude", 200_000),
    ("gemini", 1_048_576),
    ("deepseek", 128_000),
    ("mistral-large", 128_000),
    ("mistral-small", 128_000),
    ("grok", 131_072),
    ("kimi", 131_072),
];

/// How many tokens `model` holds, where its family is known.
pub(super) fn known_context(model: &str) -> Option<u64> {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    KNOWN.iter().filter(|(family, _)| name.starts_with(family)).max_by_key(|(family, _)| family.len()).map(|(_, tokens)| *tokens)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_all_shapes_are_read() {
        let check = |value: Value, expected: &[(&str, Option<u64>)]| {
            let read: Vec<_> = read(&value).into_iter().map(|listed| (listed.id, listed.context_tokens)).collect();
            let expected: Vec<_> = expected.iter().map(|(id, tokens)| ((*id).to_owned(), *tokens)).collect();
            assert_eq!(read, expected, "{value}");
        };
        check(json!({"object": "list", "data": [{"id": "a"}, {"id": "b", "context_length": 5}]}), &[("a", None), ("b", Some(5))]);
        check(
            json!({"data": [{"id": "a", "max_model_len": 7}, {"id": "b", "meta": {"n_ctx": 9, "n_ctx_train": 99}}]}),
            &[("a", Some(7)), ("b", Some(9))],
        );
        check(json!({"models": [{"name": "a"}, {"model": "b"}]}), &[("a", None), ("b", None)]);
        check(json!(["a", {"id": "b"}, {"no": 1}, 3]), &[("a", None), ("b", None)]);
        check(json!({"error": "x"}), &[]);
    }

    #[test]
    fn families_are_known_by_their_longest_name() {
        assert_eq!(known_context("gpt-4o-mini"), Some(128_000));
        assert_eq!(known_context("gpt-4-0613"), Some(8_192));
        assert_eq!(known_context("anthropic/claude-sonnet-4"), Some(200_000));
        assert_eq!(known_context("qwen2.5"), None);
    }
}
