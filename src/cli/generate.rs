//! `logmill generate`: seeded logs of any size.

use std::io::{self, Write};

use super::outcome::Outcome;
use super::output::quiet;
use crate::error::{Error, Result};
use crate::filter::Calendar;
use crate::generate::{self, FORMATS, Spec, Summary};
use crate::units;

/// Seeded logs of any size for tests and benchmarks: the same flags give the same bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The format; without it, the list of them.
    #[arg(value_name = "FORMAT")]
    format: Option<String>,

    /// How many records.
    #[arg(long, value_name = "N", conflicts_with = "size")]
    records: Option<String>,

    /// How many bytes, to within a record: '500MB', '10GiB'.
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,

    /// Which of all such logs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// When it begins.
    #[arg(long, value_name = "MOMENT", default_value = "2026-01-05")]
    start: String,

    /// How long a time it covers: '1d'.
    #[arg(long, value_name = "LENGTH")]
    span: Option<String>,

    /// How many bursts of errors it holds; where they lie is told on standard error.
    #[arg(long, value_name = "N", default_value_t = 0)]
    bursts: u32,

    /// Distinct clients.
    #[arg(long, value_name = "N")]
    clients: Option<u32>,

    /// Distinct paths, names or statements.
    #[arg(long, value_name = "N")]
    paths: Option<u32>,

    /// Threads; by default one a core. The bytes are the same.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    let spec = spec(&args)?;
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let mut out = io::stdout().lock();
    match generate::write(&spec, threads, &mut out)
        .and_then(|summary| out.flush().map(|()| summary))
    {
        Ok(summary) => tell(&summary),
        Err(error) => quiet(Err(error))?,
    }
    Ok(Outcome::Answered)
}

fn spec(args: &Args) -> Result<Spec> {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    let advice = format!("formats: {}", names.join(", "));
    let Some(name) = &args.format else {
        return Err(Error::usage("which format is to be generated?").advise(advice));
    };
    let format = generate::find(name)
        .ok_or_else(|| Error::usage(format!("there is no format '{name}'")).advise(advice))?;
    let mut spec = Spec::new(format);
    spec.records = args.records.as_deref().map(units::parse_count).transpose()?;
    spec.size = args.size.as_deref().map(units::parse_bytes).transpose()?;
    if spec.records.is_none() && spec.size.is_none() {
        spec.records = Some(10_000);
    }
    spec.seed = args.seed;
    spec.start = Calendar { zone: chrono_tz::UTC, now: 0 }.moment(&args.start)?.first;
    spec.span = args.span.as_deref().map(units::parse_duration).transpose()?;
    spec.bursts = args.bursts;
    spec.clients = args.clients.unwrap_or(spec.clients);
    spec.paths = args.paths.unwrap_or(spec.paths);
    Ok(spec)
}

/// Where the bursts lie, so that a reader of the log can be held against it.
fn tell(summary: &Summary) {
    let mut stderr = io::stderr().lock();
    for burst in &summary.bursts {
        let at = |micros| chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
        let (start, end) = (at(burst.start), at(burst.end));
        let _ = writeln!(
            stderr,
            "burst {} to {}: {} records of {} at {}",
            start.format("%Y-%m-%dT%H:%M:%SZ"),
            end.format("%H:%M:%SZ"),
            burst.records,
            burst.kind,
            burst.subject
        );
    }
}
