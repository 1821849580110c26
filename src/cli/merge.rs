//! `logmill merge`: saved states into one answer.

use std::path::PathBuf;

use super::args::Rows;
use super::outcome::Outcome;
use super::output::{self, Output};
use crate::error::Result;
use crate::state;
use crate::units;

/// Joins states that were written with --save, as if all their logs had been read in one run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  logmill report --save monday.state access.log.1 && logmill report --save tuesday.state access.log
  logmill merge monday.state tuesday.state")]
pub(super) struct Args {
    /// The states, in any order.
    #[arg(value_name = "STATES", required = true)]
    states: Vec<PathBuf>,

    /// Write the joined state to this file as well.
    #[arg(long, value_name = "STATE", help_heading = "Output")]
    save: Option<PathBuf>,

    #[command(flatten)]
    rows: Rows,

    /// Exit with status 1 when more than this part of the records was not understood: '0.1%'.
    #[arg(long, value_name = "SHARE", help_heading = "Output")]
    max_rejected: Option<String>,

    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    args.output.check()?;
    args.max_rejected.as_deref().map(units::parse_share).transpose()?;
    args.save.as_deref().map(state::check_place).transpose()?;
    let mut answer = state::merge(&args.states)?;
    let saved = args.save.as_deref().map(|path| state::save(&answer, path)).transpose();
    answer.asked.options.limit = args.rows.limit;
    let outcome = output::show(answer, &args.output, args.max_rejected.as_deref())?;
    saved.map(|_| outcome)
}
