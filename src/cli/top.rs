//! `logmill top`: counts by one field or several.

use super::outcome::Outcome;
use super::report;
use crate::error::{Error, Result};
use crate::plan::Question;

/// Counts by one field or several: client, path, 'client,status', 'client/24', 'time/hour', 'referer.host'.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  logmill top client access.log*                     awk '{print $1}' | sort | uniq -c | sort -rn | head
  logmill top client,status --where 'status>=400' access.log
  logmill top path --by bytes --limit 0 --output csv access.log
  logmill top client --output uniq access.log        the layout of uniq -c")]
pub(super) struct Args {
    /// The fields, separated by commas ('logmill formats' lists them).
    #[arg(value_name = "FIELD")]
    keys: String,

    /// Order by the sum of this field instead of by count: bytes, duration.
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,

    #[command(flatten)]
    report: report::Args,
}

pub(super) fn run(mut args: Args) -> Result<Outcome> {
    // A table for a program is the table alone.
    if matches!(args.report.output.output.as_str(), "csv" | "tsv" | "uniq") {
        args.report.output.section.get_or_insert_with(|| "top".into());
    }
    if args.report.logs.files.is_empty() && std::path::Path::new(&args.keys).exists() {
        let what = format!("'{}' is a file, and stands where fields are expected", args.keys);
        let advice = format!("name the fields before it: logmill top client '{}'", args.keys);
        return Err(Error::usage(what).advise(advice));
    }
    report::answer(Question::Top { keys: args.keys, by: args.by }, &args.report)
}
