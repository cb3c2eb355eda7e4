//! `system_info`: what this machine is and how busy it is.
//!
//! No names of the machine, its users, its processes or its variables: nothing that would be a secret in a chat.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

use crate::domain::text::clean_line;
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::{Definition, LocalTool, SYSTEM};

/// The most disks that are told.
const DISKS_MAX: usize = 16;

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
struct Machine {
    os: String,
    kernel: String,
    arch: String,
    cpu: String,
    cores: usize,
    load: (f64, f64, f64),
    memory: (u64, u64),
    swap: (u64, u64),
    uptime_seconds: u64,
    disks: Vec<Disk>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Disk {
    mount: String,
    file_system: String,
    total_bytes: u64,
    free_bytes: u64,
}

pub(super) fn tool() -> LocalTool {
    let definition = Definition {
        server: SYSTEM,
        name: "system_info",
        title: "System information",
        description: "Tells about this machine: operating system, processor and load, memory, disks and their free space, uptime.",
        hints: ToolHints { idempotent: false, ..ToolHints::READ_ONLY },
    };
    LocalTool::new(&definition, |_: Arguments, _context| {
        blocking(|| {
            let machine = measure();
            Ok(ToolOutcome { text: machine.text(), structured: Some(machine.json()), is_error: false })
        })
    })
}

/// Asks the operating system; what it does not tell stays empty or zero.
fn measure() -> Machine {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()).with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(kinds).ok();
    let disks = Disks::new_with_refreshed_list().ok();
    let mut disks: Vec<Disk> = disks
        .iter()
        .flat_map(|disks| disks.iter())
        .filter(|disk| disk.total_space() > 0)
        .map(|disk| Disk {
            mount: clean_line(&disk.mount_point().to_string_lossy()),
            file_system: clean_line(&disk.file_system().to_string_lossy()),
            total_bytes: disk.total_space(),
            free_bytes: disk.available_space(),
        })
        .collect();
    disks.sort_by(|a, b| a.mount.cmp(&b.mount));
    // One file system mounted in many places (as in containers) is told once.
    disks.dedup_by(|a, b| (a.total_bytes, a.free_bytes, &a.file_system) == (b.total_bytes, b.free_bytes, &b.file_system));
    disks.truncate(DISKS_MAX);
    let load = System::load_average().map_or((0.0, 0.0, 0.0), |load| (load.one, load.five, load.fifteen));
    let told = |text: Result<String, _>| text.unwrap_or_default();
    let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
    let of_system = |ask: fn(&System) -> u64| system.as_ref().map(ask).unwrap_or_default();
    Machine {
        os: told(System::long_os_version().or_else(|_| System::name())),
        kernel: told(System::kernel_version()),
        arch: System::cpu_arch(),
        cpu: cpus.first().map(|cpu| clean_line(cpu.brand())).unwrap_or_default(),
        cores: cpus.len(),
        load,
        memory: (of_system(System::used_memory), of_system(System::total_memory)),
        swap: (of_system(System::used_swap), of_system(System::total_swap)),
        uptime_seconds: System::uptime().unwrap_or_default(),
        disks,
    }
}

impl Machine {
    fn text(&self) -> String {
        let mut out = String::new();
        let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
        let _ = writeln!(out, "System: {} ({}), kernel {}", known(&self.os), known(&self.arch), known(&self.kernel));
        let _ = writeln!(
            out,
            "Processor: {}, {} cores, load {:.2} {:.2} {:.2}",
            known(&self.cpu),
            self.cores,
            self.load.0,
            self.load.1,
            self.load.2
        );
        let _ = writeln!(out, "Memory: {} of {} used ({})", size(self.memory.0), size(self.memory.1), share(self.memory));
        if self.swap.1 > 0 {
            let _ = writeln!(out, "Swap: {} of {} used", size(self.swap.0), size(self.swap.1));
        }
        for disk in &self.disks {
            let used = (disk.total_bytes.saturating_sub(disk.free_bytes), disk.total_bytes);
            let (free, total) = (size(disk.free_bytes), size(disk.total_bytes));
            let _ = writeln!(out, "Disk {} ({}): {free} of {total} free ({} used)", disk.mount, disk.file_system, share(used));
        }
        let _ = write!(out, "Uptime: {}", span(self.uptime_seconds));
        out
    }

    fn json(&self) -> Value {
        let disks: Vec<Value> = self
            .disks
            .iter()
            .map(|disk| json!({"mount": disk.mount, "file_system": disk.file_system, "total_bytes": disk.total_bytes, "free_bytes": disk.free_bytes}))
            .collect();
        json!({
            "os": self.os, "kernel": self.kernel, "arch": self.arch,
            "cpu": {"brand": self.cpu, "cores": self.cores, "load": [self.load.0, self.load.1, self.load.2]},
            "memory": {"used_bytes": self.memory.0, "total_bytes": self.memory.1},
            "swap": {"used_bytes": self.swap.0, "total_bytes": self.swap.1},
            "disks": disks,
            "uptime_seconds": self.uptime_seconds,
        })
    }
}

/// Bytes in binary units with one decimal.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].iter();
    let mut unit = units.next().unwrap_or(&"B");
    for larger in units {
        if value < 1_024.0 {
            break;
        }
        (value, unit) = (value / 1_024.0, larger);
    }
    if *unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

fn share((part, whole): (u64, u64)) -> String {
    let percent = (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{percent} %")
}

fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_told_in_lines() {
        let machine = Machine {
            os: "Linux 6".into(),
            kernel: String::new(),
            arch: "x86_64".into(),
            cpu: "Fast".into(),
            cores: 2,
            load: (0.5, 0.25, 0.0),
            memory: (1_073_741_824, 4_294_967_296),
            swap: (0, 0),
            uptime_seconds: 90_061,
            disks: vec![Disk { mount: "/".into(), file_system: "ext4".into(), total_bytes: 2_048, free_bytes: 512 }],
        };
        insta::assert_snapshot!(machine.text(), @r"
        System: Linux 6 (x86_64), kernel unknown
        Processor: Fast, 2 cores, load 0.50 0.25 0.00
        Memory: 1.0 GiB of 4.0 GiB used (25 %)
        Disk / (ext4): 512 B of 2.0 KiB free (75 % used)
        Uptime: 1 d 1 h 1 min
        ");
    }

    #[test]
    fn this_machine_has_memory_and_cores() {
        let machine = measure();
        assert!(machine.memory.1 > 0 && machine.cores > 0, "{machine:?}");
    }
}
