//! `logmill bursts`: when errors burst, how strong, and what carried them.

use super::outcome::Outcome;
use super::report;
use crate::error::Result;
use crate::plan::Question;

/// When errors burst, how strong, and what carried them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  logmill bursts /var/log/nginx/access.log*
  logmill bursts --last 6h --where 'path~^/api/' access.log error.log")]
pub(super) struct Args {
    #[command(flatten)]
    report: report::Args,
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    report::answer(Question::Bursts, &args.report)
}
