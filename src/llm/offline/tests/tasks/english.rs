//! Requests about background tasks in English.

use super::check_all;

#[test]
fn the_three_examples_give_the_documented_configs() {
    check_all(&[
        (
            "Monitor TechCrunch for AI news every 30 minutes and text +1234567890",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":30,"notification":{"method":"send_sms","phone_number":"+1234567890"}} "Monitor TechCrunch for AI news""#,
        ),
        (
            "Send me a digest of TechCrunch and Hacker News every morning at 8 by SMS to +1234567890",
            r#"news_digest {"news_urls":["https://techcrunch.com","https://news.ycombinator.com"],"hour":8,"notification":{"method":"send_sms","phone_number":"+1234567890"}} "Send me a digest of TechCrunch and Hacker News""#,
        ),
        (
            "Remind me to check project status every day at 9 by SMS to +1234567890",
            r#"schedule {"type":"daily","hour":9,"minute":0,"notification":{"method":"send_sms","phone_number":"+1234567890"}} "check project status""#,
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn pages_are_watched() {
    check_all(&[
        (
            "watch techcrunch.com for AI every 10 minutes",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":10} *"#,
        ),
        (
            "Please monitor https://example.com/news for changes",
            r#"web_monitor {"urls":["https://example.com/news"],"keywords":[],"check_interval_minutes":30} *"#,
        ),
        (
            "keep an eye on Hacker News for Rust and Zig",
            r#"web_monitor {"urls":["https://news.ycombinator.com"],"keywords":["Rust","Zig"],"check_interval_minutes":30} *"#,
        ),
        (
            "track The Verge and Wired.com for \"Apple Vision\" hourly",
            r#"web_monitor {"urls":["https://www.theverge.com","https://www.wired.com"],"keywords":["Apple Vision"],"check_interval_minutes":60} *"#,
        ),
        (
            "every half an hour check bbc.com for news about climate",
            r#"web_monitor {"urls":["https://bbc.com"],"keywords":["climate"],"check_interval_minutes":30} *"#,
        ),
        (
            "check Reuters every 2 hours for mentions of inflation or interest rates",
            r#"web_monitor {"urls":["https://www.reuters.com"],"keywords":["inflation","interest rates"],"check_interval_minutes":120} *"#,
        ),
        (
            "Tell me when Ars Technica writes about SpaceX",
            r#"web_monitor {"urls":["https://arstechnica.com"],"keywords":["SpaceX"],"check_interval_minutes":30} *"#,
        ),
        (
            "notify me by email at a@b.co when https://shop.example.com/item changes",
            r#"web_monitor {"urls":["https://shop.example.com/item"],"keywords":[],"check_interval_minutes":30,"notification":{"method":"send_email","email":"a@b.co"}} *"#,
        ),
        (
            "Let me know if Hacker News mentions wakeful",
            r#"web_monitor {"urls":["https://news.ycombinator.com"],"keywords":["wakeful"],"check_interval_minutes":30} *"#,
        ),
        (
            "watch Hacker News for GitHub",
            r#"web_monitor {"urls":["https://news.ycombinator.com"],"keywords":["GitHub"],"check_interval_minutes":30} *"#,
        ),
        (
            "watch for AI news on TechCrunch",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":30} *"#,
        ),
        (
            "monitor TechCrunch every 10 seconds",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":[],"check_interval_minutes":0.166667} *"#,
        ),
        (
            "monitor CNN twice a day for earthquakes",
            r#"web_monitor {"urls":["https://www.cnn.com"],"keywords":["earthquakes"],"check_interval_minutes":720} *"#,
        ),
        (
            "watch rust-lang/rust releases on GitHub",
            r#"web_monitor {"urls":["https://github.com/rust-lang/rust/releases"],"keywords":[],"check_interval_minutes":30} *"#,
        ),
        (
            "monitor r/rust for async every 15 min",
            r#"web_monitor {"urls":["https://www.reddit.com/r/rust"],"keywords":["async"],"check_interval_minutes":15} *"#,
        ),
        (
            "Could you watch the BBC for news about elections and send it to my ntfy topic alerts?",
            r#"web_monitor {"urls":["https://www.bbc.com/news"],"keywords":["elections"],"check_interval_minutes":30,"notification":{"method":"ntfy","topic":"alerts"}} *"#,
        ),
        (
            "watch https://example.com and post to webhook https://hooks.example.com/x",
            r#"web_monitor {"urls":["https://example.com"],"keywords":[],"check_interval_minutes":30,"notification":{"method":"webhook","url":"https://hooks.example.com/x"}} *"#,
        ),
        (
            "watch https://example.com with a desktop notification",
            r#"web_monitor {"urls":["https://example.com"],"keywords":[],"check_interval_minutes":30,"notification":{"method":"desktop"}} *"#,
        ),
        (
            "monitor TechCrunch for AI and text me",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":30,"notification":{"method":"send_sms"}} *"#,
        ),
        (
            "Watch TechCrunch. Check every 5 minutes. Text me at +4915112345678.",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":[],"check_interval_minutes":5,"notification":{"method":"send_sms","phone_number":"+4915112345678"}} *"#,
        ),
        (
            "start monitoring the Rust Blog for new posts",
            r#"web_monitor {"urls":["https://blog.rust-lang.org"],"keywords":[],"check_interval_minutes":30} *"#,
        ),
        (
            "set up a monitor for https://status.example.com every minute",
            r#"web_monitor {"urls":["https://status.example.com"],"keywords":[],"check_interval_minutes":1} *"#,
        ),
        (
            "monitor techcrunch.com, theverge.com and wired.com for 'quantum' and 'fusion' every hour",
            r#"web_monitor {"urls":["https://techcrunch.com","https://theverge.com","https://www.wired.com"],"keywords":["quantum","fusion"],"check_interval_minutes":60} *"#,
        ),
        (
            "follow Phoronix for Wayland news every 45 minutes",
            r#"web_monitor {"urls":["https://www.phoronix.com"],"keywords":["Wayland"],"check_interval_minutes":45} *"#,
        ),
        (
            "I want you to watch Slashdot for Linux",
            r#"web_monitor {"urls":["https://slashdot.org"],"keywords":["Linux"],"check_interval_minutes":30} *"#,
        ),
        (
            "text +15551234567 whenever Bloomberg publishes something about oil",
            r#"web_monitor {"urls":["https://www.bloomberg.com"],"keywords":["oil"],"check_interval_minutes":30,"notification":{"method":"send_sms","phone_number":"+15551234567"}} *"#,
        ),
        (
            "monitor LWN for kernel every hour and a half",
            r#"web_monitor {"urls":["https://lwn.net"],"keywords":["kernel"],"check_interval_minutes":90} *"#,
        ),
        (
            "watch example.com/prices css selector `#price`",
            r##"web_monitor {"urls":["https://example.com/prices"],"keywords":[],"check_interval_minutes":30,"selector":"#price"} *"##,
        ),
        (
            "check CoinDesk three times a day for ETF",
            r#"web_monitor {"urls":["https://www.coindesk.com"],"keywords":["ETF"],"check_interval_minutes":480} *"#,
        ),
        (
            "watch Lobsters for keywords: nix, guix, haskell",
            r#"web_monitor {"urls":["https://lobste.rs"],"keywords":["nix","guix","haskell"],"check_interval_minutes":30} *"#,
        ),
        ("monitor a website for changes", "ask: Which page shall I watch? Give its address or the name of a well-known site."),
        ("watch the news for floods and text me", "ask: Which page shall I watch? Give its address or the name of a well-known site."),
    ]);
}

#[test]
fn digests_are_sent() {
    check_all(&[
        (
            "Send me a news digest from TechCrunch every day at 7:30",
            r#"news_digest {"news_urls":["https://techcrunch.com"],"hour":7,"minute":30} *"#,
        ),
        (
            "give me a daily digest of BBC, Reuters and The Guardian at 6pm",
            r#"news_digest {"news_urls":["https://www.bbc.com/news","https://www.reuters.com","https://www.theguardian.com"],"hour":18} *"#,
        ),
        (
            "every evening email me@example.org a digest of Hacker News",
            r#"news_digest {"news_urls":["https://news.ycombinator.com"],"hour":18,"notification":{"method":"send_email","email":"me@example.org"}} *"#,
        ),
        ("I'd like a morning briefing from the BBC", r#"news_digest {"news_urls":["https://www.bbc.com/news"],"hour":8} *"#),
        (
            "digest of Hacker News and Lobsters at 9 in the evening",
            r#"news_digest {"news_urls":["https://news.ycombinator.com","https://lobste.rs"],"hour":21} *"#,
        ),
        ("send me the news from Ars Technica every morning", r#"news_digest {"news_urls":["https://arstechnica.com"],"hour":8} *"#),
        (
            "send me the top 5 headlines from Reuters every day at noon",
            r#"news_digest {"news_urls":["https://www.reuters.com"],"hour":12,"top":5} *"#,
        ),
        (
            "summarize the news from Wired.com and The Verge every day at 8 am",
            r#"news_digest {"news_urls":["https://www.wired.com","https://www.theverge.com"],"hour":8} *"#,
        ),
        (
            "a digest of TechCrunch about AI and robotics every day at 8 please, send it by email",
            r#"news_digest {"news_urls":["https://techcrunch.com"],"hour":8,"categories":["AI","robotics"],"notification":{"method":"send_email"}} *"#,
        ),
        (
            "news digest of https://a.example/feed.xml daily at 5:45am Berlin time",
            r#"news_digest {"news_urls":["https://a.example/feed.xml"],"hour":5,"minute":45,"timezone":"Europe/Berlin"} *"#,
        ),
        (
            "Send me a digest of TechCrunch every Monday at 9",
            r#"schedule {"type":"weekly","days":["monday"],"hour":9,"minute":0,"action":"news_digest","news_urls":["https://techcrunch.com"]} *"#,
        ),
        (
            "Send me a weekday digest of Hacker News at 8",
            r#"schedule {"type":"weekly","days":["monday","tuesday","wednesday","thursday","friday"],"hour":8,"minute":0,"action":"news_digest","news_urls":["https://news.ycombinator.com"]} *"#,
        ),
        ("create a daily news digest", "ask: Which sites shall the digest take its news from? Give names or addresses."),
        ("send me a news digest every morning", "ask: Which sites shall the digest take its news from? Give names or addresses."),
        (
            "deliver a round-up of CNN and NPR at midnight",
            r#"news_digest {"news_urls":["https://www.cnn.com","https://www.npr.org"],"hour":0} *"#,
        ),
    ]);
}

#[test]
fn reminders_are_set() {
    check_all(&[
        ("remind me every day at 9 to check project status", r#"schedule {"type":"daily","hour":9,"minute":0} "check project status""#),
        ("Every day at 9, remind me to stand up", r#"schedule {"type":"daily","hour":9,"minute":0} "stand up""#),
        ("remind me to drink water every hour", r#"schedule {"type":"interval","minutes":60} "drink water""#),
        ("remind me to stretch every 20 minutes", r#"schedule {"type":"interval","minutes":20} "stretch""#),
        (
            "remind me every Monday and Thursday at 9 to water the plants",
            r#"schedule {"type":"weekly","days":["monday","thursday"],"hour":9,"minute":0} "water the plants""#,
        ),
        (
            "on weekdays at 8:45am remind me about the standup",
            r#"schedule {"type":"weekly","days":["monday","tuesday","wednesday","thursday","friday"],"hour":8,"minute":45} "the standup""#,
        ),
        (
            "remind me on weekends at 10 to call mom",
            r#"schedule {"type":"weekly","days":["saturday","sunday"],"hour":10,"minute":0} "call mom""#,
        ),
        ("set a reminder to take my pills every day at 8 and 20", r#"schedule {"type":"cron","cron":"0 8,20 * * *"} "take my pills""#),
        (
            "remind me at half past eight every evening to lock the door",
            r#"schedule {"type":"daily","hour":20,"minute":30} "lock the door""#,
        ),
        ("Remind me every night at 11 to go to bed", r#"schedule {"type":"daily","hour":23,"minute":0} "go to bed""#),
        ("remind me to pay rent on the 1st of every month at 10", r#"schedule {"type":"cron","cron":"0 10 1 * *"} "pay rent""#),
        ("remind me to back up with cron 0 9 * * 1-5", r#"schedule {"type":"cron","cron":"0 9 * * 1-5"} "back up""#),
        ("remind me to back up, cron \"0 18 * * 5\"", r#"schedule {"type":"cron","cron":"0 18 * * 5"} "back up""#),
        (
            "remind me to review pull requests at 4pm every day New York time",
            r#"schedule {"type":"daily","hour":16,"minute":0,"timezone":"America/New_York"} "review pull requests""#,
        ),
        ("remind me to check the oven in 20 minutes", r#"current_time {} -> schedule {"type":"once","at":"in 1200 s"} "check the oven""#),
        ("in half an hour remind me to leave", r#"current_time {} -> schedule {"type":"once","at":"in 1800 s"} "leave""#),
        ("remind me tomorrow at 9 to call the bank", r#"current_time {} -> schedule {"type":"once","at":"day +1 09:00"} "call the bank""#),
        (
            "remind me to call the bank tomorrow morning at 9:15",
            r#"current_time {} -> schedule {"type":"once","at":"day +1 09:15"} "call the bank""#,
        ),
        (
            "remind me tonight at 8 to take out the trash",
            r#"current_time {} -> schedule {"type":"once","at":"day +0 20:00"} "take out the trash""#,
        ),
        (
            "remind me on 2026-12-01 at 10:00 to renew the domain",
            r#"current_time {} -> schedule {"type":"once","at":"date 2026-12-01 10:00"} "renew the domain""#,
        ),
        (
            "remind me on December 24 at 6pm to wrap the gifts",
            r#"current_time {} -> schedule {"type":"once","at":"date year-12-24 18:00"} "wrap the gifts""#,
        ),
        (
            "remind me on Friday at 5pm to send the report",
            r#"current_time {} -> schedule {"type":"once","at":"weekday 4 17:00"} "send the report""#,
        ),
        (
            "remind me next Monday at 9 about the review",
            r#"current_time {} -> schedule {"type":"once","at":"weekday-next 0 09:00"} "the review""#,
        ),
        ("remind me at 5pm to call Bob", r#"current_time {} -> schedule {"type":"once","at":"next +0 17:00"} "call Bob""#),
        (
            "remind me tomorrow at 9 Tokyo time to call Kenji",
            r#"current_time {"timezone":"Asia/Tokyo"} -> schedule {"type":"once","at":"day +1 09:00","timezone":"Asia/Tokyo"} "call Kenji""#,
        ),
        ("remind me every 2 hours on weekdays to rest my eyes", r#"schedule {"type":"cron","cron":"0 */2 * * 1-5"} "rest my eyes""#),
        (
            "text me \"drink water\" every day at 10",
            r#"schedule {"type":"daily","hour":10,"minute":0,"notification":{"method":"send_sms"}} "drink water""#,
        ),
        (
            "remind me daily at 9 that the build is due, by email to dev@example.com",
            r#"schedule {"type":"daily","hour":9,"minute":0,"notification":{"method":"send_email","email":"dev@example.com"}} "the build is due""#,
        ),
        (
            "Don't forget to remind me every Friday at 3pm to submit my timesheet",
            r#"schedule {"type":"weekly","days":["friday"],"hour":15,"minute":0} "submit my timesheet""#,
        ),
        ("remind me at 5", "ask: What shall I remind you of?"),
        ("remind me to buy milk", "ask: When shall that be? For example “every day at 9”, “every Monday at 17:30” or “tomorrow at noon”."),
        ("remind me tomorrow to buy milk", "ask: At what time of that day?"),
        ("set a reminder", "ask: What shall I remind you of?"),
        (
            "remind me to drink water every hour and remind me to stretch every 2 hours",
            r#"schedule {"type":"interval","minutes":60} "drink water" & schedule {"type":"interval","minutes":120} "stretch""#,
        ),
        (
            "remind me to read README.md and list the files every day at 9",
            r#"schedule {"type":"daily","hour":9,"minute":0} "read README.md and list the files""#,
        ),
        ("remind me at 8 a.m. every day to feed the cat", r#"schedule {"type":"daily","hour":8,"minute":0} "feed the cat""#),
    ]);
}

#[test]
fn numbers_are_watched() {
    check_all(&[
        (
            "tell me when bitcoin is above 100000",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":100000,"check_interval_minutes":15,"direction":"above"} *"#,
        ),
        (
            "alert me if the price of ETH drops below 3k",
            r#"threshold_watch {"metric":"ethereum_price","threshold":3000,"check_interval_minutes":15,"direction":"below"} *"#,
        ),
        (
            "text +1234567890 when BTC goes over $120,000",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":120000,"check_interval_minutes":15,"direction":"above","notification":{"method":"send_sms","phone_number":"+1234567890"}} *"#,
        ),
        (
            "watch https://api.example.com/x json pointer /price above 20",
            r#"threshold_watch {"metric":"price","threshold":20,"check_interval_minutes":15,"source":{"url":"https://api.example.com/x","json_pointer":"/price"},"direction":"above"} *"#,
        ),
        (
            "notify me when gold falls below 1,900.50 every 5 minutes",
            r#"threshold_watch {"metric":"gold_price","threshold":1900.5,"check_interval_minutes":5,"direction":"below"} *"#,
        ),
        (
            "if bitcoin crosses 90k let me know",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":90000,"check_interval_minutes":15,"direction":"cross"} *"#,
        ),
        (
            "when tesla stock hits 300 send me an email",
            r#"threshold_watch {"metric":"tesla_stock_price","threshold":300,"check_interval_minutes":15,"direction":"above","notification":{"method":"send_email"}} *"#,
        ),
        (
            "warn me if the cpu usage exceeds 90%",
            r#"threshold_watch {"metric":"cpu_usage","threshold":90,"check_interval_minutes":15,"direction":"above"} *"#,
        ),
        (
            "monitor the outside humidity and tell me if it is less than 30",
            r#"threshold_watch {"metric":"outside_humidity","threshold":30,"check_interval_minutes":15,"direction":"below"} *"#,
        ),
        (
            "alert me when bitcoin moves more than 5% in an hour",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":5,"check_interval_minutes":15,"direction":"cross","change_over_minutes":60} *"#,
        ),
        (
            "tell me when bitcoin is above 100000, at most once every 6 hours",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":100000,"check_interval_minutes":15,"direction":"above","cooldown_minutes":360} *"#,
        ),
        (
            "track https://shop.example.com/item css `.price` below 199",
            r#"threshold_watch {"metric":"price","threshold":199,"check_interval_minutes":15,"source":{"url":"https://shop.example.com/item","css":".price"},"direction":"below"} *"#,
        ),
        (
            "notify me when solana < 100",
            r#"threshold_watch {"metric":"solana_price","threshold":100,"check_interval_minutes":15,"direction":"below"} *"#,
        ),
    ]);
}

#[test]
fn prompts_are_scheduled() {
    check_all(&[
        (
            "every day at 7 summarise my open tasks",
            r#"schedule {"type":"daily","hour":7,"minute":0,"action":"summarise my open tasks"} "summarise my open tasks""#,
        ),
        (
            "Every Friday at 4pm write a summary of the week",
            r#"schedule {"type":"weekly","days":["friday"],"hour":16,"minute":0,"action":"write a summary of the week"} *"#,
        ),
        ("tell me a joke every day at 9", r#"schedule {"type":"daily","hour":9,"minute":0,"action":"tell me a joke"} *"#),
        ("every 3 hours check the disk usage", r#"schedule {"type":"interval","minutes":180,"action":"check the disk usage"} *"#),
        (
            "schedule a task to list the files in src every day at 18:00",
            r#"schedule {"type":"daily","hour":18,"minute":0,"action":"list the files in src"} *"#,
        ),
        ("list the files in 20 minutes", r#"current_time {} -> schedule {"type":"once","at":"in 1200 s","action":"list the files"} *"#),
        (
            "tomorrow at 8 summarize my calendar",
            r#"current_time {} -> schedule {"type":"once","at":"day +1 08:00","action":"summarize my calendar"} *"#,
        ),
    ]);
}

#[test]
fn tasks_are_listed_and_told_about() {
    check_all(&[
        ("list my tasks", "list_background_tasks {}"),
        ("tasks", "list_background_tasks {}"),
        ("show all background tasks", "list_background_tasks {}"),
        ("what are you watching?", "list_background_tasks {}"),
        ("What are you monitoring right now?", "list_background_tasks {}"),
        ("which reminders do I have?", "list_background_tasks {}"),
        ("do I have any reminders?", "list_background_tasks {}"),
        ("show me my monitors", "list_background_tasks {}"),
        ("what tasks are running?", "list_background_tasks {}"),
        ("list the tasks of all users", r#"list_background_tasks {"user_id":"admin"}"#),
        ("what is scheduled?", "list_background_tasks {}"),
        ("is the scheduler running?", "get_event_sourcing_status {}"),
        ("event sourcing status", "get_event_sourcing_status {}"),
        ("how many tasks are active?", "get_event_sourcing_status {}"),
        ("list the files and list my tasks", r#"list_files {"path":"."} & list_background_tasks {}"#),
    ]);
}

#[test]
fn tasks_are_managed() {
    let by = |tool: &str, words: &str| format!("list_background_tasks {{}} -> {tool} {{\"task_id\":\"{words}\"}}");
    let rows = [
        ("pause the TechCrunch monitor", by("pause_background_task", "TechCrunch monitor")),
        ("please pause my bitcoin alert", by("pause_background_task", "bitcoin alert")),
        ("mute the digest", by("pause_background_task", "digest")),
        ("stop the TechCrunch monitor for now", by("pause_background_task", "TechCrunch monitor")),
        ("resume the TechCrunch monitor", by("resume_background_task", "TechCrunch monitor")),
        ("unpause the project status reminder", by("resume_background_task", "project status reminder")),
        ("stop watching TechCrunch", by("delete_background_task", "TechCrunch")),
        ("stop reminding me to drink water", by("delete_background_task", "drink water")),
        ("don't remind me to drink water anymore", by("delete_background_task", "drink water")),
        ("delete the digest", by("delete_background_task", "digest")),
        ("cancel the reminder about project status", by("delete_background_task", "reminder about project status")),
        ("run the digest now", by("run_background_task", "digest")),
        ("check the TechCrunch monitor now", by("run_background_task", "TechCrunch monitor")),
        ("preview the TechCrunch monitor", by("preview_background_task", "TechCrunch monitor")),
        ("why did the bitcoin alert fire?", by("get_background_task_history", "bitcoin")),
        ("show the history of the TechCrunch monitor", by("get_background_task_history", "TechCrunch monitor")),
        ("what happened with the digest?", by("get_background_task_history", "digest")),
        ("pause all tasks", by("pause_background_task", "*tasks")),
        ("delete all reminders", by("delete_background_task", "*reminders")),
        ("delete task 3f2a", "delete_background_task {\"task_id\":\"3f2a\"}".to_owned()),
        ("pause task 0197a3c2-11", "pause_background_task {\"task_id\":\"0197a3c2-11\"}".to_owned()),
        ("pause a task", "ask: Which task do you mean? Give words of its description or its id.".to_owned()),
        (
            "change the TechCrunch monitor to every 10 minutes",
            r#"list_background_tasks {} -> update_background_task {"task_id":"TechCrunch monitor","change":{"every":10}}"#.to_owned(),
        ),
        (
            "move the digest to 7:30",
            r#"list_background_tasks {} -> update_background_task {"task_id":"digest","change":{"hour":7,"minute":30}}"#.to_owned(),
        ),
        (
            "add Hacker News to the digest",
            r#"list_background_tasks {} -> update_background_task {"task_id":"digest","change":{"add":{"urls":["https://news.ycombinator.com"]}}}"#.to_owned(),
        ),
        (
            "rename the TechCrunch monitor to 'AI watch'",
            r#"list_background_tasks {} -> update_background_task {"task_id":"TechCrunch monitor","change":{"description":"AI watch"}}"#.to_owned(),
        ),
    ];
    check_all(&rows.iter().map(|(text, expected)| (*text, expected.as_str())).collect::<Vec<_>>());
}

#[test]
fn what_is_no_request_makes_no_task() {
    check_all(&[
        ("don't remind me", "say Negated"),
        ("how do I create a task?", "say HowTo"),
        ("I was watching TechCrunch yesterday", "say Remark"),
        ("my reminders are a mess", "say Remark"),
        ("what is a digest?", "unknown*"),
        ("watch a movie tonight", "unknown*"),
        ("stop", "say NothingOpen"),
        ("cancel", "say NothingOpen"),
        ("pause", "unknown*"),
        ("delete README.md", "unknown*"),
        ("run cargo build", "unknown*"),
        ("why did you read README.md?", "say HowTo"),
        ("write a task", "unknown*"),
        ("what is the price of bitcoin?", "unknown*"),
    ]);
}
