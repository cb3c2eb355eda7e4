//! Which meaning a scope of a grammar has. Themes know meanings only.

use std::collections::HashMap;

use syntect::parsing::Scope;

use crate::tui::theme::Key;

/// Prefixes of scopes; of several that fit the longest counts.
const TABLE: &[(&str, Key)] = &[
    ("comment", Key::SyntaxComment),
    ("punctuation.definition.comment", Key::SyntaxComment),
    ("string", Key::SyntaxString),
    ("string.regexp", Key::SyntaxEscape),
    ("punctuation.definition.string", Key::SyntaxString),
    ("constant.character", Key::SyntaxEscape),
    ("constant.numeric", Key::SyntaxNumber),
    ("constant.other.placeholder", Key::SyntaxEscape),
    ("constant", Key::SyntaxConstant),
    ("keyword", Key::SyntaxKeyword),
    ("keyword.operator", Key::SyntaxOperator),
    ("keyword.operator.word", Key::SyntaxKeyword),
    ("storage", Key::SyntaxKeyword),
    ("entity.name", Key::SyntaxType),
    ("entity.name.function", Key::SyntaxFunction),
    ("entity.name.tag", Key::SyntaxTag),
    ("entity.name.section", Key::MdHeading),
    ("entity.other.attribute-name", Key::SyntaxAttribute),
    ("entity.other.inherited-class", Key::SyntaxType),
    ("support.function", Key::SyntaxFunction),
    ("support.macro", Key::SyntaxMacro),
    ("entity.name.macro", Key::SyntaxMacro),
    ("support.type", Key::SyntaxType),
    ("support.type.property-name", Key::SyntaxProperty),
    ("support.class", Key::SyntaxType),
    ("support.constant", Key::SyntaxConstant),
    ("variable", Key::SyntaxVariable),
    ("variable.function", Key::SyntaxFunction),
    ("variable.annotation", Key::SyntaxAttribute),
    ("variable.language", Key::SyntaxConstant),
    ("meta.property-name", Key::SyntaxProperty),
    ("meta.annotation", Key::SyntaxAttribute),
    ("meta.preprocessor", Key::SyntaxMacro),
    ("punctuation", Key::SyntaxPunctuation),
    ("punctuation.definition.annotation", Key::SyntaxAttribute),
    ("punctuation.definition.variable", Key::SyntaxVariable),
    ("punctuation.definition.tag", Key::SyntaxTag),
    ("markup.inserted", Key::DiffAdd),
    ("markup.deleted", Key::DiffRemove),
    ("markup.heading", Key::MdHeading),
    ("markup.bold", Key::MdStrong),
    ("markup.italic", Key::MdEmphasis),
    ("markup.raw", Key::MdCode),
    ("invalid", Key::SyntaxInvalid),
];

/// Scopes that make a string inside them the key of an object.
const OBJECT_KEYS: &[&str] = &["meta.mapping.key", "meta.structure.dictionary.key", "meta.object-literal.key"];

pub(super) struct Table {
    rows: Vec<(Scope, Key)>,
    object_keys: Vec<Scope>,
}

impl Table {
    pub(super) fn new() -> Self {
        let rows = TABLE.iter().filter_map(|(prefix, key)| Some((Scope::new(prefix).ok()?, *key))).collect();
        Self { rows, object_keys: OBJECT_KEYS.iter().filter_map(|prefix| Scope::new(prefix).ok()).collect() }
    }

    /// The meaning of the innermost scope that has one.
    pub(super) fn key(&self, stack: &[Scope], known: &mut HashMap<Scope, Option<Key>>) -> Key {
        let meaning = |scope: &Scope| *known.entry(*scope).or_insert_with(|| self.lookup(*scope));
        let key = stack.iter().rev().find_map(meaning).unwrap_or(Key::SyntaxText);
        let is_object_key = || stack.iter().any(|scope| self.object_keys.iter().any(|prefix| prefix.is_prefix_of(*scope)));
        if key == Key::SyntaxString && is_object_key() { Key::SyntaxProperty } else { key }
    }

    fn lookup(&self, scope: Scope) -> Option<Key> {
        let fitting = self.rows.iter().filter(|(prefix, _)| prefix.is_prefix_of(scope));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(_, key)| *key)
    }
}
