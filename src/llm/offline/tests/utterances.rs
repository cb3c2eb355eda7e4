//! Single requests: the exact calls with their arguments, the question, or the plain words.

use super::check_all;

#[test]
fn files_are_listed() {
    check_all(&[
        ("list the files", r#"list_files {"path":"."}"#),
        ("List the files here", r#"list_files {"path":"."}"#),
        ("please could you list all files in this folder?", r#"list_files {"path":"."}"#),
        ("what files are in the current directory?", r#"list_files {"path":"."}"#),
        ("which files do I have here?", r#"list_files {"path":"."}"#),
        ("show me the files in src", r#"list_files {"path":"src"}"#),
        ("in src, what files are there?", r#"list_files {"path":"src"}"#),
        ("the files in the docs folder, list them please", r#"list_files {"path":"docs"}"#),
        ("list the contents of src/llm", r#"list_files {"path":"src/llm"}"#),
        ("ls", r#"list_files {"path":"."}"#),
        ("ls src/", r#"list_files {"path":"src/"}"#),
        ("what's in here?", r#"list_files {"path":"."}"#),
        ("list all rust files", r#"list_files {"path":".","glob":"*.rs"}"#),
        ("list *.toml files in src", r#"list_files {"path":"src","glob":"*.toml"}"#),
        ("list files recursively", r#"list_files {"path":".","depth":5}"#),
        ("list the files in src with depth 2", r#"list_files {"path":"src","depth":2}"#),
        ("how many files are in src?", r#"list_files {"path":"src"}"#),
        ("find files named config.toml", r#"list_files {"path":".","glob":"config.toml"}"#),
        ("list the folders src/a and src/b", r#"list_files {"path":"src/a"} & list_files {"path":"src/b"}"#),
        ("列出当前目录的文件", r#"list_files {"path":"."}"#),
        ("请帮我列出 src 目录下的所有文件", r#"list_files {"path":"src"}"#),
        ("当前目录有哪些文件？", r#"list_files {"path":"."}"#),
        ("src 目录里有什么文件", r#"list_files {"path":"src"}"#),
        ("看看这个文件夹里有什么", r#"list_files {"path":"."}"#),
        ("文件列出来看一下", r#"list_files {"path":"."}"#),
        ("I want to see the files in the src directory", r#"list_files {"path":"src"}"#),
        ("show folder contents", r#"list_files {"path":"."}"#),
        ("whats in docs/", r#"list_files {"path":"docs/"}"#),
        ("list src and tests", r#"list_files {"path":"src"} & list_files {"path":"tests"}"#),
        ("find all markdown files", r#"list_files {"path":".","glob":"*.md"}"#),
        ("list the python files in scripts", r#"list_files {"path":"scripts","glob":"*.py"}"#),
        ("列出所有 rust 文件", r#"list_files {"path":".","glob":"*.rs"}"#),
        ("看看 src 里面有啥", r#"list_files {"path":"src"}"#),
        ("tell me about this project", r#"list_files {"path":"."}"#),
        ("这个项目是做什么的？", r#"list_files {"path":"."}"#),
    ]);
}

#[test]
fn commands_are_run_where_one_is_named_as_such() {
    check_all(&[
        ("run the command ls -la", r#"run_command {"command":"ls -la"}"#),
        ("please run `cargo build --release`", r#"run_command {"command":"cargo build --release"}"#),
        ("can you execute the shell command: git status", r#"run_command {"command":"git status"}"#),
        ("run git log -1 in the terminal", r#"run_command {"command":"git log -1"}"#),
        ("$ echo one && echo two", r#"run_command {"command":"echo one && echo two"}"#),
        ("运行命令 ls -la", r#"run_command {"command":"ls -la"}"#),
        ("请执行一下命令：git status", r#"run_command {"command":"git status"}"#),
        ("帮我运行 `cargo test`", r#"run_command {"command":"cargo test"}"#),
        ("跑一下这个命令: date -u", r#"run_command {"command":"date -u"}"#),
    ]);
}

#[cfg(feature = "code-analysis")]
#[test]
fn code_is_analyzed() {
    check_all(&[
        ("analyze the code in src", r#"analyze_code {"path":"src"}"#),
        ("analyse this project", r#"analyze_code {"path":"."}"#),
        ("what are the most complex functions in src/main.rs?", r#"analyze_code {"path":"src/main.rs"}"#),
        ("how many lines of code are in src?", r#"analyze_code {"path":"src"}"#),
        ("find duplicate code in src", r#"analyze_code {"path":"src"}"#),
        ("list the functions in src/lib.rs", r#"analyze_code {"path":"src/lib.rs"}"#),
        ("分析 src 的代码", r#"analyze_code {"path":"src"}"#),
        ("分析一下这个项目的代码", r#"analyze_code {"path":"."}"#),
        ("src/main.rs 的代码复杂度是多少？", r#"analyze_code {"path":"src/main.rs"}"#),
        ("统计一下 src 有多少行代码", r#"analyze_code {"path":"src"}"#),
    ]);
}

#[test]
fn files_are_read() {
    check_all(&[
        ("read README.md", r#"read_file {"path":"README.md"}"#),
        ("Could you please read README.md for me?", r#"read_file {"path":"README.md"}"#),
        ("README.md, open it please", r#"read_file {"path":"README.md"}"#),
        ("show me src/main.rs", r#"read_file {"path":"src/main.rs"}"#),
        ("what does src/main.rs say?", r#"read_file {"path":"src/main.rs"}"#),
        ("what's in Cargo.toml", r#"read_file {"path":"Cargo.toml"}"#),
        ("cat ./notes.txt", r#"read_file {"path":"./notes.txt"}"#),
        ("print the contents of the file LICENSE", r#"read_file {"path":"LICENSE"}"#),
        ("read lines 10-20 of src/lib.rs", r#"read_file {"path":"src/lib.rs","offset":10,"limit":11}"#),
        ("show the first 5 lines of a.txt", r#"read_file {"path":"a.txt","limit":5}"#),
        ("the last 20 lines of app.log please, show them", r#"read_file {"path":"app.log","offset":-20}"#),
        ("read a.txt and b.txt", r#"read_file {"path":"a.txt"} & read_file {"path":"b.txt"}"#),
        ("read 'my notes.txt'", r#"read_file {"path":"my notes.txt"}"#),
        ("read a file", "ask path for read_file {}"),
        ("open the file", "ask path for read_file {}"),
        ("读一下 README.md", r#"read_file {"path":"README.md"}"#),
        ("读一下README.md", r#"read_file {"path":"README.md"}"#),
        ("请打开 src/main.rs 看看", r#"read_file {"path":"src/main.rs"}"#),
        ("README.md 的内容是什么？", r#"read_file {"path":"README.md"}"#),
        ("帮我读取 src/lib.rs 的第 10 到 20 行", r#"read_file {"path":"src/lib.rs","offset":10,"limit":11}"#),
        ("看一下 app.log 最后 5 行", r#"read_file {"path":"app.log","offset":-5}"#),
        ("读一个文件", "ask path for read_file {}"),
        ("I'd like you to read Cargo.toml", r#"read_file {"path":"Cargo.toml"}"#),
        ("tail app.log", r#"read_file {"path":"app.log","offset":-10}"#),
        ("README.md 讲了什么", r#"read_file {"path":"README.md"}"#),
        ("把 README.md 读给我听", r#"read_file {"path":"README.md"}"#),
    ]);
}

#[test]
fn files_are_searched() {
    check_all(&[
        ("search for TODO", r#"search_files {"pattern":"TODO"}"#),
        ("search for foo in src", r#"search_files {"pattern":"foo","path":"src"}"#),
        ("search src for foo", r#"search_files {"pattern":"foo","path":"src"}"#),
        ("find `fn main` in src/", r#"search_files {"pattern":"fn main","path":"src/"}"#),
        ("grep unwrap src/lib.rs", r#"search_files {"pattern":"unwrap","path":"src/lib.rs"}"#),
        ("which files contain TODO?", r#"search_files {"pattern":"TODO"}"#),
        ("what files mention 'event log'", r#"search_files {"pattern":"event log"}"#),
        ("where is ToolBox defined?", r#"search_files {"pattern":"ToolBox"}"#),
        ("look for \"max_width\" in the config folder", r#"search_files {"pattern":"max_width","path":"config"}"#),
        ("search for foo and bar in src", r#"search_files {"pattern":"foo and bar","path":"src"}"#),
        ("search for the regex 'fn \\w+' in src", r#"search_files {"pattern":"fn \\w+","path":"src","regex":true}"#),
        ("在 src 里搜索 foo", r#"search_files {"pattern":"foo","path":"src"}"#),
        ("搜索 TODO", r#"search_files {"pattern":"TODO"}"#),
        ("帮我在 src 目录中查找 unwrap", r#"search_files {"pattern":"unwrap","path":"src"}"#),
        ("哪些文件包含 TODO？", r#"search_files {"pattern":"TODO"}"#),
        ("查找“事件日志”", r#"search_files {"pattern":"事件日志"}"#),
        ("search the files", "ask pattern for search_files {}"),
        ("grep -r foo src", r#"search_files {"pattern":"foo","path":"src"}"#),
        ("find all occurrences of unwrap in src", r#"search_files {"pattern":"unwrap","path":"src"}"#),
        ("search for 中文 in src", r#"search_files {"pattern":"中文","path":"src"}"#),
        ("src 里哪些文件包含 foo", r#"search_files {"pattern":"foo","path":"src"}"#),
        ("搜索一下 unwrap 在 src 目录", r#"search_files {"pattern":"unwrap","path":"src"}"#),
    ]);
}

#[test]
fn files_are_written_and_edited() {
    check_all(&[
        ("write 'hello world' to notes.txt", r#"write_file {"path":"notes.txt","content":"hello world"}"#),
        ("write hello to notes.txt", r#"write_file {"path":"notes.txt","content":"hello"}"#),
        ("save \"a\\nb\" in out/list.txt", r#"write_file {"path":"out/list.txt","content":"a\nb"}"#),
        ("create a file notes.txt with the content buy milk", r#"write_file {"path":"notes.txt","content":"buy milk"}"#),
        ("create an empty file called a.txt", r#"write_file {"path":"a.txt","content":""}"#),
        ("in notes.txt write 'hi'", r#"write_file {"path":"notes.txt","content":"hi"}"#),
        ("create notes.txt", r#"ask content for write_file {"path":"notes.txt"}"#),
        ("write a file", "ask path for write_file {}"),
        ("把 hello 写入 notes.txt", r#"write_file {"path":"notes.txt","content":"hello"}"#),
        ("创建文件 notes.txt，内容是 你好", r#"write_file {"path":"notes.txt","content":"你好"}"#),
        ("新建一个文件 a.md", r#"ask content for write_file {"path":"a.md"}"#),
        ("replace foo with bar in a.txt", r#"edit_file {"path":"a.txt","old_text":"foo","new_text":"bar"}"#),
        ("in a.txt replace all 'x y' with 'z'", r#"edit_file {"path":"a.txt","old_text":"x y","new_text":"z","replace_all":true}"#),
        ("change 'one' to 'two' in src/a.rs", r#"edit_file {"path":"src/a.rs","old_text":"one","new_text":"two"}"#),
        ("edit a.txt", r#"ask old_text for edit_file {"path":"a.txt"}"#),
        ("把 a.txt 里的 foo 换成 bar", r#"edit_file {"path":"a.txt","old_text":"foo","new_text":"bar"}"#),
        ("将 a.txt 中所有的 foo 替换为 bar", r#"edit_file {"path":"a.txt","old_text":"foo","new_text":"bar","replace_all":true}"#),
        (
            r#"write "a" to a.txt and "b" to b.txt"#,
            r#"write_file {"path":"a.txt","content":"a"} & write_file {"path":"b.txt","content":"b"}"#,
        ),
        ("save this to notes.txt: buy milk and eggs", r#"write_file {"path":"notes.txt","content":"buy milk and eggs"}"#),
        ("往 a.txt 写 hello", r#"write_file {"path":"a.txt","content":"hello"}"#),
        ("fix the typo teh to the in a.txt", r#"edit_file {"path":"a.txt","old_text":"teh","new_text":"the"}"#),
    ]);
}

#[test]
fn the_time_is_told() {
    check_all(&[
        ("what time is it?", "current_time {}"),
        ("what time is it in Tokyo?", r#"current_time {"timezone":"Asia/Tokyo"}"#),
        ("in Tokyo, what time is it now?", r#"current_time {"timezone":"Asia/Tokyo"}"#),
        ("Tokyo time now please", r#"current_time {"timezone":"Asia/Tokyo"}"#),
        (
            "tell me the current time in New York and London",
            r#"current_time {"timezone":"America/New_York"} & current_time {"timezone":"Europe/London"}"#,
        ),
        ("what's the date today?", "current_time {}"),
        ("what day is it", "current_time {}"),
        ("time in Europe/Paris", r#"current_time {"timezone":"Europe/Paris"}"#),
        ("what time is it in UTC+8", r#"current_time {"timezone":"UTC+8"}"#),
        ("what is the time in Atlantis?", r#"current_time {"timezone":"Atlantis"}"#),
        ("现在几点了", "current_time {}"),
        ("现在东京几点", r#"current_time {"timezone":"Asia/Tokyo"}"#),
        ("东京现在几点了？", r#"current_time {"timezone":"Asia/Tokyo"}"#),
        ("请问北京和纽约现在几点", r#"current_time {"timezone":"Asia/Shanghai"} & current_time {"timezone":"America/New_York"}"#),
        ("今天是星期几", "current_time {}"),
        ("今天几号？", "current_time {}"),
        ("告诉我伦敦的时间", r#"current_time {"timezone":"Europe/London"}"#),
        ("Tokyo time", r#"current_time {"timezone":"Asia/Tokyo"}"#),
        ("北京时间", r#"current_time {"timezone":"Asia/Shanghai"}"#),
        ("let me know the time", "current_time {}"),
    ]);
}

#[test]
fn sums_are_calculated() {
    check_all(&[
        ("what is 12% of 80", r#"calculate {"expression":"12% of 80"}"#),
        ("What's 3 + 4?", r#"calculate {"expression":"3 + 4"}"#),
        ("3*(4+5)", r#"calculate {"expression":"3 * (4 + 5)"}"#),
        ("计算 3*(4+5)", r#"calculate {"expression":"3 * (4 + 5)"}"#),
        ("calculate sqrt(2)^3 please", r#"calculate {"expression":"sqrt(2)^3"}"#),
        ("how much is 7 times 6?", r#"calculate {"expression":"7 * 6"}"#),
        ("add 2 and 3", r#"calculate {"expression":"2 + 3"}"#),
        ("divide 10 by 4", r#"calculate {"expression":"10 / 4"}"#),
        ("the square root of 144, what is it?", r#"calculate {"expression":"sqrt(144)"}"#),
        ("3 加 5 等于多少", r#"calculate {"expression":"3 + 5"}"#),
        ("80 的 12% 是多少？", r#"calculate {"expression":"12% of 80"}"#),
        ("帮我算一下 (1+2)*3", r#"calculate {"expression":"(1 + 2) * 3"}"#),
        ("请计算 2 的 10 次方", r#"calculate {"expression":"2^10"}"#),
        ("calculate", "ask expression for calculate {}"),
        ("计算", "ask expression for calculate {}"),
        ("compute the sum of 1, 2 and 3", r#"calculate {"expression":"1 + 2 + 3"}"#),
    ]);
}

#[test]
fn the_machine_is_described() {
    check_all(&[
        ("system info", "system_info {}"),
        ("show system information", "system_info {}"),
        ("how much memory is free?", "system_info {}"),
        ("how much memory and disk space do I have?", "system_info {}"),
        ("what cpu does this machine have?", "system_info {}"),
        ("how long has this computer been running", "system_info {}"),
        ("what operating system am I on?", "system_info {}"),
        ("disk usage", "system_info {}"),
        ("系统信息", "system_info {}"),
        ("内存还有多少？", "system_info {}"),
        ("看一下这台电脑的配置和磁盘空间", "system_info {}"),
        ("这是什么操作系统", "system_info {}"),
    ]);
}

#[test]
fn any_tool_can_be_called_by_name() {
    check_all(&[
        ("call everything echo with message=hi", r#"everything__echo {"message":"hi"}"#),
        ("use get-sum a=2 b=3", r#"everything__get-sum {"a":2,"b":3}"#),
        (r#"everything__echo {"message":"hi"}"#, r#"everything__echo {"message":"hi"}"#),
        ("everything__echo hello world", r#"everything__echo {"message":"hello world"}"#),
        ("use the echo tool to say hello", r#"everything__echo {"message":"hello"}"#),
        ("get-sum 2 and 3", r#"everything__get-sum {"a":2,"b":3}"#),
        (
            "run get-annotated-message with messageType=ERROR and includeImage=true",
            r#"everything__get-annotated-message {"messageType":"error","includeImage":true}"#,
        ),
        ("call get-annotated-message", "ask messageType for everything__get-annotated-message {}"),
        ("call read_graph", "memory__read_graph {}"),
        (r#"memory__delete_entities {"entityNames": ["a", "b"]}"#, r#"memory__delete_entities {"entityNames":["a","b"]}"#),
        ("use delete_entities \"a\" \"b\"", r#"memory__delete_entities {"entityNames":["a","b"]}"#),
        ("call list_files path=src depth=2", r#"list_files {"path":"src","depth":2}"#),
        ("use calculate 2+2", r#"calculate {"expression":"2+2"}"#),
        ("调用 everything 的 echo，message=你好", r#"everything__echo {"message":"你好"}"#),
        ("用 echo 说 你好", r#"everything__echo {"message":"你好"}"#),
        ("使用 get-sum 计算 2 和 3", r#"everything__get-sum {"a":2,"b":3}"#),
        ("call publish_note hello", "choose blog__publish_note wiki__publish_note"),
        ("call publish_note hello with wiki", r#"wiki__publish_note {"note":"hello"}"#),
        ("call get-sum a=2", r#"ask b for everything__get-sum {"a":2}"#),
    ]);
}

#[test]
fn any_tool_can_be_called_by_its_words() {
    check_all(&[
        ("echo hello world", r#"everything__echo {"message":"hello world"}"#),
        ("please echo \"good morning\"", r#"everything__echo {"message":"good morning"}"#),
        ("add 2 and 3 with everything", r#"everything__get-sum {"a":2,"b":3}"#),
        ("what's the weather in Paris?", r#"weather__get_weather {"location":"Paris"}"#),
        ("get the weather for New York", r#"weather__get_weather {"location":"New York"}"#),
        ("fetch https://example.com/a", r#"web__fetch_url {"url":"https://example.com/a"}"#),
        ("show me the tiny image", "everything__get-tiny-image {}"),
        (
            "convert 10:30 from Tokyo to Paris time",
            r#"time__convert_time {"source_timezone":"Asia/Tokyo","time":"10:30","target_timezone":"Europe/Paris"}"#,
        ),
        ("search nodes for rust", r#"memory__search_nodes {"query":"rust"}"#),
        ("publish the note hello", "choose blog__publish_note wiki__publish_note"),
        ("weather", "ask location for weather__get_weather {}"),
    ]);
}

#[test]
fn several_things_are_done_in_one_request() {
    check_all(&[
        ("list the files and then read README.md", r#"list_files {"path":"."} -> read_file {"path":"README.md"}"#),
        ("list the files and read README.md", r#"list_files {"path":"."} & read_file {"path":"README.md"}"#),
        ("what time is it and also how much memory is free", "current_time {} & system_info {}"),
        (
            "What time is it in Tokyo, and what is 17% of 2,340?",
            r#"current_time {"timezone":"Asia/Tokyo"} & calculate {"expression":"17% of 2340"}"#,
        ),
        ("List the files here and tell me about this folder", r#"list_files {"path":"."}"#),
        ("列出文件，然后读一下 README.md", r#"list_files {"path":"."} -> read_file {"path":"README.md"}"#),
        ("先列出文件，再读 README.md", r#"list_files {"path":"."} -> read_file {"path":"README.md"}"#),
        ("现在几点，还有 3+4 等于多少", r#"current_time {} & calculate {"expression":"3 + 4"}"#),
        ("read a.txt. Then search for foo in src.", r#"read_file {"path":"a.txt"} -> search_files {"pattern":"foo","path":"src"}"#),
        ("write 'x' to a.txt and read it", r#"write_file {"path":"a.txt","content":"x"} -> read_file {"path":"a.txt"}"#),
        ("hello, list the files please", r#"list_files {"path":"."}"#),
        ("list the files, but don't read them", r#"list_files {"path":"."}"#),
        ("list the files and write me a poem", r#"list_files {"path":"."} | unknown: write me a poem"#),
        ("what can you do, and what time is it?", "current_time {} | say Help"),
        ("what is 2+2 and 3*3", r#"calculate {"expression":"2 + 2"} & calculate {"expression":"3 * 3"}"#),
        (
            "list files, read README.md, and tell me the time",
            r#"list_files {"path":"."} & read_file {"path":"README.md"} & current_time {}"#,
        ),
        ("先读 README.md，然后列出文件，最后告诉我时间", r#"read_file {"path":"README.md"} -> list_files {"path":"."} -> current_time {}"#),
        ("do not list the files, read README.md instead", r#"read_file {"path":"README.md"}"#),
    ]);
}

#[test]
fn tasks_are_handed_over() {
    check_all(&[
        ("ask the agent coder to write a parser", r#"handoff {"agent":"coder","task":{"description":"write a parser"}}"#),
        (
            "let coder fix the bug and then run the tests",
            r#"handoff {"agent":"coder","task":{"description":"fix the bug and then run the tests"}}"#,
        ),
        (
            "let server time tell what time it is in Tokyo",
            r#"handoff {"agent":"time","task":{"description":"tell what time it is in Tokyo"}}"#,
        ),
        ("please tell coder to read README.md", r#"handoff {"agent":"coder","task":{"description":"read README.md"}}"#),
        ("让 coder 写一个解析器", r#"handoff {"agent":"coder","task":{"description":"写一个解析器"}}"#),
        ("请让代理 coder 去修复这个问题", r#"handoff {"agent":"coder","task":{"description":"修复这个问题"}}"#),
        ("ask the agent painter to draw a cat", r#"say NobodyThere("painter", ["coder", "time", "everything"])"#),
        ("tell me the time", "current_time {}"),
        ("ask coder", r#"ask task for handoff {"agent":"coder"}"#),
        ("ask me a question", "unknown: ask me a question"),
    ]);
}

#[test]
fn small_talk_calls_nothing() {
    check_all(&[
        ("hello", "say Hello"),
        ("Hi there!", "say Hello"),
        ("你好", "say Hello"),
        ("thanks a lot", "say Thanks"),
        ("谢谢", "say Thanks"),
        ("What can you do?", "say Help"),
        ("help", "say Help"),
        ("which tools do you have?", "say Help"),
        ("你能做什么？", "say Help"),
        ("who are you?", "say WhoAreYou"),
        ("are you a language model?", "say WhoAreYou"),
        ("你是谁", "say WhoAreYou"),
        ("how do I use a real model?", "say RealModel"),
        ("怎么使用真正的模型", "say RealModel"),
        ("how are you?", "say HowAreYou"),
        ("bye", "say Bye"),
        ("yes", "say NothingOpen"),
    ]);
}

#[test]
fn what_is_no_request_calls_nothing() {
    check_all(&[
        ("don't list the files", "say Negated"),
        ("please do not read README.md", "say Negated"),
        ("不要列出文件", "say Negated"),
        ("别读 README.md", "say Negated"),
        ("don't use get-sum", "say Negated"),
        ("how do I list files in bash?", "say HowTo"),
        ("how to read a file in Rust", "say HowTo"),
        ("怎么列出文件", "say HowTo"),
        ("what does grep do?", "say HowTo"),
        ("why did you read README.md?", "say HowTo"),
        ("I was reading README.md yesterday", "say Remark"),
        ("my files are a mess", "say Remark"),
        ("did you list the files?", "say Remark"),
        ("我昨天读了 README.md", "say Remark"),
        ("it was a long list of files", "say Remark"),
        ("write me a poem about autumn", "unknown: write me a poem about autumn"),
        ("write a function that sorts a list", "unknown: write a function that sorts a list"),
        ("what is the time complexity of quicksort?", "unknown: what is the time complexity of quicksort?"),
        ("what is the capital of France?", "unknown: what is the capital of France?"),
        ("find me a good restaurant in Paris", "unknown: find me a good restaurant in Paris"),
        ("add salt to the soup", "unknown: add salt to the soup"),
        ("the echo of the cave was loud", "unknown: the echo of the cave was loud"),
        ("translate this into German", "unknown: translate this into German"),
        ("append a line to notes.txt", "unknown: append a line to notes.txt"),
        ("2024-01-02", "unknown: 2024-01-02"),
        ("写一首关于秋天的诗", "unknown: 写一首关于秋天的诗"),
        ("给我讲个笑话", "unknown: 给我讲个笑话"),
        ("asdf qwer", "unknown: asdf qwer"),
        ("search the web for rust news", "unknown: search the web for rust news"),
        ("time flies", "unknown: time flies"),
        ("save time", "unknown: save time"),
        ("what's in a name?", "unknown: what's in a name?"),
        ("what is in fashion?", "unknown: what is in fashion?"),
        ("open a bank account", "unknown: open a bank account"),
        ("read between the lines", "unknown: read between the lines"),
        ("find the meaning of life", "unknown: find the meaning of life"),
        ("where is Tokyo?", "unknown: where is Tokyo?"),
        ("what day is the meeting", "unknown: what day is the meeting"),
        ("save the whales", "unknown: save the whales"),
        ("change the subject", "unknown: change the subject"),
        ("delete README.md", "unknown: delete README.md"),
        ("run cargo build", "unknown: run cargo build"),
        ("what do you think about README.md", "unknown: what do you think about README.md"),
        ("list all countries in Europe", "unknown: list all countries in Europe"),
        ("时间过得真快", "unknown: 时间过得真快"),
        ("看电影", "unknown: 看电影"),
        ("打开电视", "unknown: 打开电视"),
        ("找工作", "unknown: 找工作"),
        ("把灯关掉", "unknown: 把灯关掉"),
        ("I have no time", "say Remark"),
        ("my memory is bad", "say Remark"),
        ("show me how to read a file", "say HowTo"),
        ("no, don't do that", "say Negated"),
    ]);
}
