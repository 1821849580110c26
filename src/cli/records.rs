//! `logmill records`: the parsed records, for other programs.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::Arg;

use super::args::{Logs, When, whole};
use super::outcome::{self, Outcome};
use super::output;
use super::progress::{Progress, Unit};
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::plan::{Plan, Question};
use crate::records::{Style, Writer};
use crate::report::Options;
use crate::units;

/// The parsed records as NDJSON, CSV or TSV, with the fields that you choose, in the order of the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  logmill records --fields time,client,status,path access.log
  logmill records --where 'duration>1s' --output csv access.log* > slow.csv")]
#[command(mut_args(hidden_where_it_counts))]
pub(super) struct Args {
    #[command(flatten)]
    logs: Logs,

    /// The fields, separated by commas; by default all that the formats supply.
    #[arg(long, short, value_name = "FIELDS", help_heading = "Output")]
    fields: Option<String>,

    /// The layout: ndjson, csv, tsv.
    #[arg(long, short, value_name = "LAYOUT", default_value = "ndjson", help_heading = "Output")]
    output: String,

    /// Stop after so many records.
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        value_parser = whole::<u64>,
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    limit: Option<u64>,
}

/// Nothing is counted here, so that flags of counting mean nothing.
fn hidden_where_it_counts(flag: Arg) -> Arg {
    let counts = matches!(flag.get_id().as_str(), "save" | "key_memory");
    flag.hide(counts)
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    let style = Style::named(&args.output).ok_or_else(|| {
        Error::usage(format!("there is no layout '{}' for records", args.output))
            .advise("layouts: ndjson, csv, tsv")
    })?;
    if args.logs.save.is_some() {
        return Err(Error::usage("records are not counted, so there is nothing to --save")
            .advise("send standard output to a file, or --save what 'report' or 'top' counts"));
    }
    args.logs.max_rejected.as_deref().map(units::parse_share).transpose()?;
    let question = Question::Records { fields: args.fields };
    let plan =
        output::opened(Plan::new(args.logs.request(question, Options::default())?)?, &args.logs)?;
    // A limit counts lines, so that each record has to be one.
    let raw = args.limit.is_none() && !io::stdout().is_terminal();
    let names = plan.inputs().iter().map(|input| input.input.source().name.clone()).collect();
    let writer = Writer::new(plan.chosen().to_vec(), style).raw(raw).sources(names);
    let mut out = Out::new(args.limit);
    let mut header = Vec::new();
    writer.header(&mut header);
    out.write(&header);
    let progress = Progress::new(when(args.logs.progress), Unit::Bytes);
    let answer = plan.stream(
        &|records, bytes| writer.write_block(records, bytes),
        &mut |bytes| out.write_records(bytes),
        &|read, whole| progress.show(read, whole),
    )?;
    progress.end();
    output::quiet(out.finish())?;
    tell(&answer);
    let most = args.logs.max_rejected.as_deref();
    let outcome = output::outcome_of(&answer, most)?;
    if outcome == Outcome::ThresholdPassed {
        output::tell_notes(&[output::threshold(&answer, most)]);
    }
    Ok(outcome)
}

/// A bar would stand among records that go to the terminal.
fn when(progress: When) -> When {
    match progress {
        When::Auto if io::stdout().is_terminal() => When::Never,
        as_asked => as_asked,
    }
}

/// Standard output, to a limit of lines.
struct Out {
    inner: BufWriter<io::Stdout>,
    left: Option<u64>,
    result: io::Result<()>,
}

impl Out {
    fn new(limit: Option<u64>) -> Self {
        Self { inner: BufWriter::with_capacity(1 << 20, io::stdout()), left: limit, result: Ok(()) }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.result.is_ok() {
            self.result = self.inner.write_all(bytes);
        }
    }

    /// Writes lines, no more than are left; false when there is no use in more.
    fn write_records(&mut self, bytes: &[u8]) -> bool {
        match &mut self.left {
            None => self.write(bytes),
            Some(left) => {
                let mut ends = memchr::memchr_iter(b'\n', bytes).take(*left as usize);
                let (count, end) =
                    ends.by_ref().fold((0, 0), |(count, _), end| (count + 1, end + 1));
                *left -= count;
                self.write(&bytes[..end]);
            }
        }
        self.result.is_ok() && self.left != Some(0)
    }

    fn finish(mut self) -> io::Result<()> {
        self.result?;
        self.inner.flush()
    }
}

/// Standard output holds records alone: what was not understood is told beside it.
fn tell(answer: &Answer) {
    answer.problems.iter().for_each(|problem| {
        outcome::tell(problem);
    });
    output::tell_notes(&answer.remarks());
}
