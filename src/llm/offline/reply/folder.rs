//! What a folder is about: told from the names in it and the first words of its README, and from nothing else.

use std::collections::BTreeMap;

use crate::domain::text::{clean, clean_line, ellipsis};
use crate::llm::offline::plan::Done;
use crate::llm::offline::talk::Lang;

/// The lines of a README that are read.
pub(in crate::llm::offline) const README_LINES: u64 = 60;

/// The most characters of a README that are repeated.
const README_CHARS_MAX: usize = 500;

/// Names that tell what a folder is, in small letters.
const MARKS: &[(&str, &str, &str)] = &[
    ("cargo.toml", "a Rust package", "Rust 项目"),
    ("package.json", "a Node.js package", "Node.js 项目"),
    ("pyproject.toml", "a Python project", "Python 项目"),
    ("requirements.txt", "Python requirements", "Python 依赖列表"),
    ("go.mod", "a Go module", "Go 模块"),
    ("pom.xml", "a Maven project", "Maven 项目"),
    ("build.gradle", "a Gradle project", "Gradle 项目"),
    ("cmakelists.txt", "a CMake project", "CMake 项目"),
    ("makefile", "a Makefile", "Makefile"),
    ("dockerfile", "a container image", "容器镜像"),
    ("docker-compose.yml", "a Compose setup", "Compose 配置"),
    ("license", "a licence", "许可证"),
    ("src/", "source code in `src`", "源代码目录 `src`"),
    ("tests/", "tests in `tests`", "测试目录 `tests`"),
    ("docs/", "documentation in `docs`", "文档目录 `docs`"),
];

/// The README among the lines of a listing.
pub(in crate::llm::offline) fn readme_of(listing: &str) -> Option<String> {
    let names = listing.lines().skip(1).map(name_of);
    let mut found: Vec<&str> =
        names.filter(|name| !name.contains('/') && name.to_lowercase().split('.').next() == Some("readme")).collect();
    found.sort_by_key(|name| !name.to_lowercase().ends_with(".md"));
    found.first().map(|name| (*name).to_owned())
}

/// The name in a line of a listing.
fn name_of(line: &str) -> &str {
    let line = line.strip_prefix("[FILE] ").or_else(|| line.strip_prefix("[DIR] ")).unwrap_or(line);
    line.rsplit_once(" (").map_or(line, |(name, _)| name).trim()
}

/// A description of the folder that was listed.
pub(super) fn about(listing: &Done<'_>, readme: Option<&Done<'_>>, lang: Lang) -> String {
    let text = clean(listing.result);
    let names: Vec<&str> = text.lines().skip(1).map(name_of).filter(|name| !name.is_empty() && !name.starts_with('[')).collect();
    let mut pieces = vec![lang.pick("**About this folder**", "**关于这个文件夹**").to_owned()];
    if let Some((title, words)) = readme.and_then(|readme| opening(readme.result)) {
        let title = if title.is_empty() { lang.pick("The README", "README").to_owned() } else { format!("“{title}”") };
        pieces.push(match (lang, words.is_empty()) {
            (_, true) => format!("README: {title}"),
            (Lang::En, false) => format!("Its README says, {title}: {words}"),
            (Lang::Zh, false) => format!("README 写道，{title}：{words}"),
        });
    }
    let marks: Vec<&str> = MARKS
        .iter()
        .filter(|(name, ..)| names.iter().any(|found| found.to_lowercase() == *name))
        .map(|(_, en, zh)| lang.pick(en, zh))
        .collect();
    if !marks.is_empty() {
        let list = marks.join(lang.pick(", ", "、"));
        pieces.push(match lang {
            Lang::En => format!("By the names of its files it holds {list}."),
            Lang::Zh => format!("从文件名看，包含：{list}。"),
        });
    }
    let kinds = kinds(&names);
    if !kinds.is_empty() {
        let list = kinds.iter().map(|(ending, count)| format!("{count} × `.{ending}`")).collect::<Vec<_>>().join(", ");
        pieces.push(match lang {
            Lang::En => format!("Files by kind: {list}."),
            Lang::Zh => format!("文件类型：{list}。"),
        });
    }
    if names.is_empty() {
        pieces
            .push(lang.pick("It is empty, or everything in it is hidden or ignored.", "它是空的，或其中的文件都被隐藏或忽略。").to_owned());
    } else if readme.is_none() {
        pieces.push(
            lang.pick("I found no README to quote, so this is all that the names tell.", "没有可引用的 README，以上仅根据文件名得出。")
                .to_owned(),
        );
    }
    pieces.join("\n\n")
}

/// The most kinds of files that are counted out.
const KINDS_MAX: usize = 6;

fn kinds(names: &[&str]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names.iter().filter(|name| !name.ends_with('/')) {
        if let Some((stem, ending)) = name.rsplit_once('.')
            && !stem.is_empty()
        {
            *counts.entry(clean_line(&ending.to_lowercase())).or_default() += 1;
        }
    }
    let mut kinds: Vec<(String, usize)> = counts.into_iter().collect();
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    kinds.truncate(KINDS_MAX);
    kinds
}

/// The title of a README and its first paragraph of prose.
fn opening(readme: &str) -> Option<(String, String)> {
    let text = clean(readme);
    let mut title = String::new();
    let mut words: Vec<&str> = Vec::new();
    let mut in_block = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if let Some(heading) = line.strip_prefix('#') {
            if !words.is_empty() {
                break;
            }
            if title.is_empty() {
                title = clean_line(heading.trim_start_matches('#'));
            }
        } else if in_block || line.starts_with(['<', '!', '|', '[']) || (line.starts_with("---") && words.is_empty()) {
            // Pictures, badges, tables and code tell little in words.
        } else if line.is_empty() {
            if !words.is_empty() {
                break;
            }
        } else {
            words.push(line);
        }
    }
    let words = ellipsis(&words.join(" "), README_CHARS_MAX).into_owned();
    (!title.is_empty() || !words.is_empty()).then_some((title, words))
}
