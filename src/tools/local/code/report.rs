//! What `analyze_code` tells: short for the model, whole (within limits) as structured content.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::duplicates::{Duplicate, RUN};
use super::measure::{Lines, Symbol};
use super::{File, Found};
use crate::domain::text::clean_line;
use crate::tools::ToolOutcome;

/// Rows of each list in the text.
const LANGUAGES_SHOWN: usize = 12;
const SYMBOLS_SHOWN: usize = 200;
const IMPORTS_SHOWN: usize = 40;
const DUPLICATES_SHOWN: usize = 5;
const ERRORS_SHOWN: usize = 10;

/// Rows of each list in the structured content.
const SYMBOLS_MAX: usize = 2_000;
const IMPORTS_MAX: usize = 500;
const FILES_MAX: usize = 1_000;

pub(super) fn outcome(root: &str, is_file: bool, found: &Found, duplicates: &[Duplicate], limit: usize) -> ToolOutcome {
    let languages = by_language(&found.files);
    let worst = most_complex(&found.files, limit);
    let mut text = head(root, is_file, found, &languages);
    if is_file {
        outline(&mut text, found);
    } else {
        let functions = found.files.iter().flat_map(|file| &file.measured.symbols).filter(|symbol| symbol.complexity.is_some()).count();
        let symbols: usize = found.files.iter().map(|file| file.measured.symbols.len()).sum();
        if !found.files.is_empty() {
            let _ = write!(text, "\n{symbols} symbols, {functions} of them functions");
        }
    }
    if !worst.is_empty() {
        text.push_str("\nmost complex functions (1 and one for each branch):");
        for (file, symbol) in &worst {
            let _ = write!(text, "\n{:>5}  {}  {}:{}", symbol.complexity.unwrap_or(0), symbol.name, file.path, symbol.lines.0);
        }
    }
    tell_duplicates(&mut text, found, duplicates);
    tell_errors(&mut text, found);
    if found.passed_over > 0 {
        let _ = write!(text, "\n[{} files passed over: larger than 1 MiB, no UTF-8 or unreadable]", found.passed_over);
    }
    if found.cut {
        text.push_str("\n[there is more than is looked at: ask for a folder inside, or with `glob`]");
    }
    ToolOutcome { text, structured: Some(structured(root, found, duplicates, &languages, &worst)), is_error: false }
}

type ByLanguage = BTreeMap<&'static str, (usize, Lines)>;

fn by_language(files: &[File]) -> ByLanguage {
    let mut languages = ByLanguage::new();
    for file in files {
        let (count, lines) = languages.entry(file.language).or_default();
        *count += 1;
        *lines = lines.plus(file.measured.lines);
    }
    languages
}

/// The languages with most code first.
fn sorted(languages: &ByLanguage) -> Vec<(&'static str, usize, Lines)> {
    let mut rows: Vec<_> = languages.iter().map(|(name, (files, lines))| (*name, *files, *lines)).collect();
    rows.sort_by(|a, b| b.2.code.cmp(&a.2.code).then(a.0.cmp(b.0)));
    rows
}

fn most_complex(files: &[File], limit: usize) -> Vec<(&File, &Symbol)> {
    let functions = files.iter().flat_map(|file| file.measured.symbols.iter().map(move |symbol| (file, symbol)));
    let mut functions: Vec<_> = functions.filter(|(_, symbol)| symbol.complexity.is_some_and(|complexity| complexity > 1)).collect();
    functions.sort_by(|a, b| b.1.complexity.cmp(&a.1.complexity).then_with(|| (&a.0.path, a.1.lines).cmp(&(&b.0.path, b.1.lines))));
    functions.truncate(limit);
    functions
}

fn head(root: &str, is_file: bool, found: &Found, languages: &ByLanguage) -> String {
    let all = languages.values().fold(Lines::default(), |sum, (_, lines)| sum.plus(*lines));
    if found.files.is_empty() {
        let reason = if found.unknown > 0 { "of a language that is known here" } else { "to look at" };
        return format!("{root}: there is no file {reason}");
    }
    let parts = |lines: &Lines| format!("{} lines: {} code, {} comments, {} blank", lines.all, lines.code, lines.comment, lines.blank);
    if is_file {
        let language = languages.keys().next().copied().unwrap_or_default();
        return format!("{root}: {language}, {}", parts(&all));
    }
    let mut text = format!("{root}: {} files, {}", found.files.len(), parts(&all));
    for (name, files, lines) in sorted(languages).into_iter().take(LANGUAGES_SHOWN) {
        let _ = write!(text, "\n{name}: {files} files, {}", parts(&lines));
    }
    text
}

/// The symbols and imports of a single file.
fn outline(text: &mut String, found: &Found) {
    let Some(file) = found.files.first() else { return };
    let measured = &file.measured;
    if !measured.imports.is_empty() {
        let _ = write!(text, "\nimports ({}):", measured.imports.len());
        measured.imports.iter().take(IMPORTS_SHOWN).for_each(|import| {
            let _ = write!(text, "\n  {import}");
        });
    }
    if !measured.symbols.is_empty() {
        let _ = write!(text, "\nsymbols ({}):", measured.symbols.len());
        for symbol in measured.symbols.iter().take(SYMBOLS_SHOWN) {
            let indent = "  ".repeat(symbol.depth.min(8) + 1);
            let _ = write!(text, "\n{indent}{} {} {}-{}", symbol.kind, symbol.name, symbol.lines.0, symbol.lines.1);
        }
        if measured.symbols.len() > SYMBOLS_SHOWN {
            let _ = write!(text, "\n  [{} more]", measured.symbols.len() - SYMBOLS_SHOWN);
        }
    }
}

fn tell_duplicates(text: &mut String, found: &Found, duplicates: &[Duplicate]) {
    if duplicates.is_empty() {
        return;
    }
    let _ = write!(text, "\nduplicates of {RUN} tokens and more ({}):", duplicates.len());
    for duplicate in duplicates.iter().take(DUPLICATES_SHOWN) {
        let place = |(file, from, to): (usize, u32, u32)| format!("{}:{from}-{to}", found.files[file].path);
        let _ = write!(text, "\n  {} tokens: {} = {}", duplicate.tokens, place(duplicate.places[0]), place(duplicate.places[1]));
    }
}

fn tell_errors(text: &mut String, found: &Found) {
    let errors: Vec<_> = found.files.iter().filter_map(|file| Some((&file.path, file.measured.first_error?))).collect();
    if errors.is_empty() {
        return;
    }
    let _ = write!(text, "\nnot all of it parses ({}; the rest is counted all the same):", errors.len());
    for (path, line) in errors.iter().take(ERRORS_SHOWN) {
        let _ = write!(text, "\n  {path}: first at line {line}");
    }
}

fn structured(root: &str, found: &Found, duplicates: &[Duplicate], languages: &ByLanguage, worst: &[(&File, &Symbol)]) -> Value {
    let lines = |lines: &Lines| json!({"lines": lines.all, "code": lines.code, "comments": lines.comment, "blank": lines.blank});
    let languages: Vec<Value> = sorted(languages)
        .iter()
        .map(|(name, files, sum)| {
            let mut row = json!({"language": name, "files": files});
            merge(&mut row, lines(sum));
            row
        })
        .collect();
    let symbol = |path: &str, symbol: &Symbol| {
        let mut row = json!({
            "path": path, "kind": symbol.kind, "name": symbol.name,
            "line": symbol.lines.0, "end_line": symbol.lines.1, "depth": symbol.depth,
        });
        if let Some(complexity) = symbol.complexity {
            merge(&mut row, json!({"complexity": complexity}));
        }
        row
    };
    let each = || found.files.iter().flat_map(|file| file.measured.symbols.iter().map(move |symbol| (file, symbol)));
    let symbols: Vec<Value> = each().take(SYMBOLS_MAX).map(|(file, one)| symbol(&file.path, one)).collect();
    let files: Vec<Value> = found
        .files
        .iter()
        .take(FILES_MAX)
        .map(|file| {
            let mut row = json!({"path": file.path, "language": file.language});
            merge(&mut row, lines(&file.measured.lines));
            if let Some(line) = file.measured.first_error {
                merge(&mut row, json!({"first_error_line": line}));
            }
            row
        })
        .collect();
    let imports = found.files.iter().flat_map(|file| file.measured.imports.iter().map(move |import| (file, import)));
    let imports: Vec<Value> = imports.take(IMPORTS_MAX).map(|(file, import)| json!({"path": file.path, "import": import})).collect();
    let place = |(file, from, to): (usize, u32, u32)| json!({"path": found.files[file].path, "line": from, "end_line": to});
    let same: Vec<Value> =
        duplicates.iter().map(|duplicate| json!({"tokens": duplicate.tokens, "places": duplicate.places.map(place)})).collect();
    json!({
        "path": clean_line(root),
        "languages": languages,
        "files": files,
        "symbols_total": each().count(),
        "symbols": symbols,
        "imports": imports,
        "most_complex": worst.iter().map(|(file, one)| symbol(&file.path, one)).collect::<Vec<_>>(),
        "duplicates": same,
        "passed_over": found.passed_over,
        "truncated": found.cut,
    })
}

fn merge(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}
