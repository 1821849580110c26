//! The edge of the process: runs the command line and hands its outcome to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(logmill::cli::run().code())
}
