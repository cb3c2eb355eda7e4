//! Code that was counted by hand.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::domain::ids::CallId;
use crate::tools::local::Options;
use crate::tools::{CallContext, Tool};

async fn analyze(files: &[(&str, &str)], arguments: Value) -> ToolOutcome {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let options = Options { folder: folder.path().to_owned(), ..Options::default() };
    let tool = tool(Arc::new(Workspace::new(options, None)));
    let context = CallContext { call_id: CallId::new("c"), session: None, cancel: CancellationToken::new() };
    tool.call(arguments.as_object().unwrap().clone(), context).await.unwrap()
}

/// `(kind, name, line, depth, complexity)` of all symbols of one file.
async fn symbols(path: &str, text: &str) -> Vec<(String, String, u64, u64, Option<u64>)> {
    let outcome = analyze(&[(path, text)], json!({"path": path})).await;
    let structured = outcome.structured.unwrap();
    assert_eq!(structured["files"][0].get("first_error_line"), None, "{path}: {}", outcome.text);
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = structured["symbols"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64();
            (word(row, "kind"), word(row, "name"), number("line").unwrap(), number("depth").unwrap(), number("complexity"))
        })
        .collect()
}

fn row(kind: &str, name: &str, line: u64, depth: u64, complexity: Option<u64>) -> (String, String, u64, u64, Option<u64>) {
    (kind.to_owned(), name.to_owned(), line, depth, complexity)
}

const RUST: &str = "//! What it is for.

use std::fmt;
use std::io::{self, Read};

/* a block
   of two lines */
struct Point { x: i32 }

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.x > 0 && self.x < 9 || self.x == 12 { // three and one
            return Ok(());
        }
        match self.x { 1 => a()?, 2 => {}, _ => {} }
        let each = |y: i32| if y > 1 { 2 } else { 3 };
        Ok(())
    }
}

mod inner {
    fn simple() {}
}
";

#[tokio::test]
async fn rust_is_counted() {
    let expected = [
        row("struct", "Point", 8, 0, None),
        row("impl", "fmt::Display for Point", 10, 0, None),
        // 1 + if + && + || + three arms + `?` + the if of the closure.
        row("function", "fmt", 11, 1, Some(9)),
        row("module", "inner", 21, 0, None),
        row("function", "simple", 22, 1, Some(1)),
    ];
    assert_eq!(symbols("a.rs", RUST).await, expected);
    let outcome = analyze(&[("a.rs", RUST)], json!({"path": "a.rs"})).await;
    assert!(
        outcome.text.starts_with("a.rs: Rust, 23 lines: 16 code, 3 comments, 4 blank\nimports (2):\n  use std::fmt;"),
        "{}",
        outcome.text
    );
    assert!(outcome.text.contains("\n    9  fmt  a.rs:11"), "{}", outcome.text);
}

#[tokio::test]
async fn the_other_languages_are_counted() {
    let python = "import os\n\nclass A:\n    def run(self, x):\n        if x and os:\n            return [y for y in x if y]\n        def inner():\n            pass\n        return 1 if x else 2\n";
    // 1 + if + and + the if of the comprehension + the conditional.
    let expected = [row("class", "A", 3, 0, None), row("function", "run", 4, 1, Some(5)), row("function", "inner", 7, 2, Some(1))];
    assert_eq!(symbols("a.py", python).await, expected);
    let javascript = "const f = (x) => x ? 1 : 2;\nclass A { m() { for (const a of b) { if (a || b) {} } } }\nlist.map((x) => x && y);\n";
    let expected = [row("function", "f", 1, 0, Some(2)), row("class", "A", 2, 0, None), row("function", "m", 2, 1, Some(4))];
    assert_eq!(symbols("a.js", javascript).await, expected);
    let typescript = "interface I { a: string }\ntype T = I | null;\nexport function f(x?: T): number { return x ?? 1 ? 2 : 3; }\n";
    let expected = [row("interface", "I", 1, 0, None), row("type", "T", 2, 0, None), row("function", "f", 3, 0, Some(3))];
    assert_eq!(symbols("a.ts", typescript).await, expected);
    let go = "package a\n\nimport \"fmt\"\n\ntype P struct{}\n\nfunc (p P) Run(x int) {\n\tfor i := 0; i < x; i++ {\n\t\tswitch i {\n\t\tcase 1:\n\t\tcase 2:\n\t\tdefault:\n\t\t}\n\t}\n\tfmt.Println()\n}\n";
    assert_eq!(symbols("a.go", go).await, [row("type", "P", 5, 0, None), row("function", "Run", 7, 0, Some(4))]);
    let c = "#include <stdio.h>\nstruct point { int x; };\nstatic int *find(struct point *p, int n) {\n  while (n-- > 0 && p) if (n) return 0;\n  return n ? 0 : &p->x;\n}\n";
    assert_eq!(symbols("a.c", c).await, [row("struct", "point", 2, 0, None), row("function", "find", 3, 0, Some(5))]);
    let cpp = "namespace n {\nclass A { public: void run() { try { for (auto x : v) {} } catch (int e) {} } };\n}\nint n::A::other() { return 1; }\n";
    let expected = [
        row("namespace", "n", 1, 0, None),
        row("class", "A", 2, 1, None),
        row("function", "run", 2, 2, Some(3)),
        row("function", "n::A::other", 4, 0, Some(1)),
    ];
    assert_eq!(symbols("a.cpp", cpp).await, expected);
    let java =
        "import java.util.List;\nclass A {\n  A() {}\n  int run(int x) { if (x > 1 || x < 0) { return 1; } return x > 2 ? 3 : 4; }\n}\n";
    let expected = [row("class", "A", 2, 0, None), row("function", "A", 3, 1, Some(1)), row("function", "run", 4, 1, Some(4))];
    assert_eq!(symbols("A.java", java).await, expected);
    let ruby = "module M\n  class A\n    def run(x)\n      return 1 if x && y\n      x ? 1 : 2\n    end\n  end\nend\n";
    let expected = [row("module", "M", 1, 0, None), row("class", "A", 2, 1, None), row("function", "run", 3, 2, Some(4))];
    assert_eq!(symbols("a.rb", ruby).await, expected);
    let shell = "run() {\n  if true && false; then echo 1; fi\n  for a in b; do echo $a; done\n}\n";
    assert_eq!(symbols("a.sh", shell).await, [row("function", "run", 1, 0, Some(4))]);
}

#[tokio::test]
async fn a_folder_is_told_by_language_without_what_is_ignored() {
    let body = "fn same(a: i32, b: i32) -> i32 {\n    let c = a + b * 2;\n    let d = c - a / 3;\n    let e = d % 7 + c;\n    if e > 10 { return e - 1; }\n    call(c, d, e, \"text\");\n    e + d + c + b + a\n}\n";
    let second = format!("// another file\nfn other() {{}}\n\n{}", body.replace("    ", "\t"));
    let files = [
        ("src/a.rs", body),
        ("src/b.rs", &second),
        ("target/out.rs", "fn no() {}"),
        (".gitignore", "target/"),
        ("Cargo.toml", "[package]\n\nname = \"x\"\n"),
        ("broken.py", "x = 1\ndef f(:\n"),
        ("data.bin", "?"),
    ];
    let outcome = analyze(&files, json!({})).await;
    let structured = outcome.structured.unwrap();
    assert!(outcome.text.contains("Rust: 2 files, 19 lines: 17 code, 1 comments, 1 blank"), "{}", outcome.text);
    assert!(outcome.text.contains("TOML: 1 files, 3 lines: 2 code"), "{}", outcome.text);
    assert!(outcome.text.contains("broken.py: first at line 2"), "{}", outcome.text);
    assert!(!outcome.text.contains("out.rs"));
    let same = &structured["duplicates"][0];
    assert_eq!((&same["places"][0]["path"], &same["places"][0]["line"]), (&json!("src/a.rs"), &json!(1)), "{structured}");
    assert_eq!((&same["places"][1]["path"], &same["places"][1]["line"]), (&json!("src/b.rs"), &json!(4)));
    let only = analyze(&files, json!({"glob": "*.toml"})).await;
    assert!(only.text.starts_with(".: 1 files, 3 lines"), "{}", only.text);
}

#[tokio::test]
async fn nothing_to_look_at_is_said() {
    let none = analyze(&[("a.bin", "x")], json!({})).await;
    assert_eq!(none.text, ".: there is no file of a language that is known here");
    let missing = analyze(&[], json!({"path": "nowhere"})).await;
    assert!(missing.is_error && missing.text.contains("does not exist"), "{}", missing.text);
}

#[tokio::test]
async fn a_deep_tree_needs_no_deep_stack() {
    let deep = format!("fn f() {{ let x = {}1{}; }}\n", "(".repeat(20_000), ")".repeat(20_000));
    let outcome = analyze(&[("deep.rs", &deep)], json!({"path": "deep.rs"})).await;
    assert!(outcome.text.starts_with("deep.rs: Rust, 1 lines"), "{}", outcome.text);
}
