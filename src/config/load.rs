//! Reads all sources of settings and lays them over one another.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::environment::{Environment, Origin};
use crate::config::layers::{Layer, Layers};
use crate::config::paths::Paths;
use crate::config::settings::Settings;
use crate::domain::text::{clean, clean_line, line_of, with_causes};
use crate::mcp;
use crate::tui::keymap::Keymap;
use crate::tui::theme::Themes;

/// The largest config file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The config of today's users of another program, whose section of reports is read.
const OLD_CONFIG: &str = "mcp_config.toml";

/// That section.
const REPORTS: &str = "interaction_logging";

/// Why there are no settings. The message names the file, the line and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("could not read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file does not fit.
    #[error("{place}: {message}")]
    Invalid {
        /// File and line, or flag, or variable.
        place: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

/// What the settings are made from, beside files.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The working folder.
    pub cwd: PathBuf,
    /// The user's config file, where it is not the usual one; it must then be there.
    pub config: Option<PathBuf>,
    /// Settings by flag.
    pub flags: Vec<(String, Table)>,
}

/// The settings and how they came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What counts.
    pub settings: Settings,
    /// Each value's origin.
    pub layers: Layers,
    /// What was passed over, and why. One sentence each.
    pub warnings: Vec<String>,
    /// The user's config file, there or not.
    pub config_file: PathBuf,
    /// Files that were read.
    pub files: Vec<PathBuf>,
}

/// Reads everything.
///
/// # Errors
/// When a file is broken or holds an unknown key; nothing is half believed.
pub fn load(sources: &Sources, environment: &Environment, paths: &Paths) -> Result<Loaded, Error> {
    let mut reading = Reading { environment, layers: Layers::default(), warnings: Vec::new(), files: Vec::new() };
    reading.layers.lay(defaults(), &Layer::Default);
    let config_file = sources.config.clone().unwrap_or_else(|| paths.config_file());
    if sources.config.is_some() && !config_file.is_file() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::Read { path: config_file, source });
    }
    reading.mcp_config(&paths.config.join(OLD_CONFIG), Layer::User, true)?;
    reading.toml(&config_file, Layer::User, true)?;
    reading.mcp_json(&paths.config.join("mcp.json"), Layer::User, true)?;
    let trusted = reading.trusts(&sources.cwd);
    reading.mcp_config(&sources.cwd.join(OLD_CONFIG), Layer::Project, trusted)?;
    for name in [".wakeful.toml", ".wakeful/config.toml"] {
        reading.toml(&sources.cwd.join(name), Layer::Project, trusted)?;
    }
    for name in ["mcp.json", ".mcp.json"] {
        reading.mcp_json(&sources.cwd.join(name), Layer::Project, trusted)?;
    }
    reading.variables(trusted);
    for (flag, table) in &sources.flags {
        let text = table.to_string();
        check_made(&text, flag)?;
        reading.layers.lay(table.clone(), &Layer::Flag(flag.clone()));
    }
    let merged = reading.layers.table.to_string();
    let settings = check_made(&merged, "the settings together")?.settle();
    if let Some(problem) = Themes::problem(&settings.tui.theme, &paths.themes()) {
        let origin = reading.layers.origin("tui.theme");
        reading.warnings.push(format!("{origin}: {}; `auto` is used, `/theme` lists them", with_causes(&problem)));
    }
    // They name what strangers named: folders, servers, keys.
    let warnings = reading.warnings.iter().map(|warning| clean(warning).into_owned()).collect();
    Ok(Loaded { settings, layers: reading.layers, warnings, config_file, files: reading.files })
}

struct Reading<'a> {
    environment: &'a Environment,
    layers: Layers,
    warnings: Vec<String>,
    files: Vec<PathBuf>,
}

impl Reading<'_> {
    fn toml(&mut self, path: &Path, layer: fn(PathBuf) -> Layer, trusted: bool) -> Result<(), Error> {
        let done = self.read_toml(path, layer, trusted);
        self.forgive(done, trusted)
    }

    fn mcp_json(&mut self, path: &Path, layer: fn(PathBuf) -> Layer, trusted: bool) -> Result<(), Error> {
        let done = self.read_mcp_json(path, layer, trusted);
        self.forgive(done, trusted)
    }

    /// A stranger's broken file is no reason not to start.
    fn forgive(&mut self, done: Result<(), Error>, trusted: bool) -> Result<(), Error> {
        match done {
            Err(error) if !trusted => {
                self.warnings.push(format!("passed over: {}", clean_line(&with_causes(&error))));
                Ok(())
            }
            done => done,
        }
    }

    fn read_toml(&mut self, path: &Path, layer: fn(PathBuf) -> Layer, trusted: bool) -> Result<(), Error> {
        let Some(text) = read(path)? else { return Ok(()) };
        check(&text, &path.display().to_string())?;
        let mut table = text.parse::<Table>().map_err(|error| invalid(&text, &path.display().to_string(), &error))?;
        if !trusted {
            self.distrust(path, &mut table);
        }
        self.layers.lay(table, &layer(path.to_path_buf()));
        self.files.push(path.to_path_buf());
        Ok(())
    }

    fn read_mcp_json(&mut self, path: &Path, layer: fn(PathBuf) -> Layer, trusted: bool) -> Result<(), Error> {
        let Some(text) = read(path)? else { return Ok(()) };
        let variable = |name: &str| self.environment.get(name).map(str::to_owned);
        let place = || path.display().to_string();
        let servers =
            mcp::parse_mcp_json(&text, variable).map_err(|error| Error::Invalid { place: place(), message: with_causes(&error) })?;
        let entry = |server| Table::try_from(server).map(Value::Table);
        let list = servers.iter().map(entry).collect::<Result<Vec<_>, _>>();
        let list = list.map_err(|error| Error::Invalid { place: place(), message: error.to_string() })?;
        let mut table = Table::from_iter([("mcp_servers".to_owned(), Value::Array(list))]);
        if !trusted {
            self.distrust(path, &mut table);
        }
        self.layers.lay(table, &layer(path.to_path_buf()));
        self.files.push(path.to_path_buf());
        Ok(())
    }

    /// The section `[interaction_logging]` of a file of another program, which is read as it is: what else stands there, and
    /// keys that we do not know, are passed over. Where reports go is nothing that a stranger's folder decides.
    fn mcp_config(&mut self, path: &Path, layer: fn(PathBuf) -> Layer, trusted: bool) -> Result<(), Error> {
        let Some(text) = read(path)? else { return Ok(()) };
        let place = path.display().to_string();
        let whole = match text.parse::<Table>() {
            Ok(whole) => whole,
            Err(error) => {
                self.warnings.push(format!("{place}: passed over: it is no TOML: {}", error.message()));
                return Ok(());
            }
        };
        let Some(Value::Table(mut section)) = whole.get(REPORTS).cloned() else { return Ok(()) };
        if !trusted {
            let folder = path.parent().unwrap_or(path).display();
            let hint = format!("add \"{folder}\" to `trusted_projects` in your own config to believe it");
            self.warnings.push(format!("{place} sets {REPORTS}: passed over; {hint}"));
            return Ok(());
        }
        let known = defaults().get(REPORTS).and_then(Value::as_table).cloned().unwrap_or_default();
        let secret = ["coordinator_api_key", "redis_url", "database_url"];
        let odd: Vec<String> = section.keys().filter(|key| !known.contains_key(*key) && !secret.contains(&key.as_str())).cloned().collect();
        for key in &odd {
            section.remove(key);
        }
        if !odd.is_empty() {
            self.warnings.push(format!("{place}: [{REPORTS}] holds keys that mean nothing here: {}", odd.join(", ")));
        }
        let table = Table::from_iter([(REPORTS.to_owned(), Value::Table(section))]);
        check_made(&table.to_string(), &format!("{place} [{REPORTS}]"))?;
        self.layers.lay(table, &layer(path.to_path_buf()));
        self.files.push(path.to_path_buf());
        Ok(())
    }

    /// Whether the user has said that the files of `folder` may be believed.
    fn trusts(&self, folder: &Path) -> bool {
        let list = self.layers.table.get("trusted_projects").and_then(Value::as_array);
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = real(folder);
        list.into_iter().flatten().filter_map(Value::as_str).any(|known| real(Path::new(known)) == folder)
    }

    /// What a stranger's project may say: how the agent is instructed and which servers it would like. Opening a folder
    /// must not run its commands, send keys elsewhere or take consent for granted.
    fn distrust(&mut self, path: &Path, table: &mut Table) {
        const HARMLESS: &[&str] = &["agents", "mcp_servers", "agent"];
        let dropped: Vec<String> = table.keys().filter(|key| !HARMLESS.contains(&key.as_str())).cloned().collect();
        for key in &dropped {
            table.remove(key);
        }
        if let Some(Value::Table(agent)) = table.get_mut("agent") {
            agent.retain(|key, _| key == "instructions");
        }
        self.keep_own_servers(path, table);
        let mut disabled = Vec::new();
        for server in table.get_mut("mcp_servers").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(server) = server.as_table_mut() {
                disabled.extend(server.get("name").and_then(Value::as_str).map(str::to_owned));
                server.insert("enabled".to_owned(), Value::Boolean(false));
                server.insert("trusted".to_owned(), Value::Boolean(false));
            }
        }
        let folder = path.parent().unwrap_or(path).display();
        let hint = format!("add \"{folder}\" to `trusted_projects` in your own config to believe it");
        if !dropped.is_empty() {
            self.warnings.push(format!("{} sets {}: passed over; {hint}", path.display(), dropped.join(", ")));
        }
        if !disabled.is_empty() {
            self.warnings.push(format!(
                "{} names the servers {}: not started; enable them with /mcp, or {hint}",
                path.display(),
                disabled.join(", ")
            ));
        }
    }

    /// A stranger's server never takes the place of one of the user's: consents and keys go by name.
    fn keep_own_servers(&mut self, path: &Path, table: &mut Table) {
        let named = |server: &Value| server.get("name").and_then(Value::as_str).map(str::to_owned);
        let own: Vec<String> =
            self.layers.table.get("mcp_servers").and_then(Value::as_array).into_iter().flatten().filter_map(named).collect();
        let Some(servers) = table.get_mut("mcp_servers").and_then(Value::as_array_mut) else { return };
        let taken: Vec<String> = servers.iter().filter_map(named).filter(|name| own.contains(name)).collect();
        servers.retain(|server| named(server).is_none_or(|name| !own.contains(&name)));
        if !taken.is_empty() {
            self.warnings.push(format!("{} names the servers {} as you do: yours count", path.display(), taken.join(", ")));
        }
    }

    /// `OPENAI_*`: a provider `openai`, and the model where one is named.
    fn variables(&mut self, trusted: bool) {
        // A folder's own file must not send the user's words and keys to an address that it chose.
        let usable =
            |name: &&str| self.environment.get(name).is_some() && (trusted || self.environment.origin(name) == Some(Origin::Process));
        let base = ["OPENAI_API_BASE", "OPENAI_BASE_URL"].into_iter().find(usable);
        let model = Some("OPENAI_MODEL").filter(usable);
        let names = ["OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_MODEL"];
        let foreign: Vec<&str> = names.into_iter().filter(|name| self.environment.get(name).is_some() && !usable(name)).collect();
        if !foreign.is_empty() {
            let hint = "add the folder to `trusted_projects` in your own config to believe it";
            self.warnings.push(format!(".env sets {}: passed over; {hint}", foreign.join(", ")));
        }
        if let Some(name) = base {
            self.set(name, &["providers", "openai", "base_url"]);
        }
        if self.environment.get("OPENAI_API_KEY").is_some()
            && self.layers.table.get("providers").and_then(|all| all.get("openai")?.get("api_key")).is_none()
        {
            let layer = Layer::Environment("OPENAI_API_KEY".to_owned());
            self.layers.lay(nested(&["providers", "openai", "api_key_env"], Value::String("OPENAI_API_KEY".to_owned())), &layer);
        }
        if let Some(model) = model.and_then(|name| self.environment.get(name)) {
            let layer = Layer::Environment("OPENAI_MODEL".to_owned());
            self.layers.lay(nested(&["model"], Value::String(format!("openai/{model}"))), &layer);
        }
    }

    fn set(&mut self, variable: &str, path: &[&str]) {
        if let Some(value) = self.environment.get(variable) {
            self.layers.lay(nested(path, Value::String(value.to_owned())), &Layer::Environment(variable.to_owned()));
        }
    }
}

/// A table that holds only `value`, at `path`.
pub fn nested(path: &[&str], value: Value) -> Table {
    let wrap = |value, key: &&str| Value::Table(Table::from_iter([((*key).to_owned(), value)]));
    match path.iter().rev().fold(value, wrap) {
        Value::Table(table) => table,
        _ => Table::new(),
    }
}

fn defaults() -> Table {
    Table::try_from(Settings::default()).unwrap_or_default()
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() > FILE_BYTES_MAX => {
            return Err(Error::Invalid {
                place: path.display().to_string(),
                message: "larger than 1 MiB: this is no config file".to_owned(),
            });
        }
        // A folder, a pipe or a device is no config file.
        Ok(meta) if !meta.is_file() => return Ok(None),
        _ => {}
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(Error::Read { path: path.to_path_buf(), source }),
    }
}

/// Reads a file's `text`; `place` names it.
///
/// # Errors
/// When it holds an unknown key, a value that does not fit, or one key of the keyboard for two actions.
pub fn check(text: &str, place: &str) -> Result<Settings, Error> {
    fitting(toml::from_str(text).map_err(|error| invalid(text, place, &error))?, place)
}

/// [`check`] of a text that we wrote ourselves: its lines are no place that anybody knows, the key is.
fn check_made(text: &str, place: &str) -> Result<Settings, Error> {
    let settings = toml::from_str(text).map_err(|error| {
        let key = key_at(text, &error).filter(|key| !place.ends_with(*key));
        let place = key.map_or_else(|| place.to_owned(), |key| format!("{place} `{key}`"));
        Error::Invalid { place, message: suggest(error.message()) }
    })?;
    fitting(settings, place)
}

/// The key whose value is wrong, where it stands before the value on its line.
fn key_at<'a>(text: &'a str, error: &toml::de::Error) -> Option<&'a str> {
    let before = &text[..text.floor_char_boundary(error.span()?.start)];
    before.lines().next_back()?.strip_suffix(" = ")
}

/// Whether the settings of `place` fit, each and together.
fn fitting(settings: Settings, place: &str) -> Result<Settings, Error> {
    for server in &settings.mcp_servers {
        server.validate().map_err(|error| Error::Invalid { place: place.to_owned(), message: with_causes(&error) })?;
    }
    let mut keys = settings.keys.clone();
    keys.extend(settings.tui.keys.clone());
    if let Err(problem) = Keymap::new(&keys) {
        let section = if Keymap::new(&settings.keys).is_err() { "keys" } else { "tui.keys" };
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[{section}] {problem}") });
    }
    if let Some(problem) = settings.fetch.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[fetch] {problem}") });
    }
    if let Some(problem) = settings.budget.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[budget] {problem}") });
    }
    for (section, prices) in [("prices", &settings.prices), ("tasks.prices", &settings.tasks.prices)] {
        if let Some((model, problem)) = prices.iter().find_map(|(model, price)| Some((model, price.problem()?))) {
            return Err(Error::Invalid { place: place.to_owned(), message: format!("[{section}.\"{model}\"] {problem}") });
        }
    }
    if let Some(problem) = settings.tools.undo.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[tools.undo] {problem}") });
    }
    if let Some(problem) = settings.tools.commands.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[tools.commands] {problem}") });
    }
    if let Some(problem) = settings.web.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[web] {problem}") });
    }
    if let Some(problem) = settings.cache.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[cache] {problem}") });
    }
    if let Some(problem) = settings.coordinator.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[coordinator] {problem}") });
    }
    if let Some(problem) = settings.memory.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[memory] {problem}") });
    }
    if let Some(problem) = settings.interaction_logging.problem() {
        return Err(Error::Invalid { place: place.to_owned(), message: format!("[interaction_logging] {problem}") });
    }
    Ok(settings)
}

/// Where it is wrong, and the nearest right word.
fn invalid(text: &str, place: &str, error: &toml::de::Error) -> Error {
    let place = error.span().map_or_else(|| place.to_owned(), |span| format!("{place} line {}", line_of(text, span.start)));
    Error::Invalid { place, message: suggest(error.message()) }
}

/// Turns serde's list of all known keys into the nearest one, and its names of types into words.
fn suggest(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let kind = ["unknown field", "unknown variant"].into_iter().find(|kind| message.contains(kind));
    let (Some(kind), Some((wrong, known))) = (kind, quoted.split_first()) else { return plain(message) };
    let word = if kind == "unknown field" { "key" } else { "value" };
    let near = known.iter().max_by(|a, b| strsim::jaro_winkler(wrong, a).total_cmp(&strsim::jaro_winkler(wrong, b)));
    match near {
        Some(near) if strsim::jaro_winkler(wrong, near) > 0.75 => format!("unknown {word} `{wrong}`; did you mean `{near}`?"),
        _ if known.is_empty() => format!("unknown {word} `{wrong}`"),
        _ => format!("unknown {word} `{wrong}`; there are {}", known.join(", ")),
    }
}

/// serde's "invalid type" without Rust's names of types.
fn plain(message: &str) -> String {
    let split = message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "));
    let Some((given, wanted)) = split else { return message.to_owned() };
    let given = match given {
        "sequence" => "a list",
        "map" => "a section",
        given => given,
    };
    let wanted = match wanted.trim_end() {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list",
        "a map" => "a section",
        wanted if wanted.starts_with("struct ") => "a section",
        wanted => wanted,
    };
    format!("{given} stands where {wanted} belongs")
}

#[cfg(test)]
mod tests;
