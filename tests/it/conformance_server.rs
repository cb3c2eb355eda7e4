//! The official conformance suite of MCP against a server on our own server layer: every scenario that a revision requires.

use std::process::Stdio;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wakeful::mcp::server::http::{Options, Server};

use crate::peers::{node_new, node_script};
use crate::serve_fixture::Fixture;

/// The longest that a run of the suite may take. One takes some four seconds.
const SUITE_LIMIT: Duration = Duration::from_mins(3);

/// What the suite says at its end of one scenario.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict<'a> {
    pub(super) scenario: &'a str,
    pub(super) passed: bool,
}

/// The verdicts on what the revision requires. What the suite runs beside that does not count.
pub(super) fn verdicts(output: &str) -> Vec<Verdict<'_>> {
    let Some((_, summary)) = output.split_once("SUMMARY ===\n") else { return Vec::new() };
    let (all, not_scored) = summary.split_once("Not scored").unwrap_or((summary, ""));
    let scenario = |line| -> Option<Verdict<'_>> {
        let line: &str = line;
        let (mark, rest) = line.trim().split_once(' ')?;
        let scenario = rest.split([':', ' ']).next()?;
        matches!(mark, "✓" | "✗").then_some(Verdict { scenario, passed: mark == "✓" })
    };
    let beside: Vec<&str> = not_scored.lines().filter_map(scenario).map(|verdict| verdict.scenario).collect();
    all.lines().filter_map(scenario).filter(|verdict| !beside.contains(&verdict.scenario)).collect()
}

async fn passes(revision: &str, required: usize) {
    let server = Server::bind(Fixture::default(), Options::default()).await.unwrap();
    let (url, stop) = (server.url(), CancellationToken::new());
    let serving = tokio::spawn(server.run(stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let suite = tokio::process::Command::new(node_new())
        .arg(node_script("conformance"))
        .args(["server", "--url", &url, "--requirements", revision, "-o"])
        .arg(folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SUITE_LIMIT, suite).await.expect("the suite came to no end").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let summary = text.find("=== SUMMARY ===").map_or(text.as_ref(), |at| &text[at..]);
    let verdicts = verdicts(&text);
    let failed: Vec<_> = verdicts.iter().filter(|verdict| !verdict.passed).collect();
    assert!(failed.is_empty(), "{failed:?}\n{summary}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(verdicts.len(), required, "{summary}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{summary}");
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), serving).await.expect("the server did not end").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_thirty_scenarios_of_2025_11_25_pass() {
    passes("2025-11-25", 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_thirty_seven_scenarios_of_2026_07_28_pass() {
    passes("2026-07-28", 37).await;
}

#[test]
fn only_what_is_required_counts_and_a_failure_is_seen() {
    let output = "x\n=== SUMMARY ===\n✓ a: 2 passed, 0 failed\n✗ b: 1 passed, 1 failed\n✗ c: 0 passed, 9 failed\n\nTotal: 3\n\nNot scored for r: 1\n  ✗ c (extension)\n";
    let expected = [Verdict { scenario: "a", passed: true }, Verdict { scenario: "b", passed: false }];
    assert_eq!(verdicts(output), expected);
    assert!(verdicts("nothing").is_empty());
}
