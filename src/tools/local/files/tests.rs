//! The file tools on real folders, and the fence around them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::domain::clock::ManualClock;
use crate::domain::ids::CallId;
use crate::tools::local::{Options, catalog};
use crate::tools::{CallContext, Tool, ToolOutcome};

struct Fixture {
    folder: TempDir,
    outside: TempDir,
    options: Options,
}

impl Fixture {
    fn new() -> Self {
        let (folder, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let options = Options { folder: folder.path().to_path_buf(), ..Options::default() };
        Self { folder, outside, options }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let fixture = Self::new();
        for (path, content) in files {
            let path = fixture.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        fixture
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn tool(&self, name: &str) -> Arc<dyn Tool> {
        let all = catalog(self.options.clone(), Arc::new(ManualClock::default()));
        all.into_iter().flat_map(|(_, tools)| tools).find(|tool| tool.info().tool == name).unwrap()
    }

    async fn call(&self, name: &str, arguments: Value) -> ToolOutcome {
        let context = CallContext { call_id: CallId::new("c"), session: None, cancel: CancellationToken::new() };
        self.tool(name).call(arguments.as_object().unwrap().clone(), context).await.unwrap()
    }

    async fn good(&self, name: &str, arguments: Value) -> String {
        let outcome = self.call(name, arguments).await;
        assert!(!outcome.is_error, "{}", outcome.text);
        outcome.text
    }

    async fn bad(&self, name: &str, arguments: Value, part: &str) {
        let outcome = self.call(name, arguments.clone()).await;
        assert!(outcome.is_error && outcome.text.contains(part), "{name} {arguments}: {}", outcome.text);
    }
}

#[tokio::test]
async fn a_path_that_begins_above_the_working_folder_is_understood() {
    let fixture = Fixture::with(&[("notes.txt", "needle"), ("src/a.rs", "fn a() {}")]);
    let folder = fixture.folder.path().canonicalize().unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    let whole = folder.to_str().unwrap().trim_start_matches('/');
    for above in [name, whole] {
        assert!(fixture.good("read_file", json!({"path": format!("{above}/src/a.rs")})).await.contains("fn a()"));
        assert!(fixture.good("search_files", json!({"pattern": "needle", "path": above})).await.contains("notes.txt:1: needle"));
        assert!(fixture.good("list_files", json!({"path": format!("{above}/")})).await.contains("notes.txt"));
        fixture.bad("read_file", json!({"path": format!("{above}/src/b.rs")}), "does not exist").await;
        fixture.bad("read_file", json!({"path": format!("{above}/../../../../etc/passwd")}), "outside the working folder").await;
    }
    // What is really there comes first, and what is written goes where it was said.
    fixture.good("write_file", json!({"path": format!("{name}/src/a.rs"), "content": "mod deeper;"})).await;
    assert_eq!(fixture.read(&format!("{name}/src/a.rs")), "mod deeper;");
    assert!(fixture.good("read_file", json!({"path": format!("{name}/src/a.rs")})).await.contains("mod deeper;"));
    assert_eq!(fixture.read("src/a.rs"), "fn a() {}");
}

#[tokio::test]
async fn files_are_read_whole_and_in_parts() {
    let lines = (1..=10).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
    let fixture = Fixture::with(&[("a.txt", &lines), ("empty", ""), ("open", "no end")]);
    assert_eq!(fixture.good("read_file", json!({"path": "a.txt"})).await, lines);
    assert_eq!(fixture.good("read_file", json!({"path": "open"})).await, "no end");
    assert_eq!(fixture.good("read_file", json!({"path": "empty"})).await, "[the file is empty]");
    let part = fixture.good("read_file", json!({"path": "a.txt", "offset": "3", "limit": 2})).await;
    assert_eq!(part, "line 3\nline 4\n[lines 3 to 4; the file goes on, continue with offset 5]");
    let end = fixture.good("read_file", json!({"path": "a.txt", "offset": -2})).await;
    assert_eq!(end, "line 9\nline 10\n[lines 9 to 10, the end]");
    fixture.bad("read_file", json!({"path": "a.txt", "offset": 11}), "has 10 lines, there is no line 11").await;
}

#[tokio::test]
async fn large_files_and_long_lines_are_bounded() {
    let mut fixture = Fixture::with(&[("long.txt", &"x".repeat(100_000)), ("many.txt", &"0123456789\n".repeat(10_000))]);
    fixture.options.read_bytes_max = 10_000;
    let long = fixture.good("read_file", json!({"path": "long.txt"})).await;
    assert!(long.len() < 9_000 && long.contains("[… line cut]"), "{}", long.len());
    let many = fixture.good("read_file", json!({"path": "many.txt", "limit": 100_000})).await;
    assert!(many.len() < 10_200 && many.contains("the file goes on"), "{}", many.len());
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_next_step() {
    let fixture = Fixture::with(&[("README.md", "hi"), ("src/main.rs", "fn main() {}")]);
    fs::write(fixture.path("image.png"), [0x89, 0, 1, 2]).unwrap();
    fixture.bad("read_file", json!({"path": "REDME.md"}), "does not exist; close names: `README.md`").await;
    fixture.bad("read_file", json!({"path": "zzz/qqq"}), "`list_files` shows what is there").await;
    fixture.bad("read_file", json!({"path": "src"}), "is a folder; use `list_files`").await;
    fixture.bad("read_file", json!({"path": "image.png"}), "is not a text file").await;
    fixture.bad("list_files", json!({"path": "README.md"}), "is a file; use `read_file`").await;
}

#[tokio::test]
async fn folders_are_listed_without_what_is_ignored() {
    let fixture = Fixture::with(&[
        (".gitignore", "target/\n*.log\n"),
        ("b.rs", "12345"),
        ("a.txt", ""),
        ("x.log", "no"),
        ("target/out", "no"),
        ("src/lib.rs", ""),
        ("src/deep/mod.rs", ""),
    ]);
    assert_eq!(fixture.good("list_files", json!({})).await, ".: 1 folder, 2 files\na.txt (0 B)\nb.rs (5 B)\nsrc/");
    let deep = fixture.good("list_files", json!({"path": ".", "depth": 3})).await;
    assert_eq!(deep, ".: 2 folders, 4 files\na.txt (0 B)\nb.rs (5 B)\nsrc/\nsrc/deep/\nsrc/deep/mod.rs (0 B)\nsrc/lib.rs (0 B)");
    let rust = fixture.good("list_files", json!({"glob": "*.rs"})).await;
    assert_eq!(rust, ".: 0 folders, 3 files matching `*.rs`\nb.rs (5 B)\nsrc/deep/mod.rs (0 B)\nsrc/lib.rs (0 B)");
    let by_path = fixture.good("list_files", json!({"glob": "src/*.rs"})).await;
    assert_eq!(by_path, ".: 0 folders, 1 file matching `src/*.rs`\nsrc/lib.rs (0 B)");
    fixture.bad("list_files", json!({"glob": "[a"}), "is no glob").await;
}

#[tokio::test]
async fn text_is_found_with_its_place() {
    let fixture = Fixture::with(&[
        ("a.txt", "one\nTwo foo\nthree Foo\n"),
        ("src/b.rs", "let foo = 1;\n"),
        (".gitignore", "skip/\n"),
        ("skip/c.txt", "foo"),
    ]);
    fs::write(fixture.path("bin"), b"foo\0foo").unwrap();
    let all = fixture.good("search_files", json!({"pattern": "foo"})).await;
    assert_eq!(
        all,
        "3 matching lines in 2 files (1 binary or too large files passed over)\na.txt:2: Two foo\na.txt:3: three Foo\nsrc/b.rs:1: let foo = 1;"
    );
    let exact = fixture.good("search_files", json!({"pattern": "Foo", "path": "a.txt"})).await;
    assert_eq!(exact, "1 matching line in 1 file\na.txt:3: three Foo");
    let regex = fixture.good("search_files", json!({"pattern": "^let \\w+", "regex": true, "path": "src"})).await;
    assert_eq!(regex, "1 matching line in 1 file\nsrc/b.rs:1: let foo = 1;");
    let limited = fixture.good("search_files", json!({"pattern": "foo", "limit": 1})).await;
    assert!(limited.contains("only the first 1 are shown"), "{limited}");
    assert!(fixture.good("search_files", json!({"pattern": "nowhere"})).await.contains("no line matches `nowhere` in 3 files"));
    fixture.bad("search_files", json!({"pattern": "(", "regex": true}), "is no regular expression").await;
    fixture.bad("search_files", json!({"pattern": ""}), "`pattern` is empty").await;
}

#[tokio::test]
async fn files_are_written_whole_and_keep_their_mode() {
    let fixture = Fixture::with(&[("run.sh", "old")]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(fixture.path("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    }
    assert_eq!(fixture.good("write_file", json!({"path": "run.sh", "content": "new\n"})).await, "replaced `run.sh`: 1 line, 4 bytes");
    assert_eq!(fixture.read("run.sh"), "new\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(fixture.path("run.sh")).unwrap().permissions().mode() & 0o777, 0o750);
    }
    assert_eq!(fixture.good("write_file", json!({"path": "new/dir/a.txt", "content": "x"})).await, "made `new/dir/a.txt`: 1 line, 1 byte");
    assert!(fixture.good("write_file", json!({"path": "new/dir/a.txt", "content": "x"})).await.contains("nothing was written"));
    let left: Vec<_> = fs::read_dir(fixture.folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
    fixture.bad("write_file", json!({"path": "new", "content": ""}), "is a folder").await;
    fixture.bad("write_file", json!({"path": "", "content": ""}), "names no file").await;
}

#[tokio::test]
async fn edits_are_exact_and_shown_as_diffs() {
    let fixture = Fixture::with(&[("a.txt", "one\ntwo\ntwo\n"), ("crlf.txt", "a\r\nb\r\n")]);
    let text = fixture.good("edit_file", json!({"path": "a.txt", "old_text": "one", "new_text": "1"})).await;
    assert_eq!(text, "changed `a.txt` in 1 place\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n-one\n+1\n two\n two\n");
    fixture.bad("edit_file", json!({"path": "a.txt", "old_text": "two", "new_text": "2"}), "2 times (lines 2, 3); give more").await;
    fixture.good("edit_file", json!({"path": "a.txt", "old_text": "two", "new_text": "2", "replace_all": true})).await;
    assert_eq!(fixture.read("a.txt"), "1\n2\n2\n");
    fixture.good("edit_file", json!({"path": "crlf.txt", "old_text": "a\nb", "new_text": "a\nc"})).await;
    assert_eq!(fixture.read("crlf.txt"), "a\r\nc\r\n");
    fixture.bad("edit_file", json!({"path": "a.txt", "old_text": "nine", "new_text": "9"}), "is not in `a.txt`").await;
    fixture.bad("edit_file", json!({"path": "a.txt", "old_text": "", "new_text": "9"}), "is empty").await;
    fixture.bad("edit_file", json!({"path": "a.txt", "old_text": "1", "new_text": "1"}), "are the same").await;
}

#[tokio::test]
async fn an_edit_that_would_grow_too_large_is_refused() {
    let mut fixture = Fixture::with(&[("a.txt", "aaaa--")]);
    fixture.options.file_bytes_max = 100;
    let grown = json!({"path": "a.txt", "old_text": "a", "new_text": "b".repeat(50), "replace_all": true});
    fixture.bad("edit_file", grown, "too large (202 bytes; at most 100)").await;
    assert_eq!(fixture.read("a.txt"), "aaaa--");
    fixture.good("edit_file", json!({"path": "a.txt", "old_text": "a", "new_text": "b".repeat(24), "replace_all": true})).await;
    assert_eq!(fixture.read("a.txt").len(), 98);
}

#[tokio::test]
async fn the_question_for_consent_shows_the_change() {
    let fixture = Fixture::with(&[("a.txt", "one\n")]);
    let ask = async |name: &str, arguments: Value| fixture.tool(name).preview(arguments.as_object().unwrap()).await;
    let diff = ask("write_file", json!({"path": "a.txt", "content": "two\n"})).await;
    assert_eq!(diff.as_deref(), Some("--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n"));
    let made = ask("write_file", json!({"path": "b.txt", "content": "b\n"})).await;
    assert_eq!(made.as_deref(), Some("--- /dev/null\n+++ b/b.txt\n@@ -0,0 +1 @@\n+b\n"));
    let refused = ask("edit_file", json!({"path": "a.txt", "old_text": "x", "new_text": "y"})).await;
    assert!(refused.is_some_and(|text| text.contains("is not in `a.txt`")));
    assert_eq!(ask("read_file", json!({"path": "a.txt"})).await, None);
    assert_eq!(fixture.read("a.txt"), "one\n", "a preview changes nothing");
}

#[tokio::test]
async fn nothing_outside_is_touched() {
    let mut fixture = Fixture::with(&[("in.txt", "in")]);
    let secret = fixture.outside.path().join("secret.txt");
    fs::write(&secret, "secret").unwrap();
    let name = |path: &Path| path.to_string_lossy().into_owned();
    let outside = "is outside the working folder";
    fixture.bad("read_file", json!({"path": name(&secret)}), outside).await;
    fixture.bad("read_file", json!({"path": "../../../../../../etc/passwd"}), outside).await;
    fixture.bad("write_file", json!({"path": name(&fixture.outside.path().join("new.txt")), "content": "x"}), outside).await;
    fixture.bad("write_file", json!({"path": "missing/../../up.txt", "content": "x"}), outside).await;
    fixture.bad("list_files", json!({"path": ".."}), outside).await;
    fixture.bad("search_files", json!({"pattern": "x", "path": "/"}), outside).await;
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&secret, fixture.path("link.txt")).unwrap();
        std::os::unix::fs::symlink(fixture.outside.path(), fixture.path("linked")).unwrap();
        std::os::unix::fs::symlink(fixture.outside.path().join("not-there"), fixture.path("broken")).unwrap();
        fixture.bad("read_file", json!({"path": "link.txt"}), outside).await;
        fixture.bad("edit_file", json!({"path": "link.txt", "old_text": "secret", "new_text": "x"}), outside).await;
        fixture.bad("write_file", json!({"path": "linked/new.txt", "content": "x"}), outside).await;
        fixture.bad("write_file", json!({"path": "missing/../linked/x", "content": "x"}), outside).await;
        fixture.bad("read_file", json!({"path": "missing/../linked/secret.txt"}), outside).await;
        fixture.bad("read_file", json!({"path": "missing/deep/../../link.txt"}), outside).await;
        fixture.bad("write_file", json!({"path": "broken", "content": "x"}), "a link to something that does not exist").await;
        assert!(!fixture.good("search_files", json!({"pattern": "secret"})).await.contains("link"), "links are not followed");
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    fixture.options.roots = vec![fixture.outside.path().to_path_buf()];
    assert_eq!(fixture.good("read_file", json!({"path": name(&secret)})).await, "secret");
    fixture.bad("read_file", json!({"path": "/etc/hostname"}), outside).await;
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_are_left_alone() {
    let fixture = Fixture::new();
    let made = std::process::Command::new("mkfifo").arg(fixture.path("pipe")).status().unwrap();
    assert!(made.success());
    fixture.bad("read_file", json!({"path": "pipe"}), "neither a file nor a folder").await;
    fixture.bad("write_file", json!({"path": "pipe", "content": "x"}), "neither a file nor a folder").await;
}

#[tokio::test]
async fn a_file_keeps_its_encoding_and_its_line_ends() {
    let fixture = Fixture::new();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("größe = 1\r\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    fs::write(fixture.path("wide.txt"), &utf16).unwrap();
    fs::write(fixture.path("marked.txt"), b"\xef\xbb\xbfone\r\ntwo\r\n").unwrap();
    assert_eq!(fixture.good("read_file", json!({"path": "wide.txt"})).await, "größe = 1\r\n");
    assert_eq!(fixture.good("read_file", json!({"path": "marked.txt"})).await, "one\r\ntwo\r\n");
    assert!(fixture.good("search_files", json!({"pattern": "größe"})).await.contains("wide.txt:1: größe = 1"));
    fixture.good("edit_file", json!({"path": "wide.txt", "old_text": "= 1\n", "new_text": "= 2\n"})).await;
    let expected: Vec<u8> = [0xff, 0xfe].into_iter().chain("größe = 2\r\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(fs::read(fixture.path("wide.txt")).unwrap(), expected);
    fixture.good("write_file", json!({"path": "marked.txt", "content": "three\nfour\n"})).await;
    assert_eq!(fs::read(fixture.path("marked.txt")).unwrap(), b"\xef\xbb\xbfthree\r\nfour\r\n");
    fs::write(fixture.path("latin.txt"), b"caf\xe9\n").unwrap();
    assert!(fixture.good("read_file", json!({"path": "latin.txt"})).await.contains("[it is not all UTF-8"));
    fixture.bad("edit_file", json!({"path": "latin.txt", "old_text": "caf", "new_text": "x"}), "is not a text file").await;
}

#[tokio::test]
async fn a_failed_edit_shows_where_the_text_almost_is() {
    let fixture = Fixture::with(&[("a.rs", "fn main() {\n    let a = 1;\n    let b = 2;\n}\nlet a = 1;\n")]);
    let edit = |old: &str| json!({"path": "a.rs", "old_text": old, "new_text": "x"});
    fixture
        .bad("edit_file", edit("\tlet b = 2;\n}"), "only spaces at the ends of lines differ from lines 3 to 4:\n3:     let b = 2;")
        .await;
    fixture.bad("edit_file", edit("    let b = 3;"), "the closest part begins at line 3:\n3:     let b = 2;").await;
    fixture.bad("edit_file", edit("let a = 1;"), "2 times (lines 2, 5)").await;
}

#[tokio::test]
async fn a_glob_in_the_path_of_a_search_is_taken_for_one() {
    let fixture = Fixture::with(&[("src/a.rs", "foo\n"), ("src/in/b.rs", "foo\n"), ("c.txt", "foo\n"), ("o[d]d/d.txt", "foo\n")]);
    for (path, glob, lines) in [
        ("*", Some("*.txt"), "2 matching"),
        ("*.rs", None, "2 matching"),
        ("src/*.rs", None, "2 matching"),
        ("src/in/**", None, "1 matching"),
        ("src/**/*.rs", Some("*"), ""),
        ("o[d]d", None, "1 matching"),
    ] {
        let mut arguments = json!({"pattern": "foo", "path": path});
        if let Some(glob) = glob {
            arguments["glob"] = glob.into();
        }
        if lines.is_empty() {
            fixture.bad("search_files", arguments, "does not exist").await;
        } else {
            let found = fixture.good("search_files", arguments).await;
            assert!(found.starts_with(lines), "{path}: {found}");
        }
    }
    fixture.bad("search_files", json!({"pattern": "x", "path": "/etc/*"}), "outside").await;
}

#[tokio::test]
async fn a_search_shows_what_stands_around_and_takes_globs() {
    let fixture = Fixture::with(&[
        ("src/a.rs", "one\ntwo foo\nthree\nfour\nfive foo\nsix foo\nseven\neight\n"),
        ("b.txt", "foo\n"),
        (".hidden/c.rs", "foo\n"),
        (".git/config", "foo\n"),
    ]);
    let found = fixture.good("search_files", json!({"pattern": "foo", "glob": "*.rs", "context": 1})).await;
    let expected = "3 matching lines in 1 file\nsrc/a.rs-1- one\nsrc/a.rs:2: two foo\nsrc/a.rs-3- three\nsrc/a.rs-4- four\nsrc/a.rs:5: five foo\nsrc/a.rs:6: six foo\nsrc/a.rs-7- seven";
    assert_eq!(found, expected);
    let hidden = fixture.good("search_files", json!({"pattern": "foo", "glob": "*.rs", "hidden": true})).await;
    assert!(hidden.contains(".hidden/c.rs:1: foo") && !hidden.contains(".git/"), "{hidden}");
    let none = fixture.good("search_files", json!({"pattern": "foo", "glob": "*.py"})).await;
    assert_eq!(none, "no line matches `foo` in 0 files; no file matches `*.py`");
    fixture.bad("search_files", json!({"pattern": "x", "glob": "[a"}), "is no glob").await;
    let listed = fixture.good("list_files", json!({"hidden": true})).await;
    assert!(listed.contains(".hidden/") && !listed.contains(".git/"), "{listed}");
}
