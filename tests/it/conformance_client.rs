//! The official conformance suite of MCP against our own client: every scenario that a revision requires. The suite's
//! variable for the revision is taken away, so that the client must find out by itself whom it talks to.

use std::process::Stdio;
use std::time::Duration;

use crate::conformance_server::{Verdict, verdicts};
use crate::peers::{node_new, node_script};

/// The longest that a run of the suite may take. It runs all scenarios at once, each a process of ours.
const SUITE_LIMIT: Duration = Duration::from_mins(5);

async fn passes(revision: &str, required: usize) {
    let folder = tempfile::tempdir().unwrap();
    let client = format!("env -u MCP_CONFORMANCE_PROTOCOL_VERSION {} mcp conform", env!("CARGO_BIN_EXE_wakeful"));
    let suite = tokio::process::Command::new(node_new())
        .arg(node_script("conformance"))
        .args(["client", "--command", &client, "--requirements", revision, "--timeout", "120000", "-o"])
        .arg(folder.path().join("results"))
        .env("WAKEFUL_HOME", folder.path().join("home"))
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SUITE_LIMIT, suite).await.expect("the suite came to no end").unwrap();
    let (text, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let summary = text.find("=== SUITE SUMMARY ===").map_or(told.as_ref(), |at| &text[at..]);
    let verdicts = verdicts(&text);
    let failed: Vec<&Verdict<'_>> = verdicts.iter().filter(|verdict| !verdict.passed).collect();
    assert!(failed.is_empty(), "{failed:?}\n{summary}");
    assert_eq!(verdicts.len(), required, "{summary}");
    assert!(output.status.success(), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_eighteen_scenarios_of_2025_11_25_pass() {
    passes("2025-11-25", 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_thirty_two_scenarios_of_2026_07_28_pass() {
    passes("2026-07-28", 32).await;
}
