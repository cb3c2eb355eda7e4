//! Tests of what makes a task: the documented configs as they are stored, and every mistake with its way out.

use serde_json::json;

use super::*;

const NOW: &str = "2026-01-01T12:00:00Z";

fn defaults() -> Defaults {
    Defaults {
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        feedback_url: None,
        metrics: ["bitcoin_price".to_owned()].into(),
        selectors: None,
    }
}

fn made(task_type: &str, config: Value) -> Result<Built, SpecError> {
    let request = Request { task_type: task_type.to_owned(), description: "a test".to_owned(), config, ..Request::default() };
    build(TaskId::new("test"), &request, NOW.parse().unwrap(), &defaults())
}

/// The config as it is stored.
fn kept(task_type: &str, config: Value) -> Value {
    Value::Object(stored(&made(task_type, config).unwrap().spec.kind))
}

fn refused(task_type: &str, config: Value) -> String {
    made(task_type, config).unwrap_err().to_string()
}

fn warned(task_type: &str, config: Value) -> Vec<String> {
    made(task_type, config).unwrap().warnings
}

fn monitor(more: &Value) -> Value {
    let mut config = json!({"urls": ["https://example.com"]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn watch(more: &Value) -> Value {
    let mut config = json!({"metric": "bitcoin_price", "threshold": 100_000});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

#[test]
fn documented_configs_are_stored_as_they_came() {
    let check = |task_type: &str, text: &str| {
        let config: Value = serde_json::from_str(text).unwrap();
        for given in [config, json!(text)] {
            let built = made(task_type, given).unwrap();
            assert_eq!(serde_json::to_string(&stored(&built.spec.kind)).unwrap(), text);
            assert_eq!(built.warnings, Vec::<String>::new());
        }
    };
    let sms = r#""notification":{"method":"send_sms","phone_number":"+1234567890"}"#;
    check("web_monitor", &format!(r#"{{"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":30,{sms}}}"#));
    check("news_digest", &format!(r#"{{"news_urls":["https://techcrunch.com","https://news.ycombinator.com"],"hour":8,{sms}}}"#));
    check("schedule", &format!(r#"{{"type":"daily","hour":9,"minute":0,{sms}}}"#));
    check("schedule", r#"{"type":"interval","minutes":60,"action":"news_digest","news_urls":["https://example.com/feed"]}"#);
    check("threshold_watch", r#"{"metric":"bitcoin_price","threshold":100000,"check_interval_minutes":15}"#);
    check(
        "threshold_watch",
        r#"{"metric":"euro","threshold":1.25,"check_interval_minutes":0.5,"source":{"url":"https://example.com/api","json_pointer":"/rates/0"},"direction":"below","hysteresis":0.01,"cooldown_minutes":60,"confirm":{"hits":2,"of":3}}"#,
    );
}

#[test]
fn defaults_are_filled_in() {
    insta::assert_json_snapshot!(
        [
            kept("web_monitor", json!({"urls": ["techcrunch.com"]})),
            kept("news_digest", json!({"news_urls": ["https://example.com"]})),
            kept("schedule", json!({"type": "daily"})),
            kept("threshold_watch", watch(&json!({}))),
        ],
        @r#"
    [
      {
        "urls": [
          "https://techcrunch.com"
        ],
        "keywords": [],
        "check_interval_minutes": 30
      },
      {
        "news_urls": [
          "https://example.com"
        ],
        "hour": 8
      },
      {
        "type": "daily"
      },
      {
        "metric": "bitcoin_price",
        "threshold": 100000,
        "check_interval_minutes": 15
      }
    ]
    "#
    );
}

#[test]
fn one_meaning_is_taken() {
    assert_eq!(kept("web_monitor", monitor(&json!({"check_interval_minutes": "30"})))["check_interval_minutes"], json!(30));
    assert_eq!(kept("web_monitor", json!({"urls": "example.com:8080/a"}))["urls"], json!(["https://example.com:8080/a"]));
    assert_eq!(
        kept("web_monitor", json!({"urls": ["HTTP://example.com", "http://[::1]:80/x", "例子.cn/新闻", "localhost", "10.0.0.1"]}))["urls"]
            [2],
        json!("https://例子.cn/新闻")
    );
    assert_eq!(
        kept("web_monitor", monitor(&json!({"keywords": ["AI", " AI "], "fire_first": "true", "selector": null})))["keywords"],
        json!(["AI"])
    );
    let weekly = kept("schedule", json!({"type": "Weekly", "days": ["Mon", "weekend", "sundays"], "hour": "9"}));
    assert_eq!(weekly, json!({"type": "weekly", "hour": 9, "days": ["monday", "saturday", "sunday"]}));
    let once = kept("schedule", json!({"type": "once", "at": "2026-02-01T10:00", "timezone": "asia/tokyo"}));
    assert_eq!(once, json!({"type": "once", "at": "2026-02-01T01:00:00.000Z", "timezone": "Asia/Tokyo"}));
    assert_eq!(kept("schedule", json!({"type": "once", "at": "2026-02-01 10:00"}))["at"], json!("2026-02-01T09:00:00.000Z"));
    let sms = kept("schedule", json!({"type": "daily", "notification": {"method": "sms", "phone_number": "+1 (234) 567-890"}}));
    assert_eq!(sms["notification"], json!({"method": "send_sms", "phone_number": "+1234567890"}));
    assert_eq!(
        kept("threshold_watch", watch(&json!({"source": "example.com/price"})))["source"],
        json!({"url": "https://example.com/price"})
    );
}

#[test]
fn what_is_not_known_is_told_and_passed_over() {
    assert_eq!(
        warned("web_monitor", monitor(&json!({"keyword_list": ["AI"], "colour": 1}))),
        ["`config.keyword_list` is not known and was left out; did you mean `keywords`?", "`config.colour` is not known and was left out",]
    );
    assert_eq!(warned("web_monitor", json!({"url": "example.com"})), ["`config.url` was read as `config.urls`"]);
    assert_eq!(
        warned("schedule", json!({"cron": "0 9 * * *", "hour": 3})),
        ["`config.type` is `cron`, because `config.cron` is given", "`config.hour` has no meaning for `cron`",]
    );
    assert_eq!(
        warned("schedule", json!({"type": "daily", "notification": {"email": "a@b.example"}})),
        ["`config.notification.method` is `send_email`, because `config.notification.email` is given",]
    );
}

#[test]
fn mistakes_name_the_field_and_the_way_out() {
    let none = json!({});
    let table: Vec<(&str, Value)> = vec![
        ("web_monitr", none.clone()),
        ("", none.clone()),
        ("web_monitor", none.clone()),
        ("web_monitor", json!([1])),
        ("web_monitor", json!("{\"urls\": [\"https://example.com\",]}")),
        ("web_monitor", json!({"urls": []})),
        ("web_monitor", json!({"urls": ["https://example.com", "not an address"]})),
        ("web_monitor", json!({"urls": ["ftp://example.com"]})),
        ("web_monitor", json!({"urls": ["https://me:secret@example.com"]})),
        ("web_monitor", json!({"urls": ["javascript:alert(1)"]})),
        ("web_monitor", json!({"urls": vec!["https://example.com"; 51]})),
        ("web_monitor", monitor(&json!({"keywords": vec!["x"; 101]}))),
        ("web_monitor", monitor(&json!({"check_interval_minutes": 0.001}))),
        ("web_monitor", monitor(&json!({"check_interval_minutes": "often"}))),
        ("web_monitor", monitor(&json!({"ignore": ["ok", "(unclosed"]}))),
        ("web_monitor", monitor(&json!({"json_pointer": "data.price"}))),
        ("web_monitor", monitor(&json!({"selector": "main", "xpath": "//main"}))),
        ("web_monitor", monitor(&json!({"timezone": "Europe/Berln"}))),
        ("web_monitor", monitor(&json!({"timezone": "berlin"}))),
        ("web_monitor", monitor(&json!({"catch_up": "newest"}))),
        ("web_monitor", monitor(&json!({"start_at": "2026-03-01T00:00:00Z", "end_at": "2026-02-01T00:00:00Z"}))),
        ("web_monitor", monitor(&json!({"end_at": "2025-02-01T00:00:00Z"}))),
        ("web_monitor", monitor(&json!({"max_runs": 0}))),
        ("web_monitor", monitor(&json!({"notification": "send_sms"}))),
        ("web_monitor", monitor(&json!({"notification": {"method": "send_sms"}}))),
        ("web_monitor", monitor(&json!({"notification": {"method": "send_sms", "phone_number": "555-1234"}}))),
        ("web_monitor", monitor(&json!({"notification": {"method": "send_emails", "email": "a@b.example"}}))),
        ("web_monitor", monitor(&json!({"notification": {"method": "send_email", "email": "nobody"}}))),
        ("web_monitor", monitor(&json!({"notification": {"method": "webhook"}}))),
        ("web_monitor", monitor(&json!({"notification": {"method": "pigeon"}}))),
        ("schedule", none.clone()),
        ("schedule", json!({"type": "daily", "hour": 27})),
        ("schedule", json!({"type": "daily", "hour": 9.5})),
        ("schedule", json!({"type": "daily", "minute": 60})),
        ("schedule", json!({"type": "weekly"})),
        ("schedule", json!({"type": "weekly", "days": ["mo", "friday"]})),
        ("schedule", json!({"type": "cron"})),
        ("schedule", json!({"type": "cron", "cron": "0 25 * * *"})),
        ("schedule", json!({"type": "once", "at": "2025-12-31T00:00:00Z"})),
        ("schedule", json!({"type": "once", "at": "tomorrow"})),
        ("schedule", json!({"type": "daily", "action": "news_digest"})),
        ("schedule", json!({"type": "daily", "hour": 9, "end_at": "2026-01-01T20:00:00Z"})),
        ("news_digest", json!({"news_urls": ["https://example.com"], "top": 11})),
        ("threshold_watch", json!({"metric": "bitcoin_price"})),
        ("threshold_watch", watch(&json!({"metric": "bitcoin"}))),
        ("threshold_watch", watch(&json!({"threshold": "many"}))),
        ("threshold_watch", watch(&json!({"source": {}}))),
        ("threshold_watch", watch(&json!({"source": {"server": "prices"}}))),
        ("threshold_watch", watch(&json!({"source": {"url": "https://example.com", "command": ["cat"]}}))),
        ("threshold_watch", watch(&json!({"source": {"command": "cat price"}}))),
        ("threshold_watch", watch(&json!({"confirm": {"hits": 3, "of": 2}}))),
    ];
    let told: Vec<String> = table.into_iter().map(|(task_type, config)| refused(task_type, config)).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn arguments_have_bounds() {
    let check = |request: Request| build(TaskId::new("test"), &request, NOW.parse().unwrap(), &defaults()).unwrap_err().to_string();
    let request =
        Request { task_type: "schedule".to_owned(), description: "x".to_owned(), config: json!({"type": "daily"}), ..Request::default() };
    assert_eq!(
        check(Request { description: " \u{1b}[2J ".to_owned(), ..request.clone() }),
        "`description`: is empty; say in a sentence what the task is for"
    );
    assert_eq!(
        check(Request { description: "x".repeat(501), ..request.clone() }),
        "`description`: is 501 characters long; give at most 500"
    );
    assert_eq!(check(Request { config: json!("x".repeat(65_537)), ..request.clone() }), "`config`: has 65537 bytes; give at most 65536");
    assert_eq!(check(Request { user_id: Some("x".repeat(129)), ..request.clone() }), "`user_id`: is too long; give at most 128 characters");
    assert_eq!(
        check(Request { callback_url: Some("nowhere".to_owned()), ..request }),
        "`callback_url`: `nowhere` is no address; give an address such as https://example.com/news"
    );
}

#[test]
fn owner_and_callback_have_defaults() {
    let request =
        Request { task_type: "schedule".to_owned(), description: "x".to_owned(), config: json!({"type": "daily"}), ..Request::default() };
    let with_feedback = Defaults { feedback_url: Some("https://example.com/feedback".to_owned()), ..defaults() };
    let spec = build(TaskId::new("test"), &request, NOW.parse().unwrap(), &with_feedback).unwrap().spec;
    assert_eq!((spec.user_id.as_str(), spec.callback_url.as_deref()), ("default", Some("https://example.com/feedback")));
}

#[test]
fn selectors_are_checked_by_those_who_know_them() {
    let check: SelectorCheck = |kind, text| if text.contains("[[") { Err(format!("{kind:?} with `[[`")) } else { Ok(()) };
    let defaults = Defaults { selectors: Some(check), ..defaults() };
    let request =
        |config: Value| Request { task_type: "web_monitor".to_owned(), description: "x".to_owned(), config, ..Request::default() };
    let now = NOW.parse().unwrap();
    let error = build(TaskId::new("test"), &request(monitor(&json!({"ignore_selectors": ["a", "b[["]}))), now, &defaults).unwrap_err();
    assert_eq!(error.to_string(), "`config.ignore_selectors[1]`: `b[[` is no CSS selector: Css with `[[`; give one such as `main .price`");
    assert!(build(TaskId::new("test"), &request(monitor(&json!({"xpath": "//h1"}))), now, &defaults).is_ok());
}

#[test]
fn an_update_merges_and_tells_what_changed() {
    let spec =
        made("web_monitor", monitor(&json!({"keywords": ["AI"], "notification": {"method": "send_sms", "phone_number": "+1234567890"}})))
            .unwrap()
            .spec;
    let change = |changes: Value| update(&spec, changes.as_object().unwrap(), NOW.parse().unwrap(), &defaults());
    let built = change(json!({"description": "another", "config": {"check_interval_minutes": 5, "keywords": null, "notification": {"phone_number": "+4912345678"}}})).unwrap();
    assert_eq!(built.changed, ["description", "config.check_interval_minutes", "config.keywords", "config.notification"]);
    assert_eq!(
        Value::Object(stored(&built.spec.kind)),
        json!({"urls": ["https://example.com"], "keywords": [], "check_interval_minutes": 5, "notification": {"method": "send_sms", "phone_number": "+4912345678"}})
    );
    assert_eq!(built.spec.task_id, spec.task_id);
    assert_eq!(change(json!({"config": "{\"keywords\": [\"AI\"]}", "task_id": "x"})).unwrap().changed, Vec::<String>::new());
    assert_eq!(change(json!({"config": {"urls": null}})).unwrap_err().field, "config.urls");
    assert_eq!(
        change(json!({"task_type": "schedule"})).unwrap_err().to_string(),
        "`task_type`: stays `web_monitor`; make a new task, and delete this one"
    );
    assert_eq!(
        change(json!({"desciption": "x"})).unwrap().warnings,
        ["`desciption` is not known and was left out; did you mean `description`?"]
    );
}

#[test]
fn what_has_passed_may_stay_in_an_update() {
    let spec = made("schedule", json!({"type": "once", "at": "2026-02-01T00:00:00Z"})).unwrap().spec;
    let change = |changes: Value| update(&spec, changes.as_object().unwrap(), "2026-03-01T00:00:00Z".parse().unwrap(), &defaults());
    assert!(change(json!({"config": {"action": "water the plants"}})).is_ok());
    assert_eq!(change(json!({"config": {"at": "2026-02-15T00:00:00Z"}})).unwrap_err().field, "config.at");
}

#[test]
fn nonsense_of_any_size_is_answered_in_short() {
    let mut config = monitor(&json!({}));
    for index in 0..500 {
        config[format!("nonsense {index} {}", "x".repeat(100))] = json!(1);
    }
    let warnings = warned("web_monitor", config);
    assert_eq!(warnings.len(), WARNINGS_MAX);
    assert!(warnings.iter().all(|warning| warning.len() < 200));
    let error = refused("web_monitor", json!({"urls": [format!("{} {}", "y".repeat(1_000), "\u{1b}[31m")]}));
    assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
}
