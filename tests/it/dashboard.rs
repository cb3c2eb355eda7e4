//! The dashboard in a real browser: events arrive, filters work, tasks are made and paused by clicks, an answer streams, in
//! both themes and at the width of a phone, and the browser has nothing to complain about.
//!
//! `WAKEFUL_PICTURES=1` writes what it looks like to `assets/`.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::serving::{Serve, TOKEN};
use crate::support::Home;
use crate::support::local::Web;
use crate::support::model::{ModelServer, Say};

/// Rows of the stream that are shown, as text.
const SHOWN: &str = "[...document.querySelectorAll('.event:not([hidden])')].map((row) => row.firstElementChild.textContent)";

/// Positions in the log of all rows, shown or not.
const POSITIONS: &str = "[...document.querySelectorAll('.event')].map((node) => node.row.event.seq).filter(Boolean)";

async fn opened(serve: &Serve) -> Browser {
    let mut browser = Browser::start().await;
    browser.resize(1_440, 900).await;
    browser.prefer("dark").await;
    browser.open(&serve.url).await;
    browser
}

async fn live(browser: &mut Browser) {
    browser.until("document.querySelector('#link')?.dataset.state === 'live'").await;
}

async fn shown(browser: &mut Browser) -> Vec<String> {
    let rows = browser.eval(SHOWN).await;
    rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

/// Writes a filter, as a person would.
async fn filter(browser: &mut Browser, text: &str) {
    browser.press("Escape").await;
    browser.press("/").await;
    browser.eval("document.activeElement.select()").await;
    browser.write(text).await;
}

/// Keeps a picture of README.
async fn keep(browser: &mut Browser, name: &str) {
    let picture = browser.picture().await;
    assert!(picture.starts_with(b"\x89PNG"), "{name}");
    if std::env::var_os("WAKEFUL_PICTURES").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name), picture).unwrap();
    }
}

fn tasks(home: &Home) -> Vec<Value> {
    let ran = home.run(&["tasks", "list", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str::<Value>(&ran.out).unwrap().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_uses_it_in_a_real_browser() {
    let web = Web::start();
    web.show(&["Weather stays calm", "Harbour reopens"]);
    let home = Home::with("[tasks]\npoll_seconds = 1\n");
    let serve = Serve::start(&home, &[]);
    let mut browser = opened(&serve).await;
    live(&mut browser).await;

    // Events arrive, those from before the page was opened too.
    browser.until(&format!("{SHOWN}.some((row) => row.includes('service_connected: system'))")).await;
    an_answer_streams(&mut browser).await;
    filters_work(&mut browser).await;
    the_stream_can_be_held(&mut browser).await;
    a_task_is_made_and_paused(&mut browser, &home, &web.url("/")).await;
    the_inbox_is_read(&mut browser).await;
    looks(&mut browser, &serve).await;

    assert_eq!(browser.complaints, Vec::<String>::new());
    browser.end().await;
    serve.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_shown_as_it_comes_and_can_be_stopped() {
    // A model that begins and comes to no end: what stands on the page came before the end.
    let model = ModelServer::start(|_| Say::Hang("the first words".to_owned()));
    let home = Home::with(&format!("model = \"bench/model\"\n{}", model.provider()));
    let serve = Serve::start(&home, &[]);
    let mut browser = opened(&serve).await;
    live(&mut browser).await;
    browser.press("m").await;
    browser.write("tell me").await;
    browser.press("Enter").await;
    browser.until("document.querySelector('.agent .prose')?.innerText.includes('the first words')").await;
    browser.until("!document.querySelector('#stop').hidden").await;
    browser.click("#stop").await;
    browser.until("document.querySelector('#stop').hidden").await;
    browser.end().await;
    serve.stop();
}

async fn an_answer_streams(browser: &mut Browser) {
    browser.press("m").await;
    browser.write("what is 17% of 2340?").await;
    browser.press("Enter").await;
    browser.until("document.querySelector('.agent .prose')?.innerText.includes('397.8')").await;
    browser.until("document.querySelector('#stop').hidden").await;
    let asked = browser.eval("document.querySelector('.you').innerText").await;
    assert!(asked.as_str().unwrap().contains("what is 17% of 2340?"), "{asked}");
    let call = browser.eval("document.querySelector('.agent .call.success').innerText").await;
    assert!(call.as_str().unwrap().contains("calculate"), "{call}");
    browser.until(&format!("{SHOWN}.some((row) => row.includes('system: calculate ('))")).await;
    // The same conversation goes on.
    browser.press("Escape").await;
    browser.click("#prompt").await;
    browser.write("What time is it in Tokyo?").await;
    browser.press("Enter").await;
    browser.until("document.querySelectorAll('.agent .prose').length === 2 && document.querySelector('#stop').hidden").await;
    let sessions =
        browser.eval("new Set([...document.querySelectorAll('.event')].map((node) => node.row.event.session).filter(Boolean)).size").await;
    assert_eq!(sessions, 1);
}

async fn filters_work(browser: &mut Browser) {
    let all = shown(browser).await.len();
    filter(browser, "type:tool calculate").await;
    let found = shown(browser).await;
    assert!(!found.is_empty() && found.len() < all && found.iter().all(|row| row.contains("system: calculate")), "{found:?}");
    filter(browser, "no such words anywhere").await;
    assert_eq!(shown(browser).await, Vec::<String>::new());
    filter(browser, " ").await;
    // The end of the turn may have come meanwhile.
    assert!(shown(browser).await.len() >= all);
    // By type, by server, errors only.
    browser.click(".chip[data-kind=mcp]").await;
    let rest = shown(browser).await;
    assert!(rest.len() < all && rest.iter().all(|row| !row.contains("service_connected")), "{rest:?}");
    browser.click(".chip[data-kind=mcp]").await;
    let by_server =
        "(() => { const it = document.querySelector('#server'); it.value = 'system'; it.dispatchEvent(new Event('change')); })()";
    browser.eval(by_server).await;
    let found = shown(browser).await;
    assert!(!found.is_empty() && found.iter().all(|row| row.contains("system")), "{found:?}");
    browser.eval(&by_server.replace("'system'", "''")).await;
    browser.press("Escape").await;
    browser.press("e").await;
    assert_eq!(shown(browser).await, Vec::<String>::new());
    browser.press("e").await;
    // The end of the turn may have come meanwhile.
    assert!(shown(browser).await.len() >= all);
    // The arrows go from row to row, Enter opens one.
    browser.press("g").await;
    browser.press("ArrowUp").await;
    browser.press("Enter").await;
    let whole = browser.until("document.querySelector('.whole pre')?.innerText").await;
    let event: Value = serde_json::from_str(whole.as_str().unwrap()).unwrap();
    assert!(event["type"].is_string() && event["seq"].is_u64(), "{event}");
    browser.press("Enter").await;
    browser.until("!document.querySelector('.whole')").await;
    browser.press("Escape").await;
}

async fn the_stream_can_be_held(browser: &mut Browser) {
    let before = shown(browser).await;
    browser.click("#pause").await;
    let task = json!({"task_type": "schedule", "description": "while held", "config": {"type": "daily", "hour": 9}}).to_string();
    let make = format!(
        "fetch('/api/v2/tasks', {{method: 'POST', headers: {{'content-type': 'application/json'}}, body: '{task}'}}).then((reply) => reply.status)"
    );
    let status = browser.eval(&make).await;
    assert!(status.as_u64().unwrap() / 100 == 2, "{status}");
    browser.until("/go on · [1-9]/.test(document.querySelector('#pause').innerText)").await;
    assert_eq!(shown(browser).await, before);
    browser.click("#pause").await;
    browser.until(&format!("{SHOWN}.some((row) => row.includes('created schedule: while held'))")).await;
    let positions: Vec<u64> = serde_json::from_value(browser.eval(POSITIONS).await).unwrap();
    assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{positions:?}");
}

async fn a_task_is_made_and_paused(browser: &mut Browser, home: &Home, page: &str) {
    browser.click("#task-new").await;
    browser.write("AI news of the harbour").await;
    browser.click("#task-form .main").await;
    // What is missing is said at once, and nothing is made.
    browser.until("document.querySelector('#task-wrong').checkVisibility()").await;
    browser.click("#f-urls").await;
    browser.write(page).await;
    browser.click("#f-keywords").await;
    browser.write("AI, robots").await;
    browser.click("#task-form .main").await;
    let card =
        |more: &str| format!("[...document.querySelectorAll('#task-list .card')].find((card) => card.innerText.includes('harbour')){more}");
    let id = browser.until(&card("?.dataset.key")).await;
    let selector = |act: &str| format!("#task-list [data-key='{}'] [data-act={act}]", id.as_str().unwrap());
    let stored = |home: &Home| tasks(home).into_iter().find(|task| task["task_id"] == id).unwrap();
    let made = stored(home);
    assert_eq!((&made["status"], &made["config"]["keywords"]), (&json!("active"), &json!(["AI", "robots"])), "{made}");
    browser.until(&card("?.querySelector('.countdown')?.innerText.match(/in \\d\\d:\\d\\d/)")).await;
    browser.click(&selector("pause")).await;
    browser.until(&card("?.querySelector('.state.s-paused')?.innerText")).await;
    assert_eq!(stored(home)["status"], "paused");
    browser.click(&selector("pause")).await;
    browser.until(&card("?.querySelector('.countdown')?.innerText")).await;
    assert_eq!(stored(home)["status"], "active");
    browser.click(&selector("why")).await;
    browser.until(&card("?.querySelector('.why li')?.innerText")).await;
    browser.click(&selector("why")).await;
    // Deleting asks first.
    let held = "[...document.querySelectorAll('#task-list .card')].find((card) => card.innerText.includes('while held'))";
    let doomed = browser.until(&format!("{held}?.dataset.key")).await;
    let delete = format!("#task-list [data-key='{}'] [data-act=delete]", doomed.as_str().unwrap());
    browser.click(&delete).await;
    browser.press("Escape").await;
    browser.until("!document.querySelector('dialog[open]')").await;
    assert_eq!(tasks(home).len(), 2);
    browser.click(&delete).await;
    browser.click("#confirm-yes").await;
    browser.until(&format!("!{held}")).await;
    assert_eq!(tasks(home).len(), 1);
}

async fn the_inbox_is_read(browser: &mut Browser) {
    let raise = json!({"task": {"simulate": "web_monitor"}}).to_string();
    let raise = format!(
        "fetch('/api/v2/commands', {{method: 'POST', headers: {{'content-type': 'application/json'}}, body: '{raise}'}}).then((reply) => reply.status)"
    );
    assert_eq!(browser.eval(&raise).await, 202);
    browser.until("document.querySelector('#inbox-list .card.unread')").await;
    browser.until("!document.querySelector('#unread').hidden && document.title.startsWith('(')").await;
    browser.click("#inbox-list .title").await;
    browser.until("document.querySelector('#inbox-list .details')").await;
    browser.until("document.querySelector('#inbox-list .card') && !document.querySelector('#inbox-list .card.unread')").await;
    keep_wide(browser).await;
    browser.click("#inbox-list [data-act=archive]").await;
    browser.until("!document.querySelector('#inbox-list .card')").await;
}

async fn keep_wide(browser: &mut Browser) {
    browser.click("#inbox-list .title").await;
    browser.until("!document.querySelector('#inbox-list .details')").await;
    browser.until("!document.querySelector('.note')").await;
    browser.eval("document.activeElement.blur()").await;
    for scheme in ["dark", "light"] {
        browser.prefer(scheme).await;
        let paper = browser.eval("getComputedStyle(document.body).backgroundColor").await;
        assert_eq!(paper, if scheme == "dark" { "rgb(13, 17, 23)" } else { "rgb(244, 246, 248)" });
        keep(browser, &format!("dashboard-{scheme}.png")).await;
    }
}

/// Both themes, and the width of a phone.
async fn looks(browser: &mut Browser, serve: &Serve) {
    // Chosen colours are remembered, whatever the system prefers.
    browser.click("#theme").await;
    browser.open(&serve.url).await;
    live(browser).await;
    assert_eq!(
        browser.eval("[document.documentElement.dataset.theme, document.querySelector('#theme-text').innerText]").await,
        json!(["dark", "dark"])
    );
    assert_eq!(browser.eval("getComputedStyle(document.body).backgroundColor").await, "rgb(13, 17, 23)");
    browser.resize(360, 740).await;
    for panel in ["chat", "tasks", "inbox", "servers", "events"] {
        browser.click(&format!(".tabs [data-panel={panel}]")).await;
        browser.until(&format!("document.querySelector('#{panel}').checkVisibility()")).await;
        assert_eq!(browser.eval("document.documentElement.scrollWidth").await, 360, "{panel}");
    }
    browser.until(&format!("{SHOWN}.length > 5")).await;
    keep(browser, "dashboard-narrow.png").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_nothing_is_shown() {
    let home = Home::with("");
    let serve = Serve::start(&home, &["--token-env", "TOKEN"]);
    let mut browser = opened(&serve).await;
    browser.until("document.querySelector('#token-dialog').open").await;
    assert_eq!(shown(&mut browser).await, Vec::<String>::new());
    browser.click("#token").await;
    browser.write("a-token-that-is-wrong").await;
    browser.press("Enter").await;
    browser.until("document.querySelector('#token-wrong').checkVisibility()").await;
    browser.click("#token").await;
    browser.write(TOKEN).await;
    browser.press("Enter").await;
    live(&mut browser).await;
    browser.until(&format!("{SHOWN}.some((row) => row.includes('service_connected'))")).await;
    assert_eq!(browser.eval("[sessionStorage.length, localStorage.length, document.cookie]").await, json!([1, 0, ""]));
    // It is given by the address too, which then shows it no longer.
    let mut other = Browser::start().await;
    other.open(&format!("{}/#token={TOKEN}", serve.url)).await;
    live(&mut other).await;
    assert_eq!(other.eval("location.hash").await, "");
    assert_eq!(other.complaints, Vec::<String>::new());
    other.end().await;
    // Refused requests stand on the console; nothing else does.
    assert!(browser.complaints.iter().all(|words| words.contains("401")), "{:?}", browser.complaints);
    browser.end().await;
    serve.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_goes_on_where_it_stopped_when_the_server_is_back() {
    let home = Home::with("");
    let serve = Serve::start(&home, &[]);
    let address = serve.address().to_owned();
    let mut browser = opened(&serve).await;
    live(&mut browser).await;
    browser.until(&format!("{SHOWN}.some((row) => row.includes('service_connected: tasks'))")).await;
    serve.stop();
    browser.until("document.querySelector('#link').dataset.state === 'waiting'").await;
    let said = home.run(&["exec", "what is 6*7?"]);
    assert_eq!(said.code, 0, "{said:?}");
    let serve = Serve::at(&home, &address, &[]);
    live(&mut browser).await;
    browser.until(&format!("{SHOWN}.some((row) => row.includes('what is 6*7?'))")).await;
    let positions: Vec<u64> = serde_json::from_value(browser.eval(POSITIONS).await).unwrap();
    assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{positions:?}");
    browser.end().await;
    serve.stop();
}
