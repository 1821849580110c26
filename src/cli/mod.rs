//! The command line: what a person typed, turned into calls of the library, and answers turned into bytes and exit
//! codes.
//!
//! Only here are the terminal, the environment and exit codes known. One file a command; [`args`] holds what several of
//! them share.

mod args;
mod bursts;
mod formats;
mod generate;
mod merge;
mod outcome;
mod output;
#[cfg(feature = "probe")]
mod probe;
mod progress;
mod records;

mod report;
mod top;

use std::io::Write;

use clap::{Parser, Subcommand};

pub use outcome::Outcome;

use crate::error::Result;

/// Answers from the logs of Nginx, Apache, Postfix, HAProxy, BIND and MySQL, every line accounted for.
#[derive(Debug, Parser)]
#[command(name = "logmill", version, about, propagate_version = true, max_term_width = 100)]
#[command(after_help = outcome::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Report(report::Args),
    Top(top::Args),
    Bursts(bursts::Args),
    Records(records::Args),
    #[cfg(feature = "probe")]
    Probe(probe::Args),

    Merge(merge::Args),
    Generate(generate::Args),
    Formats(formats::Args),
}

/// Runs the command line of this process.
pub fn run() -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            tell_of_file(&error);
            // Help and version are answers; everything else is a question asked wrongly.
            return match output::quiet(printed) {
                _ if error.use_stderr() => Outcome::Usage,
                Ok(()) => Outcome::Answered,
                Err(error) => outcome::tell(&error),
            };
        }
    };
    match dispatch(cli.command) {
        Ok(outcome) => outcome,
        Err(error) => outcome::tell(&error),
    }
}

/// Who names a log alone wants its report.
fn tell_of_file(error: &clap::Error) {
    use clap::error::{ContextKind, ContextValue};
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && std::path::Path::new(word).exists()
    {
        let _ = writeln!(std::io::stderr(), "\n'{word}' is there: logmill report '{word}'");
    }
}

fn dispatch(command: Command) -> Result<Outcome> {
    match command {
        Command::Report(args) => report::run(args),
        Command::Top(args) => top::run(args),
        Command::Bursts(args) => bursts::run(args),
        #[cfg(feature = "probe")]
        Command::Probe(args) => probe::run(args),

        Command::Records(args) => records::run(args),
        Command::Merge(args) => merge::run(&args),
        Command::Generate(args) => generate::run(args),
        Command::Formats(args) => formats::run(&args),
    }
}
