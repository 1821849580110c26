//! `logmill probe`: checks of live services, one kind with its targets or a suite from a file.
//!
//! The flags of each kind come from its table line, so that a new kind has its command, its help and its completion
//! without a line here.

use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, fs};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches};

use super::args::When;
use super::outcome::Outcome;
use super::output::{Output, quiet};
use super::progress::{Progress, Unit};
use crate::document::Level;
use crate::error::{Error, Result};
use crate::probe::options::{COMMON, Knob, Takes};
use crate::probe::outcome::worst;
use crate::probe::output::{document, exit_status, line, nagios, prometheus};
use crate::probe::suite::{self, Pace, Suite};
use crate::probe::{self, Check, Kind, PROBES};
use crate::render;

/// Asks live services and says what is wrong: the failing step, the likely cause, the next command.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = HELP)]
#[command(mut_arg("output", with_layouts))]
pub(super) struct Args {
    /// Run the checks of this file; '-' is standard input.
    #[arg(long, value_name = "FILE")]
    suite: Option<PathBuf>,

    #[command(flatten)]
    show: Show,

    #[command(subcommand)]
    kind: Option<KindArgs>,
}

const HELP: &str = "Examples:
  logmill probe tcp mail.example.com:25,587
  logmill probe http https://www.example.com/ --expect-body Welcome --crit time=2
  logmill probe tls www.example.com mail.example.com:25 --starttls smtp
  logmill probe dns www.example.com@192.0.2.53 --authoritative
  logmill probe --suite checks.toml --output nagios

Exit status: 0 good or warnings only; 1 something is critical (see --fail-on); 2 asked wrongly; \
3 something could not be asked. With --output nagios those of the monitoring plugins: 0 ok, 1 warning, \
2 critical, 3 unknown.";

/// How to run and to show: the same for a kind and for a suite.
#[derive(Debug, clap::Args)]
struct Show {
    /// Checks that run at the same time; by default as many as there are up to 1024, 32 when times are judged.
    #[arg(long, value_name = "N", help_heading = "Run")]
    concurrency: Option<NonZero<usize>>,

    /// Checks of one host at the same time; 8 by default, without limit on loopback.
    #[arg(long, value_name = "N", help_heading = "Run")]
    per_host: Option<NonZero<usize>>,

    /// Show progress on standard error: a bar on a terminal where there are several checks, with 'always' lines
    /// elsewhere.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Run")]
    progress: When,

    /// Exit with 1 from this level on.
    #[arg(long, value_name = "LEVEL", default_value = "critical", help_heading = "Output")]
    fail_on: FailOn,

    /// Show every step, fact and table of every check; without it only where there are one or two.
    #[arg(long, help_heading = "Output")]
    details: bool,

    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Warning,
    Critical,
    Never,
}

/// One kind with its targets and options, as typed.
struct KindArgs {
    kind: &'static Kind,
    targets: Vec<String>,
    targets_from: Option<PathBuf>,
    emit_suite: bool,
    pairs: Vec<(&'static str, String)>,
    show: Show,
}

impl fmt::Debug for KindArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.kind.name, self.targets, self.pairs)
    }
}

impl clap::Subcommand for KindArgs {
    fn augment_subcommands(command: Command) -> Command {
        PROBES.iter().fold(command, |command, kind| command.subcommand(subcommand(kind)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        PROBES.iter().any(|kind| kind.name == name)
    }
}

impl FromArgMatches for KindArgs {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let kind = PROBES.iter().find(|kind| kind.name == name).ok_or_else(missing)?;
        let texts = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned();
        Ok(Self {
            kind,
            targets: texts("targets").collect(),
            targets_from: matches.get_one::<PathBuf>("targets-from").cloned(),
            emit_suite: matches.get_flag("emit-suite"),
            pairs: knobs(kind).flat_map(|knob| given(knob, matches)).collect(),
            show: Show::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn knobs(kind: &Kind) -> impl Iterator<Item = &'static Knob> {
    kind.knobs.iter().copied().chain([COMMON]).flatten()
}

/// What was typed for a knob.
fn given(knob: &Knob, matches: &ArgMatches) -> Vec<(&'static str, String)> {
    match knob.takes {
        Takes::Nothing if matches.get_flag(knob.name) => vec![(knob.name, String::new())],
        Takes::Nothing => Vec::new(),
        Takes::One(_) | Takes::Many(_) => {
            let values = matches.get_many::<String>(knob.name).into_iter().flatten();
            values.map(|value| (knob.name, value.clone())).collect()
        }
    }
}

/// The command of a kind, out of its table line.
fn subcommand(kind: &'static Kind) -> Command {
    let targets = Arg::new("targets")
        .value_name(kind.target)
        .num_args(1..)
        .required_unless_present("targets-from")
        .value_parser(NonEmptyStringValueParser::new())
        .help("What to ask");
    let from = Arg::new("targets-from")
        .long("targets-from")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Read targets from this file, one a line");
    let emit = Arg::new("emit-suite")
        .long("emit-suite")
        .action(ArgAction::SetTrue)
        .help("Ask nothing; write these checks as a suite file");
    let command = Command::new(kind.name).args([targets, from, emit]);
    let own = kind.knobs.iter().copied().flatten();
    let command = own.fold(command, |command, knob| command.arg(arg(knob, "Question")));
    let command = COMMON.iter().fold(command, |command, knob| command.arg(arg(knob, "All probes")));
    let command = Show::augment_args(command).mut_arg("output", with_layouts);
    command.about(kind.about).long_about(None).after_help(after_help(kind))
}

/// Probes have layouts of their own beside those of all answers.
fn with_layouts(output: Arg) -> Arg {
    output.help("The layout: text, json, csv, tsv, html; ndjson, nagios, prometheus")
}

fn arg(knob: &'static Knob, heading: &'static str) -> Arg {
    let arg = Arg::new(knob.name).long(knob.name).help(knob.about).help_heading(heading);
    match knob.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        Takes::One(value) => arg.value_name(value).allow_hyphen_values(true),
        Takes::Many(value) => {
            arg.value_name(value).action(ArgAction::Append).allow_hyphen_values(true)
        }
    }
}

fn after_help(kind: &Kind) -> String {
    let mut text =
        format!("Steps: {}\n\nMeasures for --warn and --crit: time", kind.steps.join(", "));
    for step in kind.steps {
        text.push_str(&format!(", {step}"));
    }
    text.push_str(" (seconds each)\n");
    for (name, about) in kind.measures {
        text.push_str(&format!("  {name}: {about}\n"));
    }
    text
}

/// A run that is decided.
struct Run {
    title: String,
    checks: Vec<Check>,
    pace: Pace,
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    match (args.kind, &args.suite) {
        (Some(kind), _) if kind.emit_suite => emit(&kind),
        (Some(kind), _) => {
            let decided = of_kind(&kind);
            go(decided, &kind.show)
        }
        (None, Some(path)) => go(of_suite(path), &args.show),
        (None, None) => {
            let known: Vec<_> = PROBES.iter().map(|kind| kind.name).collect();
            Err(Error::usage("no kind of probe was named")
                .advise(format!("logmill probe {} TARGET…, or --suite FILE", known.join("|"))))
        }
    }
}

/// A monitoring host reads standard output and the exit status, so there even a wrong question must be an answer.
fn go(decided: Result<Run>, show: &Show) -> Result<Outcome> {
    match decided {
        Ok(decided) => ask(&decided, show),
        Err(error) if show.output.output == "nagios" => {
            let advice = error.advice().unwrap_or_default();
            print(&format!("PROBE UNKNOWN - {error}\n{advice}\n"))?;
            Ok(Outcome::Plugin(3))
        }
        Err(error) => Err(error),
    }
}

fn of_kind(args: &KindArgs) -> Result<Run> {
    let targets = all_targets(args)?;
    let pairs = args.pairs.iter().map(|(name, value)| (*name, value.as_str()));
    let checks = probe::plan(args.kind.name, targets.iter().map(String::as_str), pairs)?;
    let title = match &targets[..] {
        few @ ([] | [_] | [_, _] | [_, _, _]) => format!("{} {}", args.kind.name, few.join(" ")),
        many => format!("{} {} and {} more", args.kind.name, many[0], many.len() - 1),
    };
    Ok(Run { title, checks, pace: Pace::default() })
}

fn all_targets(args: &KindArgs) -> Result<Vec<String>> {
    let mut targets = args.targets.clone();
    if let Some(path) = &args.targets_from {
        let text = read(path)?;
        let lines = text.lines().map(str::trim);
        targets.extend(lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned));
    }
    if targets.is_empty() {
        return Err(
            Error::usage("there is no target").advise(format!("write {}", args.kind.target))
        );
    }
    Ok(targets)
}

fn of_suite(path: &Path) -> Result<Run> {
    let Suite { checks, pace } = Suite::parse(&read(path)?).map_err(|error| error.at(path))?;
    Ok(Run { title: format!("suite '{}'", path.display()), checks, pace })
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().read_to_string(&mut text).map(|_| text),
        false => fs::read_to_string(path),
    };
    read.map_err(|error| Error::io("read", path, error))
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut written = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => written.extend(['\\', letter]),
            letter if letter.is_control() => {
                written.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            letter => written.push(letter),
        }
    }
    written.push('"');
    written
}

fn list(texts: &[impl AsRef<str>]) -> String {
    let all: Vec<_> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", all.join(", "))
}

/// The checks as a suite file, to be kept and run by cron.
fn emit(args: &KindArgs) -> Result<Outcome> {
    // Decided first, so that only a suite that can be run is written.
    of_kind(args)?;
    let targets = all_targets(args)?;
    let mut text =
        format!("[[check]]\nkind = {}\ntargets = {}\n", quoted(args.kind.name), list(&targets));
    for knob in knobs(args.kind) {
        let values: Vec<_> =
            args.pairs.iter().filter(|(name, _)| *name == knob.name).map(|(_, v)| v).collect();
        match (knob.takes, &values[..]) {
            (_, []) => {}
            (Takes::Nothing, _) => text.push_str(&format!("{} = true\n", knob.name)),
            (Takes::One(_), [value, ..]) => {
                text.push_str(&format!("{} = {}\n", knob.name, quoted(value)));
            }
            (Takes::Many(_), values) => {
                text.push_str(&format!("{} = {}\n", knob.name, list(values)));
            }
        }
    }
    print(&text)?;
    Ok(Outcome::Answered)
}

fn ask(decided: &Run, show: &Show) -> Result<Outcome> {
    let pace = Pace {
        concurrency: show.concurrency.or(decided.pace.concurrency),
        per_host: show.per_host.or(decided.pace.per_host),
        jitter: decided.pace.jitter,
    };
    let outcomes = with_progress(decided.checks.len() as u64, show.progress, |done| {
        suite::run(&decided.checks, &pace, &|_, _| done())
    });
    answer(&decided.title, &outcomes.concat(), show)
}

/// Runs checks and shows how many are done, which `work` tells as each of them ends.
fn with_progress<T>(checks: u64, when: When, work: impl FnOnce(&(dyn Fn() + Sync)) -> T) -> T {
    // One check is over before a bar says anything.
    let when = if checks == 1 && when == When::Auto { When::Never } else { when };
    let (progress, done) = (Progress::new(when, Unit::Checks), AtomicU64::new(0));
    progress.show(0, checks);
    let result = work(&|| progress.show(done.fetch_add(1, Ordering::Relaxed) + 1, checks));
    progress.end();
    result
}

fn answer(title: &str, outcomes: &[probe::Outcome], show: &Show) -> Result<Outcome> {
    match show.output.output.as_str() {
        "nagios" => {
            print(&nagios(outcomes))?;
            return Ok(Outcome::Plugin(exit_status(outcomes)));
        }
        "prometheus" => print(&prometheus(outcomes))?,
        "ndjson" => print(&outcomes.iter().map(|one| line(one) + "\n").collect::<String>())?,
        layout => {
            let look = show.output.look(chrono_tz::Tz::UTC);
            let document = document(title, outcomes, show.details);
            render::check_section(&document, &look)?;
            let render = render::make(layout, &look).map_err(with_own_layouts)?;
            let mut out = io::BufWriter::new(io::stdout().lock());
            quiet(render.render(&document, &mut out).and_then(|()| out.flush()))?;
        }
    }
    Ok(verdict(outcomes, show.fail_on))
}

fn with_own_layouts(error: Error) -> Error {
    let advice = error.advice().unwrap_or_default().to_owned();
    error.advise(format!("{advice}; for probes also nagios, prometheus, ndjson"))
}

fn verdict(outcomes: &[probe::Outcome], fail_on: FailOn) -> Outcome {
    match (worst(outcomes.iter().map(probe::Outcome::level)), fail_on) {
        (_, FailOn::Never) | (Level::Ok, _) => Outcome::Answered,
        (Level::Critical, _) | (Level::Warning, FailOn::Warning) => Outcome::ThresholdPassed,
        (Level::Unknown, _) => Outcome::Incomplete,
        (Level::Warning, FailOn::Critical) => {
            let unknown = outcomes.iter().any(|one| one.level() == Level::Unknown);
            if unknown { Outcome::Incomplete } else { Outcome::Answered }
        }
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    quiet(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}
