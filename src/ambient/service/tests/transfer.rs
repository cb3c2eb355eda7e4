//! Export, import, rebuild, backup.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, bench, hourly, monitor, object};
use crate::ambient::service::{Error, Imported};
use crate::domain::clock::Clock as _;
use crate::domain::task::{AgreedBy, TaskRow, TaskStatus};

async fn exported(bench: &Bench) -> Vec<String> {
    let mut lines = Vec::new();
    let write = |line: &str| {
        lines.push(line.to_owned());
        Ok(())
    };
    bench.service.export("admin", write).await.unwrap();
    lines
}

async fn import(bench: &Bench, lines: &[String]) -> Result<Imported, Error> {
    bench.service.import(lines.iter().map(|line| Ok(line.clone()))).await
}

/// A log with three tasks: changed, paused, deleted.
async fn lived() -> Bench {
    let bench = bench();
    bench.make(&monitor("watch AI")).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.make(&hourly("stretch")).await;
    bench.make(&hourly("gone")).await;
    bench.service.update("watch AI", "default", &object(json!({"config": {"keywords": ["Rust"]}}))).await.unwrap();
    bench.service.pause("stretch", "default").await.unwrap();
    bench.service.delete("gone", "default").await.unwrap();
    bench
}

#[tokio::test]
async fn an_export_makes_the_same_tasks_elsewhere() {
    let (from, to) = (lived().await, bench());
    to.clock.set(from.clock.now().plus(Duration::from_hours(5)));
    let lines = exported(&from).await;
    let header: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&header["format"], &header["version"], &header["tasks"]), (&json!("wakeful-tasks"), &json!(1), &json!(2)));
    assert_eq!(lines.len(), 5, "a header and two events of each task");
    let imported = import(&to, &lines).await.unwrap();
    assert_eq!((imported.tasks, imported.events, imported.skipped), (2, 4, 0));
    let fold = |mut row: TaskRow| {
        row.work = None;
        row
    };
    let (there, here) = (to.service.list("admin").await.unwrap(), from.service.list("admin").await.unwrap());
    assert_eq!(there.iter().cloned().map(fold).collect::<Vec<_>>(), here.into_iter().map(fold).collect::<Vec<_>>());
    assert!(there[0].work.as_ref().unwrap().next_due.unwrap() > to.clock.now(), "planned from now on");
    assert_eq!((there[1].status, there[1].work.as_ref().unwrap().wake), (TaskStatus::Paused, None));
    assert_eq!(
        exported(&to).await[1..].iter().map(|line| without_seq(line)).collect::<Vec<_>>(),
        lines[1..].iter().map(|line| without_seq(line)).collect::<Vec<_>>()
    );
    let again = import(&to, &lines).await.unwrap();
    assert_eq!((again.tasks, again.events, again.skipped), (0, 0, 2), "what is there stays as it is");
}

fn without_seq(line: &str) -> Value {
    let mut event: Value = serde_json::from_str(line).unwrap();
    event.as_object_mut().unwrap().remove("seq");
    event
}

#[tokio::test]
async fn a_bad_line_is_named_and_nothing_is_imported() {
    let lines = exported(&lived().await).await;
    let check = async |at: usize, bad: &str, line: usize, says: &str| {
        let to = bench();
        let mut lines = lines.clone();
        lines[at] = bad.to_owned();
        let error = import(&to, &lines).await.unwrap_err();
        assert!(matches!(&error, Error::BadLine { line: found, .. } if *found == line), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(to.log.head().await.unwrap().0, 0);
    };
    check(0, "{\"some\":\"thing\"}", 1, "no header").await;
    check(0, &lines[0].replace("\"version\":1", "\"version\":7"), 1, "version 7").await;
    check(4, "{broken", 5, "no event").await;
    // Tasks come in the order of their ids, which are random.
    let made = |line: &String| line.contains("task_created");
    let created = lines.iter().rposition(made).unwrap();
    check(created, &lines[created].replace("task_created", "task_unheard_of"), created + 1, "no event").await;
    // The creation of a task gives way to one of its later events, under another id: the same event twice is another mistake.
    let event = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    let task = |line: &String| event(line)["data"]["task_id"].clone();
    let later = lines.iter().skip(1).find(|line| !made(line)).unwrap();
    let first = lines.iter().skip(1).position(|line| made(line) && task(line) == task(later)).unwrap() + 1;
    let mut early = event(later);
    early["id"] = "01a1fef6-0000-7000-8000-000000000000".into();
    check(first, &early.to_string(), first + 1, "before the task's `task_created`").await;
    check(4, &lines[3], 5, "repeats the event").await;
    check(
        2,
        r#"{"type":"chat","data":{"role":"user","status":"done"},"timestamp":"2026-01-01T00:00:00Z","id":"x"}"#,
        3,
        "only `task_event`",
    )
    .await;
    let empty = bench();
    assert!(matches!(import(&empty, &[]).await, Err(Error::BadLine { line: 1, .. })));
}

#[tokio::test]
async fn a_one_shot_whose_time_is_over_is_completed_where_it_arrives() {
    let (from, to) = (bench(), bench());
    let mut request = hourly("call");
    request.config = json!({"type": "once", "at": "2026-01-01T13:00:00Z"});
    from.make(&request).await;
    to.clock.advance(Duration::from_hours(2));
    import(&to, &exported(&from).await).await.unwrap();
    let row = to.service.find("call", "admin").await.unwrap();
    assert_eq!(row.status, TaskStatus::Completed);
    assert!(row.status_reason.unwrap().contains("when it was imported"));
}

#[tokio::test]
async fn an_imported_command_waits_for_a_word_here() {
    let (from, to) = (bench(), bench());
    let source = json!({"command": ["/bin/df", "--output=pcent"]});
    let config = json!({"metric": "disk", "threshold": 90, "source": source});
    let request =
        crate::ambient::spec::Request { task_type: "threshold_watch".into(), description: "disk".into(), config, ..Default::default() };
    let made = from.service.create_agreed(&request, Some(AgreedBy::Person)).await.unwrap().row;
    assert!(made.spec.agreed.is_some());
    let imported = import(&to, &exported(&from).await).await.unwrap();
    assert!(imported.warnings.iter().any(|warning| warning.contains(r#""/bin/df" "--output=pcent""#)), "{imported:?}");
    let there = to.service.find("disk", "admin").await.unwrap();
    assert_eq!(there.spec.agreed, None, "what was agreed elsewhere does not count here");
    let (there, agreed) = to.service.agree("disk", "admin").await.unwrap();
    assert_eq!((there.spec.not_agreed(), Some(&agreed.runs)), (None, made.spec.runs().as_ref()));
}

#[tokio::test]
async fn a_rebuild_gives_the_same_lists() {
    let bench = lived().await;
    let before = bench.service.list("admin").await.unwrap();
    let rebuilt = bench.service.rebuild().await.unwrap();
    assert!(rebuilt.same, "{rebuilt:?}");
    assert_eq!(rebuilt.events, bench.log.head().await.unwrap().0);
    assert_eq!(bench.service.list("admin").await.unwrap(), before);
}
