//! Lays the functions that every start runs side by side in the program, where the linker can.
//!
//! They are a twelfth of the code, strewn all over it: loaded by the page, two thirds of the program come into memory
//! with them. `order.ld` beside this file names them (`.ci/order` writes it); it is a linker script as GNU ld and lld take it,
//! with a `*` in place of what differs from compiler to compiler. Names that no longer exist do no harm.
//!
//! Only a release build for this machine takes it, and only after the same linker was seen to make a program with it that runs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=assets/link/build.rs");
    println!("cargo::rerun-if-changed=assets/link/order.ld");
    let Some(script) = script() else { return };
    if is_wanted() && links(&script).unwrap_or(false) {
        println!("cargo::rustc-link-arg-bin=wakeful=-Wl,-T,{script}");
    }
}

fn script() -> Option<String> {
    let path = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).join("assets/link/order.ld");
    // The compiler hands words on to the linker at commas.
    path.to_str().filter(|path| !path.contains(',') && Path::new(path).exists()).map(str::to_owned)
}

fn is_wanted() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && env::var("HOST").ok() == env::var("TARGET").ok()
}

/// Whether a program comes of it, and runs.
fn links(script: &str) -> Option<bool> {
    let folder = PathBuf::from(env::var_os("OUT_DIR")?);
    let (source, program) = (folder.join("trial.rs"), folder.join("trial"));
    std::fs::write(&source, "fn main() {}\n").ok()?;
    let mut rustc = Command::new(env::var_os("RUSTC")?);
    rustc.args(["--edition", "2024", "--crate-type", "bin", "-o"]).arg(&program);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut setting = std::ffi::OsString::from("-Clinker=");
        setting.push(linker);
        rustc.arg(setting);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    rustc.arg(format!("-Clink-arg=-Wl,-T,{script}")).arg(&source);
    let quiet = |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    Some(quiet(&mut rustc).ok()?.success() && quiet(&mut Command::new(&program)).ok()?.success())
}
