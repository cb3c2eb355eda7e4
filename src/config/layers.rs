//! Lays one table of settings over another and remembers where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};

/// Where a value came from, the strongest last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// Built in.
    Default,
    /// The user's config file, or the `mcp.json` beside it.
    User(PathBuf),
    /// A file of the project in the working folder.
    Project(PathBuf),
    /// A variable of the environment (or of `.env`).
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User(path) => write!(f, "user config {}", path.display()),
            Self::Project(path) => write!(f, "project config {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The merged table and the origin of each value by its dotted path (`mcp_servers.NAME.url` for named list entries).
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// All settings.
    pub table: Table,
    /// Where each value came from.
    pub origins: BTreeMap<String, Layer>,
}

impl Layers {
    /// Lays `over` on top. Tables join; lists of tables with a `name` join by it; everything else is replaced.
    pub fn lay(&mut self, over: Table, layer: &Layer) {
        merge(&mut self.table, over, "", layer, &mut self.origins);
    }

    /// Where the value at `path` came from.
    pub fn origin(&self, path: &str) -> &Layer {
        self.origins.get(path).unwrap_or(&Layer::Default)
    }

    /// All values, one a row: dotted path and value. Empty tables and lists are left out.
    pub fn flat(&self) -> Vec<(String, &Value)> {
        let mut rows = Vec::new();
        for (key, value) in &self.table {
            flatten(key.clone(), value, &mut rows);
        }
        rows
    }
}

fn merge(base: &mut Table, over: Table, path: &str, layer: &Layer, origins: &mut BTreeMap<String, Layer>) {
    for (key, value) in over {
        let path = join(path, &key);
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over, &path, layer, origins),
            (Some(Value::Array(base)), Value::Array(over)) if named(&over) && named(base) => merge_named(base, over, &path, layer, origins),
            (_, value) => {
                note(&path, &value, layer, origins);
                base.insert(key, value);
            }
        }
    }
}

fn merge_named(base: &mut Vec<Value>, over: Vec<Value>, path: &str, layer: &Layer, origins: &mut BTreeMap<String, Layer>) {
    for entry in over {
        let name = name_of(&entry).unwrap_or_default().to_owned();
        let path = join(path, &name);
        note(&path, &entry, layer, origins);
        // An entry of the same name is replaced whole: half of one server's settings never fit another's.
        match base.iter_mut().find(|known| name_of(known) == Some(&name)) {
            Some(known) => *known = entry,
            None => base.push(entry),
        }
    }
}

fn note(path: &str, value: &Value, layer: &Layer, origins: &mut BTreeMap<String, Layer>) {
    let mut rows = Vec::new();
    flatten(path.to_owned(), value, &mut rows);
    let inside = format!("{path}.");
    origins.retain(|known, _| known != path && !known.starts_with(&inside));
    origins.insert(path.to_owned(), layer.clone());
    for (path, _) in rows {
        origins.insert(path, layer.clone());
    }
}

fn flatten<'a>(path: String, value: &'a Value, rows: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                flatten(join(&path, key), value, rows);
            }
        }
        Value::Array(list) if !list.is_empty() && named(list) => {
            for entry in list {
                flatten(join(&path, name_of(entry).unwrap_or_default()), entry, rows);
            }
        }
        value => rows.push((path, value)),
    }
}

fn named(list: &[Value]) -> bool {
    list.iter().all(|entry| name_of(entry).is_some())
}

fn name_of(entry: &Value) -> Option<&str> {
    entry.as_table()?.get("name")?.as_str()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn stronger_layers_win_and_origins_are_kept() {
        let mut layers = Layers::default();
        layers.lay(table("model = 'a'\n[tui]\ntheme = 'dark'\nicons = 'x'"), &Layer::Default);
        let user = Layer::User("u.toml".into());
        layers.lay(table("[tui]\ntheme = 'light'\n[[mcp_servers]]\nname = 's'\nurl = 'http://a'"), &user);
        let flag = Layer::Flag("--model".into());
        layers.lay(table("model = 'b'\n[[mcp_servers]]\nname = 't'\nurl = 'http://b'"), &flag);
        assert_eq!(
            layers.table,
            table(
                "model = 'b'\n[tui]\ntheme = 'light'\nicons = 'x'\n[[mcp_servers]]\nname = 's'\nurl = 'http://a'\n[[mcp_servers]]\nname = 't'\nurl = 'http://b'"
            )
        );
        assert_eq!(layers.origin("model"), &flag);
        assert_eq!(layers.origin("tui.theme"), &user);
        assert_eq!(layers.origin("tui.icons"), &Layer::Default);
        assert_eq!(layers.origin("mcp_servers.s.url"), &user);
        assert_eq!(layers.origin("mcp_servers.t.url"), &flag);
    }

    #[test]
    fn a_named_entry_is_replaced_whole() {
        let mut layers = Layers::default();
        layers.lay(table("[[s]]\nname = 'a'\ncommand = 'x'"), &Layer::Default);
        let project = Layer::Project("p".into());
        layers.lay(table("[[s]]\nname = 'a'\nurl = 'http://a'"), &project);
        assert_eq!(layers.table, table("[[s]]\nname = 'a'\nurl = 'http://a'"));
        assert_eq!(layers.flat().len(), 2);
        assert_eq!(layers.origin("s.a.url"), &project);
    }
}
