//! The tour: prompts that show what the program can do, on the built-in assistant and the built-in servers.

/// The scenes, in order.
pub const SCENES: &[&str] = &[
    "What can you do?",
    "What time is it in Tokyo and what is 17% of 2,340?",
    "List the files here",
    "Write a file named wakeful-tour.md with the content \"# Hello from wakeful\"",
    "How is this machine doing?",
];
