//! The `wakeful` program: hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wakeful::cli::main()
}
