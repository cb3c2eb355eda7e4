//! Conversations about background tasks: lookups, moments, missing pieces, results in plain words.

use serde_json::json;

use crate::llm::offline::tests::Talk;

const TECHCRUNCH: &str = "0197a3c2-11aa-7000-8000-000000000001";
const PHONE: &str = "+1234567890";

/// The list with a monitor, a digest and two reminders.
fn list() -> String {
    json!({"status": "success", "action": "list_background_tasks", "timestamp": "2026-01-01T12:00:00.000Z", "data": {"tasks": [
        {"task_id": TECHCRUNCH, "task_type": "web_monitor", "description": "Monitor TechCrunch for AI news", "status": "active",
            "config": {"urls": ["https://techcrunch.com"], "keywords": ["AI"], "check_interval_minutes": 30}, "next_check": "2026-01-01T12:30:00.000Z"},
        {"task_id": "0197a3c2-22bb-7000-8000-000000000002", "task_type": "news_digest", "description": "Morning news", "status": "paused",
            "config": {"news_urls": ["https://www.bbc.com/news"], "hour": 8}},
        {"task_id": "0197a3c2-33cc-7000-8000-000000000003", "task_type": "schedule", "description": "drink water", "status": "active",
            "config": {"type": "interval", "minutes": 60}, "next_check": "2026-01-01T13:00:00.000Z"},
        {"task_id": "0197a3c2-44dd-7000-8000-000000000004", "task_type": "schedule", "description": "check project status", "status": "active",
            "config": {"type": "daily", "hour": 9, "minute": 0, "timezone": "Asia/Tokyo"}, "next_check": "2026-01-02T00:00:00.000Z"}]}})
    .to_string()
}

fn done(action: &str, data: &serde_json::Value) -> String {
    json!({"status": "success", "action": action, "data": data, "timestamp": "2026-01-01T12:00:00.000Z"}).to_string()
}

#[test]
fn a_task_is_found_by_its_words() {
    let check = |said: &str, call: &str| {
        let mut talk = Talk::new();
        assert_eq!(talk.user(said).next(), "list_background_tasks {}", "{said}");
        assert_eq!(talk.results(&[&list()]).next(), call, "{said}");
    };
    check("pause the TechCrunch monitor", &format!(r#"pause_background_task {{"task_id":"{TECHCRUNCH}"}}"#));
    check("暂停 TechCrunch 监控", &format!(r#"pause_background_task {{"task_id":"{TECHCRUNCH}"}}"#));
    check("run the digest now", r#"run_background_task {"task_id":"0197a3c2-22bb-7000-8000-000000000002"}"#);
    check("resume the BBC digest", r#"resume_background_task {"task_id":"0197a3c2-22bb-7000-8000-000000000002"}"#);
    check("stop reminding me to drink water", r#"delete_background_task {"task_id":"0197a3c2-33cc-7000-8000-000000000003"}"#);
    check(
        "change the TechCrunch monitor to every 10 minutes",
        &format!(r#"update_background_task {{"task_id":"{TECHCRUNCH}","config":{{"check_interval_minutes":10}}}}"#),
    );
    check(
        "add 'GPU' to the TechCrunch monitor",
        &format!(r#"update_background_task {{"task_id":"{TECHCRUNCH}","config":{{"keywords":["AI","GPU"]}}}}"#),
    );
    check(
        "pause all reminders",
        r#"pause_background_task {"task_id":"0197a3c2-33cc-7000-8000-000000000003"} & pause_background_task {"task_id":"0197a3c2-44dd-7000-8000-000000000004"}"#,
    );
}

#[test]
fn where_several_tasks_fit_the_user_chooses() {
    let mut talk = Talk::new();
    talk.user("delete my reminder").next();
    let question = talk.results(&[&list()]).next();
    assert_eq!(
        question,
        "More than one task fits:\n\n1. drink water (`0197a3c2-33cc`)\n2. check project status (`0197a3c2-44dd`)\n\nWhich one?"
    );
    assert_eq!(talk.user("the second one").next(), r#"delete_background_task {"task_id":"0197a3c2-44dd-7000-8000-000000000004"}"#);
    let answer = talk
        .results(&[&done(
            "delete_background_task",
            &json!({"task_id": "0197a3c2-44dd-7000-8000-000000000004", "description": "check project status"}),
        )])
        .next();
    assert_eq!(answer, "Deleted “check project status”.");
    let mut talk = Talk::new();
    talk.user("pause my reminder").next();
    talk.results(&[&list()]).next();
    assert_eq!(talk.user("water").next(), r#"pause_background_task {"task_id":"0197a3c2-33cc-7000-8000-000000000003"}"#);
}

#[test]
fn a_task_that_is_not_there_is_not_guessed() {
    let mut talk = Talk::new();
    talk.user("pause the weather monitor").next();
    let answer = talk.results(&[&list()]).next();
    assert!(
        answer.starts_with("No task fits “weather monitor”. There are:\n\n- Monitor TechCrunch for AI news\n- Morning news"),
        "{answer}"
    );
    let mut talk = Talk::new();
    talk.user("暂停天气监控").next();
    let empty = done("list_background_tasks", &json!({"tasks": []}));
    assert_eq!(talk.results(&[&empty]).next(), "目前没有后台任务。");
}

#[test]
fn a_moment_is_worked_out_from_the_clock() {
    let mut talk = Talk::new();
    assert_eq!(talk.user("remind me tomorrow at 9 to call the bank").next(), "current_time {}");
    let call = talk.results(&["Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)"]).next();
    assert_eq!(
        call,
        r#"create_background_task {"task_type":"schedule","description":"call the bank","config":{"type":"once","at":"2026-01-02T00:00:00.000Z"}}"#
    );
    let mut talk = Talk::new();
    talk.user("20分钟后提醒我关火").next();
    let call = talk.results(&["Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)"]).next();
    assert!(call.contains(r#""at":"2026-01-01T12:20:00.000Z""#), "{call}");
    let mut talk = Talk::new();
    talk.user("remind me on 2026-02-30 at 9 to laugh").next();
    let answer = talk.results(&["Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)"]).next();
    assert!(answer.contains("could not work out that date"), "{answer}");
}

#[test]
fn a_missing_number_is_asked_for_and_taken_from_the_answer() {
    let mut talk = Talk::new();
    let call = talk.user("Remind me to check project status every day at 9 by SMS").next();
    assert_eq!(
        call,
        r#"create_background_task {"task_type":"schedule","description":"check project status","config":{"type":"daily","hour":9,"minute":0,"notification":{"method":"send_sms"}}}"#
    );
    let refused = r#"error: {"status":"error","action":"create_background_task","error":"`config.notification.phone_number`: `send_sms` needs a number; give one in the form +1234567890","timestamp":"2026-01-01T12:00:00.000Z"}"#;
    let answer = talk.results(&[refused]).next();
    assert_eq!(
        answer,
        "**The task was not created:** `config.notification.phone_number`: `send_sms` needs a number; give one in the form +1234567890\n\nWhich phone number shall I use?"
    );
    assert_eq!(talk.user("no idea what you mean").next(), "Which phone number shall I use?");
    assert_eq!(
        talk.user(PHONE).next(),
        r#"create_background_task {"task_type":"schedule","description":"check project status","config":{"type":"daily","hour":9,"minute":0,"notification":{"method":"send_sms","phone_number":"+1234567890"}}}"#
    );
}

#[test]
fn an_error_without_the_json_form_is_relayed_too() {
    let mut talk = Talk::new();
    talk.user("monitor TechCrunch for AI and email me").next();
    let answer = talk.results(&["error: `config.notification.email`: `send_email` needs an address"]).next();
    assert!(answer.contains("needs an address") && answer.ends_with("Which e-mail address shall I use?"), "{answer}");
    assert!(talk.user("it is a@b.co").next().contains(r#""notification":{"method":"send_email","email":"a@b.co"}"#));
}

#[test]
fn a_missing_piece_is_asked_for_in_the_users_language() {
    let mut talk = Talk::new();
    assert_eq!(talk.user("提醒我买牛奶").next(), "什么时候？例如“每天9点”、“每周一下午5点半”或“明天中午”。");
    assert_eq!(
        talk.user("每天18点").next(),
        r#"create_background_task {"task_type":"schedule","description":"买牛奶","config":{"type":"daily","hour":18,"minute":0}}"#
    );
    let mut talk = Talk::new();
    let question = talk.user("monitor a website for changes every hour and text +1234567890").next();
    assert_eq!(question, "Which page shall I watch? Give its address or the name of a well-known site.");
    assert_eq!(talk.user("I have no clue").next(), question);
    let call = talk.user("Hacker News").next();
    assert!(
        call.contains(r#""config":{"urls":["https://news.ycombinator.com"],"keywords":[],"check_interval_minutes":60,"notification":{"method":"send_sms","phone_number":"+1234567890"}}"#),
        "{call}"
    );
    let mut talk = Talk::new();
    talk.user("remind me tomorrow to buy milk").next();
    assert_eq!(talk.user("9").next(), "current_time {}");
    let mut talk = Talk::new();
    talk.user("set a reminder").next();
    assert!(talk.user("feed the cat").next().starts_with("When shall that be?"));
    assert!(talk.user("every day at 7").next().contains(r#""description":"feed the cat","config":{"type":"daily","hour":7,"minute":0}"#));
    let mut talk = Talk::new();
    talk.user("set a reminder").next();
    assert_eq!(talk.user("never mind").next(), "All right, I dropped that.");
}

#[test]
fn a_new_task_is_told_in_plain_words() {
    let mut talk = Talk::new();
    talk.user("Monitor TechCrunch for AI news every 30 minutes and text +1234567890").next();
    let data = json!({"task_id": TECHCRUNCH, "task_type": "web_monitor", "description": "Monitor TechCrunch for AI news", "status": "active",
        "next_check": "2026-01-01T12:30:00.000Z"});
    assert_eq!(
        talk.results(&[&done("create_background_task", &data)]).next(),
        "Done, the task is set up: **Monitor TechCrunch for AI news**\n\n- **What**: watches https://techcrunch.com for changes that mention “AI”\n- **When**: every 30 minutes\n- **Next**: 2026-01-01 12:30 UTC (in 30 min)\n- **Told by**: SMS to +1234567890\n- **To stop it**: say “pause task 0197a3c2-11aa” or “delete task 0197a3c2-11aa”"
    );
    assert_eq!(talk.user("pause it").next(), format!(r#"pause_background_task {{"task_id":"{TECHCRUNCH}"}}"#));
    let mut talk = Talk::new();
    talk.user("每天9点提醒我检查项目进度").next();
    let answer = talk.results(&[&done("create_background_task", &json!({"task_id": TECHCRUNCH}))]).next();
    assert_eq!(
        answer,
        "好的，任务已创建：**检查项目进度**\n\n- **内容**：提醒\n- **时间**：每天 09:00\n- **通知方式**：仅放入收件箱\n- **停止方法**：说“暂停任务 0197a3c2-11aa”或“删除任务 0197a3c2-11aa”"
    );
}

#[test]
fn the_tasks_are_shown_as_a_table() {
    let mut talk = Talk::new();
    talk.user("list my tasks").next();
    let answer = talk.results(&[&list()]).next();
    assert_eq!(
        answer,
        "There are 4 background tasks:\n\n| Id | Kind | Description | State | Runs | Next |\n| --- | --- | --- | --- | --- | --- |\n| `0197a3c2-11aa` | web monitor | Monitor TechCrunch for AI news | active | every 30 minutes | 2026-01-01 12:30 UTC (in 30 min) |\n| `0197a3c2-22bb` | news digest | Morning news | paused | every day at 08:00 | – |\n| `0197a3c2-33cc` | reminder | drink water | active | every hour | 2026-01-01 13:00 UTC (in 1 h 0 min) |\n| `0197a3c2-44dd` | reminder | check project status | active | every day at 09:00 (Asia/Tokyo) | 2026-01-02 09:00 JST (in 12 h 0 min) |"
    );
    let mut talk = Talk::new();
    talk.user("列出我的任务").next();
    assert!(talk.results(&[&list()]).next().starts_with("共有 4 个后台任务："));
}

#[test]
fn the_state_of_the_scheduler_is_told() {
    let mut talk = Talk::new();
    talk.user("is the scheduler running?").next();
    let data = json!({"service_running": true, "total_tasks": 3, "active_tasks": 2, "paused_tasks": 1, "running_monitors": 1,
        "task_types": {"web_monitor": 1, "schedule": 2}});
    assert_eq!(
        talk.results(&[&done("get_event_sourcing_status", &data)]).next(),
        "The scheduler is running.\n\n- **Tasks**: 3 (2 active, 1 paused)\n- **web monitor**: 1\n- **schedule**: 2"
    );
}

#[test]
fn without_the_tools_nothing_about_tasks_is_understood() {
    let mut talk = Talk::new();
    talk.specs.retain(|spec| !spec.name.as_str().starts_with("tasks__"));
    assert!(talk.user("remind me every day at 9 to stand up").next().starts_with("I did not understand"));
}

#[test]
fn no_text_breaks_the_reader() {
    let pool = [
        "remind me",
        "to",
        "watch",
        "TechCrunch",
        "every",
        "30 minutes",
        "at 9",
        "text",
        "+1234567890",
        "tomorrow",
        "提醒我",
        "每天",
        "9点",
        "监控",
        "，",
        "“",
        "\"",
        "cron",
        "* * * * *",
        "above",
        "5k",
        "digest",
        "pause",
        "all",
        "it",
        "Berlin time",
        "时间",
        "\u{e000}",
        "\u{e800}",
        "é",
        "İ",
    ];
    proptest::proptest!(proptest::test_runner::Config::with_cases(80), |(picks in proptest::collection::vec((0..pool.len(), ".{0,3}"), 0..12))| {
        let said: Vec<String> = picks.iter().map(|(at, noise)| format!("{}{noise}", pool[*at])).collect();
        let mut talk = Talk::new();
        proptest::prop_assert!(!talk.user(&said.join(" ")).next().is_empty());
    });
}
