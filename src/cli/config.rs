//! `wakeful config`: make, show, find and check the settings.

use serde_json::json;
use toml::Value;

use crate::app::models;
use crate::cli::Base;
use crate::cli::args::ConfigCommand;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::config::edit;

/// The commented file that `init` writes; the tests check that it is read without complaint.
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Parts of keys whose values are never shown.
const SECRET_KEYS: &[&str] = &["api_key", "token", "secret", "password", "authorization", ".headers.", ".env.", ".query."];

/// Shorter texts are no secrets; masking them would only tear what is shown.
const SECRET_BYTES_MIN: usize = 6;

pub(super) fn run(base: &Base, command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Init { force } => init(base, *force),
        ConfigCommand::Show { json } => show(base, *json),
        ConfigCommand::Path { json } => path(base, *json),
        ConfigCommand::Check { json } => check(base, *json),
    }
}

fn init(base: &Base, force: bool) -> Outcome {
    let path = base.global.config.clone().unwrap_or_else(|| base.paths.config_file());
    if path.exists() && !force {
        return Err(Stop::Usage(format!("{} is there already; --force replaces it", path.display())));
    }
    edit::write(&path, EXAMPLE)?;
    output::line(format_args!("written: {}", path.display()))?;
    Ok(Exit::Done)
}

fn show(base: &Base, json: bool) -> Outcome {
    let loaded = base.load()?;
    let rows = loaded.layers.flat();
    let secrets = models::secrets(&loaded.settings, &base.environment);
    if json {
        let row = |(path, value): &(String, &Value)| json!({"key": path, "value": shown(path, value, &secrets), "origin": loaded.layers.origin(path).to_string()});
        output::json(&rows.iter().map(row).collect::<Vec<_>>())?;
    } else {
        let row =
            |(path, value): &(String, &Value)| vec![path.clone(), shown(path, value, &secrets), loaded.layers.origin(path).to_string()];
        output::raw(output::table(&rows.iter().map(row).collect::<Vec<_>>(), 80))?;
    }
    for warning in &loaded.warnings {
        output::note(format_args!("wakeful: {warning}"));
    }
    Ok(Exit::Done)
}

/// A value for people, secrets masked: by the key's name, by what is known to be one, and in addresses. Names of variables
/// that hold secrets are none themselves.
fn shown(path: &str, value: &Value, secrets: &[String]) -> String {
    let lower = path.to_ascii_lowercase();
    let secret = !lower.ends_with(".api_key_env") && SECRET_KEYS.iter().any(|key| lower.contains(key));
    match value {
        Value::String(text) if secret && !text.is_empty() => "•••• (set)".to_owned(),
        value => mask_text(&value.to_string(), secrets),
    }
}

/// Replaces known secrets, and user names, passwords and secret parameters in addresses.
fn mask_text(text: &str, secrets: &[String]) -> String {
    let known = secrets.iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN);
    let text = known.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "••••"));
    let patterns =
        [(r"//[^/@\s\x22]+@", "//••••@"), (r"(?i)([?&\x22 ](?:-{0,2})[\w-]*(?:key|token|secret|password)[\w-]*=)[^&\s\x22]+", "${1}••••")];
    patterns.iter().fold(text, |text, (pattern, with)| match regex::Regex::new(pattern) {
        Ok(pattern) => pattern.replace_all(&text, *with).into_owned(),
        Err(_) => text,
    })
}

fn path(base: &Base, json: bool) -> Outcome {
    let paths = &base.paths;
    let rows = [
        ("config", base.global.config.clone().unwrap_or_else(|| paths.config_file())),
        ("events", paths.events_file()),
        ("logs", paths.logs()),
        ("history", paths.history_file()),
        ("themes", paths.themes()),
    ];
    if json {
        let map: serde_json::Map<_, _> = rows.iter().map(|(name, path)| ((*name).to_owned(), json!(path.display().to_string()))).collect();
        output::json(&map)?;
    } else {
        let rows: Vec<_> = rows.iter().map(|(name, path)| vec![(*name).to_owned(), path.display().to_string()]).collect();
        output::raw(output::table(&rows, usize::MAX))?;
    }
    Ok(Exit::Done)
}

fn check(base: &Base, json: bool) -> Outcome {
    match base.load() {
        Ok(loaded) => {
            let files: Vec<_> = loaded.files.iter().map(|file| file.display().to_string()).collect();
            if json {
                output::json(&json!({"ok": true, "files": files, "warnings": loaded.warnings}))?;
            } else {
                let what = if files.is_empty() { "no config files: all defaults".to_owned() } else { files.join("\n") };
                output::line(format_args!("ok\n{what}"))?;
                for warning in &loaded.warnings {
                    output::line(format_args!("warn  {warning}"))?;
                }
            }
            Ok(Exit::Done)
        }
        Err(Stop::Failed(error)) if json => {
            output::json(&json!({"ok": false, "error": format!("{error:#}")}))?;
            Ok(Exit::Failed)
        }
        Err(stop) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    #[test]
    fn the_example_is_read_without_complaint() {
        toml::from_str::<Settings>(EXAMPLE).unwrap();
    }

    #[test]
    fn every_commented_example_in_it_is_valid_too() {
        // `#key = …` and `#[table]` are settings to be uncommented; `# text` is prose.
        let live: Vec<_> = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with([' ', '#'])).unwrap_or(line))
            .collect();
        let settings: Settings = toml::from_str(&live.join("\n")).unwrap();
        assert!(!settings.providers.is_empty() && !settings.mcp_servers.is_empty() && !settings.agents.is_empty());
    }

    #[test]
    fn secrets_are_masked() {
        let secret = Value::String("sk-1".into());
        for path in ["providers.a.api_key", "mcp_servers.s.headers.X", "mcp_servers.s.env.K"] {
            assert_eq!(shown(path, &secret, &[]), "•••• (set)", "{path}");
        }
        assert_eq!(shown("providers.a.api_key_env", &Value::String("N".into()), &[]), "\"N\"");
        assert_eq!(shown("model", &Value::String("m".into()), &[]), "\"m\"");
        let url = Value::String("https://me:pw@host/mcp?api_key=abc&x=1".into());
        assert_eq!(shown("mcp_servers.s.url", &url, &[]), "\"https://••••@host/mcp?api_key=••••&x=1\"");
        let args = Value::Array(vec![Value::String("--token=abcdef".into()), Value::String("sk-known".into())]);
        assert_eq!(shown("mcp_servers.s.args", &args, &["sk-known".into()]), "[\"--token=••••\", \"••••\"]");
    }
}
