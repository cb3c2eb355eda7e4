//! What is said without a tool: greetings, help, who it is, what it will not do; and in which language.

use std::fmt::Write as _;

use super::slots::rule;
use super::toolset::Toolset;
use super::words::{Part, is_han};
use crate::domain::text::clean_line;

/// The language of a request and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    En,
    Zh,
}

impl Lang {
    /// Chinese where the sentence (not the values in it) is mostly Chinese.
    pub(super) fn of(part: &Part) -> Self {
        let han: usize = part
            .tokens
            .iter()
            .filter(|token| token.kind == super::words::Kind::Han)
            .map(|token| token.text.chars().filter(|ch| is_han(*ch)).count())
            .sum();
        let words = part.words().count();
        if han > 0 && han >= words { Self::Zh } else { Self::En }
    }

    /// The text of this language.
    pub(super) fn pick<'t>(self, en: &'t str, zh: &'t str) -> &'t str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// A thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Talk {
    Hello,
    HowAreYou,
    Thanks,
    Bye,
    Help,
    WhoAreYou,
    RealModel,
    /// `yes` or `no` where nothing was asked.
    NothingOpen,
    /// It was told not to do something.
    Negated,
    /// It was asked how something is done.
    HowTo,
    /// It was told something, or asked about the past.
    Remark,
    /// A task for somebody who is not there; who is.
    NobodyThere(String, Vec<String>),
}

rule!(
    HELLO = r"^(?:hi|hello|hey|yo|howdy|greetings|hiya|good (?:morning|afternoon|evening|day))(?: (?:there|wakeful|assistant|friend|everyone|you|again|all))*$|^(?:你好|您好|嗨|哈喽|早上好|下午好|晚上好|早安|大家好|在吗|在不在)[呀啊吗]?$"
);
rule!(
    HOW_ARE_YOU = r"^(?:hi |hello |hey )?(?:how are you|how're you|how is it going|how's it going|how do you do|what's up|whats up|sup|are you ok|are you there)(?: doing)?(?: today)?$|你好吗|最近怎么样|你怎么样"
);
rule!(
    THANKS = r"^(?:ok |okay |great |good |cool |nice |perfect |awesome )*(?:thanks|thank you|thx|ty|cheers|much appreciated)(?: (?:a lot|so much|very much|again|for that|for your help|you))*$|^(?:ok|okay|great|good|cool|nice|perfect|awesome|well done|good job|good work|very good)$|^(?:好的?)?(?:谢谢|多谢|感谢|谢啦|辛苦)(?:你|您|了|啦)*$|^(?:太好了|不错|很好|好的|真棒)$"
);
rule!(
    BYE = r"^(?:good ?bye|bye|bye bye|see you|see ya|cya|farewell|good night|exit|quit|later)(?: (?:later|soon|now|then|tomorrow))*$|^(?:再见|拜拜|回见|晚安|下次见)$"
);
rule!(
    HELP = r"^(?:please )?help(?: me)?(?: please)?$|\bwhat (?:can|do|could) you do\b|\bwhat (?:are|r) (?:you able to|your (?:abilities|capabilities|functions|features|skills|tools|commands))\b|\bwhat (?:else )?can i (?:ask|do|say)\b|\bshow me what you can\b|\b(?:which|what) (?:tools|commands|servers|functions|features) (?:do you|are|can|have you|you have|are there)\b|\blist (?:your|all|the|available|me)?\s*(?:your |the |available )?(?:tools|commands|capabilities|abilities)\b|\bhow (?:do|can) i use (?:you|this|wakeful|it)\b|\bhow does this work\b|\bwhat is this\b$|你能做什么|你会做什么|你会什么|你能干什么|你能干嘛|你可以做什么|能做些什么|能帮我做什么|能帮我什么|有什么功能|有哪些功能|有什么用|有哪些工具|有什么工具|列出工具|怎么用你|怎么使用你|^帮助$|使用说明|^帮帮我$|^帮忙$"
);
rule!(
    WHO = r"\bwho are you\b|\bwhat are you\b$|\bwhat(?:'s| is) your name\b|\bare you (?:an? )?(?:real |large |language )*(?:ai|bot|robot|human|person|llm|model|chatgpt|gpt|claude|gemini|machine|real|offline)\b|\bintroduce yourself\b|\btell me about yourself\b|\bwhich model are you\b|\bwhat model (?:are you|is this)\b|你是谁|你是什么|你叫什么|你是人|你是机器人|你是不是|介绍一下你自己|介绍下自己|介绍你自己|你是大模型|什么模型"
);
rule!(
    REAL_MODEL = r"\b(?:how|use|connect|switch|set up|setup|configure|add|want|get|need|enable|change|install)\b.*\b(?:(?:real|language|another|different|better|other|actual|proper|ai|online|local|openai) (?:ai |language )?models?|llms?|openai|gpt|chatgpt|api key|ollama|lm studio|llama|provider)\b|\bopenai[ _]api[ _]key\b|(?:怎么|如何|怎样|想|要|能不能|可以).*(?:真正的模型|真实的模型|大模型|语言模型|换模型|换个模型|别的模型|切换模型|接入模型|配置模型|openai|gpt|密钥|ollama)|切换模型|换个模型|接入模型"
);
rule!(
    NOTHING_OPEN = r"^(?:yes|yeah|yep|no|nope|sure|ok sure|y|n|never ?mind|cancel|stop|forget it|是|是的|对|不|不是|不用|不用了|算了|取消|没事|没事了|停)$"
);
rule!(
    NEGATED = r"^(?:please |ok |okay |no |hey |wait |and |but |also )*(?:(?:i )?(?:do not|don't|dont|don’t)|never|no need to|you (?:do not|don't|should not|shouldn't|must not|mustn't|needn't)|stop|i (?:do not|don't|don’t) (?:want|need)|under no circumstances|avoid)\b|^(?:请|先|你|千万|但|但是|也|可)*(?:不要|别|不用|不必|勿|不许|禁止|我不想|我不要|不需要)"
);
rule!(NOT_NEGATED = r"^(?:please )?(?:do not|don't|dont|don’t) (?:mind|forget to|hesitate)\b|^别的|^别人");
rule!(
    HOW_TO = r"^(?:so |ok |please |can you |could you |tell me |explain |show me |do you know |i wonder |i want to know )*how (?:do|does|did|to|can|could|would|should|might) (?:(?:i|you|we|one|people|it|this|that|the|a|an)\b.*|\w+.*)$|^(?:please )?(?:explain|describe) how\b|^what does .+ (?:mean|do|stand for)$|^what is the (?:command|difference|best way|way|syntax|meaning|point|purpose)\b|^(?:请问|我想知道|你知道|告诉我)*(?:怎么|如何|怎样|怎么样才能|为什么|为何|为啥|什么叫|什么是)|是什么意思|^why\b|^when (?:did|was|were|will|should)\b|^who (?:wrote|made|is|was|are|created|invented)\b"
);
rule!(PAST = r"^(?:did|have|has|had|were|was|are|is|do|does|should|would|will) (?:you|we|i|he|she|they|it|the|my|your|there|this|that)\b");
rule!(
    POLITE = r"^(?:would|will) you\b|^(?:is|are) there\b|^(?:do|does) (?:you have|we have|it have|this)\b|^(?:are|were) you able\b|^(?:is|would) it possible\b|^(?:do|would|will) you (?:mind|please|be so|kindly|list|read|show|tell|find|search|calculate|write|know what)\b|^(?:should|would) (?:you|we) please\b|^is (?:the|my|this)\b|^(?:will|is|does|would|do i|should i|are)\b.*\b(?:rain(?:ing|y)?|snow(?:ing|y)?|umbrella|sunny|storm(?:y)?|windy|cold|hot|warm)\b"
);
rule!(
    STATEMENT = r"^(?:well |so |ok |and |but |yes |no )*(?:i|i've|i'm|i’m|i was|we|we've|we're|my|our|he|she|they|his|her|their|it|it's|its|there|someone|somebody|everyone|people|nobody|yesterday|today i|last (?:week|night|year|month)|once|because|since|although|while|when|if|who)\b"
);
rule!(
    WANTS = r"^(?:well |so |ok |and |but |yes |no )*(?:(?:i|we)(?:'d| would|'ll| will)? (?:want|need|like|love|wish|wanna|would|could|should|must|have to|gotta|am looking|want to|wonder|was wondering|am wondering)|i'm looking|i’m looking|i'd|we'd|i'm wondering|if you (?:can|could|would|please|don't mind))\b"
);
rule!(
    HAN_STATEMENT = r"^(?:我|我们|他|她|它|他们|昨天|上次|以前|之前|刚才|有人|大家)(?:昨天|已经|刚|刚才|刚刚|的|们|在|是|很|觉得|认为|以为|之前|曾|用|喜欢|不|讨厌|把|写|看|读|有|跟|和|去|来)"
);

/// What a short sentence says, if it is small talk.
pub(super) fn small(part: &Part) -> Option<Talk> {
    let said = plain(part);
    let hit = |rule: &super::slots::Rule| rule.find(&said).is_some();
    let values = part.tokens.iter().any(super::words::Token::is_value);
    if values || said.chars().count() > 120 {
        return None;
    }
    if hit(&REAL_MODEL) {
        return Some(Talk::RealModel);
    }
    if hit(&HELP) {
        return Some(Talk::Help);
    }
    if hit(&WHO) {
        return Some(Talk::WhoAreYou);
    }
    for (rule, talk) in [
        (&HOW_ARE_YOU, Talk::HowAreYou),
        (&HELLO, Talk::Hello),
        (&THANKS, Talk::Thanks),
        (&BYE, Talk::Bye),
        (&NOTHING_OPEN, Talk::NothingOpen),
    ] {
        if hit(rule) {
            return Some(talk);
        }
    }
    None
}

/// Why nothing may be done on this sentence, if so: it forbids, asks how, tells, or asks about the past.
pub(super) fn guard(part: &Part) -> Option<Talk> {
    let said = plain(part);
    let hit = |rule: &super::slots::Rule| rule.find(&said).is_some();
    if hit(&NEGATED) && !hit(&NOT_NEGATED) {
        return Some(Talk::Negated);
    }
    if hit(&HOW_TO) {
        return Some(Talk::HowTo);
    }
    let asks = part.raw.contains(['?', '？']) || ["吗", "几", "什么", "多少", "哪"].iter().any(|piece| part.has_han(piece));
    if hit(&PAST) && !hit(&POLITE) {
        return Some(Talk::Remark);
    }
    if (hit(&STATEMENT) && !hit(&WANTS) && !part.raw.contains('?')) || (hit(&HAN_STATEMENT) && !asks) {
        return Some(Talk::Remark);
    }
    None
}

/// A sentence that takes back what was asked.
pub(super) fn cancels(text: &str) -> bool {
    let said = plain(&Part::new(text));
    matches!(
        said.as_str(),
        "cancel"
            | "never mind"
            | "nevermind"
            | "stop"
            | "forget it"
            | "no"
            | "nothing"
            | "abort"
            | "no thanks"
            | "算了"
            | "取消"
            | "不用了"
            | "不用"
            | "没事了"
            | "没事"
            | "停"
            | "不要了"
    )
}

/// In small letters, without punctuation, blanks single.
fn plain(part: &Part) -> String {
    let lower: String = part
        .raw
        .to_lowercase()
        .chars()
        .map(|ch| if ch.is_alphanumeric() || matches!(ch, '\'' | '’' | '_' | '-' | '+') { ch } else { ' ' })
        .collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The most tools of one server that help names.
const TOOLS_MAX: usize = 8;

/// The text of a thing to say.
pub(super) fn text(talk: &Talk, tools: &Toolset<'_>, lang: Lang) -> String {
    let fixed = |en: &str, zh: &str| lang.pick(en, zh).to_owned();
    match talk {
        Talk::Hello => fixed(
            "Hello! I am the built-in offline assistant: I follow rules and am no language model, but I can use tools for you. Ask `what can you do` to see them.",
            "你好！我是内置的离线助手：按规则工作，不是语言模型，但可以替你使用工具。输入“你能做什么”查看。",
        ),
        Talk::HowAreYou => fixed("Ready to work. I am a set of rules, so I am always the same. What shall I do?", "随时可以工作。我只是一组规则，状态一直一样。需要我做什么？"),
        Talk::Thanks => fixed("You are welcome.", "不客气。"),
        Talk::Bye => fixed("Good-bye. `/quit` or Ctrl+D closes the program.", "再见。用 `/quit` 或 Ctrl+D 退出程序。"),
        Talk::Help => help(tools, lang),
        Talk::WhoAreYou => format!(
            "{}\n\n{}",
            lang.pick(
                "I am wakeful's built-in offline assistant. I am **no language model**: I recognise requests by rules, in English and Chinese, and carry them out with real tools. I cannot write, translate or reason freely.",
                "我是 wakeful 内置的离线助手。我**不是语言模型**：我按规则识别中文和英文的请求，并用真实的工具完成。我不能自由写作、翻译或推理。"
            ),
            real_model(lang)
        ),
        Talk::RealModel => real_model(lang).to_owned(),
        Talk::NothingOpen => fixed("All right. Nothing is waiting for an answer.", "好的，目前没有等待回答的问题。"),
        Talk::Negated => fixed("All right, I leave that alone. Nothing was done.", "好的，我不会这么做，什么都没有执行。"),
        Talk::HowTo => fixed(
            "I am a rule-based assistant and cannot explain how things are done. I can do things, though: say it as an order, for example “list the files in src”.",
            "我是按规则工作的助手，不会讲解方法。但我可以直接去做：请用命令的方式说，例如“列出 src 目录的文件”。",
        ),
        Talk::Remark => fixed(
            "I take that as a remark and did nothing. I follow rules and can only carry out requests: say it as an order, for example “read README.md”.",
            "我把这句话当作陈述，没有执行任何操作。我按规则工作，只能执行请求，例如“读一下 README.md”。",
        ),
        Talk::NobodyThere(name, there) => {
            let there = if there.is_empty() { lang.pick("nobody", "没有").to_owned() } else { there.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") };
            match lang {
                Lang::En => format!("There is no agent or server `{}` to hand a task to. There is: {there}.", clean_line(name)),
                Lang::Zh => format!("没有名为 `{}` 的代理或服务器可以接手任务。现有：{there}。", clean_line(name)),
            }
        }
    }
}

/// How to use a real model.
fn real_model(lang: Lang) -> &'static str {
    lang.pick(
        "To talk to a real model: set `OPENAI_API_KEY` (for any OpenAI-compatible server also `OPENAI_API_BASE`) and start again, or add a `[providers]` entry to the config; then choose it with `/model`.",
        "要使用真正的模型：设置 `OPENAI_API_KEY`（其他兼容 OpenAI 的服务再设 `OPENAI_API_BASE`）后重新启动，或在配置里添加 `[providers]`，然后用 `/model` 选择。",
    )
}

fn help(tools: &Toolset<'_>, lang: Lang) -> String {
    let mut out = lang
        .pick(
            "I am the built-in **offline assistant**: rules, no language model. I understand requests in English and Chinese for these tools:",
            "我是内置的**离线助手**：按规则工作，不是语言模型。我能听懂中文和英文的请求，可用的工具有：",
        )
        .to_owned();
    if tools.0.is_empty() {
        out.push_str(
            lang.pick("\n\nNo tools are offered right now; `/mcp` shows the servers.", "\n\n目前没有可用的工具；用 `/mcp` 查看服务器。"),
        );
    }
    let first = tools.servers().first().copied().unwrap_or_default();
    for server in tools.servers() {
        let of_server: Vec<_> = tools.0.iter().filter(|view| view.server == server).collect();
        let named: Vec<String> = of_server.iter().take(TOOLS_MAX).map(|view| format!("`{}`", clean_line(view.short))).collect();
        // One row for each server: what a tool does in detail is in its list.
        let _ = write!(out, "{}- **{}**: {}", if server == first { "\n\n" } else { "\n" }, clean_line(server), named.join(", "));
        if of_server.len() > TOOLS_MAX {
            let more = of_server.len() - TOOLS_MAX;
            let _ = match lang {
                Lang::En => write!(out, " and {more} more"),
                Lang::Zh => write!(out, " 等另外 {more} 个"),
            };
        }
    }
    if !tools.0.is_empty() {
        out.push_str(lang.pick("\n\n`/mcp tools SERVER` tells what each of them does.", "\n\n`/mcp tools SERVER` 说明每个工具的用途。"));
    }
    if let Some(handoff) = tools.handoff() {
        let names = targets(&handoff).join("`, `");
        let _ = match lang {
            Lang::En => {
                write!(out, "\n\nTasks can be handed to `{names}`: “ask {} to …”.", targets(&handoff).first().copied().unwrap_or("NAME"))
            }
            Lang::Zh => write!(out, "\n\n任务可以交给 `{names}`：“让 {} ……”。", targets(&handoff).first().copied().unwrap_or("NAME")),
        };
    }
    out.push_str(lang.pick(
        "\n\nSay what you want, in any order: “what time is it in Tokyo, and what is 17% of 2,340?”, “list the files and then read README.md”. Any tool can be called by name: “call SERVER TOOL with key=value”.\n\n",
        "\n\n直接说出需求，语序不限：“现在东京几点，2340 的 17% 是多少？”、“列出文件，然后读 README.md”。任何工具都可以点名调用：“调用 服务器 工具 key=value”。\n\n",
    ));
    out.push_str(real_model(lang));
    out
}

/// Whom a task can be handed to.
pub(super) fn targets<'a>(handoff: &super::toolset::View<'a>) -> Vec<&'a str> {
    let agent = handoff.spec.parameters.get("properties").and_then(|properties| properties.get("agent"));
    agent
        .and_then(|agent| agent.get("enum"))
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect()
}
