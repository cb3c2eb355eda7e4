//! Requests about tasks that exist: list, pause, resume, delete, run, preview, history, change, and how the scheduler is.

use serde_json::{Map, Value, json};

use super::channel;
use super::numbers;
use super::said::{Kind, Said, url};
use super::sites;
use super::when;
use crate::llm::offline::slots::rule;
use crate::llm::offline::words::is_han;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Deed {
    /// Lists all; `all_users` those of everybody.
    List { all_users: bool },
    /// How the scheduler is.
    Status,
    /// Something with one task, or with all: the tool, the words for the task, the change.
    To { tool: &'static str, target: Target, change: Map<String, Value> },
}

/// Which task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Its id, or the beginning of it.
    Id(String),
    /// The one that was spoken of last.
    Last,
    /// Words for it.
    Words(String),
    /// All of them (of the kind the words name).
    All(String),
    /// It was not said.
    Missing,
}

pub(super) const PAUSE: &str = "pause_background_task";
pub(super) const RESUME: &str = "resume_background_task";
pub(super) const DELETE: &str = "delete_background_task";
pub(super) const RUN: &str = "run_background_task";
pub(super) const PREVIEW: &str = "preview_background_task";
pub(super) const HISTORY: &str = "get_background_task_history";
pub(super) const UPDATE: &str = "update_background_task";

macro_rules! polite {
    () => {
        r"^(?:(?:please|pls|can you|could you|would you|will you|now|ok|okay|then|and|also|so|i want you to|i want to|i'd like you to|i'd like to|let's|just|hey|go ahead and|yes)\b[\s,]*)*"
    };
}
macro_rules! things {
    () => {
        r"(?:tasks?|(?:web\s?)?monitors?|watch(?:es|ers?)|watchers?|reminders?|digests?|alerts?|alarms?|schedules?|jobs?|trackers?|notifications|automations?|briefings?|threshold(?:s| watch(?:es)?)?|price watch(?:es)?|newsletters?|watch)"
    };
}

rule!(THING = concat!(r"(?i)\b", things!(), r"\b|任务|监控|提醒|闹钟|摘要|简报|告警|预警|警报|汇总|早报|日程"));
rule!(
    LIST = concat!(
        r"(?i)",
        polite!(),
        r"(?:list|show(?: me)?|display|see|view|give me|print|get me|get|tell me(?: about)?|what are|what's|which are|check)\s+(?:a list of\s+|the list of\s+)?(?:(?:all|my|the|our|every|of|current|currently|active|paused|running|existing|background|scheduled|open|recurring|these|those|pending|web)\s+)*(?:tasks|monitors|watches|watchers|reminders|digests|alerts|alarms|schedules|jobs|trackers|automations|task list|background tasks|thresholds)(?:\s*(?:,|and)\s*(?:my\s+)?(?:tasks|monitors|watches|reminders|digests|alerts|schedules|jobs))*(?:\s+(?:list|i have|you have|that are|running|there are|please|now|set up|scheduled|active|paused|are there|of all users|of everyone|of everybody|for all users|for everyone|for me|and their \w+|with their \w+|again))*\s*[?.!]*$"
    )
);
rule!(
    LIST_WHICH = r"(?i)^(?:what|which)\s+(?:\w+\s+){0,2}(?:tasks|monitors|watches|reminders|digests|alerts|alarms|schedules|jobs|trackers)\b(?:\s+(?:do|have|are|did|am|is|were)\b.*)?[?.!\s]*$"
);
rule!(
    LIST_DOING = r"(?i)^(?:so\s+)?what(?:'s| is| are| am| have| things? are| pages? are| sites? are)?\s+(?:(?:all|you|i|we|being|currently|now|right|there)\s+)*(?:watching|monitoring|tracking|scheduled|being watched|watched|monitored|keeping an eye on|doing in the background|running in the background|going on in the background)\b.{0,24}$"
);
rule!(LIST_BARE = r"(?i)^(?:(?:all|my|the|all my)\s+)?(?:background\s+)?(?:tasks|task list|reminders|monitors)\s*[?.!]*$");
rule!(
    LIST_ANY = concat!(
        r"(?i)^(?:do i have|are there|have i got|do we have|is there)\s+(?:any|a|some|no)?\s*(?:\w+\s+){0,2}",
        things!(),
        r"\b.{0,24}$"
    )
);
rule!(
    LIST_HAN = r"^(?:请|帮我|给我|麻烦)*(?:(?:列出|列一下|显示|查看|看看|看一下|展示|看|查一下|查)(?:一下)?(?:我的?|所有的?|全部的?|当前的?|现在的?|正在运行的?|后台|定时|设置的|已有的?|有哪些|有什么|什么|哪些|都)*(?:任务|监控|提醒|定时任务|后台任务|计划任务|告警|预警|闹钟|监控任务)(?:列表|清单|情况)?|(?:我|现在|目前|当前|后台|都|一共|你|这里)*(?:有|设置了|创建了|设了|建了)(?:哪些|什么|啥|几个)(?:正在运行的|后台|定时|在跑的)*(?:任务|监控|提醒|闹钟|告警|预警|摘要)|(?:我的|所有|全部|后台|当前)*(?:任务|提醒|监控)(?:列表|清单|有哪些|都有哪些|有什么)|(?:我的|所有|全部|后台)*任务|(?:哪些|什么)(?:任务|监控|提醒)(?:在运行|在跑|正在运行))[吗呢？?。！\s]*$"
);
rule!(
    LIST_HAN_DOING = r"^(?:请问)?你?(?:现在|正在|目前|都)*在?(?:监控|监视|盯着?|关注|跟踪|监测)(?:着|些|了|的)*(?:什么|哪些|啥)(?:网站|网页|页面|东西|内容)?[呢吗？?。\s]*$"
);
rule!(EVERYBODY = r"(?i)\b(?:all users|everyone|everybody|every user)\b|所有用户|所有人|大家的");
rule!(
    STATUS = r"(?i)\b(?:scheduler|task (?:service|runner|system|engine|scheduler)|background (?:service|tasks? (?:service|system|running))|event[- ]sourcing)\b"
);
rule!(
    STATUS_ASKS =
        r"(?i)\b(?:is|are|status|running|state|alive|up|health|healthy|how|working|check|show|ok)\b|^(?:scheduler|event sourcing)$"
);
rule!(STATUS_COUNT = concat!(r"(?i)^how many\s+(?:\w+\s+)?", things!(), r"\b.{0,30}$"));
rule!(
    STATUS_HAN = r"(?:调度器|任务服务|后台服务|事件溯源|任务系统|任务调度|定时服务|后台任务服务).{0,4}(?:运行|状态|正常|吗|怎么样|情况|在跑)|(?:有|在跑|运行|共).{0,4}多少个?.{0,6}(?:任务|监控|提醒)|^(?:查看|查询|显示|看看)?(?:一下)?(?:调度器|任务系统|任务服务|事件溯源)的?(?:状态|情况)?$"
);

rule!(
    WHY = r"(?i)^(?:why|when|how often|how many times) (?:did|has|was|have|is) (?:you |the |my |it |that |this |i )?(.*?)\s*\b(?:fire|fired|trigger(?:ed)?|go off|gone off|alert(?:ed)?|notif(?:y|ied)|text(?:ed)?|ping(?:ed)?|e-?mail(?:ed)?|remind(?:ed)?|last run|last (?:fire|check|checked)|run last|run|paused|fail(?:ed)?|not fire|check(?:ed)?)\b"
);
rule!(
    WHAT_HAPPENED = r"(?i)^(?:what (?:has )?happened (?:with|to|in|on)|how did|what did|what about the (?:history|results?|last runs?) of)\s+(?:the\s+|my\s+)?(.*?)(?:\s+(?:do|go|find|see|report|run|tell me|last time))?[?.!\s]*$"
);
rule!(
    HISTORY_OF = concat!(
        r"(?i)",
        polite!(),
        r"(?:(?:show|get|give|see|tell|list|view|display|print|what's|what is)\s+(?:me\s+)?)?(?:the\s+)?(?:full\s+|recent\s+|last\s+|past\s+)*(?:history|logs?|(?:last |past |recent )*(?:runs|results?|checks|firings|activity))\s+(?:of|for|from)\s+(?:the\s+|my\s+)?(.+?)[?.!\s]*$"
    )
);
rule!(
    OF_HISTORY = concat!(
        r"(?i)",
        polite!(),
        r"(?:show|get|give|see|tell|list|view|display|print)\s+(?:me\s+)?(?:the\s+|my\s+)?(.+?)(?:'s)?\s+(?:history|logs?|runs|results?|firings)[?.!\s]*$"
    )
);
rule!(
    HAN_WHY = r"^(?:请问)?(?:为什么|为何|怎么|为啥)(.+?)(?:会|又|就|被)*(?:触发|通知|提醒|报警|告警|发短信|响|失败|暂停)(?:了|我)*[呢？?。]*$|^(.+?)(?:为什么|为何|怎么|为啥)(?:会|又|就|被|没有?)*(?:触发|通知|提醒|报警|告警|发短信|响|失败|暂停)(?:了|我)*[呢？?。]*$"
);
rule!(
    HAN_HISTORY = r"^(?:请|帮我|给我)*(?:显示|查看|看看|看一下|查一下|查|看|给我看|列出)?(?:一下)?(.+?)(?:任务|监控|提醒|摘要|告警|预警)?的?(?:历史|历史记录|运行记录|执行记录|触发记录|记录|运行历史|运行结果)[吧呢？?。]*$|^(.+?)(?:上次|最近一次|最后一次)(?:是)?(?:什么时候|何时)?(?:触发|运行|检查|执行|通知)(?:是什么时候|的)*[呢？?。]*$|^(?:上次|最近一次)(.+?)(?:是)?(?:什么时候|何时)(?:触发|运行|检查|执行)?的?[呢？?。]*$"
);

rule!(
    PAUSES = concat!(
        r"(?i)",
        polite!(),
        r"(?:pause|suspend|mute|snooze|put on hold|hold|disable|turn off|switch off|deactivate|stop|halt)\b\s*(.*?)(?:\s+(?:for now|temporarily|for a while|for the moment|until i say so))[?.!\s]*$|",
        r"(?i)^(?:(?:please|can you|could you|would you|now|ok|then|and|also|just)\b[\s,]*)*(?:pause|suspend|mute|snooze|put on hold|hold|disable|turn off|switch off|deactivate|temporarily stop)\b\s*(.*?)[?.!\s]*$"
    )
);
rule!(
    RESUMES = concat!(
        r"(?i)",
        polite!(),
        r"(?:resume|un-?pause|continue(?: with)?|restart|reactivate|re-?enable|enable|turn (?:back )?on|switch (?:back )?on|unmute|wake up)\b\s*(.*?)(?:\s+again)?[?.!\s]*$"
    )
);
rule!(
    DELETES = concat!(
        r"(?i)",
        polite!(),
        r"(?:delete|remove|cancel|drop|erase|get rid of|kill|clear|discard|stop|end|terminate)\b\s*(.*?)[?.!\s]*$"
    )
);
rule!(
    STOPS = concat!(
        r"(?i)",
        polite!(),
        r"(?:stop|quit|cease|no longer)\s+(?:watching|watch|monitoring|monitor|tracking|track|checking|check|reminding me(?: to| about| of)?|sending(?: me)?(?: the)?|texting me(?: about)?|notifying me(?: about| of| when)?|alerting me(?: about| of| when)?|telling me(?: about| when)?|following|keeping an eye on|the)\s*(.*?)(?:\s+(?:any\s?more|any longer|now|please))*[?.!\s]*$"
    )
);
rule!(
    NO_MORE = r"(?i)^(?:please\s+)?(?:don't|dont|do not|never|you need not|no need to)\s+(?:watch|monitor|track|check|remind me(?: to| about| of)?|send me(?: the)?|text me(?: about)?|notify me(?: about| of)?|alert me(?: about)?|follow)\s*(.*?)\s+(?:any\s?more|any longer|again)[?.!\s]*$"
);
rule!(
    RUNS = concat!(
        r"(?i)",
        polite!(),
        r"(?:run|execute|trigger|fire|start|kick off|launch|do|send|check|make|give me)\b\s+(?:me\s+)?(.*?)(?:\s+(?:right now|right away|now|immediately|once|again|at once|manually|please))*[?.!\s]*$"
    )
);
rule!(
    PREVIEWS = concat!(
        r"(?i)",
        polite!(),
        r"(?:preview|dry[- ]?run|test|try(?: out)?|back-?test|simulate|what would)\b\s*(.*?)(?:\s+(?:do|find|say|send|tell me|look like|now|right now|have told me))*[?.!\s]*$"
    )
);
rule!(RENAMES = concat!(r"(?i)", polite!(), r"(?:rename|retitle)\s+(.+?)\s+(?:to|as|into)\s+(.+?)[.!\s]*$"));
rule!(
    ADDS = concat!(
        r"(?i)",
        polite!(),
        r"(?:add|include)\s+(.+?)\s+(?:to|in|into)\s+(?:the\s+(?:keywords|sources|sites|pages|urls|list) of\s+)?(.+?)[.!\s]*$"
    )
);
rule!(
    TAKES = concat!(
        r"(?i)",
        polite!(),
        r"(?:remove|drop|take|exclude|delete)\s+(.+?)\s+(?:from|out of)\s+(?:the\s+(?:keywords|sources|sites|pages|urls|list) of\s+)?(.+?)[.!\s]*$"
    )
);
rule!(
    CHANGES = concat!(
        r"(?i)",
        polite!(),
        r"(?:change|set|update|edit|modify|move|reschedule|make|switch|adjust|shift|run|have|let|check|send)\s+(?:the\s+(?:interval|time|schedule|frequency|timing|period|threshold|limit|notification|channel) (?:of|for)\s+)?(.+?)\s+(?:(?:interval|time|schedule|frequency|threshold|limit)\s+)?(?:to|so that it|so it|run|runs|come|comes|check|checks|fire|start|instead|until|notify|text|email|\x{e800})\s+(.+?)(?:\s+instead)?[.!\s]*$"
    )
);
rule!(
    CHANGES_EVERY = concat!(
        r"(?i)",
        polite!(),
        r"(?:change|set|update|edit|modify|move|reschedule|make|switch|adjust|run|have|let|check|send)\s+(.+?)\s+(?:to\s+(?:run\s+)?)?((?:every|each|hourly|daily|at|twice|once|by|via|via)\b.+?)(?:\s+instead)?[.!\s]*$"
    )
);
rule!(
    HAN_CHANGES = r"^(?:请|帮我|麻烦)*(?:把|将)?(.+?)(?:的)?(?:检查)?(?:间隔|频率|时间|周期|阈值|通知方式|时刻)?(?:改成|改为|改到|调整为|调整到|调到|设为|设置为|换成|变成|修改为|挪到)(.+?)[。吧！]*$"
);
rule!(HAN_RENAMES = r"^(?:请|帮我)*(?:把|将)(.+?)(?:改名为?|重命名为|改名叫)(.+?)[。吧！]*$");
rule!(
    HAN_ADDS = r"^(?:请|帮我)*(?:(?:把|将)(.+?)(?:加到|添加到|加入|加进)(.+?)(?:里|中|里面)?|给(.+?)(?:加上|添加|增加|加)(?:一个)?(?:关键[词字]|来源|网站|网址)?(.+?))[。吧！]*$"
);

macro_rules! han_polite {
    () => {
        r"^(?:请|帮我|麻烦你?|给我|现在|那就|先|你)*"
    };
}
rule!(
    HAN_PAUSES = concat!(
        han_polite!(),
        r"(?:(?:暂停|停用|挂起|暂时停止|先停掉?|暂时关闭|禁用)(?:一下|掉)?(.*?)|(?:把|将)?(.+?)(?:先|暂时)?(?:暂停|停用|挂起|先停|停一停|暂时停止|禁用)(?:一下|掉|了)?)[吧。！\s]*$"
    )
);
rule!(
    HAN_RESUMES = concat!(
        han_polite!(),
        r"(?:(?:恢复|继续|重新开始|重启|启用|重新启用|重新开启|开启)(?:一下|运行|执行)?(.*?)|(?:把|将)?(.+?)(?:恢复|重新开始|重启|启用|重新启用|继续运行|重新开启)(?:一下|了|运行)?)[吧。！\s]*$"
    )
);
rule!(
    HAN_DELETES = concat!(
        han_polite!(),
        r"(?:(?:删除|删掉|删了|删|取消|移除|去掉|停止|关闭|关掉|停掉|终止)(?:一下|掉)?(.*?)|(?:别|不要|不用|不必)再?(?:监控|监视|盯着?|关注|跟踪|提醒我?|通知我?|发)(.*?)了?|(?:把|将)?(.+?)(?:删除|删掉|删了|取消|移除|去掉|关掉|停掉|停止)(?:一下|掉|了)?)[吧。！了\s]*$"
    )
);
rule!(
    HAN_RUNS = concat!(
        han_polite!(),
        r"(?:(?:立即|立刻|马上|现在|手动|重新)*(?:运行|执行|跑一下|跑一次|触发|跑)(?:一下|一次|一遍)?(.*?)|(?:把|将)?(.+?)(?:现在|立即|立刻|马上|手动)*(?:运行|执行|跑|触发)(?:一下|一次|一遍|一回)?)[吧。！\s]*$"
    )
);
rule!(
    HAN_PREVIEWS = concat!(
        han_polite!(),
        r"(?:(?:预览|试运行|试跑|测试|试一下|试试|模拟)(?:一下|运行)?(.*?)|(?:把|将)?(.+?)(?:预览|试运行|试跑|测试|试一下)(?:一下)?)[吧。！\s]*$"
    )
);

/// Reads a request about tasks that exist; `known`: whether one was spoken of before.
pub(super) fn read(text: &str, known: bool) -> Option<Deed> {
    let said = Said::new(text);
    let plain = said.text.trim();
    let lists = [&LIST, &LIST_WHICH, &LIST_DOING, &LIST_BARE, &LIST_ANY, &LIST_HAN, &LIST_HAN_DOING];
    let has = |rule: &crate::llm::offline::slots::Rule| rule.find(plain).is_some();
    if (has(&STATUS) && has(&STATUS_ASKS)) || has(&STATUS_COUNT) || has(&STATUS_HAN) {
        return Some(Deed::Status);
    }
    if lists.iter().any(|rule| has(rule)) {
        return Some(Deed::List { all_users: has(&EVERYBODY) });
    }
    if let Some(deed) = history(&said, known) {
        return Some(deed);
    }
    if has(&NEW) {
        return None;
    }
    if let Some(deed) = update(&said, known) {
        return Some(deed);
    }
    let english: [(&crate::llm::offline::slots::Rule, &'static str, bool); 7] = [
        (&PAUSES, PAUSE, true),
        (&STOPS, DELETE, true),
        (&NO_MORE, DELETE, true),
        (&RESUMES, RESUME, true),
        (&DELETES, DELETE, false),
        (&PREVIEWS, PREVIEW, false),
        (&RUNS, RUN, false),
    ];
    let chinese: [(&crate::llm::offline::slots::Rule, &'static str, bool); 5] = [
        (&HAN_PAUSES, PAUSE, true),
        (&HAN_RESUMES, RESUME, true),
        (&HAN_DELETES, DELETE, false),
        (&HAN_PREVIEWS, PREVIEW, false),
        (&HAN_RUNS, RUN, false),
    ];
    english.iter().chain(&chinese).find_map(|(rule, tool, loosely)| {
        let captures = rule.find(plain)?;
        let words =
            captures.iter().skip(1).flatten().map(|group| group.as_str()).find(|group| !group.trim().is_empty()).unwrap_or_default();
        // `stop watching TechCrunch` names its task without the word.
        let stops = std::ptr::eq(*rule, &raw const STOPS)
            || std::ptr::eq(*rule, &raw const NO_MORE)
            || plain.contains("别再")
            || plain.contains("不要再");
        let target = target(&said, words, known, *loosely, stops)?;
        Some(Deed::To { tool, target, change: Map::new() })
    })
}

// `send me a digest` wants a new one.
rule!(
    NEW = concat!(
        r"(?i)",
        polite!(),
        r"(?:send|give|get|make|create|set up|add|schedule|set)\s+(?:me\s+|us\s+)?(?:an?|the top|some|another|new)\b"
    )
);
rule!(
    ID = r"(?i)(?:\b(?:task|id|number|no)\b|任务|编号|#)\s*[#:：]?\s*`?([0-9a-f]{3,8}(?:-[0-9a-f]{1,12})*|[0-9a-f]{9,36})\b`?|^`?([0-9a-f]{3,8}(?:-[0-9a-f]{1,12})+|[0-9a-f]{3,36})`?$"
);
rule!(
    LAST = r"(?i)^(?:it|that|this|that one|this one|(?:that|this|the last|the same) (?:task|one|monitor|reminder|digest|alert)|the last one)$|^(?:它|这个|那个|这个任务|那个任务|该任务|刚才那个|刚才的任务|刚才那个任务|这个提醒|这个监控|那个提醒)$"
);
rule!(
    ALL = r"(?i)^(?:(?:all|every|each)\b(?: of)?(?: (?:the|my|them|these|those))*\s*(.*)|everything|them all|them|(?:所有的?|全部的?|每个|一切)(.*))$"
);
rule!(
    NOISE = r"(?i)^(?:the|my|a|an|our|about|for|on|to|of|that|this|one|me|background|task|id|把|将|我的?|那个|这个|关于|对|的|名为|叫)\b\s*|^(?:把|将|我的|那个|这个|关于|对|的|名为|叫)"
);

/// Which task the words mean; `None` where they mean none.
fn target(said: &Said, words: &str, known: bool, loosely: bool, stops: bool) -> Option<Target> {
    let text = said.bare(words);
    let text = text.trim().trim_matches(['"', '\'', '`', ',', '，', '。', '的']).trim();
    let thing = THING.find(words).is_some();
    if let Some(captures) = ID.find(text) {
        let id = captures.get(1).or(captures.get(2)).map(|id| id.as_str().to_lowercase()).unwrap_or_default();
        if id.chars().any(|ch| ch.is_ascii_digit()) || id.len() >= 8 {
            return Some(Target::Id(id));
        }
    }
    if LAST.find(text).is_some() {
        return if known || text.len() > 6 { Some(Target::Last) } else { None };
    }
    if let Some(captures) = ALL.find(text) {
        let rest = captures.get(1).or(captures.get(2)).map(|rest| rest.as_str().trim()).unwrap_or_default();
        let whole = rest.is_empty() && (loosely || stops || text.chars().any(is_han));
        return (whole || THING.find(rest).is_some()).then(|| Target::All(rest.to_owned()));
    }
    let mut rest = text.to_owned();
    while let Some(range) = NOISE.find(&rest).and_then(|captures| captures.get(0)).map(|noise| noise.range()) {
        rest.replace_range(range, "");
        rest.truncate(rest.trim_end().len());
        rest.drain(..rest.len() - rest.trim_start().len());
    }
    if rest.is_empty() {
        return thing.then_some(Target::Missing);
    }
    let bare_thing = THING.find(&rest).and_then(|captures| captures.get(0)).is_some_and(|thing| thing.len() == rest.len());
    if bare_thing && matches!(rest.to_lowercase().as_str(), "task" | "tasks" | "job" | "任务") {
        return Some(if known { Target::Last } else { Target::Missing });
    }
    let site = words.chars().any(|ch| ('\u{e000}'..='\u{e0ff}').contains(&ch)) || sites::metric(&rest).is_some();
    (thing || (site && loosely) || stops).then_some(Target::Words(rest))
}

fn history(said: &Said, known: bool) -> Option<Deed> {
    let plain = said.text.trim();
    for rule in [&WHY, &WHAT_HAPPENED, &HISTORY_OF, &OF_HISTORY, &HAN_WHY, &HAN_HISTORY] {
        let Some(captures) = rule.find(plain) else { continue };
        let words =
            captures.iter().skip(1).flatten().map(|group| group.as_str()).find(|group| !group.trim().is_empty()).unwrap_or_default();
        let found = target(said, words, known, true, false).or_else(|| {
            let of_it = words.trim().is_empty() || matches!(words.trim(), "it" | "that" | "you" | "me" | "你" | "它" | "刚才" | "我");
            (of_it && known).then_some(Target::Last)
        });
        if let Some(target) = found {
            return Some(Deed::To { tool: HISTORY, target, change: Map::new() });
        }
    }
    None
}

/// A change of a task: `{"every", "hour", "minute", "days", …}` for its config, `add` and `remove` for its lists.
fn update(said: &Said, known: bool) -> Option<Deed> {
    let plain = said.text.trim();
    let deed = |target: Target, change: Map<String, Value>| Deed::To { tool: UPDATE, target, change };
    let pieces = |captures: &regex::Captures<'_>| -> Vec<String> {
        captures.iter().skip(1).flatten().map(|group| group.as_str().to_owned()).collect()
    };
    for rule in [&RENAMES, &HAN_RENAMES] {
        if let Some([name, new]) = rule.find(plain).map(|captures| pieces(&captures)).as_deref() {
            let target = target(said, name, known, true, false)?;
            let mut change = Map::new();
            change.insert("description".to_owned(), json!(said.bare(new).trim()));
            return Some(deed(target, change));
        }
    }
    for (rule, key, order) in [(&ADDS, "add", (0, 1)), (&TAKES, "remove", (0, 1)), (&HAN_ADDS, "add", (0, 1))] {
        let Some(captures) = rule.find(plain) else { continue };
        // `给 X 加 Y` names the task first.
        let swapped = std::ptr::eq(rule, &raw const HAN_ADDS) && captures.get(3).is_some();
        let pieces = pieces(&captures);
        let order = if swapped { (1, 0) } else { order };
        let (Some(what), Some(name)) = (pieces.get(order.0), pieces.get(order.1)) else { continue };
        let Some(target) = target(said, name, known, false, false).filter(|target| !matches!(target, Target::Missing)) else { continue };
        let urls: Vec<&str> =
            said.masks(Kind::Url).into_iter().filter(|mask| what.contains(*mask)).filter_map(|mask| said.meaning(mask)).collect();
        let mut change = Map::new();
        let list = if urls.is_empty() { json!({"keywords": super::topics::split(said, what)}) } else { json!({"urls": urls}) };
        change.insert(key.to_owned(), list);
        return Some(deed(target, change));
    }
    for rule in [&CHANGES_EVERY, &CHANGES, &HAN_CHANGES] {
        let Some(captures) = rule.find(plain) else { continue };
        let pieces = pieces(&captures);
        let [name, rest] = pieces.as_slice() else { continue };
        let Some(target) = target(said, name, known, false, false).filter(|target| !matches!(target, Target::Missing)) else { continue };
        let change = changes(said, rest);
        if !change.is_empty() {
            return Some(deed(target, change));
        }
    }
    None
}

rule!(AMOUNT = concat!(r"(?i)^(?:above|below|over|under|高于|低于)?\s*(-?\d[\d,]*(?:\.\d+)?)\s*(k|m|万|亿|千)?$|", url!()));

/// What a change says: times, a receiver, a threshold.
fn changes(said: &Said, rest: &str) -> Map<String, Value> {
    let mut change = Map::new();
    let mut piece = said.with(rest.trim().to_owned());
    if let Some(notification) = channel::take(&mut piece).notification {
        change.insert("notification".to_owned(), Value::Object(notification));
    }
    let mut when = when::take(&mut piece.clone());
    for lead in ["every ", "at ", "每"] {
        if !when.is_said() {
            when = when::take(&mut piece.with(format!("{lead}{}", piece.text.trim())));
        }
    }
    if let Some(every) = when.every {
        change.insert("every".to_owned(), numbers::json(every));
    }
    if let Some((hour, minute)) = when.times.first() {
        change.insert("hour".to_owned(), json!(hour));
        change.insert("minute".to_owned(), json!(minute));
    }
    if !when.days.is_empty() {
        change.insert("days".to_owned(), json!(when.days.iter().filter_map(|day| when::DAYS.get(*day)).collect::<Vec<_>>()));
    }
    if when.daily && when.times.is_empty() {
        change.insert("every".to_owned(), json!(1_440));
    }
    if let Some(zone) = when.zone {
        change.insert("timezone".to_owned(), json!(zone));
    }
    if let Some(cron) = when.cron {
        change.insert("cron".to_owned(), json!(cron));
    }
    if change.is_empty()
        && let Some(captures) = AMOUNT.find(piece.text.trim())
        && let Some(value) = captures.get(1).and_then(|value| numbers::number(value.as_str()))
    {
        let scale = captures.get(2).map_or(1.0, |suffix| numbers::scale(suffix.as_str()));
        change.insert("threshold".to_owned(), numbers::json(value * scale));
    }
    change
}
