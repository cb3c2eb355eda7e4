//! The languages that are read by their grammar: which kinds of nodes are symbols, imports, branches, comments.
//!
//! The kinds are those of the grammars (their `node-types.json`). Complexity is cyclomatic: one for the function, one more
//! for each place where it branches; `&&`, `||` and their like branch too.

use std::sync::OnceLock;

use tree_sitter::Language as Grammar;

/// What a kind of node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Role {
    /// Nothing that is looked at.
    #[default]
    Plain,
    /// A function: it has a complexity of its own.
    Function,
    /// A type or another symbol, with its name for people.
    Symbol(&'static str),
    /// An import.
    Import,
    /// A place where the flow branches.
    Branch,
    /// An operator that branches where it is one of `&&`, `||`, `and`, `or`, `??`.
    Operator,
    /// A comment.
    Comment,
}

/// A language.
pub(super) struct Language {
    pub(super) name: &'static str,
    extensions: &'static [&'static str],
    grammar: fn() -> Grammar,
    functions: &'static str,
    /// `kind=name for people`.
    symbols: &'static str,
    imports: &'static str,
    branches: &'static str,
    operators: &'static str,
    roles: OnceLock<Vec<Role>>,
}

/// A language without a grammar here: its lines are counted.
const PLAIN: &[(&str, &[&str])] = &[
    ("CSS", &["css", "scss", "less"]),
    ("HTML", &["html", "htm"]),
    ("JSON", &["json", "jsonc"]),
    ("Markdown", &["md", "markdown"]),
    ("SQL", &["sql"]),
    ("TOML", &["toml"]),
    ("XML", &["xml", "svg"]),
    ("YAML", &["yaml", "yml"]),
    ("C#", &["cs"]),
    ("Kotlin", &["kt", "kts"]),
    ("Lua", &["lua"]),
    ("PHP", &["php"]),
    ("Protocol Buffers", &["proto"]),
    ("Swift", &["swift"]),
    ("Zig", &["zig"]),
];

macro_rules! language {
    ($name:literal, $extensions:expr, $grammar:expr, functions: $functions:literal, symbols: $symbols:literal, imports: $imports:literal, branches: $branches:literal, operators: $operators:literal) => {
        Language {
            name: $name,
            extensions: $extensions,
            grammar: || $grammar.into(),
            functions: $functions,
            symbols: $symbols,
            imports: $imports,
            branches: $branches,
            operators: $operators,
            roles: OnceLock::new(),
        }
    };
}

static LANGUAGES: [Language; 11] = [
    language!("Rust", &["rs"], tree_sitter_rust::LANGUAGE,
        functions: "function_item",
        symbols: "struct_item=struct enum_item=enum union_item=union trait_item=trait type_item=type mod_item=module impl_item=impl macro_definition=macro",
        imports: "use_declaration extern_crate_declaration",
        branches: "if_expression while_expression for_expression loop_expression match_arm try_expression",
        operators: "binary_expression let_chain"),
    language!("Python", &["py", "pyi"], tree_sitter_python::LANGUAGE,
        functions: "function_definition",
        symbols: "class_definition=class",
        imports: "import_statement import_from_statement future_import_statement",
        branches: "if_statement elif_clause for_statement while_statement except_clause conditional_expression case_clause if_clause",
        operators: "boolean_operator"),
    language!("JavaScript", &["js", "mjs", "cjs", "jsx"], tree_sitter_javascript::LANGUAGE,
        functions: "function_declaration generator_function_declaration method_definition arrow_function function_expression",
        symbols: "class_declaration=class",
        imports: "import_statement",
        branches: "if_statement for_statement for_in_statement while_statement do_statement switch_case catch_clause ternary_expression",
        operators: "binary_expression"),
    language!("TypeScript", &["ts", "mts", "cts"], tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        functions: "function_declaration generator_function_declaration method_definition arrow_function function_expression",
        symbols: "class_declaration=class abstract_class_declaration=class interface_declaration=interface type_alias_declaration=type enum_declaration=enum",
        imports: "import_statement",
        branches: "if_statement for_statement for_in_statement while_statement do_statement switch_case catch_clause ternary_expression",
        operators: "binary_expression"),
    language!("TSX", &["tsx"], tree_sitter_typescript::LANGUAGE_TSX,
        functions: "function_declaration generator_function_declaration method_definition arrow_function function_expression",
        symbols: "class_declaration=class abstract_class_declaration=class interface_declaration=interface type_alias_declaration=type enum_declaration=enum",
        imports: "import_statement",
        branches: "if_statement for_statement for_in_statement while_statement do_statement switch_case catch_clause ternary_expression",
        operators: "binary_expression"),
    language!("Go", &["go"], tree_sitter_go::LANGUAGE,
        functions: "function_declaration method_declaration",
        symbols: "type_spec=type type_alias=type",
        imports: "import_spec",
        branches: "if_statement for_statement expression_case type_case communication_case",
        operators: "binary_expression"),
    language!("C", &["c", "h"], tree_sitter_c::LANGUAGE,
        functions: "function_definition",
        symbols: "struct_specifier=struct union_specifier=union enum_specifier=enum type_definition=type preproc_function_def=macro",
        imports: "preproc_include",
        branches: "if_statement for_statement while_statement do_statement case_statement conditional_expression",
        operators: "binary_expression"),
    language!("C++", &["cpp", "cc", "cxx", "hpp", "hh", "hxx"], tree_sitter_cpp::LANGUAGE,
        functions: "function_definition",
        symbols: "class_specifier=class struct_specifier=struct union_specifier=union enum_specifier=enum type_definition=type alias_declaration=type namespace_definition=namespace preproc_function_def=macro",
        imports: "preproc_include",
        branches: "if_statement for_statement for_range_loop while_statement do_statement case_statement conditional_expression catch_clause",
        operators: "binary_expression"),
    language!("Java", &["java"], tree_sitter_java::LANGUAGE,
        functions: "method_declaration constructor_declaration",
        symbols: "class_declaration=class interface_declaration=interface enum_declaration=enum record_declaration=record annotation_type_declaration=annotation",
        imports: "import_declaration",
        branches: "if_statement for_statement enhanced_for_statement while_statement do_statement switch_label catch_clause ternary_expression",
        operators: "binary_expression"),
    language!("Ruby", &["rb", "rake"], tree_sitter_ruby::LANGUAGE,
        functions: "method singleton_method",
        symbols: "class=class module=module",
        imports: "",
        branches: "if elsif unless while until for when in_clause rescue conditional if_modifier unless_modifier while_modifier until_modifier rescue_modifier",
        operators: "binary"),
    language!("Shell", &["sh", "bash"], tree_sitter_bash::LANGUAGE,
        functions: "function_definition",
        symbols: "",
        imports: "",
        branches: "if_statement elif_clause for_statement c_style_for_statement while_statement case_item",
        operators: "list"),
];

/// The operators that branch.
pub(super) const BRANCHING: [&str; 5] = ["&&", "||", "and", "or", "??"];

/// The language of a file with that extension.
pub(super) fn by_extension(extension: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.extensions.contains(&extension))
}

/// The name of a language whose lines are counted only.
pub(super) fn plain(extension: &str) -> Option<&'static str> {
    PLAIN.iter().find(|(_, extensions)| extensions.contains(&extension)).map(|(name, _)| *name)
}

impl Language {
    /// Its grammar.
    pub(super) fn grammar(&self) -> Grammar {
        (self.grammar)()
    }

    /// What each kind of node is, by the kind's number.
    pub(super) fn roles(&'static self) -> &'static [Role] {
        self.roles.get_or_init(|| {
            let grammar = self.grammar();
            let role = |id: usize| {
                let Ok(id) = u16::try_from(id) else { return Role::Plain };
                let Some(kind) = grammar.node_kind_for_id(id).filter(|_| grammar.node_kind_is_named(id)) else { return Role::Plain };
                self.role(kind)
            };
            (0..grammar.node_kind_count()).map(role).collect()
        })
    }

    fn role(&'static self, kind: &str) -> Role {
        let holds = |list: &str| list.split_whitespace().any(|known| known == kind);
        let symbol = self.symbols.split_whitespace().filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == kind);
        if holds(self.functions) {
            Role::Function
        } else if let Some((_, name)) = symbol {
            Role::Symbol(name)
        } else if holds(self.imports) {
            Role::Import
        } else if holds(self.branches) {
            Role::Branch
        } else if holds(self.operators) {
            Role::Operator
        } else if kind.contains("comment") {
            Role::Comment
        } else {
            Role::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kind that a grammar no longer has would be passed over in silence.
    #[test]
    fn every_kind_is_one_of_its_grammar() {
        for language in &LANGUAGES {
            let grammar = language.grammar();
            let known: Vec<&str> = (0..u16::try_from(grammar.node_kind_count()).unwrap())
                .filter(|id| grammar.node_kind_is_named(*id))
                .filter_map(|id| grammar.node_kind_for_id(id))
                .collect();
            let kinds = [language.functions, language.imports, language.branches, language.operators];
            let symbols = language.symbols.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(kind, _)| kind);
            for kind in kinds.iter().flat_map(|list| list.split_whitespace()).chain(symbols) {
                assert!(known.contains(&kind), "{} has no `{kind}`", language.name);
            }
        }
    }
}
