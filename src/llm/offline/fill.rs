//! Arguments for any tool, from its schema and a sentence.
//!
//! The surest sources come first: JSON, `key=value`, named values, choices; then values by their type; at last the
//! words that are left go to the one text that is wanted. Nothing is made up: what is missing stays missing.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::intents::FILLERS;
use super::toolset::{folded, name_words};
use super::words::{Kind, Part, Token};
use crate::tools::local::zones;
use crate::tools::schema;

/// What was filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled {
    pub(super) arguments: Map<String, Value>,
    /// Required properties without a value, in the order of the schema.
    pub(super) missing: Vec<String>,
    /// The pieces of the sentence that were used.
    pub(super) used: Vec<Range<usize>>,
    /// The words that were left over went into a text.
    pub(super) took_rest: bool,
}

struct Filler<'a> {
    schema: &'a Map<String, Value>,
    part: &'a Part,
    out: Filled,
}

/// Fills the arguments of a tool; `used` are the pieces that name it. `free` lets the words that are left over become
/// the one text that is wanted.
pub(super) fn fill(parameters: &Map<String, Value>, part: &Part, used: &[Range<usize>], free: bool) -> Filled {
    let mut filler = Filler { schema: parameters, part, out: Filled { used: used.to_vec(), ..Filled::default() } };
    filler.json_and_pairs();
    filler.named();
    filler.choices();
    filler.numbers();
    filler.by_meaning();
    filler.quoted();
    filler.lists();
    if free {
        filler.rest();
    }
    filler.defaults();
    let mut out = filler.out;
    out.arguments = in_order(parameters, schema::coerce(parameters, out.arguments));
    out.missing = schema::required(parameters).filter(|name| !out.arguments.contains_key(*name)).map(str::to_owned).collect();
    out
}

/// The arguments in the order of the schema, others after them.
fn in_order(parameters: &Map<String, Value>, mut arguments: Map<String, Value>) -> Map<String, Value> {
    let mut ordered: Map<String, Value> =
        schema::properties(parameters).filter_map(|(name, _)| arguments.shift_remove(name).map(|value| (name.clone(), value))).collect();
    ordered.extend(arguments);
    ordered
}

impl<'a> Filler<'a> {
    fn free(&self, token: &Token) -> bool {
        !self.out.used.iter().any(|used| used.start < token.range.end && token.range.start < used.end)
    }

    fn tokens(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<&'a Token> {
        let part = self.part;
        part.tokens.iter().filter(|token| wanted(&token.kind) && self.free(token)).collect()
    }

    /// Properties without a value yet, the required ones first.
    fn open(&self) -> Vec<(&'a str, &'a Value, bool)> {
        let needed: Vec<&str> = schema::required(self.schema).collect();
        let mut open: Vec<(&str, &Value, bool)> = schema::properties(self.schema)
            .filter(|(name, _)| !self.out.arguments.contains_key(*name))
            .map(|(name, property)| (name.as_str(), property, needed.contains(&name.as_str())))
            .collect();
        open.sort_by_key(|(_, _, needed)| !needed);
        open
    }

    fn set(&mut self, name: &str, value: Value, from: Range<usize>) {
        self.out.arguments.insert(name.to_owned(), value);
        self.out.used.push(from);
    }

    fn json_and_pairs(&mut self) {
        for token in self.tokens(|kind| matches!(kind, Kind::Json(_) | Kind::Pair(..))) {
            match &token.kind {
                Kind::Json(Value::Object(object)) => {
                    // The object is the arguments, unless it knows none of them and one object is wanted.
                    let objects: Vec<&str> = self
                        .open()
                        .into_iter()
                        .filter(|(_, property, _)| schema::types(property) == ["object"])
                        .map(|(name, _, _)| name)
                        .collect();
                    let known = object.keys().any(|key| schema::properties(self.schema).any(|(name, _)| name == key));
                    match objects.as_slice() {
                        [one] if !known => self.set(one, Value::Object(object.clone()), token.range.clone()),
                        _ => {
                            self.out.arguments.extend(object.clone());
                            self.out.used.push(token.range.clone());
                        }
                    }
                }
                Kind::Json(list) => {
                    let array = self
                        .open()
                        .into_iter()
                        .find(|(_, property, _)| schema::types(property).contains(&"array"))
                        .map(|(name, _, _)| name);
                    if let Some(name) = array {
                        self.set(name, list.clone(), token.range.clone());
                    }
                }
                Kind::Pair(key, value) => {
                    let name = schema::properties(self.schema)
                        .map(|(name, _)| name.as_str())
                        .find(|name| folded(name) == folded(key))
                        .unwrap_or(key);
                    self.set(name, value.clone(), token.range.clone());
                }
                _ => {}
            }
        }
    }

    /// `message hello`, `a is 2`, `without image`.
    fn named(&mut self) {
        for (name, property, _) in self.open() {
            let types = schema::types(property);
            let words = name_words(name);
            let Some(at) = self.name_at(&words) else { continue };
            let name_range = self.part.tokens[at].range.start..self.part.tokens[at + words.len() - 1].range.end;
            if types == ["boolean"] {
                let before = at.checked_sub(1).map(|before| self.part.tokens[before].text.as_str());
                let off = matches!(before, Some("no" | "without" | "not" | "skip"));
                self.set(name, json!(!off), name_range);
                continue;
            }
            let numeric = types.contains(&"number") || types.contains(&"integer");
            if numeric
                && let Some(before) = at
                    .checked_sub(1)
                    .and_then(|before| self.part.tokens.get(before))
                    .filter(|before| before.kind == Kind::Number && self.free(before))
            {
                // `3 steps`
                self.set(name, json!(before.text), before.range.start..name_range.end);
                continue;
            }
            let joins = |token: &&Token| {
                (token.kind == Kind::Sign && matches!(token.text.as_str(), ":" | "：" | "="))
                    || matches!(token.text.as_str(), "is" | "to" | "of" | "as" | "是" | "为" | "equals")
            };
            let mut next = at + words.len();
            while self.part.tokens.get(next).as_ref().is_some_and(joins) {
                next += 1;
            }
            let Some(value) = self.part.tokens.get(next).filter(|token| self.free(token)) else { continue };
            let taken = match value.kind {
                Kind::Number => numeric || (types.contains(&"string") && words.concat().len() > 1),
                Kind::Quoted | Kind::Path | Kind::Url => !numeric,
                Kind::Word => {
                    !numeric
                        && types.contains(&"string")
                        && !self.is_only_text(name)
                        && words.concat().len() > 1
                        && !FILLERS.contains(&value.text.as_str())
                }
                _ => false,
            };
            if taken {
                let text = self.part.raw.get(value.range.clone()).filter(|_| value.kind == Kind::Word).unwrap_or(&value.text);
                self.set(name, json!(text), name_range.start..value.range.end);
            } else if self.is_only_text(name) && value.kind == Kind::Word {
                // `message hello world`: the name itself is no part of the text.
                self.out.used.push(name_range);
            }
        }
    }

    fn name_at(&self, words: &[String]) -> Option<usize> {
        if words.is_empty() || (words.len() == 1 && words[0].len() == 1 && words[0] != "a" && !words[0].chars().all(char::is_alphabetic)) {
            return None;
        }
        (0..self.part.tokens.len()).find(|at| {
            words.iter().enumerate().all(|(offset, word)| {
                self.part.tokens.get(at + offset).is_some_and(|token| token.kind == Kind::Word && token.text == *word && self.free(token))
            })
        })
    }

    /// Whether it is the only text that is wanted.
    fn is_only_text(&self, name: &str) -> bool {
        let needed: Vec<&str> = schema::required(self.schema).collect();
        let texts: Vec<&str> = schema::properties(self.schema)
            .filter(|(text, property)| is_text(property) && (needed.is_empty() || needed.contains(&text.as_str())))
            .map(|(text, _)| text.as_str())
            .collect();
        texts == [name]
    }

    fn choices(&mut self) {
        for (name, property, _) in self.open() {
            let Some(choices) = property.get("enum").and_then(Value::as_array) else { continue };
            let said = choices.iter().filter_map(Value::as_str).find_map(|choice| {
                let words = name_words(choice);
                self.name_at(&words).map(|at| (choice, self.part.tokens[at].range.start..self.part.tokens[at + words.len() - 1].range.end))
            });
            if let Some((choice, range)) = said {
                self.set(name, json!(choice), range);
            }
        }
    }

    fn numbers(&mut self) {
        let numeric = |property: &Value| schema::types(property).iter().any(|name| matches!(*name, "number" | "integer"));
        let open: Vec<(&str, bool)> =
            self.open().into_iter().filter(|(_, property, _)| numeric(property)).map(|(name, _, needed)| (name, needed)).collect();
        let mut wanted: Vec<&str> = open.iter().filter(|(_, needed)| *needed).map(|(name, _)| *name).collect();
        if let ([], [(only, _)]) = (wanted.as_slice(), open.as_slice()) {
            wanted.push(only);
        }
        let found: Vec<(Value, Range<usize>)> =
            self.tokens(|kind| *kind == Kind::Number).into_iter().map(|token| (json!(token.text), token.range.clone())).collect();
        for (name, (value, range)) in wanted.into_iter().zip(found) {
            self.set(name, value, range);
        }
    }

    /// Addresses, paths, time zones and times of day go where the name asks for them.
    fn by_meaning(&mut self) {
        let mut places = zones::mentioned(self.part.raw.get(..self.part.raw.len().min(400)).unwrap_or_default()).into_iter();
        for (name, property, needed) in self.open() {
            if !is_text(property) {
                continue;
            }
            let words = name_words(name);
            let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
            let of_web =
                has(&["url", "uri", "link", "address", "website"]) || property.get("format").and_then(Value::as_str) == Some("uri");
            let of_files = has(&["path", "file", "filename", "dir", "directory", "folder", "filepath"]);
            let kind = if of_web {
                Some(Kind::Url)
            } else if of_files {
                Some(Kind::Path)
            } else {
                None
            };
            if let Some(kind) = kind {
                if let Some(token) = self.tokens(|found| *found == kind).first() {
                    self.set(name, json!(token.text), token.range.clone());
                }
            } else if has(&["location", "city", "place", "town"])
                && let Some(place) = super::slots::PLACE.find(&self.part.raw).and_then(|captures| captures.get(1))
            {
                self.set(name, json!(place.as_str()), place.range());
            } else if has(&["timezone", "tz", "zone"]) {
                if let Some((range, zone)) = places.next() {
                    self.set(name, json!(zone), range);
                }
            } else if needed
                && has(&["time"])
                && let Some(time) = self
                    .part
                    .tokens
                    .windows(3)
                    .find(|three| three[0].kind == Kind::Number && three[1].text == ":" && three[2].kind == Kind::Number)
            {
                self.set(name, json!(format!("{}:{}", time[0].text, time[2].text)), time[0].range.start..time[2].range.end);
            }
        }
    }

    fn quoted(&mut self) {
        let open: Vec<(&str, bool)> =
            self.open().into_iter().filter(|(_, property, _)| is_text(property)).map(|(name, _, needed)| (name, needed)).collect();
        let found = self.tokens(|kind| *kind == Kind::Quoted);
        let needed = open.iter().filter(|(_, needed)| *needed).count();
        // Optional texts get a quoted piece only where it can belong to one alone.
        let takes = if needed == 0 && open.len() == 1 { 1 } else { needed };
        for ((name, _), token) in open.into_iter().take(takes).zip(found) {
            self.set(name, json!(token.text), token.range.clone());
        }
    }

    fn lists(&mut self) {
        let lists: Vec<(&str, &Value)> = self
            .open()
            .into_iter()
            .filter(|(_, property, needed)| *needed && schema::types(property) == ["array"])
            .map(|(name, property, _)| (name, property))
            .collect();
        let [(name, property)] = lists.as_slice() else { return };
        let items = property.get("items").map(schema::types).unwrap_or_default();
        let found: Vec<&Token> = if items.iter().any(|item| matches!(*item, "number" | "integer")) {
            self.tokens(|kind| *kind == Kind::Number)
        } else if items.contains(&"string") {
            self.tokens(|kind| matches!(kind, Kind::Quoted | Kind::Path | Kind::Url))
        } else {
            Vec::new()
        };
        if !found.is_empty() {
            let item = property.get("items").cloned().unwrap_or(Value::Null);
            let values: Vec<Value> = found.iter().map(|token| schema::coerce_value(&item, json!(token.text))).collect();
            self.out.used.extend(found.iter().map(|token| token.range.clone()));
            self.out.arguments.insert((*name).to_owned(), Value::Array(values));
        }
    }

    fn rest(&mut self) {
        let open: Vec<(&str, bool)> = self
            .open()
            .into_iter()
            .filter(|(_, property, _)| is_text(property) && property.get("enum").is_none())
            .map(|(name, _, needed)| (name, needed))
            .collect();
        let needed: Vec<&str> = open.iter().filter(|(_, needed)| *needed).map(|(name, _)| *name).collect();
        let name = match (needed.as_slice(), open.as_slice()) {
            ([one], _) | ([], [(one, _)]) => *one,
            _ => return,
        };
        self.skip_opening();
        let text = self.part.rest(&self.out.used);
        if !text.is_empty() {
            self.set(name, json!(text), 0..self.part.raw.len());
            self.out.took_rest = true;
        }
    }

    /// Polite words before the name of the tool are no part of the text.
    fn skip_opening(&mut self) {
        let Some(first) = self.out.used.iter().map(|range| range.start).min() else { return };
        let before: Vec<&Token> = self.part.tokens.iter().filter(|token| token.range.end <= first).collect();
        if before.iter().all(|token| token.kind == Kind::Sign || FILLERS.contains(&token.text.as_str()) || token.kind == Kind::Han)
            && !before.is_empty()
        {
            self.out.used.push(0..first);
        }
    }

    /// A required property with one possible value, or a default, needs no asking.
    fn defaults(&mut self) {
        for (name, property, needed) in self.open() {
            let only = property.get("const").or_else(|| {
                property.get("enum").and_then(Value::as_array).filter(|choices| choices.len() == 1).and_then(|choices| choices.first())
            });
            if let Some(value) = only.or_else(|| property.get("default")).filter(|_| needed) {
                self.out.arguments.insert(name.to_owned(), value.clone());
            }
        }
    }
}

fn is_text(property: &Value) -> bool {
    schema::types(property).contains(&"string")
}

/// The value of one property out of an answer to a question; `None` where the answer holds none.
pub(super) fn answer(name: &str, property: &Value, text: &str) -> Option<Value> {
    let part = Part::new(text);
    let types = schema::types(property);
    let first = |wanted: fn(&Kind) -> bool| part.tokens.iter().find(|token| wanted(&token.kind)).map(|token| json!(token.text));
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        let lower = text.trim().to_lowercase();
        let number =
            lower.parse::<usize>().ok().and_then(|at| choices.get(at.checked_sub(1)?)).filter(|_| !choices.iter().any(Value::is_number));
        let named = choices
            .iter()
            .find(|choice| choice.as_str().is_some_and(|choice| part.has_word(&choice.to_lowercase()) || choice.to_lowercase() == lower));
        return named.or(number).cloned();
    }
    if types.iter().any(|kind| matches!(*kind, "number" | "integer")) {
        return first(|kind| *kind == Kind::Number).map(|value| schema::coerce_value(property, value)).filter(Value::is_number);
    }
    if types == ["boolean"] {
        let yes = ["yes", "y", "true", "ok", "sure", "yeah"].iter().any(|word| part.has_word(word))
            || (part.has_han("是") && !part.has_han("不是"))
            || part.has_han("好");
        let no = ["no", "n", "false", "nope"].iter().any(|word| part.has_word(word)) || part.has_han("不") || part.has_han("否");
        return if yes || no { Some(json!(yes && !no)) } else { None };
    }
    if types == ["object"] || types == ["array"] {
        if let Some(value) =
            part.tokens.iter().find_map(|token| if let Kind::Json(value) = &token.kind { Some(value.clone()) } else { None })
        {
            return Some(value);
        }
        let items: Vec<&str> = text.split([',', '，', '、']).map(str::trim).filter(|item| !item.is_empty()).collect();
        return (types == ["array"] && !items.is_empty()).then(|| json!(items));
    }
    let words = name_words(name);
    let of_files = words.iter().any(|word| matches!(word.as_str(), "path" | "file" | "filename" | "folder" | "directory"));
    if of_files && let Some(path) = first(|kind| *kind == Kind::Path) {
        return Some(path);
    }
    if words.iter().any(|word| matches!(word.as_str(), "timezone" | "zone"))
        && let Some((_, zone)) = zones::mentioned(text).into_iter().next()
    {
        return Some(json!(zone));
    }
    if let [only] = part.tokens.as_slice()
        && only.kind == Kind::Quoted
    {
        return Some(json!(only.text));
    }
    if let (true, Some(quoted)) = (of_files || part.tokens.len() < 6, first(|kind| *kind == Kind::Quoted)) {
        return Some(quoted);
    }
    let said = text.trim();
    (!said.is_empty()).then(|| json!(said))
}
