//! The environment as data: the process's variables over those of a `.env` file in the working folder.
//!
//! Nothing is written back into the process's environment, so that child processes see only what they are given.

use std::collections::BTreeMap;
use std::path::Path;

/// The largest `.env` that is read, in bytes; a larger one is no settings file.
const ENV_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Variables by name. Empty values count as unset.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, (String, Origin)>);

/// Where a variable came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The process's environment.
    Process,
    /// The `.env` of the working folder.
    DotEnv,
}

impl Environment {
    /// The process's environment over the `.env` in `folder`, and what was wrong with that file.
    pub fn read(folder: &Path) -> (Self, Vec<String>) {
        let mut out = Self::default();
        let mut warnings = Vec::new();
        let file = folder.join(".env");
        match std::fs::metadata(&file) {
            Ok(meta) if meta.is_file() && meta.len() <= ENV_FILE_BYTES_MAX => match std::fs::read_to_string(&file) {
                Ok(text) => out.parse(&text, &mut warnings),
                Err(error) => warnings.push(format!("could not read {}: {error}", file.display())),
            },
            Ok(meta) if meta.is_file() => warnings.push(format!("{} is larger than 256 KiB and was not read", file.display())),
            _ => {}
        }
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                out.0.insert(name, (value, Origin::Process));
            }
        }
        (out, warnings)
    }

    /// Only the given variables.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), (value.to_owned(), Origin::Process))).collect())
    }

    /// The value of `name`, unless it is unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Where the value of `name` came from.
    pub fn origin(&self, name: &str) -> Option<Origin> {
        self.0.get(name).map(|(_, origin)| *origin)
    }

    /// The value of `name` in the process's own environment: for what a folder's `.env` must not decide (where files
    /// are, which programs run).
    pub fn process(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|_| self.origin(name) == Some(Origin::Process))
    }

    /// The process's own variables, for those who hand some of them on to programs.
    pub fn own(&self) -> BTreeMap<String, String> {
        let own = self.0.iter().filter(|(_, (_, origin))| *origin == Origin::Process);
        own.map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, (value, _))| (name.as_str(), value.as_str()))
    }

    /// `NAME=value` lines as shells and other readers of `.env` take them: comments, `export`, single and double quotes.
    fn parse(&mut self, text: &str, warnings: &mut Vec<String>) {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let named = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            match named {
                Some((name, value)) if is_name(name) => {
                    self.0.insert(name.to_owned(), (unquote(value), Origin::DotEnv));
                }
                _ => warnings.push(format!(".env line {}: not of the form NAME=value, left out", number + 1)),
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|ch: char| ch.is_ascii_digit()) && name.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '_')
}

fn unquote(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
        return inner.0.to_owned();
    }
    if let Some(rest) = value.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = rest.chars();
        while let Some(ch) = chars.next() {
            match ch {
                '"' => return out,
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some(other) => out.push(other),
                    None => {}
                },
                ch => out.push(ch),
            }
        }
        return out;
    }
    value.split_once(" #").map_or(value, |(value, _)| value).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_env_lines_are_read_as_shells_write_them() {
        let mut environment = Environment::default();
        let mut warnings = Vec::new();
        let text = "# note\nexport A=1\nB = two # tail\nC='a # b'\nD=\"x\\ny\"\nE=\nnot a line\n1X=2\nURL=https://h/?a=b#c\n";
        environment.parse(text, &mut warnings);
        let check = |name: &str, value: Option<&str>| assert_eq!(environment.get(name), value, "{name}");
        check("A", Some("1"));
        check("B", Some("two"));
        check("C", Some("a # b"));
        check("D", Some("x\ny"));
        check("E", None);
        check("URL", Some("https://h/?a=b#c"));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert_eq!(environment.origin("A"), Some(Origin::DotEnv));
    }
}
