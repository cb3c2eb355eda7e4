//! The requests that everybody starts with, from the words typed in the terminal to one text and one mail; and what
//! happens when something is wrong with them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::local::{HUGE_BYTES, Mail, Web};
use crate::support::model::{ModelServer, Say};
use crate::support::pty::Pty;
use crate::support::{Home, Ran};

const LIMIT: Duration = Duration::from_mins(1);

/// Asks `state` until it gives something.
fn wait_for<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {LIMIT:?}");
        std::thread::yield_now();
    }
}

fn ran(home: &Home, arguments: &[&str], code: i32) -> Ran {
    let ran = home.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    ran
}

fn json_of(home: &Home, arguments: &[&str]) -> Value {
    let ran = ran(home, &[arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", ran.out))
}

fn tasks(home: &Home) -> Vec<Value> {
    json_of(home, &["tasks", "list"]).as_array().unwrap().clone()
}

/// Waits until a turn whose answer holds `text` is over.
fn wait_over(pty: &Pty, text: &str) {
    let over = |screen: &vt100::Screen| {
        let shown = conversation(screen);
        shown.rfind(text).is_some_and(|at| shown[at..].contains("Worked for"))
    };
    pty.wait(LIMIT, over).unwrap_or_else(|screen| panic!("no turn ends after `{text}`:\n{screen}"));
}

/// What the conversation shows, in one line: as it was before it was wrapped.
fn conversation(screen: &vt100::Screen) -> String {
    let text = screen.contents();
    let rows = text.lines().filter_map(|row| row.split('│').nth(1)).map(str::trim);
    rows.collect::<Vec<_>>().join(" ")
}

/// The examples of the documentation, one of them in Chinese too: words, type, description and config.
fn requests() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let text = json!({"method": "send_sms", "phone_number": "+1234567890"});
    let monitor = json!({"urls": ["https://techcrunch.com"], "keywords": ["AI"], "check_interval_minutes": 30, "notification": text});
    vec![
        (
            "Monitor TechCrunch for AI news every 30 minutes and text +1234567890",
            "web_monitor",
            "Monitor TechCrunch for AI news",
            monitor.clone(),
        ),
        (
            "Send me a digest of TechCrunch and Hacker News every morning at 8 by SMS to +1234567890",
            "news_digest",
            "Send me a digest of TechCrunch and Hacker News",
            json!({"news_urls": ["https://techcrunch.com", "https://news.ycombinator.com"], "hour": 8, "notification": text}),
        ),
        (
            "Remind me to check project status every day at 9 by SMS to +1234567890",
            "schedule",
            "check project status",
            json!({"type": "daily", "hour": 9, "minute": 0, "notification": text}),
        ),
        ("监控 TechCrunch 的 AI 新闻，每30分钟检查一次，有更新发短信到 +1234567890", "web_monitor", "监控 TechCrunch 的 AI 新闻", monitor),
    ]
}

#[test]
fn the_requests_typed_on_a_clean_machine_make_the_documented_tasks() {
    let home = Home::with("");
    // What is asked for would look at the real pages.
    let mut pty = Pty::spawn(home.wakeful(&["--set", "tasks.enabled=false"]), 120, 50);
    // Before that the tools are not there to be called.
    pty.wait_text(LIMIT, "8/8 servers");
    let mut known: Vec<Value> = Vec::new();
    for (words, task_type, description, config) in requests() {
        pty.send(format!("\x15{words}\r"));
        pty.wait_text(LIMIT, "Yes, once");
        assert_eq!(tasks(&home).len(), known.len(), "{words}: nothing is made before consent");
        // A key in the first half second, or in the middle of typing, does not answer: press now and then until it does.
        let asked = |screen: &vt100::Screen| screen.contents().contains("Yes, once");
        while pty.screen(asked) {
            pty.send("y");
            let _ = pty.wait(Duration::from_secs(1), |screen| !asked(screen));
        }
        let made = wait_for(words, || tasks(&home).into_iter().find(|task| known.iter().all(|old| old["task_id"] != task["task_id"])));
        assert_eq!((&made["task_type"], &made["description"]), (&json!(task_type), &json!(description)), "{made}");
        assert_eq!((&made["config"], &made["status"], &made["user_id"]), (&config, &json!("active"), &json!("default")), "{made}");
        assert!(made["next_check"].is_string(), "{made}");
        // The answer tells how to stop the task.
        let id = &made["task_id"].as_str().unwrap()[..8];
        wait_over(&pty, id);
        known.push(made);
    }
    pty.send("\x15\x04");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
    let created: Vec<Value> = home
        .events()
        .into_iter()
        .filter(|event| event["data"]["event_type"] == "task_created")
        .map(|event| event["data"]["task_id"].clone())
        .collect();
    assert_eq!(created, known.iter().map(|task| task["task_id"].clone()).collect::<Vec<_>>(), "each once in the log");
}

/// `wakeful serve --headless` that stands.
struct Awake {
    child: Child,
}

impl Awake {
    fn start(home: &Home, mail: &Mail) -> Self {
        let mut command = home.wakeful(&["serve", "--headless", "--no-listen"]);
        command.env("TWILIO_ACCOUNT_SID", "AC0123").env("TWILIO_AUTH_TOKEN", "token").env("TWILIO_PHONE_NUMBER", "+15550001111");
        command.env("SMTP_URL", mail.url()).env("SMTP_FROM", "wakeful@example.org");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let stands = lines.by_ref().map(Result::unwrap).any(|line| {
            seen.push(line);
            seen.last().is_some_and(|line| line.contains("awake:"))
        });
        assert!(stands, "it did not start: {seen:?}");
        // A full pipe would stop the program.
        std::thread::spawn(move || lines.count());
        Self { child }
    }

    /// Asks it politely to end.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        // After a failure; it has ended already otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs each task once more and waits until nothing is left to do.
fn run_all(home: &Home) {
    let runs = |task: &Value| task["runs"].as_u64().unwrap_or(0);
    for before in tasks(home) {
        let id = before["task_id"].as_str().unwrap();
        ran(home, &["tasks", "run", id], 0);
        wait_for("a run", || (runs(&json_of(home, &["tasks", "show", id])) > runs(&before)).then_some(()));
    }
    wait_for("nothing waits", || {
        let status = json_of(home, &["tasks", "status"]);
        (status["firings_waiting"] == 0 && status["notices_waiting"] == 0).then_some(())
    });
}

#[test]
fn a_page_that_changes_sends_one_text_and_one_mail() {
    let (web, mail) = (Web::start(), Mail::start());
    web.show(&["Weather stays calm", "Harbour reopens"]);
    let home = Home::with(&format!("[notify.sms]\nbase_url = \"{}\"\n[tasks]\npoll_seconds = 1\n", web.url("")));
    let page = web.url("/");
    let add = ["tasks", "add", "web_monitor"];
    let awake = Awake::start(&home, &mail);
    ran(&home, &[&add[..], &["AI by text", "--url", &page, "--keyword", "AI", "--sms", "+1234567890"]].concat(), 0);
    ran(&home, &[&add[..], &["AI by mail", "--url", &page, "--keyword", "AI", "--email", "me@example.com"]].concat(), 0);
    run_all(&home);
    assert_eq!((web.texts().len(), mail.taken().len()), (0, 0), "the first look is what later ones are compared with");

    web.show(&["Lab shows AI that reads maps", "Weather stays calm", "Harbour reopens"]);
    run_all(&home);
    let (texts, mails) = (web.texts(), mail.taken());
    assert_eq!((texts.len(), mails.len()), (1, 1), "{texts:?} {mails:?}");
    assert_eq!(texts[0].account, "AC0123");
    assert!(texts[0].login.starts_with("Basic "), "{texts:?}");
    for part in ["To=%2B1234567890", "From=%2B15550001111", "AI"] {
        assert!(texts[0].form.contains(part), "{part}: {}", texts[0].form);
    }
    for part in ["RCPT TO:<me@example.com>", "AI", page.as_str()] {
        assert!(mails[0].contains(part), "{part}: {}", mails[0]);
    }
    let sent = |home: &Home| {
        let notices = json_of(home, &["inbox", "notices"]);
        notices.as_array().unwrap().iter().filter(|notice| notice["status"] == "sent").count()
    };
    assert_eq!(sent(&home), 2);

    run_all(&home);
    assert_eq!((web.texts().len(), mail.taken().len()), (1, 1), "an unchanged page tells nobody");
    awake.stop();

    let awake = Awake::start(&home, &mail);
    run_all(&home);
    assert_eq!((web.texts().len(), mail.taken().len()), (1, 1), "a restart tells nobody");
    web.show(&["AI beats the clock", "Lab shows AI that reads maps", "Weather stays calm", "Harbour reopens"]);
    run_all(&home);
    assert_eq!((web.texts().len(), mail.taken().len()), (2, 2), "the next change is told again");
    assert_eq!(sent(&home), 4);
    for task in tasks(&home) {
        assert_eq!(task["fired"], 2, "{task}");
    }
    awake.stop();
}

/// What is wrong, as the tool is given it and as the shell is; the field and the way out that everybody is told.
struct Wrong {
    arguments: Value,
    shell: Vec<&'static str>,
    field: &'static str,
    says: [&'static str; 2],
}

fn wrong() -> Vec<Wrong> {
    let case = |task_type: &str, config: Value, shell: &[&'static str], field, says| Wrong {
        arguments: json!({"task_type": task_type, "description": "x", "config": config}),
        shell: shell.to_vec(),
        field,
        says,
    };
    vec![
        case("web_watch", json!({}), &["web_watch", "x"], "task_type", ["`web_watch` is not known", "give one of `web_monitor`"]),
        case(
            "schedule",
            json!({"type": "cron", "cron": "99 * * * *"}),
            &["schedule", "x", "--cron", "99 * * * *"],
            "config.cron",
            ["`99 * * * *` is no cron expression", "give 5 fields such as `0 9 * * 1-5`"],
        ),
        case(
            "schedule",
            json!({"type": "daily", "hour": 9, "timezone": "Mars/Base"}),
            &["schedule", "x", "--at", "9", "--timezone", "Mars/Base"],
            "config.timezone",
            ["`Mars/Base` is no time zone", "`Europe/Berlin`"],
        ),
        case(
            "web_monitor",
            json!({"urls": ["ftp://a.example"]}),
            &["web_monitor", "x", "--url", "ftp://a.example"],
            "config.urls[0]",
            ["`ftp://a.example` is not of the web", "begins with http:// or https://"],
        ),
        case(
            "schedule",
            json!("{\"type\":"),
            &["schedule", "x", "--task-config", "{\"type\":"],
            "config",
            ["is not valid JSON", "an object such as"],
        ),
    ]
}

#[test]
fn bad_input_is_refused_alike_in_the_shell_the_tool_and_the_terminal() {
    // The model calls the tool with whatever case it is told, then says that it did.
    let model = ModelServer::start(|request| {
        let last = request["messages"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
        let case = crate::support::model::last_user(request);
        match case.strip_prefix("case ").and_then(|number| number.parse::<usize>().ok()) {
            Some(number) if last["role"] == "user" => Say::call("tasks__create_background_task", wrong()[number].arguments.clone()),
            _ => Say::Text(format!("Told about {case}.")),
        }
    });
    let home = Home::with(&format!("model = \"bench/model\"\n{}", model.provider()));
    let mut pty = Pty::spawn(home.wakeful(&["--approvals", "auto", "--set", "tasks.enabled=false"]), 200, 50);
    pty.wait_text(LIMIT, "8/8 servers");
    for (number, wrong) in wrong().into_iter().enumerate() {
        let in_shell = ran(&home, &[&["tasks", "add"], &wrong.shell[..]].concat(), 2);
        pty.send(format!("case {number}\r"));
        wait_over(&pty, &format!("Told about case {number}."));
        let screen = pty.screen(conversation);
        let request = model.requests().pop().unwrap();
        let result = request["messages"].as_array().unwrap().iter().rfind(|message| message["role"] == "tool").unwrap();
        let envelope = result["content"].as_str().unwrap().strip_prefix("error: ").unwrap_or_else(|| panic!("{result}"));
        let result: Value = serde_json::from_str(envelope).unwrap();
        assert_eq!((&result["status"], &result["data"]["field"]), (&json!("error"), &json!(wrong.field)), "{result}");
        let in_result = result["error"].as_str().unwrap();
        for (place, text) in [("shell", in_shell.err.as_str()), ("tool", in_result), ("terminal", &screen)] {
            for part in [&format!("`{}`", wrong.field)[..], wrong.says[0], wrong.says[1]] {
                assert!(text.contains(part), "the {place} does not say `{part}`:\n{text}");
            }
        }
        assert!(in_shell.out.is_empty(), "{}", in_shell.out);
    }
    assert_eq!(tasks(&home), Vec::<Value>::new(), "nothing half-made stays");
    assert!(!home.events().iter().any(|event| event["type"] == "task_event"), "nor in the log");
    pty.send("\x04");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
}

#[test]
fn a_page_that_cannot_be_watched_is_a_fault_with_a_way_out() {
    let (web, mail) = (Web::start(), Mail::start());
    let limit = HUGE_BYTES / 4;
    let home = Home::with(&format!(
        "[notify.sms]\nbase_url = \"{}\"\n[tasks]\npoll_seconds = 1\n[fetch]\nbody_bytes_max = {limit}\n",
        web.url("")
    ));
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let larger = format!("is larger than {limit} bytes");
    let cases = [
        (format!("http://{free}/"), ["cannot be reached", "check the port and whether the server runs"]),
        (web.url("/huge"), [&larger, "watch a smaller page or raise `body_bytes_max`"]),
        (web.url("/binary"), ["the page is no text", "watch a page that links to it instead"]),
        (web.url("/round"), ["redirects in a circle", "watch the page it ends on in a browser"]),
    ];
    let awake = Awake::start(&home, &mail);
    for (url, says) in &cases {
        let description = format!("watch {url}");
        let preview = ran(&home, &["tasks", "preview", "web_monitor", &description, "--url", url], 1).err;
        let made = json_of(&home, &["tasks", "add", "web_monitor", &description, "--url", url, "--sms", "+1234567890"]);
        let id = made["task_id"].as_str().unwrap();
        ran(&home, &["tasks", "run", id], 0);
        let why = wait_for(url, || {
            let why = ran(&home, &["tasks", "why", id], 0).out;
            why.contains("last run: failed").then_some(why)
        });
        for (place, text) in [("preview", &preview), ("chain", &why)] {
            for part in says {
                assert!(text.contains(part), "{url}: the {place} does not say `{part}`:\n{text}");
            }
        }
        assert!(why.contains("failures in a row: 1, again ") && why.contains("fired 0 times"), "{why}");
        let shown = json_of(&home, &["tasks", "show", id]);
        assert!(shown["last_result"].as_str().unwrap().contains(says[0]), "{shown}");
    }
    assert_eq!((web.texts().len(), mail.taken().len()), (0, 0));
    awake.stop();
}
