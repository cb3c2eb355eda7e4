//! Requests about background tasks in Chinese.

use super::check_all;

#[test]
fn pages_are_watched() {
    check_all(&[
        (
            "监控 TechCrunch 的 AI 新闻，每30分钟检查一次，有更新发短信到 +1234567890",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":30,"notification":{"method":"send_sms","phone_number":"+1234567890"}} "监控 TechCrunch 的 AI 新闻""#,
        ),
        (
            "监控36氪关于人工智能的新闻",
            r#"web_monitor {"urls":["https://36kr.com"],"keywords":["人工智能"],"check_interval_minutes":30} *"#,
        ),
        ("每小时检查一次少数派有没有更新", r#"web_monitor {"urls":["https://sspai.com"],"keywords":[],"check_interval_minutes":60} *"#),
        (
            "帮我盯着 https://example.com/news，有变化就通知我",
            r#"web_monitor {"urls":["https://example.com/news"],"keywords":[],"check_interval_minutes":30} *"#,
        ),
        (
            "关注 Hacker News 上提到 Rust 的帖子",
            r#"web_monitor {"urls":["https://news.ycombinator.com"],"keywords":["Rust"],"check_interval_minutes":30} *"#,
        ),
        (
            "每隔10分钟监控一次 example.com 的变化",
            r#"web_monitor {"urls":["https://example.com"],"keywords":[],"check_interval_minutes":10} *"#,
        ),
        (
            "半小时一次监控知乎关于大模型的内容",
            r#"web_monitor {"urls":["https://www.zhihu.com"],"keywords":["大模型"],"check_interval_minutes":30} *"#,
        ),
        (
            "监控 BBC 和路透社，关键词：地震、海啸",
            r#"web_monitor {"urls":["https://www.bbc.com/news","https://www.reuters.com"],"keywords":["地震","海啸"],"check_interval_minutes":30} *"#,
        ),
        (
            "如果 GitHub 有更新，请发邮件到 a@b.com 通知我",
            r#"web_monitor {"urls":["https://github.com"],"keywords":[],"check_interval_minutes":30,"notification":{"method":"send_email","email":"a@b.com"}} *"#,
        ),
        ("跟踪虎嗅网站每两小时检查", r#"web_monitor {"urls":["https://www.huxiu.com"],"keywords":[],"check_interval_minutes":120} *"#),
        (
            "监控 TechCrunch，用短信通知我",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":[],"check_interval_minutes":30,"notification":{"method":"send_sms"}} *"#,
        ),
        (
            "每天两次查看机器之心有没有关于机器人的新闻",
            r#"web_monitor {"urls":["https://www.jiqizhixin.com"],"keywords":["机器人"],"check_interval_minutes":720} *"#,
        ),
        ("监控一个网页", "ask: Which page shall I watch?*"),
        (
            "当 TechCrunch 发布关于 OpenAI 的文章时告诉我",
            r#"web_monitor {"urls":["https://techcrunch.com"],"keywords":["OpenAI"],"check_interval_minutes":30} *"#,
        ),
        (
            "每15分钟监控 V2EX，包含“Rust”",
            r#"web_monitor {"urls":["https://www.v2ex.com"],"keywords":["Rust"],"check_interval_minutes":15} *"#,
        ),
    ]);
}

#[test]
fn digests_are_sent() {
    check_all(&[
        (
            "每天早上8点给我发 TechCrunch 和 Hacker News 的新闻摘要",
            r#"news_digest {"news_urls":["https://techcrunch.com","https://news.ycombinator.com"],"hour":8} *"#,
        ),
        (
            "每天早上8点半发一份36氪和少数派的早报到 +8613800138000",
            r#"news_digest {"news_urls":["https://36kr.com","https://sspai.com"],"hour":8,"minute":30,"notification":{"method":"send_sms","phone_number":"+8613800138000"}} *"#,
        ),
        (
            "每晚九点用邮件发 BBC 新闻摘要给 a@b.com",
            r#"news_digest {"news_urls":["https://www.bbc.com/news"],"hour":21,"notification":{"method":"send_email","email":"a@b.com"}} *"#,
        ),
        ("每天中午汇总新浪和网易新闻", r#"news_digest {"news_urls":["https://news.sina.com.cn","https://news.163.com"],"hour":12} *"#),
        ("我想要一份每天的新闻简报", "ask: Which sites shall the digest take its news from?*"),
        (
            "每周一早上9点发 TechCrunch 的摘要",
            r#"schedule {"type":"weekly","days":["monday"],"hour":9,"minute":0,"action":"news_digest","news_urls":["https://techcrunch.com"]} *"#,
        ),
        (
            "工作日早上7点给我推送澎湃新闻的头条",
            r#"schedule {"type":"weekly","days":["monday","tuesday","wednesday","thursday","friday"],"hour":7,"minute":0,"action":"news_digest","news_urls":["https://www.thepaper.cn"]} *"#,
        ),
        ("每天 8:15 发送 Hacker News 摘要", r#"news_digest {"news_urls":["https://news.ycombinator.com"],"hour":8,"minute":15} *"#),
        ("每天早上发 IT之家 的新闻", r#"news_digest {"news_urls":["https://www.ithome.com"],"hour":8} *"#),
    ]);
}

#[test]
fn reminders_are_set() {
    check_all(&[
        ("每天9点提醒我检查项目进度", r#"schedule {"type":"daily","hour":9,"minute":0} "检查项目进度""#),
        ("提醒我每天9点检查项目进度", r#"schedule {"type":"daily","hour":9,"minute":0} "检查项目进度""#),
        ("每天早上九点半提醒我吃药", r#"schedule {"type":"daily","hour":9,"minute":30} "吃药""#),
        ("每天晚上10点提醒我睡觉", r#"schedule {"type":"daily","hour":22,"minute":0} "睡觉""#),
        ("每小时提醒我喝水", r#"schedule {"type":"interval","minutes":60} "喝水""#),
        ("每隔45分钟提醒我站起来活动", r#"schedule {"type":"interval","minutes":45} "站起来活动""#),
        ("每周一和周四上午10点提醒我开会", r#"schedule {"type":"weekly","days":["monday","thursday"],"hour":10,"minute":0} "开会""#),
        (
            "工作日下午5点半提醒我写日报",
            r#"schedule {"type":"weekly","days":["monday","tuesday","wednesday","thursday","friday"],"hour":17,"minute":30} "写日报""#,
        ),
        ("周一到周三早上8点提醒我跑步", r#"schedule {"type":"weekly","days":["monday","tuesday","wednesday"],"hour":8,"minute":0} "跑步""#),
        ("周末上午11点提醒我打扫卫生", r#"schedule {"type":"weekly","days":["saturday","sunday"],"hour":11,"minute":0} "打扫卫生""#),
        ("明天上午9点提醒我给银行打电话", r#"current_time {} -> schedule {"type":"once","at":"day +1 09:00"} "给银行打电话""#),
        ("20分钟后提醒我关火", r#"current_time {} -> schedule {"type":"once","at":"in 1200 s"} "关火""#),
        ("半小时后提醒我出门", r#"current_time {} -> schedule {"type":"once","at":"in 1800 s"} "出门""#),
        ("后天下午三点提醒我交报告", r#"current_time {} -> schedule {"type":"once","at":"day +2 15:00"} "交报告""#),
        ("12月24日晚上6点提醒我包礼物", r#"current_time {} -> schedule {"type":"once","at":"date year-12-24 18:00"} "包礼物""#),
        ("下周一上午9点提醒我评审", r#"current_time {} -> schedule {"type":"once","at":"weekday-next 0 09:00"} "评审""#),
        ("今晚8点提醒我倒垃圾", r#"current_time {} -> schedule {"type":"once","at":"day +0 20:00"} "倒垃圾""#),
        ("每月1号10点提醒我交房租", r#"schedule {"type":"cron","cron":"0 10 1 * *"} "交房租""#),
        ("每天9点和18点提醒我打卡", r#"schedule {"type":"cron","cron":"0 9,18 * * *"} "打卡""#),
        ("每天北京时间9点提醒我看盘", r#"schedule {"type":"daily","hour":9,"minute":0,"timezone":"Asia/Shanghai"} "看盘""#),
        (
            "每天9点短信提醒我喝水，号码 13800138000",
            r#"schedule {"type":"daily","hour":9,"minute":0,"notification":{"method":"send_sms","phone_number":"13800138000"}} "喝水""#,
        ),
        ("请在每天17:45提醒我下班", r#"schedule {"type":"daily","hour":17,"minute":45} "下班""#),
        ("提醒我买牛奶", "ask: When shall that be?*"),
        ("明天提醒我买牛奶", "ask: At what time of that day?"),
        ("设置一个提醒", "ask: What shall I remind you of?"),
        ("设置一个每天9点的提醒：检查项目进度", r#"schedule {"type":"daily","hour":9,"minute":0} "检查项目进度""#),
    ]);
}

#[test]
fn numbers_are_watched_and_prompts_are_scheduled() {
    check_all(&[
        (
            "比特币跌破 9 万时通知我",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":90000,"check_interval_minutes":15,"direction":"below"} *"#,
        ),
        (
            "当以太坊价格高于5000时发短信给我",
            r#"threshold_watch {"metric":"ethereum_price","threshold":5000,"check_interval_minutes":15,"direction":"above","notification":{"method":"send_sms"}} *"#,
        ),
        (
            "如果黄金超过2500，每5分钟检查一次，通知我",
            r#"threshold_watch {"metric":"gold_price","threshold":2500,"check_interval_minutes":5,"direction":"above"} *"#,
        ),
        (
            "比特币涨到10万告诉我",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":100000,"check_interval_minutes":15,"direction":"above"} *"#,
        ),
        (
            "特斯拉股价低于200时发邮件到 x@y.com",
            r#"threshold_watch {"metric":"tesla_stock_price","threshold":200,"check_interval_minutes":15,"direction":"below","notification":{"method":"send_email","email":"x@y.com"}} *"#,
        ),
        (
            "监控比特币，突破12万提醒我",
            r#"threshold_watch {"metric":"bitcoin_price","threshold":120000,"check_interval_minutes":15,"direction":"above"} *"#,
        ),
        ("每天7点总结我的待办事项", r#"schedule {"type":"daily","hour":7,"minute":0,"action":"总结我的待办事项"} *"#),
        ("每周五下午4点写一份周总结", r#"schedule {"type":"weekly","days":["friday"],"hour":16,"minute":0,"action":"写一份周总结"} *"#),
    ]);
}

#[test]
fn tasks_are_listed_and_managed() {
    let by = |tool: &str, words: &str| format!("list_background_tasks {{}} -> {tool} {{\"task_id\":\"{words}\"}}");
    let rows = [
        ("列出我的任务", "list_background_tasks {}".to_owned()),
        ("任务列表", "list_background_tasks {}".to_owned()),
        ("我有哪些提醒？", "list_background_tasks {}".to_owned()),
        ("你在监控什么？", "list_background_tasks {}".to_owned()),
        ("查看所有后台任务", "list_background_tasks {}".to_owned()),
        ("任务", "list_background_tasks {}".to_owned()),
        ("调度器在运行吗？", "get_event_sourcing_status {}".to_owned()),
        ("事件溯源状态", "get_event_sourcing_status {}".to_owned()),
        ("暂停 TechCrunch 监控", by("pause_background_task", "TechCrunch 监控")),
        ("把 TechCrunch 的监控暂停一下", by("pause_background_task", "TechCrunch 的监控")),
        ("恢复 TechCrunch 监控", by("resume_background_task", "TechCrunch 监控")),
        ("删除喝水的提醒", by("delete_background_task", "喝水的提醒")),
        ("取消每日摘要", by("delete_background_task", "每日摘要")),
        ("不要再监控 TechCrunch 了", by("delete_background_task", "TechCrunch")),
        ("立即运行摘要", by("run_background_task", "摘要")),
        ("预览 TechCrunch 监控", by("preview_background_task", "TechCrunch 监控")),
        ("比特币告警为什么触发了？", by("get_background_task_history", "比特币告警")),
        ("查看 TechCrunch 监控的历史", by("get_background_task_history", "TechCrunch")),
        ("删除任务 3f2a", "delete_background_task {\"task_id\":\"3f2a\"}".to_owned()),
        ("暂停所有任务", by("pause_background_task", "*任务")),
        (
            "把 TechCrunch 监控改成每10分钟",
            r#"list_background_tasks {} -> update_background_task {"task_id":"TechCrunch 监控","change":{"every":10}}"#.to_owned(),
        ),
    ];
    check_all(&rows.iter().map(|(text, expected)| (*text, expected.as_str())).collect::<Vec<_>>());
}

#[test]
fn what_is_no_request_makes_no_task() {
    check_all(&[
        ("不要提醒我", "say Negated"),
        ("怎么创建任务？", "say HowTo"),
        ("什么是监控？", "say HowTo"),
        ("看电影", "unknown*"),
        ("找工作", "unknown*"),
    ]);
}
