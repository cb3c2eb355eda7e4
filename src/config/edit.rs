//! Changes the user's config file as a person would: comments and order stay.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, value};

use crate::domain::text::line_of;

/// Why the file could not be changed. It is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read or written.
    #[error("could not change {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no valid TOML now; it is not touched.
    #[error("{path} line {line} is not valid TOML: {problem}; repair it first")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why. Never the line itself: it may hold a key.
        problem: String,
    },
    /// There is such an entry already.
    #[error("there is a server `{0}` already; remove it first, or choose another name")]
    Exists(String),
    /// The file would not fit any more.
    #[error("{0}")]
    Refused(String),
    /// There is no such entry.
    #[error("{path} has no server `{name}`; what `wakeful mcp list` shows beside it is built in, or stands in an mcp.json or in a project")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The server.
        name: String,
    },
}

/// A server to be added.
#[derive(Debug, Clone, Default)]
pub struct NewServer {
    /// Its name.
    pub name: String,
    /// Its URL, or …
    pub url: Option<String>,
    /// … its command and arguments.
    pub command: Vec<String>,
    /// Variables of the command.
    pub env: Vec<(String, String)>,
    /// Headers of each request.
    pub headers: Vec<(String, String)>,
    /// The variable that holds the key.
    pub api_key_env: Option<String>,
    /// How to speak to it.
    pub transport: Option<String>,
}

/// Adds a server to the file, which is made where it is not there.
///
/// # Errors
/// When the file is broken or there is such a server already.
pub fn add_server(path: &Path, server: &NewServer) -> Result<(), Error> {
    let mut document = read(path)?;
    let servers = document.entry("mcp_servers").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let servers = servers.as_array_of_tables_mut().ok_or_else(|| no_sections(path))?;
    if servers.iter().any(|entry| named(entry, &server.name)) {
        return Err(Error::Exists(server.name.clone()));
    }
    servers.push(entry(server));
    write(path, &document.to_string())
}

/// Removes a server from the file.
///
/// # Errors
/// When the file is broken or has no such server.
pub fn remove_server(path: &Path, name: &str) -> Result<(), Error> {
    let mut document = read(path)?;
    let missing = || Error::Missing { path: path.to_path_buf(), name: name.to_owned() };
    let servers = document.get_mut("mcp_servers").ok_or_else(missing)?;
    let servers = servers.as_array_of_tables_mut().ok_or_else(|| no_sections(path))?;
    let at = servers.iter().position(|entry| named(entry, name)).ok_or_else(missing)?;
    servers.remove(at);
    write(path, &document.to_string())
}

/// Sets one key by its dotted path (to a truth, a whole number or a text), or takes it out. Only what `check` finds right
/// is written.
///
/// # Errors
/// When the file is broken, or `check` refuses what it would be.
pub fn set(path: &Path, key: &str, new: Option<&toml::Value>, check: &dyn Fn(&str) -> Result<(), String>) -> Result<(), Error> {
    let mut document = read(path)?;
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or(key);
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in parts {
        if new.is_none() && !table.contains_key(part) {
            return Ok(());
        }
        let next = table.entry(part).or_insert_with(|| Item::Table(Table::new()));
        let Some(next) = next.as_table_like_mut() else {
            return Err(Error::Refused(format!("{}: `{part}` is no table", path.display())));
        };
        table = next;
    }
    match (new.map(edited), table.get_mut(last).and_then(Item::as_value_mut)) {
        (Some(mut new), Some(old)) => {
            // What stands around the old value (its comment) stays around the new one.
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (Some(new), None) => {
            table.insert(last, Item::Value(new));
        }
        (None, _) => {
            table.remove(last);
        }
    }
    let text = document.to_string();
    check(&text).map_err(Error::Refused)?;
    write(path, &text)
}

/// The servers stand there, but in a form that is not edited.
fn no_sections(path: &Path) -> Error {
    let path = path.display();
    Error::Refused(format!("{path}: `mcp_servers` is not written as sections; write each server as `[[mcp_servers]]`, then try again"))
}

fn edited(value: &toml::Value) -> toml_edit::Value {
    match value {
        toml::Value::Boolean(on) => (*on).into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

fn named(entry: &Table, name: &str) -> bool {
    entry.get("name").and_then(Item::as_str) == Some(name)
}

fn entry(server: &NewServer) -> Table {
    let mut table = Table::new();
    table["name"] = value(&server.name);
    if let Some(url) = &server.url {
        table["url"] = value(url);
    }
    if let Some((command, arguments)) = server.command.split_first() {
        table["command"] = value(command);
        if !arguments.is_empty() {
            table["args"] = value(arguments.iter().collect::<Array>());
        }
    }
    if !server.env.is_empty() {
        table["env"] = value(pairs(&server.env));
    }
    if !server.headers.is_empty() {
        table["headers"] = value(pairs(&server.headers));
    }
    if let Some(name) = &server.api_key_env {
        table["api_key_env"] = value(name);
    }
    if let Some(transport) = &server.transport {
        table["transport"] = value(transport);
    }
    table
}

fn pairs(list: &[(String, String)]) -> InlineTable {
    list.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn read(path: &Path) -> Result<DocumentMut, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Io { path: path.to_path_buf(), source }),
    };
    text.parse::<DocumentMut>().map_err(|error| broken(path, &text, &error))
}

/// Where the file is broken and why. The error itself would show the line.
fn broken(path: &Path, text: &str, error: &toml_edit::TomlError) -> Error {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    Error::Syntax { path: path.to_path_buf(), line, problem: error.message().to_owned() }
}

/// Writes a file whole or not at all, for its owner's eyes only: it may hold keys.
///
/// # Errors
/// When the folder cannot be made or the file cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    let inner = || -> std::io::Result<()> {
        // A link stays a link: dotfiles often are.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
            // A device or a pipe is written, not replaced.
            return fs::write(&path, text);
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let scratch = folder.join(format!(".{}.{}", path.file_name().unwrap_or_default().to_string_lossy(), std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&scratch)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&scratch, &path)
    };
    inner().map_err(|source| Error::Io { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_come_and_go_and_comments_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config.toml");
        let server = NewServer {
            name: "a".into(),
            command: vec!["npx".into(), "-y".into()],
            env: vec![("K".into(), "v".into())],
            ..NewServer::default()
        };
        add_server(&path, &server).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "[[mcp_servers]]\nname = \"a\"\ncommand = \"npx\"\nargs = [\"-y\"]\nenv = { K = \"v\" }\n");

        fs::write(&path, format!("# mine\nmodel = \"x\" # keep\n\n{text}")).unwrap();
        assert!(matches!(add_server(&path, &server), Err(Error::Exists(_))));
        let set = |key: &str, text: &str| set(&path, key, Some(&text.into()), &|_| Ok(())).unwrap();
        set("model", "y");
        set("tui.theme", "light");
        remove_server(&path, "a").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\nmodel = \"y\" # keep\n\n[tui]\ntheme = \"light\"\n");
        assert!(matches!(remove_server(&path, "a"), Err(Error::Missing { .. })));
    }

    #[test]
    fn a_broken_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "model = ").unwrap();
        assert!(matches!(remove_server(&path, "a"), Err(Error::Syntax { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "model = ");
    }

    #[test]
    fn a_broken_line_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "# mine\n\napi_key = \"sk-secret\nmodel = 'x'\n").unwrap();
        let error = remove_server(&path, "a").unwrap_err();
        let text = crate::domain::text::with_causes(&error);
        assert!(text.contains("config.toml line 3 is not valid TOML: ") && text.ends_with("; repair it first"), "{text}");
        assert!(!text.contains("secret") && !format!("{error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn servers_in_one_value_are_not_said_to_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "mcp_servers = [{ name = 'a', command = 'x' }]\n").unwrap();
        let server = NewServer { name: "b".into(), ..NewServer::default() };
        for error in [add_server(&path, &server).unwrap_err(), remove_server(&path, "a").unwrap_err()] {
            assert!(error.to_string().contains("write each server as `[[mcp_servers]]`"), "{error}");
        }
    }
}
