//! The table of all theme keys: the only place where a key is added.

macro_rules! keys {
    ($( $variant:ident = $name:literal, $help:literal; )+) => {
        /// What a theme gives a style to. Keys are meanings, never colours.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Key {
            $( #[doc = $help] $variant, )+
        }

        impl Key {
            /// All keys, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in a theme file.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What it colours, in one phrase.
            pub const fn help(self) -> &'static str {
                match self { $( Self::$variant => $help, )+ }
            }

            /// The key of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $name => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

keys! {
    EventConnection = "event.connection", "a client or a server connects";
    EventHandoff = "event.handoff", "one agent hands a task to another";
    EventTool = "event.tool", "a tool runs";
    EventMcp = "event.mcp", "a server or its catalogue changes";
    EventError = "event.error", "something failed";
    EventTask = "event.task", "a background task tells something";
    EventNotification = "event.notification", "a notice goes out";
    EventChat = "event.chat", "somebody says something";
    EventTurn = "event.turn", "a turn begins, waits or ends";
    EventApproval = "event.approval", "a call needs consent";
    EventSession = "event.session", "a conversation is made or changed";
    EventCustom = "event.custom", "a type that only its sender knows";
    EventTime = "event.time", "the time before an event";
    EventTag = "event.tag", "the short type tag of an event";
    EventDetail = "event.detail", "the second line of an event";

    ChatUser = "chat.user", "what the user says";
    ChatUserLabel = "chat.user.label", "the mark before what the user says";
    ChatAgent = "chat.agent", "what the agent says";
    ChatAgentLabel = "chat.agent.label", "the mark before what the agent says";
    ChatReasoning = "chat.reasoning", "what the model thinks";
    ChatDim = "chat.dim", "times, durations and other small print";
    ChatTool = "chat.tool", "the name of a tool";
    ChatServer = "chat.server", "the name of a server";
    ChatArguments = "chat.arguments", "the arguments of a call";
    ChatHandoff = "chat.handoff", "the name of an agent that got a task";
    ChatError = "chat.error", "an error in the conversation";
    ChatHint = "chat.hint", "what to do next after an error";
    ChatMarker = "chat.marker", "compaction, rewind, fork";
    ChatLabel = "chat.label", "headings inside an opened item";
    ChatQueued = "chat.queued", "messages that wait";
    ChatWelcome = "chat.welcome", "the welcome block";

    MdHeading = "md.heading", "headings";
    MdStrong = "md.strong", "bold text";
    MdEmphasis = "md.emphasis", "emphasised text";
    MdStrike = "md.strike", "struck text";
    MdCode = "md.code", "code inside a line";
    MdCodeBlock = "md.code.block", "code that is not highlighted";
    MdCodeLabel = "md.code.label", "the language of a code block";
    MdLink = "md.link", "the text of a link";
    MdUrl = "md.url", "the address of a link";
    MdQuote = "md.quote", "quoted text";
    MdQuoteBar = "md.quote.bar", "the bar beside quoted text";
    MdRule = "md.rule", "horizontal rules";
    MdBullet = "md.bullet", "bullets and numbers of lists";
    MdTaskDone = "md.task.done", "the box of a task that is done";
    MdTaskOpen = "md.task.open", "the box of a task that is not done";
    MdTableBorder = "md.table.border", "lines of tables";
    MdTableHeader = "md.table.header", "header cells of tables";

    UiText = "ui.text", "plain text";
    UiDim = "ui.dim", "text of less weight";
    UiAccent = "ui.accent", "what should be found first";
    UiBorder = "ui.border", "borders";
    UiBorderFocused = "ui.border.focused", "the border of what has the keys";
    UiTitle = "ui.title", "titles in borders";
    UiTitleFocused = "ui.title.focused", "the title of what has the keys";
    UiStatus = "ui.status", "the status line";
    UiStatusValue = "ui.status.value", "values in the status line that matter";
    UiSelection = "ui.selection", "the selected row";
    UiMatch = "ui.match", "what a search found";
    UiMatchCurrent = "ui.match.current", "the found place that is shown";
    UiPopup = "ui.popup", "text in popups";
    UiPopupBorder = "ui.popup.border", "borders of popups";
    UiPopupSelected = "ui.popup.selected", "the selected row of a popup";
    UiKey = "ui.key", "names of keys";
    UiHint = "ui.hint", "hints below an input";
    UiInput = "ui.input", "typed text";
    UiPlaceholder = "ui.placeholder", "text where nothing is typed yet";
    UiScrollbar = "ui.scrollbar", "the track of a scroll bar";
    UiScrollbarThumb = "ui.scrollbar.thumb", "the thumb of a scroll bar";
    UiBackground = "ui.background", "the whole screen; `default` leaves the terminal's own";

    StatusOk = "status.ok", "it is well";
    StatusWarn = "status.warn", "it works, but not as it should";
    StatusError = "status.error", "it does not work";
    StatusBusy = "status.busy", "it is at work";
    StatusOff = "status.off", "it is switched off";
    StatusInfo = "status.info", "it is worth knowing";

    ApprovalTitle = "approval.title", "a question for consent";
    ApprovalDanger = "approval.danger", "a question for consent to something that may destroy";
    ApprovalChoice = "approval.choice", "a choice";
    ApprovalChosen = "approval.chosen", "the preselected choice";

    DiffAdd = "diff.add", "added lines";
    DiffRemove = "diff.remove", "removed lines";
    DiffHunk = "diff.hunk", "where a hunk begins";
    DiffHeader = "diff.header", "names of the compared files";
    DiffContext = "diff.context", "unchanged lines";

    SyntaxText = "syntax.text", "code without a meaning of its own";
    SyntaxComment = "syntax.comment", "comments";
    SyntaxString = "syntax.string", "strings";
    SyntaxEscape = "syntax.escape", "escapes inside strings, regular expressions";
    SyntaxNumber = "syntax.number", "numbers";
    SyntaxConstant = "syntax.constant", "constants of the language";
    SyntaxKeyword = "syntax.keyword", "keywords";
    SyntaxOperator = "syntax.operator", "operators";
    SyntaxFunction = "syntax.function", "names of functions";
    SyntaxType = "syntax.type", "names of types";
    SyntaxVariable = "syntax.variable", "variables and parameters";
    SyntaxProperty = "syntax.property", "keys of objects and tables";
    SyntaxTag = "syntax.tag", "tags of markup";
    SyntaxAttribute = "syntax.attribute", "attributes, annotations, decorators";
    SyntaxMacro = "syntax.macro", "macros and directives";
    SyntaxPunctuation = "syntax.punctuation", "brackets, commas, separators";
    SyntaxInvalid = "syntax.invalid", "what cannot be right";
}
