//! `logmill report`: the full report of each family found.

use super::args::{Logs, Rows};
use super::outcome::Outcome;
use super::output::{self, Output};
use crate::error::Result;
use crate::plan::{Plan, Question};
use crate::report::Options;
use crate::state;
use crate::units;

/// The full report of each family of logs that is found.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  logmill report /var/log/nginx/access.log*
  logmill report --last 1h --where 'status=5xx' /var/log/nginx/
  zcat old.gz | logmill report --output json -")]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) logs: Logs,

    #[command(flatten)]
    pub(super) output: Output,

    #[command(flatten)]
    pub(super) shape: Shape,
}

/// What reports count and how much of it they show.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Shape {
    #[command(flatten)]
    rows: Rows,

    /// Count paths together with their query.
    #[arg(long, help_heading = "Report")]
    keep_query: bool,

    /// Count paths with numbers and identifiers folded to ':id'.
    #[arg(long, help_heading = "Report")]
    group_paths: bool,

    /// Count statements with the numbers in their names folded: 'log_2024' as 'log_?'.
    #[arg(long, help_heading = "Report")]
    group_names: bool,

    /// Name statements by the checksums that pt-query-digest has for them.
    #[arg(long, help_heading = "Report")]
    pt_checksums: bool,
}

impl Shape {
    fn options(&self) -> Options {
        let Self { rows: Rows { limit }, keep_query, group_paths, group_names, pt_checksums } =
            *self;
        let own = Options::default();
        Options { limit, keep_query, group_paths, group_names, pt_checksums, ..own }
    }
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    answer(Question::Report, &args)
}

/// Asks a question about logs and shows the answer: what `report` and its relatives do.
pub(super) fn answer(question: Question, args: &Args) -> Result<Outcome> {
    args.output.check()?;
    args.logs.max_rejected.as_deref().map(units::parse_share).transpose()?;
    args.logs.save.as_deref().map(state::check_place).transpose()?;
    let request = args.logs.request(question, args.shape.options())?;
    let answer = output::pass(Plan::new(request)?, &args.logs)?;
    // The answer is shown, whatever came of saving it.
    let saved = args.logs.save.as_deref().map(|path| state::save(&answer, path)).transpose();
    let outcome = output::show(answer, &args.output, args.logs.max_rejected.as_deref())?;
    saved.map(|_| outcome)
}
