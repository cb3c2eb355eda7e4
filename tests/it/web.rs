//! The web, the weather and messages as people and models use them: the whole program, services that stand in for the real
//! ones over real sockets.

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::mail::Sink;
use crate::support::model::{ModelServer, Say, results};
use crate::support::{Home, Ran};

/// A service on loopback; it lives as long as the process.
pub struct Service {
    /// Where it is.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let condition = request.headers().get("if-none-match").map(|tag| format!(" {}", tag.to_str().unwrap())).unwrap_or_default();
            seen.lock().unwrap().push(format!("{}{condition}", request.uri()));
            std::future::ready(answer(&request))
        });
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                listener.set_nonblocking(true).unwrap();
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
            });
        });
        Self { url, asked }
    }

    /// What was asked for, without `robots.txt`.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|path| *path != "/robots.txt").cloned().collect()
    }
}

const ARTICLE: &str = "<!doctype html><html lang=en><head><title>The lake</title><meta name=description content='About a lake'>\
    <meta name=author content='Anna Author'></head><body><nav><a href=/home>Home</a></nav><main><article><h1>The lake</h1>\
    <p>The lake lies <b>high</b> in the mountains, and its water is cold all through the year, which nobody minds.</p>\
    <p>Read <a href='/more'>more about its fish</a>, or walk around it, which takes a day and is worth the trouble it takes.</p>\
    </article></main><footer>imprint</footer></body></html>";

/// A site with pages of several kinds.
pub fn site() -> Service {
    Service::start(|request| {
        let kept = [("cache-control", "max-age=600"), ("content-type", "text/html")];
        match request.uri().path() {
            "/lake" => (kept, ARTICLE).into_response(),
            "/fleeting" => ([("cache-control", "no-store"), ("content-type", "text/html")], ARTICLE).into_response(),
            "/tagged" => {
                let tag = [("etag", "\"1\""), ("cache-control", "no-cache"), ("content-type", "text/html")];
                let same = request.headers().get("if-none-match").is_some_and(|value| value == "\"1\"");
                if same { (StatusCode::NOT_MODIFIED, tag).into_response() } else { (tag, ARTICLE).into_response() }
            }
            "/data" => ([("content-type", "application/json")], r#"{"a": [1, 2, 3]}"#).into_response(),
            "/picture" => ([("content-type", "image/png")], b"\x89PNG\r\n\x1a\n0000".to_vec()).into_response(),
            "/long" => ([("content-type", "text/plain"), ("cache-control", "max-age=600")], "0123456789\n".repeat(5_000)).into_response(),
            "/away" => (StatusCode::FOUND, [("location", "http://169.254.169.254/latest/meta-data/")]).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
}

/// A home whose tools may read this machine's sites, with `more` in its config.
fn home(more: &str) -> Home {
    Home::with(&format!("[web]\nallow_hosts = [\"127.0.0.1\"]\n{more}"))
}

/// Lets a model make these calls, one after the other; their results.
fn called(config: &str, calls: Vec<(&'static str, Value)>) -> (Vec<Value>, Ran) {
    let count = calls.len();
    let model = ModelServer::start(move |request| match calls.get(results(request)) {
        Some((name, arguments)) => Say::call(name, arguments.clone()),
        None => Say::Text("done".to_owned()),
    });
    let home = Home::with(&format!("model = \"bench/model\"\n{}\n[web]\nallow_hosts = [\"127.0.0.1\"]\n{config}", model.provider()));
    let ran = home.run(&["exec", "--json", "go on"]);
    let events = ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ended = events.filter(|event| event["type"] == "tool_execution" && event["data"]["status"] != "started");
    let results: Vec<Value> = ended.map(|event| event["data"].clone()).collect();
    assert_eq!(results.len(), count, "{}{}", ran.out, ran.err);
    (results, ran)
}

fn text(result: &Value) -> &str {
    result["result"]["text"].as_str().or_else(|| result["result"].as_str()).or_else(|| result["error"].as_str()).unwrap_or_default()
}

#[test]
fn the_assistant_reads_a_page_that_it_is_told_to_read() {
    let site = site();
    let home = home("");
    for (prompt, word) in [
        (format!("read {}/lake and tell me what it says", site.url), "high** in the mountains"),
        (format!("打开 {}/lake 看看写了什么", site.url), "high** in the mountains"),
        (format!("fetch {}/data", site.url), r#"{"a": [1, 2, 3]}"#),
    ] {
        let ran = home.run(&["exec", &prompt]);
        assert_eq!(ran.code, 0, "{prompt}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(word), "{prompt}: {}", ran.out);
    }
    let ran = home.run(&["exec", &format!("read {}/lake", site.url)]);
    assert!(ran.out.contains("**The lake**") && ran.out.contains("Anna Author") && !ran.out.contains("imprint"), "{}", ran.out);
    assert!(ran.out.contains(&format!("more about its fish: {}/more", site.url)), "{}", ran.out);
}

#[test]
fn a_page_is_fetched_as_often_as_its_server_wants() {
    let site = site();
    let scrape = |path: &str| ("web__scrape_webpage", json!({"url": format!("{}{path}", site.url)}));
    let (results, _) =
        called("", vec![scrape("/lake"), scrape("/lake"), scrape("/fleeting"), scrape("/fleeting"), scrape("/tagged"), scrape("/tagged")]);
    assert_eq!(site.asked(), ["/lake", "/fleeting", "/fleeting", "/tagged", "/tagged \"1\""]);
    let cached: Vec<bool> = results.iter().map(|result| result["result"]["structured"]["cached"].as_bool().unwrap()).collect();
    assert_eq!(cached, [false, true, false, false, false, true]);
    assert!(results.iter().all(|result| text(result).contains("The lake lies **high** in the mountains")), "{results:?}");
}

#[test]
fn pages_are_read_whole_in_parts_and_as_they_came() {
    let site = site();
    let at = |path: &str| format!("{}{path}", site.url);
    let (results, _) = called(
        "chars_max = 2000",
        vec![
            ("web__scrape_webpage", json!({"url": at("/lake"), "selector": "article a"})),
            ("web__fetch_url", json!({"url": at("/lake")})),
            ("web__fetch_url", json!({"url": at("/picture")})),
            ("web__fetch_url", json!({"url": at("/long")})),
            ("web__fetch_url", json!({"url": at("/long"), "offset": 54_000, "max_bytes": 5_000})),
            ("web__fetch_url", json!({"url": at("/long"), "offset": 60_000})),
            ("web__scrape_webpage", json!({"url": at("/lake"), "selector": "#nowhere"})),
            ("web__scrape_webpage", json!({"url": at("/gone")})),
        ],
    );
    assert!(text(&results[0]).contains("[more about its fish]") && !text(&results[0]).contains("lies"), "{}", text(&results[0]));
    let facts = &results[0]["result"]["structured"];
    assert_eq!((&facts["title"], &facts["author"], &facts["language"]), (&json!("The lake"), &json!("Anna Author"), &json!("en")));
    assert!(
        text(&results[1]).contains("<footer>imprint</footer>") && text(&results[1]).contains("200 · text/html"),
        "{}",
        text(&results[1])
    );
    assert!(text(&results[2]).contains("an image, which is not shown"), "{}", text(&results[2]));
    let facts = &results[3]["result"]["structured"];
    assert_eq!((&facts["chars"], &facts["next_offset"]), (&json!(55_000), &json!(1_991)), "a line is not torn");
    assert!(text(&results[3]).contains("`offset: 1991` goes on"), "{}", text(&results[3]));
    assert_eq!(results[4]["result"]["structured"]["next_offset"], Value::Null);
    assert!(text(&results[5]).contains("behind the end"), "{}", text(&results[5]));
    assert!(text(&results[6]).contains("finds nothing on the page"), "{}", text(&results[6]));
    assert!(text(&results[7]).contains("there is no such page"), "{}", text(&results[7]));
}

#[test]
fn a_model_reaches_nothing_on_this_network_by_itself() {
    let site = site();
    let local = site.url.replace("127.0.0.1", "localhost");
    let port = site.url.rsplit(':').next().unwrap().to_owned();
    let calls = vec![
        ("web__fetch_url", json!({"url": format!("{local}/lake")})),
        ("web__fetch_url", json!({"url": format!("http://[::ffff:127.0.0.1]:{port}/lake")})),
        ("web__scrape_webpage", json!({"url": format!("http://0.0.0.0:{port}/lake"), "render": true})),
        ("web__fetch_url", json!({"url": format!("{}/away", site.url)})),
    ];
    let (results, _) = called("", calls);
    for result in &results {
        assert_eq!(result["status"], "error", "{result}");
        assert!(text(result).contains("is not fetched"), "{result}");
    }
    assert_eq!(site.asked(), ["/away"]);
    let ran = Home::with("").run(&["exec", &format!("read {}/lake", site.url)]);
    assert!(ran.out.contains("allow_hosts"), "the way out is named: {}", ran.out);
    assert_eq!(site.asked(), ["/away"]);
}

/// A `SearXNG` that finds one page.
pub fn searxng() -> Service {
    Service::start(|_| {
        axum::Json(json!({"results": [{"title": "A lake", "url": "https://lake.example/", "content": "High up"}]})).into_response()
    })
}

#[test]
fn the_web_is_searched_with_the_engine_that_is_set_up() {
    let engine = searxng();
    let config = format!("[web.search]\nprovider = \"searxng\"\nurl = \"{}\"\n", engine.url);
    for prompt in ["search the web for mountain lakes", "在网上搜索 mountain lakes"] {
        let ran = home(&config).run(&["exec", prompt]);
        assert!(
            ran.code == 0 && ran.out.contains("<https://lake.example/>") && ran.out.contains("High up"),
            "{prompt}: {}{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(engine.asked()[0], "/search?q=mountain+lakes&format=json");
    let (results, _) =
        called(&config, vec![("web__web_search", json!({"query": "lakes"})), ("web__web_search", json!({"query": "lakes", "limit": 1}))]);
    assert_eq!(results[1]["result"]["structured"]["results"][0]["url"], "https://lake.example/");
    assert_eq!(engine.asked().len(), 3, "the same words are asked once");
    let ran = home("").run(&["exec", "search the web for mountain lakes"]);
    assert!(ran.out.contains("[web.search]") && ran.out.contains("BRAVE_API_KEY"), "{}", ran.out);
    for (provider, variable) in [("brave", "BRAVE_API_KEY"), ("tavily", "TAVILY_API_KEY")] {
        let engine = Service::start(|request| {
            let key = ["x-subscription-token", "authorization"]
                .iter()
                .find_map(|name| request.headers().get(*name))
                .map(|key| key.to_str().unwrap());
            let right = matches!(key, Some("k3y-of-test" | "Bearer k3y-of-test"));
            let found = json!([{"title": "Found", "url": "https://found.example/", "description": "d", "content": "c"}]);
            if right {
                axum::Json(json!({"web": {"results": found}, "results": found})).into_response()
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        });
        let home = home(&format!("[web.search]\nprovider = \"{provider}\"\nurl = \"{}\"\n", engine.url));
        let mut command = home.wakeful(&["exec", "search the web for x"]);
        let ran = Ran::from(command.env(variable, "k3y-of-test").stdin(Stdio::null()).output().unwrap());
        assert!(ran.out.contains("https://found.example/"), "{provider}: {}{}", ran.out, ran.err);
        let mut command = home.wakeful(&["exec", "search the web for y"]);
        let ran = Ran::from(command.env(variable, "wrong-key-of-test").stdin(Stdio::null()).output().unwrap());
        assert!(ran.out.contains("refuses the key") && !ran.out.contains("wrong-key"), "{provider}: {}", ran.out);
    }
}

/// Open-Meteo, both halves of it.
pub fn open_meteo() -> Service {
    Service::start(|request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        if request.uri().path() == "/v1/search" {
            let place = |name: &str, region: &str, country: &str, code: &str| json!({"id": 1, "name": name, "admin1": region, "country": country, "country_code": code, "latitude": 48.85, "longitude": 2.35});
            let found = if query.contains("name=Paris") {
                json!({"results": [place("Paris", "Île-de-France", "France", "FR"), place("Paris", "Texas", "United States", "US")]})
            } else if query.contains("language=zh") {
                json!({"results": [place("北京", "北京市", "中国", "CN")]})
            } else {
                json!({"generationtime_ms": 0.1})
            };
            return axum::Json(found).into_response();
        }
        let days: Vec<String> = (1..=16).map(|day| format!("2026-01-{day:02}")).collect();
        let column = |value: Value| Value::Array(vec![value; days.len()]);
        axum::Json(json!({
            "timezone": "Europe/Paris",
            "current": {"time": "2026-01-01T12:00", "temperature_2m": 8.4, "apparent_temperature": 6.1, "relative_humidity_2m": 81,
                "precipitation": 0, "weather_code": 3, "cloud_cover": 100, "wind_speed_10m": 14, "wind_direction_10m": 225, "wind_gusts_10m": 30},
            "daily": {"time": days, "weather_code": column(json!(61)), "temperature_2m_max": column(json!(9.1)),
                "temperature_2m_min": column(json!(4.2)), "precipitation_sum": column(json!(1.5)),
                "precipitation_probability_max": column(json!(40)), "wind_speed_10m_max": column(json!(22)), "uv_index_max": column(json!(1.2)),
                "sunrise": column(json!("2026-01-01T08:44")), "sunset": column(json!("2026-01-01T17:04"))},
        }))
        .into_response()
    })
}

#[test]
fn the_weather_is_told_in_english_and_chinese() {
    let service = open_meteo();
    let config = format!("[web.weather]\ngeocoding_url = \"{0}\"\nforecast_url = \"{0}\"\n", service.url);
    let ran = home(&config).run(&["exec", "what's the weather in Paris tomorrow?"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for word in [
        "Paris, Île-de-France, France",
        "overcast",
        "8.4 °C",
        "wind 14 km/h from the southwest",
        "Thursday, 2026-01-01",
        "light rain",
        "Paris, Texas, United States",
        "Open-Meteo",
    ] {
        assert!(ran.out.contains(word), "no `{word}` in {}", ran.out);
    }
    assert!(ran.out.contains("2026-01-02") && !ran.out.contains("2026-01-03"), "today and tomorrow: {}", ran.out);
    let ran = home(&config).run(&["exec", "北京天气怎么样"]);
    for word in ["北京", "阴", "小雨", "星期四", "湿度 81 %", "西南风"] {
        assert!(ran.out.contains(word), "no `{word}` in {}", ran.out);
    }
    let asked = service.asked();
    assert!(
        asked[0].starts_with("/v1/search?name=Paris&")
            && asked[1].starts_with("/v1/forecast?latitude=48.8500&longitude=2.3500&timezone=auto"),
        "{asked:?}"
    );
}

#[test]
fn the_weather_is_asked_once_and_its_units_are_real() {
    let service = open_meteo();
    let config = format!("[web.weather]\ngeocoding_url = \"{0}\"\nforecast_url = \"{0}\"\n", service.url);
    let weather = |arguments: Value| ("weather__get_weather", arguments);
    let (results, _) = called(
        &config,
        vec![
            weather(json!({"location": "Paris"})),
            weather(json!({"location": "Paris", "days": 7})),
            weather(json!({"location": "Paris, TX", "units": "imperial"})),
            weather(json!({"location": "48.85,2.35", "days": 1})),
            weather(json!({"location": "Atlantis"})),
            weather(json!({"location": "Paris", "days": 17})),
        ],
    );
    let daily = |result: &Value| result["result"]["structured"]["daily"].as_array().unwrap().len();
    assert_eq!((daily(&results[0]), daily(&results[1]), daily(&results[3])), (3, 7, 1));
    assert!(text(&results[2]).starts_with("Paris, Texas, United States") && text(&results[2]).contains("°F"), "{}", text(&results[2]));
    assert!(text(&results[4]).contains("no place `Atlantis`"), "{}", text(&results[4]));
    assert!(text(&results[5]).contains("1 to 16"), "{}", text(&results[5]));
    let asked = service.asked();
    let forecasts: Vec<&String> = asked.iter().filter(|path| path.starts_with("/v1/forecast")).collect();
    assert_eq!(forecasts.len(), 2, "one place metric, and once imperial: {asked:?}");
    assert!(forecasts[1].contains("temperature_unit=fahrenheit") && forecasts[1].contains("wind_speed_unit=mph"), "{forecasts:?}");
}

/// Consent by rule, for nobody is there.
pub const AGREED: &str = "[[approvals]]\nserver = \"notify\"\naction = \"allow\"\n";

#[test]
fn mail_is_sent_once_word_for_word_and_its_receiver_is_masked_in_events() {
    let sink = Sink::start("starttls");
    let ca = crate::mail::certificate("ca.pem");
    let home = Home::with(&format!("{AGREED}[notify.email]\nfrom = \"me@sender.test\"\nca_file = '{}'\n", ca.display()));
    let prompt = "send an email to bob@example.org with subject Lunch saying see you there";
    let mut command = home.wakeful(&["exec", prompt]);
    command
        .env("SMTP_URL", format!("smtp://{}@localhost:{}?tls=required", crate::mail::LOGIN, sink.port))
        .env("SSL_CERT_FILE", "/dev/null");
    let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap());
    assert!(ran.code == 0 && ran.out.contains("Sent to b•••@example.org"), "{}{}", ran.out, ran.err);
    let mails = sink.mails();
    let [mail] = mails.as_slice() else { panic!("one mail, not {mails:?}") };
    assert_eq!(mail["receivers"], json!(["bob@example.org"]));
    let words = mail["mail"].as_str().unwrap();
    assert!(words.contains("Subject: Lunch") && words.contains("see you there"), "{words}");
    let notices: Vec<Value> = home.events().into_iter().filter(|event| event["type"] == "notification").collect();
    let statuses: Vec<&Value> = notices.iter().map(|event| &event["data"]["status"]).collect();
    assert_eq!(statuses, [&json!("queued"), &json!("sent")]);
    assert!(notices.iter().all(|event| event["data"]["to"] == "b•••@example.org"), "{notices:?}");
}

#[test]
fn a_text_without_an_account_is_only_shown_and_without_consent_not_even_that() {
    let prompt = "text +15551234567 that I am late";
    let ran = Home::with(AGREED).run(&["exec", prompt]);
    assert!(
        ran.code == 0 && ran.out.contains("Not really sent to +1•••4567") && ran.out.contains("TWILIO_ACCOUNT_SID"),
        "{}{}",
        ran.out,
        ran.err
    );
    for arguments in [&["exec", prompt][..], &["exec", "--approvals", "auto", prompt], &["exec", "给 bob@example.org 发邮件说你好"]]
    {
        let home = Home::with("");
        let ran = home.run(arguments);
        assert_eq!(ran.code, 3, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(home.events().iter().all(|event| event["type"] != "notification"), "{arguments:?}");
    }
    let ran = Home::with(AGREED).run(&["exec", "text 12 that I am late"]);
    assert!(!ran.out.contains("ent to"), "{}", ran.out);
}

/// Asks `wakeful mcp serve` for these calls of tools over its standard streams; their results.
fn served(home: &Home, calls: &[(&str, Value)]) -> Vec<Value> {
    use std::io::{BufRead, BufReader, Write};
    let mut child = home.wakeful(&["mcp", "serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |message: Value| {
        writeln!(input, "{message}").unwrap();
        message.get("id")?;
        loop {
            let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if answer["id"] == message["id"] {
                return Some(answer);
            }
        }
    };
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    ask(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let results = calls.iter().enumerate().map(|(at, (name, arguments))| {
        let params = json!({"name": name, "arguments": arguments});
        ask(json!({"jsonrpc": "2.0", "id": at + 1, "method": "tools/call", "params": params})).unwrap()["result"].clone()
    });
    let results = results.collect();
    drop(input);
    child.wait().unwrap();
    results
}

#[test]
fn other_clients_read_pages_and_send_nothing_without_the_owner() {
    let site = site();
    let home = home("");
    let calls = [
        ("fetch_url", json!({"url": format!("{}/data", site.url)})),
        ("send_sms", json!({"to": "+1 555 123 4567", "message": "hello there"})),
        ("send_email", json!({"to": "no address", "subject": "s", "body": "b"})),
    ];
    let results = served(&home, &calls);
    assert!(results[0]["content"][0]["text"].as_str().unwrap().contains(r#"{"a": [1, 2, 3]}"#), "{}", results[0]);
    assert_eq!(results[1]["structuredContent"]["status"], "waits_for_consent", "{}", results[1]);
    assert_eq!(results[2]["isError"], true, "{}", results[2]);
    let inbox = home.run(&["inbox", "list", "--json"]);
    assert!(
        inbox.out.contains("+15551234567") && inbox.out.contains("hello there"),
        "the owner sees whom and what: {}{}",
        inbox.out,
        inbox.err
    );
    let id = results[1]["structuredContent"]["notice_id"].as_str().unwrap().to_owned();
    let statuses: Vec<Value> =
        home.events().into_iter().filter(|event| event["type"] == "notification").map(|event| event["data"]["status"].clone()).collect();
    assert_eq!(statuses, [json!("queued"), json!("suppressed")], "{id}");
}
