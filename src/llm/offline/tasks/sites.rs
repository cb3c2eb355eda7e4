//! Sites and numbers by the names that people call them.

/// Names of a site, parted by `|` and in small letters, and its page. `!` before a name: only as it is written here or
/// in capitals, since it is a word as well.
pub(super) const SITES: &[(&str, &str)] = &[
    ("techcrunch|tech crunch", "https://techcrunch.com"),
    ("hacker news|hackernews|ycombinator|!HN|黑客新闻", "https://news.ycombinator.com"),
    ("the verge|!Verge", "https://www.theverge.com"),
    ("bbc news|bbc|英国广播公司", "https://www.bbc.com/news"),
    ("reuters|路透社|路透", "https://www.reuters.com"),
    ("ars technica|arstechnica", "https://arstechnica.com"),
    ("wired.com|!Wired|连线杂志", "https://www.wired.com"),
    ("reddit", "https://www.reddit.com"),
    ("github trending|github 趋势", "https://github.com/trending"),
    ("github", "https://github.com"),
    ("github blog", "https://github.blog"),
    ("stack overflow|stackoverflow", "https://stackoverflow.com"),
    ("lobsters|lobste.rs", "https://lobste.rs"),
    ("slashdot", "https://slashdot.org"),
    ("product hunt|producthunt", "https://www.producthunt.com"),
    ("engadget", "https://www.engadget.com"),
    ("venturebeat|venture beat", "https://venturebeat.com"),
    ("zdnet", "https://www.zdnet.com"),
    ("cnet", "https://www.cnet.com"),
    ("the register", "https://www.theregister.com"),
    ("mit technology review|technology review|麻省理工科技评论", "https://www.technologyreview.com"),
    ("mit news", "https://news.mit.edu"),
    ("techmeme", "https://www.techmeme.com"),
    ("9to5mac", "https://9to5mac.com"),
    ("macrumors", "https://www.macrumors.com"),
    ("android police", "https://www.androidpolice.com"),
    ("phoronix", "https://www.phoronix.com"),
    ("lwn", "https://lwn.net"),
    ("cnn", "https://www.cnn.com"),
    ("new york times|nytimes|nyt|纽约时报", "https://www.nytimes.com"),
    ("washington post|华盛顿邮报", "https://www.washingtonpost.com"),
    ("wall street journal|wsj|华尔街日报", "https://www.wsj.com"),
    ("the guardian|!Guardian|卫报", "https://www.theguardian.com"),
    ("financial times|金融时报", "https://www.ft.com"),
    ("the economist|!Economist|经济学人", "https://www.economist.com"),
    ("bloomberg|彭博社|彭博", "https://www.bloomberg.com"),
    ("cnbc", "https://www.cnbc.com"),
    ("associated press|ap news|美联社", "https://apnews.com"),
    ("npr", "https://www.npr.org"),
    ("al jazeera|半岛电视台", "https://www.aljazeera.com"),
    ("der spiegel|spiegel", "https://www.spiegel.de"),
    ("tagesschau", "https://www.tagesschau.de"),
    ("heise", "https://www.heise.de"),
    ("le monde", "https://www.lemonde.fr"),
    ("el país|el pais", "https://elpais.com"),
    ("nikkei|日经", "https://asia.nikkei.com"),
    ("coindesk", "https://www.coindesk.com"),
    ("cointelegraph", "https://cointelegraph.com"),
    ("yahoo finance|雅虎财经", "https://finance.yahoo.com"),
    ("google news|谷歌新闻", "https://news.google.com"),
    ("google blog", "https://blog.google"),
    ("openai blog|openai 博客", "https://openai.com/news"),
    ("anthropic news|anthropic blog", "https://www.anthropic.com/news"),
    ("deepmind blog", "https://deepmind.google/discover/blog"),
    ("hugging face blog|huggingface blog", "https://huggingface.co/blog"),
    ("rust blog|rust 博客", "https://blog.rust-lang.org"),
    ("this week in rust", "https://this-week-in-rust.org"),
    ("arxiv", "https://arxiv.org"),
    ("nature.com|!Nature", "https://www.nature.com"),
    ("science daily|sciencedaily", "https://www.sciencedaily.com"),
    ("nasa", "https://www.nasa.gov"),
    ("wikipedia|维基百科", "https://www.wikipedia.org"),
    ("medium.com|!Medium", "https://medium.com"),
    ("dev.to", "https://dev.to"),
    ("espn", "https://www.espn.com"),
    ("steam store|steam", "https://store.steampowered.com"),
    ("36氪|36kr", "https://36kr.com"),
    ("少数派|sspai", "https://sspai.com"),
    ("虎嗅|huxiu", "https://www.huxiu.com"),
    ("钛媒体", "https://www.tmtpost.com"),
    ("it之家|ithome", "https://www.ithome.com"),
    ("机器之心", "https://www.jiqizhixin.com"),
    ("量子位", "https://www.qbitai.com"),
    ("爱范儿", "https://www.ifanr.com"),
    ("知乎|zhihu", "https://www.zhihu.com"),
    ("微博热搜|微博|weibo", "https://s.weibo.com/top/summary"),
    ("豆瓣|douban", "https://www.douban.com"),
    ("哔哩哔哩|b站|bilibili", "https://www.bilibili.com"),
    ("掘金|juejin", "https://juejin.cn"),
    ("v2ex", "https://www.v2ex.com"),
    ("csdn", "https://www.csdn.net"),
    ("博客园", "https://www.cnblogs.com"),
    ("开源中国|oschina", "https://www.oschina.net"),
    ("infoq", "https://www.infoq.com"),
    ("新华网|新华社", "https://www.xinhuanet.com"),
    ("人民网", "http://www.people.com.cn"),
    ("央视新闻|央视", "https://news.cctv.com"),
    ("澎湃新闻|澎湃", "https://www.thepaper.cn"),
    ("财新网|财新", "https://www.caixin.com"),
    ("界面新闻", "https://www.jiemian.com"),
    ("第一财经", "https://www.yicai.com"),
    ("新浪新闻|新浪", "https://news.sina.com.cn"),
    ("腾讯新闻", "https://news.qq.com"),
    ("网易新闻", "https://news.163.com"),
    ("搜狐新闻|搜狐", "https://news.sohu.com"),
    ("今日头条", "https://www.toutiao.com"),
    ("凤凰网", "https://www.ifeng.com"),
    ("观察者网", "https://www.guancha.cn"),
    ("cnbeta", "https://www.cnbeta.com.tw"),
];

/// Names of a number, and the name that the config's table of metrics has for it.
pub(super) const METRICS: &[(&str, &str)] = &[
    ("bitcoin|btc|比特币", "bitcoin_price"),
    ("ethereum|ether|eth|以太坊|以太币", "ethereum_price"),
    ("dogecoin|doge|狗狗币", "dogecoin_price"),
    ("solana|索拉纳", "solana_price"),
    ("litecoin|ltc|莱特币", "litecoin_price"),
    ("ripple|xrp|瑞波币", "xrp_price"),
    ("gold|黄金|金价", "gold_price"),
    ("silver|白银|银价", "silver_price"),
    ("brent|crude oil|crude|oil|原油|油价|石油", "oil_price"),
    ("euro|eur/usd|eurusd|欧元", "eur_usd"),
    ("usd/cny|usdcny|dollar to yuan|美元兑人民币|美元汇率|美元", "usd_cny"),
    ("tesla|tsla|特斯拉", "tesla_stock_price"),
    ("apple|aapl|苹果", "apple_stock_price"),
    ("nvidia|nvda|英伟达", "nvidia_stock_price"),
    ("cpu", "cpu_usage"),
    ("memory|ram|内存", "memory_usage"),
    ("disk|磁盘|硬盘", "disk_usage"),
    ("temperature|气温|温度", "temperature"),
];

/// The name of a metric, by all its own names.
pub(super) fn metric(words: &str) -> Option<&'static str> {
    let words = words.to_lowercase();
    METRICS.iter().find(|(names, _)| names.split('|').any(|name| has_name(&words, name))).map(|(_, metric)| *metric)
}

/// Whether a name stands in a text in small letters: with word boundaries where it is in Latin letters.
pub(super) fn has_name(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| is_apart(text, at, at + name.len()))
}

/// Whether a piece of a text is no part of a longer Latin word.
pub(super) fn is_apart(text: &str, start: usize, end: usize) -> bool {
    let latin = |ch: Option<char>| ch.is_some_and(|ch| ch.is_ascii_alphanumeric() || ch == '_');
    let piece = text.get(start..end).unwrap_or_default();
    let open = latin(piece.chars().next()) && latin(text[..start].chars().next_back());
    let close = latin(piece.chars().next_back()) && latin(text[end..].chars().next());
    !open && !close
}

/// Where known sites are named in a text: the place, and the page. Longer names come before shorter ones.
pub(super) fn named(text: &str) -> Vec<(std::ops::Range<usize>, &'static str)> {
    let lower = text.to_lowercase();
    // Places are those of `text`: where lowering moves bytes, nothing is found.
    if lower.len() != text.len() {
        return Vec::new();
    }
    let mut found: Vec<(std::ops::Range<usize>, &'static str)> = Vec::new();
    for (names, url) in SITES {
        for name in names.split('|') {
            let (text, name) = name.strip_prefix('!').map_or((lower.as_str(), name), |exact| (text, exact));
            for (at, _) in text.match_indices(name) {
                let range = at..at + name.len();
                if is_apart(text, range.start, range.end) {
                    found.push((range, url));
                }
            }
        }
    }
    found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut kept: Vec<(std::ops::Range<usize>, &'static str)> = Vec::new();
    for (range, url) in found {
        if kept.last().is_none_or(|(last, _)| last.end <= range.start) {
            kept.push((range, url));
        }
    }
    kept
}

/// What people call the page of an address, if it is a known site.
pub(super) fn names_of(url: &str) -> Vec<&'static str> {
    let url = url.trim_end_matches('/');
    SITES
        .iter()
        .filter(|(_, site)| *site == url)
        .flat_map(|(names, _)| names.split('|'))
        .map(|name| name.trim_start_matches('!'))
        .collect()
}
