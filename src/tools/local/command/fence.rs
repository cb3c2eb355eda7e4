//! Landlock: what a command may write, and under `strict` read and connect to.
//!
//! The supervisor fences itself in before it starts the command, so that everything below it is fenced in as well; there
//! is no way out. It takes no rights that the user does not have: Landlock only takes away.

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, path_beneath_rules,
    };

    use super::super::limits::Sandbox;
    use super::super::spec::{Fence, Spec};

    /// The rights that are known to this program: those of Linux 6.10. On an older kernel there are fewer.
    const KNOWN: ABI = ABI::V5;

    /// Folders of the system that programs are made of; readable under `strict`.
    const SYSTEM: [&str; 13] =
        ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/etc", "/opt", "/nix", "/snap", "/proc", "/sys", "/run/systemd/resolve"];

    /// Files that take what is written and keep nothing.
    const DEVICES: [&str; 8] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"];

    /// Fences this thread in, and what it starts.
    pub(in super::super) fn restrict(spec: &Spec) -> Result<Fence, RulesetError> {
        let strict = match spec.sandbox {
            Sandbox::Off => return Ok(Fence::Off),
            Sandbox::Write => false,
            Sandbox::Strict => true,
        };
        let handled: BitFlags<AccessFs> = if strict { AccessFs::from_all(KNOWN) } else { AccessFs::from_write(KNOWN) };
        let mut ruleset = Ruleset::default().handle_access(handled)?;
        if strict {
            ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?.handle_access(AccessNet::BindTcp)?;
        }
        let devices = handled & (AccessFs::WriteFile | AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Truncate | AccessFs::IoctlDev);
        let mut ruleset = ruleset
            .create()?
            .add_rules(path_beneath_rules(spec.writable.iter().filter(exists), handled))?
            .add_rules(path_beneath_rules(DEVICES.iter().filter(exists), devices))?
            .add_rules(path_beneath_rules(["/dev/shm"].iter().filter(exists), handled))?;
        if strict {
            let read = AccessFs::from_read(KNOWN);
            ruleset = ruleset
                .add_rules(path_beneath_rules(SYSTEM.iter().filter(exists), read))?
                .add_rules(path_beneath_rules(spec.readable.iter().filter(exists), read))?;
        }
        Ok(match ruleset.restrict_self()?.ruleset {
            RulesetStatus::NotEnforced => Fence::Unavailable,
            RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced if strict => Fence::Strict,
            RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Fence::Write,
        })
    }

    /// A path that is not there takes no rule.
    fn exists<P: AsRef<Path>>(path: &P) -> bool {
        path.as_ref().exists()
    }

    /// Whether the kernel has it.
    pub(in super::super) fn is_there() -> bool {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::WriteFile);
        ruleset.and_then(Ruleset::create).is_ok()
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{is_there, restrict};

#[cfg(not(target_os = "linux"))]
pub(super) fn is_there() -> bool {
    false
}
