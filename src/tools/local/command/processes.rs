//! Which processes belong to a command, read from `/proc`; elsewhere nothing is found.

use std::collections::{HashMap, HashSet};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A running process, as `/proc/PID/stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    parent: i32,
    group: i32,
    /// It has ended and waits to be taken away.
    is_zombie: bool,
}

/// Reads `PID (NAME) STATE PARENT GROUP …`; a name may hold blanks and parentheses.
fn parse(stat: &str) -> Option<Process> {
    let (front, rest) = stat.rsplit_once(") ")?;
    let pid = front.split(' ').next()?.parse().ok()?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Process { pid, parent, group, is_zombie: matches!(state, "Z" | "X") })
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").ok();
    entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Everything that runs under the process `root`, itself not counted.
pub(super) fn below(root: i32) -> Vec<Process> {
    let all: Vec<Process> =
        pids().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()).filter_map(|stat| parse(&stat)).collect();
    tree(root, &all)
}

fn tree(root: i32, all: &[Process]) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let (mut found, mut next, mut seen) = (Vec::new(), vec![root], HashSet::from([root]));
    while let Some(parent) = next.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if seen.insert(child.pid) {
                next.push(child.pid);
                if !child.is_zombie {
                    found.push(**child);
                }
            }
        }
    }
    found
}

/// Everything that carries `mark` in the variable [`super::spec::MARK`], but for this process.
pub(super) fn marked(mark: &str) -> Vec<i32> {
    let own = std::process::id();
    let name = format!("{}=", super::spec::MARK);
    let carries = |pid: &i32| {
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        let value = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(name.as_bytes()));
        value.is_some_and(|value| value.split(|byte| *byte == b':').any(|part| part == mark.as_bytes()))
    };
    pids().filter(|pid| u32::try_from(*pid).is_ok_and(|pid| pid != own)).filter(carries).collect()
}

/// Sends a signal to each of these, and to their groups first: what a group does in between it does no more. The own
/// group is left out.
pub(super) fn signal(processes: &[Process], signal: Signal) {
    let own = rustix::process::getpgrp().as_raw_nonzero().get();
    let groups: HashSet<i32> = processes.iter().map(|process| process.group).filter(|group| *group > 1 && *group != own).collect();
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        // It fails only when the group is gone, which is what is wanted.
        let _ = kill_process_group(group, signal);
    }
    for pid in processes.iter().filter_map(|process| Pid::from_raw(process.pid)) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends what carries `mark`, until nothing does or `rounds` are over; what is left then.
pub(super) fn end_marked(mark: &str, rounds: usize) -> usize {
    for _ in 0..rounds {
        let found = marked(mark);
        if found.is_empty() {
            return 0;
        }
        for pid in found.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    marked(mark).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_whatever_the_name() {
        let read = parse("17 (a) b (c) S 4 17 17 0 -1 4194560").unwrap();
        assert_eq!(read, Process { pid: 17, parent: 4, group: 17, is_zombie: false });
        assert!(parse("18 (sh) Z 17 17 17 0").unwrap().is_zombie);
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn a_tree_is_all_that_comes_of_its_root() {
        let process = |pid, parent| Process { pid, parent, group: pid, is_zombie: pid == 5 };
        let all = [process(2, 1), process(3, 2), process(4, 3), process(5, 2), process(6, 5), process(7, 1), process(1, 1)];
        let mut found: Vec<i32> = tree(2, &all).iter().map(|process| process.pid).collect();
        found.sort_unstable();
        // 5 has ended; what it started has not.
        assert_eq!(found, [3, 4, 6]);
        assert_eq!(tree(1, &all).len(), 5);
    }
}
