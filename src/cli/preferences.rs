//! The config file as the screen may change it: one setting at a time, checked as a whole before it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Value as Toml;

use crate::cli::Base;
use crate::config::layers::Layers;
use crate::config::{edit, load};
use crate::domain::text::with_causes;
use crate::tui::settings::{Current, Preferences, Setting, Value};

/// The user's config file.
pub(super) struct Config {
    base: Base,
}

impl Config {
    pub(super) fn new(base: &Base) -> Self {
        Self { base: base.clone() }
    }

    fn path(&self) -> PathBuf {
        self.base.global.config.clone().unwrap_or_else(|| self.base.paths.config_file())
    }
}

impl Preferences for Config {
    fn read(&self, keys: &[&str]) -> Result<BTreeMap<String, Current>, String> {
        let loaded = self.base.load().map_err(|stop| stop.to_string())?;
        Ok(keys.iter().map(|key| ((*key).to_owned(), current(&loaded.layers, key))).collect())
    }

    fn save(&self, key: &str, value: Option<&Value>) -> Result<String, String> {
        // What is not in the table (keys and tokens above all) is written by hand.
        let setting = Setting::of(key).ok_or_else(|| format!("`{key}` is no setting that the screen changes"))?;
        if let Some(value) = value {
            setting.parse(&value.shown())?;
        }
        let path = self.path();
        let place = path.display().to_string();
        let check = |text: &str| load::check(text, &place).map(drop).map_err(|error| with_causes(&error));
        edit::set(&path, key, value.map(toml_of).as_ref(), &check).map_err(|error| with_causes(&error))?;
        Ok(place)
    }
}

fn toml_of(value: &Value) -> Toml {
    match value {
        Value::Bool(on) => Toml::Boolean(*on),
        Value::Number(number) => Toml::Integer(i64::try_from(*number).unwrap_or(i64::MAX)),
        Value::Text(text) => Toml::String(text.clone()),
    }
}

fn current(layers: &Layers, key: &str) -> Current {
    let mut parts = key.split('.');
    let first = parts.next().and_then(|part| layers.table.get(part));
    let found = parts.fold(first, |value, part| value.and_then(|value| value.get(part)));
    let value = match found {
        Some(Toml::Boolean(on)) => Some(Value::Bool(*on)),
        Some(Toml::Integer(number)) => u64::try_from(*number).ok().map(Value::Number),
        Some(Toml::String(text)) => Some(Value::Text(text.clone())),
        _ => None,
    };
    Current { value, origin: layers.origin(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Global;
    use crate::config::environment::Environment;
    use crate::config::paths::Paths;
    use crate::tui::settings::{Kind, SETTINGS};

    fn config(folder: &std::path::Path) -> Config {
        let global = Global { config: None, ..Global::default() };
        let environment = Environment::of([("HOME", "/nowhere")]);
        Config { base: Base { cwd: folder.to_path_buf(), environment, paths: Paths::under(folder), global, warnings: Vec::new() } }
    }

    fn all() -> Vec<&'static str> {
        SETTINGS.iter().map(|setting| setting.key).collect()
    }

    #[test]
    fn each_setting_of_the_table_is_one_of_the_file_and_each_of_its_values_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let defaults = config.read(&all()).unwrap();
        for setting in SETTINGS {
            let current = &defaults[setting.key];
            assert!(current.value.is_some(), "{} is not known to the file", setting.key);
            assert_eq!(current.origin, "default");
            let values: Vec<Value> = match setting.kind {
                Kind::Switch => vec![Value::Bool(true), Value::Bool(false)],
                Kind::Choice(words) => words.iter().map(|word| Value::Text((*word).to_owned())).collect(),
                Kind::Number(from, upto) => vec![Value::Number(from), Value::Number(upto)],
                Kind::Theme | Kind::Text => vec![current.value.clone().unwrap()],
            };
            for value in values {
                config.save(setting.key, Some(&value)).unwrap_or_else(|error| panic!("{} {value:?}: {error}", setting.key));
                let now = config.read(&[setting.key]).unwrap();
                assert_eq!(now[setting.key].value.as_ref(), Some(&value), "{}", setting.key);
                assert!(now[setting.key].origin.starts_with("user config"));
            }
            config.save(setting.key, None).unwrap();
            assert_eq!(config.read(&[setting.key]).unwrap()[setting.key], *current, "{}", setting.key);
        }
    }

    #[test]
    fn what_the_file_refuses_is_not_written_and_comments_stay() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let path = config.path();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = "# mine\n[tui]\n# bright\ntheme = \"dark\" # at night\n\n[server]\nlisten = \"127.0.0.1:1\"\n";
        std::fs::write(&path, text).unwrap();
        let refused = config.save("server.listen", Some(&Value::Text("nowhere".into()))).unwrap_err();
        assert!(refused.contains("nowhere") || refused.contains("socket address"), "{refused}");
        assert!(config.save("providers.openai.api_key", Some(&Value::Text("sk-secret".into()))).is_err());
        assert!(config.save("tui.icons", Some(&Value::Text("emoji".into()))).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "nothing was written");
        config.save("tui.theme", Some(&Value::Text("light".into()))).unwrap();
        config.save("tui.vi", Some(&Value::Bool(true))).unwrap();
        let expected = "# mine\n[tui]\n# bright\ntheme = \"light\" # at night\nvi = true\n\n[server]\nlisten = \"127.0.0.1:1\"\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        std::fs::write(&path, "broken = ").unwrap();
        assert!(config.save("tui.vi", None).unwrap_err().contains("not valid TOML"));
        assert!(config.read(&all()).is_err());
    }
}
