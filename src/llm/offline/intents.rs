//! What the assistant understands for known tools: one row a thing one can ask for.
//!
//! A row names its tool, the words that call for it and how its arguments are read out of the sentence. A trigger is
//! a list of groups parted by blanks; each group needs one of its words (parted by `|`) somewhere in the sentence, so
//! that the order is free. `word*` stands for all words that begin so; Chinese pieces are found anywhere. To teach the
//! assistant a new tool well, add a row; tools without a row are called from their schema alone.

use std::sync::LazyLock;

use super::slots::{self, Extract};
use super::web;
use super::words::{Kind, Part, is_han};

/// One thing one can ask for.
pub(super) struct Intent {
    /// Names of tools that do it, the best first.
    pub(super) tools: &'static [&'static str],
    /// The server whose tool is taken where several offer one.
    pub(super) server: &'static str,
    /// What calls for it, each one enough.
    pub(super) triggers: &'static [&'static str],
    /// Words that belong to it and explain nothing else, parted by `|`.
    pub(super) also: &'static str,
    /// Words with which it means something else.
    pub(super) never: &'static str,
    /// How many words of the sentence may stay unexplained.
    pub(super) slack: usize,
    /// Added to the score: how sure its arguments make it.
    pub(super) weight: i32,
    /// Reads the arguments.
    pub(super) extract: Extract,
}

/// All rows.
pub(super) const INTENTS: &[Intent] = &[
    Intent {
        tools: &["calculate"],
        server: "system",
        triggers: &[""],
        also: "",
        never: "",
        slack: 0,
        weight: 40,
        extract: slots::calculate,
    },
    Intent {
        tools: &["scrape_webpage", "fetch_url"],
        server: "web",
        triggers: &[""],
        also: "",
        never: "",
        slack: 0,
        weight: 34,
        extract: web::page,
    },
    Intent {
        tools: &["fetch_url", "scrape_webpage"],
        server: "web",
        triggers: &[""],
        also: "",
        never: "",
        slack: 0,
        weight: 34,
        extract: web::raw,
    },
    Intent { tools: &["web_search"], server: "web", triggers: &[""], also: "", never: "", slack: 0, weight: 36, extract: web::search },
    Intent {
        tools: &["get_weather"],
        server: "weather",
        triggers: &[""],
        also: "",
        never: "",
        slack: 0,
        weight: 32,
        extract: web::weather,
    },
    Intent { tools: &["send_sms"], server: "notify", triggers: &[""], also: "", never: "", slack: 0, weight: 38, extract: web::sms },
    Intent { tools: &["send_email"], server: "notify", triggers: &[""], also: "", never: "", slack: 0, weight: 38, extract: web::email },
    Intent {
        tools: &["send_notification"],
        server: "notify",
        triggers: &[""],
        also: "",
        never: "",
        slack: 0,
        weight: 38,
        extract: web::note,
    },
    Intent {
        tools: &["edit_file"],
        server: "files",
        triggers: &[
            "replace*|substitute|swap with|by",
            "change|edit|correct|fix|update to|into",
            "edit|modify",
            "替换|换成|改成|改为|换为|替换为|修改",
        ],
        also: "all|every|everywhere|occurrence*|text|word|string|file|line|lines|instances|each",
        never: "mode|model|theme|subject",
        slack: 0,
        weight: 8,
        extract: slots::edit,
    },
    Intent {
        tools: &["write_file"],
        server: "files",
        triggers: &[
            "write|create|save|make|put|store|generate file|to|in|into|as|called|named|containing|contains|content*|with|saying|says",
            "write|create|save|make",
            "write|create|save|make|new file",
            "写入|写到|写进|保存|创建|新建|存到|存入|写 文件|到|进|入|为|内容|里|中|在|往|给|向",
        ],
        also: "file|files|text|new|called|named|name|content|contents|containing|contains|that|says|saying|it|document|empty|blank|following|data",
        never: "poem|story|essay|function|email|letter|app|program|code|song|test|tests|task|reminder|monitor|诗|故事|文章|邮件|函数|程序|代码|提醒|任务",
        slack: 0,
        weight: 6,
        extract: slots::write,
    },
    Intent {
        tools: &["search_files"],
        server: "files",
        triggers: &[
            "search*|grep|grepping|rg",
            "find|look|looking|locate|seek",
            "where is|are|does|do|did|can defined|used|mentioned|written|declared|occur|occurs|appear|appears|define|defines",
            "which|what|any files|file|lines|line contain*|mention*|includ*|match*",
            "搜索|查找|搜一下|搜|检索|查一下|寻找|找一下|找出|找|grep",
            "哪些|哪个|什么 文件 包含|含有|提到|出现",
        ],
        also: "file|files|text|word|string|lines|line|code|folder|directory|occurrences|mentions|where|regex|regular|expression|pattern|project|through|inside|within|everywhere|matching|here|all|the|uses",
        never: "web|internet|online|google|weather|news|wikipedia|网上|网页|互联网|上网|天气|新闻",
        slack: 0,
        weight: 6,
        extract: slots::search,
    },
    Intent {
        tools: &["read_file", "read_text_file"],
        server: "files",
        triggers: &[
            "read|open|cat|type|print|show|display|view|see|load|give|head|tail|dump|tell",
            "what|what's|whats|contents|content|inside|first|last|lines|line",
            "讲了|写了|说了|讲的|写的",
            "读一下|读取|读|打开|查看|看看|看一下|看|显示|内容|前|最后|第|念",
        ],
        also: "file|files|content|contents|text|whole|entire|line|lines|first|last|from|through|inside|says|say|is|in|what|document|out|top|bottom|beginning|end|about|it|again|内容|行|全文|部分|开头|结尾|末尾|第|前|最后|到|帮忙",
        never: "web|url|mail|email|inbox|memory|task|tasks|append|insert|write|replace|change|delete|remove|rename|move|copy|edit|create|save|add|translate|think|opinion|improve|explain|summarize|summarise|review|fix|refactor|convert|execute|追加|删除|移动|复制|重命名|翻译",
        slack: 1,
        weight: 6,
        extract: slots::read,
    },
    Intent {
        tools: &["list_files", "list_directory"],
        server: "files",
        triggers: &[
            "list|show|display|enumerate|see|print|give|view|count|tell|get|find|look file|files|folder|folders|directory|directories|dir|contents|content|entries|subfolders|repo|tree",
            "what|what's|whats|which|any|how file|files|folder|folders|directory|directories|dir|contents",
            "what|what's|whats in|inside here",
            "files|folders|file|directory here|please|list|listing|now|there|current",
            "what|what's|whats in|inside|under|here",
            "ls|dir|tree|list",
            "列出|列一下|列|显示|查看|看看|看一下|看|展示|有哪些|有什么|有啥|哪些|多少|给我 文件|目录|文件夹|东西|内容",
            "里面|里|下|下面 有啥|有什么|有哪些|都有",
            "列",
            "当前目录|这个目录|这个文件夹|这里 有|列|文件|内容",
        ],
        also: "here|this|current|working|in|all|every|of|there|are|inside|root|names|only|just|recursively|recursive|deep|level|levels|depth|subfolders|everything|contents|many|project|that|have|got|list|everything|hidden|sorted|matching|these|those|with|them|隐藏|列表|清单|子目录|层|名字|名称|内容|东西|展示|显示|列|面|出来|递归",
        never: "contain|contains|containing|mention|mentions|mentioning|包含|提到|task|tasks|server|servers|session|sessions|tools|memories",
        slack: 0,
        weight: 2,
        extract: slots::list,
    },
    Intent {
        tools: &["run_command"],
        server: "system",
        triggers: &["run|execute command|shell|terminal", "run|execute", "运行|执行|跑", ""],
        also: "",
        never: "task|tasks|digest|任务",
        slack: 0,
        weight: 12,
        extract: slots::command,
    },
    Intent {
        tools: &["analyze_code"],
        server: "code",
        triggers: &[
            "analyze|analyse|analysis|inspect|examine|measure code|source|codebase|project|repo|repository|complexity|sources",
            "analyze|analyse",
            "how|what|which|where|find|show|tell|list|check complex|complexity|complicated|tangled",
            "complexity|duplicates|duplication of|in|here|code|src|project",
            "find|show|list|any|is|are|check duplicate*|duplication|repeated code|here|project|in",
            "how|count lines code",
            "list|show|what|which|give|outline functions|classes|symbols|structs|methods|types in|of|from|are",
            "size|statistics|stats|metrics|overview code|codebase|source",
            "分析",
            "代码|源码|源代码 复杂度|重复|统计|行数|多少行|结构|度量|概况",
            "复杂度|重复代码|圈复杂度",
            "函数|类|符号|方法 哪些|列出|有什么|列",
        ],
        also: "code|source|codebase|project|repo|repository|lines|line|count|many|much|size|language|languages|by|per|functions|function|classes|class|symbols|structs|methods|types|duplicates|duplicated|duplicate|repeated|complexity|complex|most|cyclomatic|complicated|is|are|imports|statistics|stats|metrics|overview|this|here|folder|file|files|quality|structure|outline|static|code's|worst|代码|源码|源代码|项目|文件|函数|类|符号|方法|复杂度|重复|统计|行数|行|结构|语言|最|复杂|圈|多少|列出|哪些|这个|质量|分析|度量|概况",
        never: "data|image|log|logs|sales|news|text|sentence|email|task|tasks|weather|error|errors|数据|图片|日志|新闻|任务|天气|句子",
        slack: 0,
        weight: 5,
        extract: slots::code,
    },
    Intent {
        tools: &["current_time", "get_current_time"],
        server: "system",
        triggers: &[
            "what|what's|whats|tell|current|give|show|local|check|know time|date|clock",
            "what|what's|whats|which|tell day|weekday|month|year|date it|today|is",
            "time|date|clock in|at|now|today|please|there|right|here",
            "today's|todays date",
            "time|date|时间|几点|多少号|多少日",
            "几点|几号|星期几|周几|礼拜几|日期|什么日子|现在时间|当前时间|时刻|几月",
            "现在|当前|今天|目前|此刻 时间|日期|几|星期",
            "时间 什么|多少|告诉|查|看|显示|现在|是",
        ],
        also: "it|now|right|is|the|today|of|day|week|in|at|current|currently|here|there|local|time|times|timezone|zone|date|please|moment|exact|exactly|o'clock|clock|city|and|year|month|weekday|时间|今天|日期|星期|当地|城市|点|号|周|年|月|日|钟|此刻|时候|准确",
        never: "complexity|long|last|modified|take|takes|timeout|created|first|every|uptime|between|until|since|schedule|运行|多久|任务|每",
        slack: 0,
        weight: 4,
        extract: slots::time,
    },
    Intent {
        tools: &["system_info"],
        server: "system",
        triggers: &[
            "system|machine|computer|os|host|hardware|pc|laptop|server info|information|status|details|specs|spec|stats|health|about|version|facts|load|summary",
            "how|what|what's|whats|show|check|tell|give|any memory|ram|cpu|cpus|disk|processor|uptime|load|cores|swap|kernel",
            "memory|ram|cpu|disk|cores|processor|swap usage|use|used|free|left|available|space|load|info|information|status",
            "how long running|up|uptime",
            "what|which|my|this operating|os|machine|computer|kernel|system am|is|are|on|running|this|do",
            "which|what linux|windows|macos version|kernel|release",
            "is|are|do|have|enough memory|ram|cpu|disk|space enough|left|free|have|there",
            "uptime|sysinfo|system-info|neofetch",
            "系统信息|系统状态|系统情况|系统配置|电脑配置|机器配置|硬件|内存|处理器|磁盘|硬盘|运行时间|操作系统|什么系统|负载|开机|cpu|主机信息|机器信息",
        ],
        also: "system|machine|computer|this|my|free|much|many|used|usage|have|has|left|available|space|total|there|is|are|i|we|been|up|running|info|information|operating|of|the|does|on|it|busy|full|memory|ram|cpu|cpus|disk|status|os|version|load|average|which|now|currently|hardware|am|long|for|do|drive|hard|gigabytes|gb|cores|uptime|please|and|about|kernel|type|kind|me|using|got|enough|linux|windows|macos|mac|model|brand|电脑|机器|台|配置|空间|型号|多|啥|还|够|使用|情况|信息|状态|占用|还有|剩余|剩|可用|大|本机|主机|服务器|硬件|系统|运行|多久|时间|量|率",
        never: "file|files|search|remember|remembered|memories|记住|记忆|文件",
        slack: 0,
        weight: 4,
        extract: slots::nothing,
    },
];

/// Words that say nothing by themselves.
pub(super) static FILLERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "a an the please pls plz can could would will you me my i i'd i'll we us let's lets let like want need to hey hi hello ok \
     okay so now just then also too and or of in on at for with from by is are be do does it its it's this that some kindly \
     quickly quick thanks thank there here out up go ahead next first after finally again wakeful assistant what what's whats \
     which how where your our their all any have has able possible help actually maybe well right away sure see get give show \
     tell know wonder wondering if why not don't mind good morning afternoon evening must should am as using use via mate \
     friend dear sir folder directory file"
        .split_whitespace()
        .collect()
});

/// The same in Chinese, cut out of what is said; longer pieces first.
pub(super) static HAN_FILLERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "麻烦你 还有 出来 能不能 可不可以 请问 请你 帮我 帮忙 给我 告诉我 我想要 我想知道 我想 我要 我需要 一下 可以 现在 然后 接着 当前 目前 这里 这个 那个 里面 下面 麻烦 所有 全部 看看 中的 里的 文件夹 目录 文件 \
     请 帮 的 了 吗 呢 吧 啊 呀 嘛 我 你 您 们 在 里 中 把 将 用 去 来 看 到 有 是 和 与 跟 再 也 都 就 想 要 能 会 个 下 那 这 从 为 给 对 并 先 好 叫 名 哪 些 什么 多少 几"
        .split_whitespace()
        .collect()
});

/// Whether one group (`a|b|c*`) has a word in the sentence.
fn group_matches(group: &str, part: &Part) -> bool {
    group.split('|').any(|wanted| word_matches(wanted, part))
}

fn word_matches(wanted: &str, part: &Part) -> bool {
    if wanted.chars().any(is_han) {
        return part.has_han(wanted);
    }
    match wanted.strip_suffix('*') {
        Some(start) => {
            part.words().any(|word| word.starts_with(start)) || part.paths().iter().any(|path| path.text.to_lowercase().starts_with(start))
        }
        None => part.has_word(wanted),
    }
}

/// The triggers of a row that match: the most groups of one, and the words of all.
fn trigger(intent: &Intent, part: &Part) -> Option<(usize, Vec<&'static str>)> {
    let groups = |trigger: &'static str| trigger.split(' ').filter(|group| !group.is_empty());
    let matching: Vec<&'static str> =
        intent.triggers.iter().copied().filter(|trigger| groups(trigger).all(|group| group_matches(group, part))).collect();
    let most = matching.iter().map(|trigger| groups(trigger).count()).max()?;
    Some((most, matching))
}

/// Whether a row speaks for tools of this name: then their schema alone is not asked.
pub(super) fn owns(name: &str) -> bool {
    INTENTS.iter().any(|intent| intent.tools.contains(&name))
        || super::tasks::TOOLS.contains(&name)
        || super::memories::TOOLS.contains(&name)
}

/// A row that fits a sentence, and its arguments (one set for each call).
pub(super) struct Match {
    pub(super) intent: &'static Intent,
    pub(super) score: i32,
    pub(super) found: slots::Found,
}

/// All rows that fit, the best first.
pub(super) fn matches(part: &Part) -> Vec<Match> {
    let mut found: Vec<Match> = INTENTS.iter().filter_map(|intent| fit(intent, part)).collect();
    found.sort_by_key(|fit| std::cmp::Reverse(fit.score));
    found
}

fn fit(intent: &'static Intent, part: &Part) -> Option<Match> {
    let (groups, mut words) = trigger(intent, part)?;
    words.push(intent.also);
    if intent.never.split('|').filter(|word| !word.is_empty()).any(|word| word_matches(word, part)) {
        return None;
    }
    let found = (intent.extract)(part)?;
    let left = unexplained(part, &found.used, &words);
    if !found.takes_rest && left > intent.slack {
        return None;
    }
    let groups = i32::try_from(groups).unwrap_or(0);
    let left = if found.takes_rest { 0 } else { i32::try_from(left).unwrap_or(0) };
    Some(Match { intent, score: groups * 4 + intent.weight + found.sure - left * 3, found })
}

/// How many words of substance nothing explains: neither the values found nor the lists of `known` words.
pub(super) fn unexplained(part: &Part, used: &[std::ops::Range<usize>], known: &[&str]) -> usize {
    let known: Vec<&str> = known.iter().flat_map(|list| list.split([' ', '|'])).filter(|word| !word.is_empty()).collect();
    let inside = |range: &std::ops::Range<usize>| used.iter().any(|used| used.start <= range.start && range.end <= used.end);
    let mut left = 0;
    for token in part.tokens.iter().filter(|token| !inside(&token.range)) {
        match &token.kind {
            Kind::Word => {
                let word = token.text.as_str();
                let explained = FILLERS.contains(&word)
                    || known.iter().any(|known| *known == word || known.strip_suffix('*').is_some_and(|start| word.starts_with(start)));
                left += usize::from(!explained);
            }
            Kind::Han => left += unexplained_han(part, token, used, &known).div_ceil(2),
            Kind::Sign => {}
            _ => left += 1,
        }
    }
    left
}

fn unexplained_han(part: &Part, token: &super::words::Token, used: &[std::ops::Range<usize>], known: &[&str]) -> usize {
    let mut rest: String = token.text.clone();
    for range in used {
        let (from, to) = (range.start.max(token.range.start), range.end.min(token.range.end));
        if from < to
            && let Some(piece) = part.raw.get(from..to)
        {
            rest = rest.replacen(piece, " ", 1);
        }
    }
    let mut pieces: Vec<&str> =
        known.iter().copied().filter(|known| known.chars().any(is_han)).chain(HAN_FILLERS.iter().copied()).collect();
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    for piece in pieces {
        rest = rest.replace(piece, " ");
    }
    rest.chars().filter(|ch| !ch.is_whitespace()).count()
}
