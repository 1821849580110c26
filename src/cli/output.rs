//! From an answer to bytes on standard output, remarks on standard error and an outcome.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use chrono_tz::Tz;

use super::args::{Logs, When, no_log_named};
use super::outcome::Outcome;
use super::progress::{Progress, Unit};
use crate::answer::Answer;
use crate::document::{Document, Note};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::render::{self, Look};
use crate::report;
use crate::units;

/// How the answer is to look.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Output {
    /// The layout: text, json, csv, tsv, html, uniq.
    #[arg(long, short, value_name = "LAYOUT", default_value = "text", help_heading = "Output")]
    pub(super) output: String,

    /// Show this section alone.
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub(super) section: Option<String>,

    /// Colours: on a terminal unless NO_COLOR is set.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: When,
}

impl Output {
    /// With instants shown to people in that zone.
    pub(super) fn look(&self, zone: Tz) -> Look {
        let on_terminal = io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = on_terminal.then(terminal_width);
        Look {
            width,
            colour: match self.color {
                When::Always => true,
                When::Never => false,
                When::Auto => on_terminal && !no_color,
            },
            unicode: speaks_unicode(),
            raw: !on_terminal,
            section: self.section.clone(),
            zone,
        }
    }

    /// Makes sure that the answer can be shown as asked, before anything is read.
    pub(super) fn check(&self) -> Result<()> {
        render::make(&self.output, &Look::default())?;
        if self.output == "uniq" && self.section.is_none() {
            return Err(Error::usage(
                "'uniq' is the layout of one table, and this answer has many",
            )
            .advise(
                "name one with --section ('--output csv' begins each line with its name), or ask 'logmill top'",
            ));
        }
        Ok(())
    }

    /// True for layouts that a person reads.
    fn is_for_people(&self) -> bool {
        matches!(self.output.as_str(), "text" | "html")
    }
}

fn terminal_width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let own = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    columns.or_else(own).unwrap_or(80)
}

/// True unless the locale says otherwise: a plain C locale gets ASCII.
fn speaks_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os);
    let mut locale = locale.filter(|value| !value.is_empty());
    locale.next().is_none_or(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        !matches!(value.as_str(), "c" | "posix")
    })
}

/// Makes the pass, with progress where it is wanted.
pub(super) fn pass(plan: Plan, logs: &Logs) -> Result<Answer> {
    let plan = opened(plan, logs)?;
    let progress = Progress::new(logs.progress, Unit::Bytes);
    let answer = plan.run(&|read, whole| progress.show(read, whole));
    progress.end();
    answer
}

/// Says what was chosen, where that is wanted, and refuses a plan without inputs.
pub(super) fn opened(plan: Plan, logs: &Logs) -> Result<Plan> {
    explain(&plan, logs);
    if plan.inputs().is_empty() { Err(nothing_to_read(plan, logs)) } else { Ok(plan) }
}

/// Every input failed: the last problem is the error, the others are told before it.
fn nothing_to_read(plan: Plan, logs: &Logs) -> Error {
    let mut problems = plan.into_problems();
    let last = problems.pop();
    problems.iter().for_each(|problem| {
        super::outcome::tell(problem);
    });
    last.unwrap_or_else(|| match logs.files.is_empty() {
        true => no_log_named("and standard input is empty"),
        false => Error::input("there is nothing to read: the inputs are empty"),
    })
}

fn explain(plan: &Plan, logs: &Logs) {
    if !logs.explain {
        return;
    }
    let mut stderr = io::stderr().lock();
    for input in plan.inputs() {
        let name = &input.input.source().name;
        let _ = writeln!(stderr, "logmill: '{name}': {}: {}", input.format.name(), input.why);
    }
}

/// Shows the answer and says how it went.
pub(super) fn show(answer: Answer, output: &Output, max_rejected: Option<&str>) -> Result<Outcome> {
    let outcome = outcome_of(&answer, max_rejected)?;
    let look = output.look(answer.asked.options.zone.tz());
    let passed = (outcome == Outcome::ThresholdPassed).then(|| threshold(&answer, max_rejected));
    let counted = answer.account().counted.records;
    let mut document = answer.document();
    document.notes.extend(passed);
    let missing = missing(&document, &look, counted)?;
    let is_missing = missing.is_some();
    document.notes.extend(missing);
    let render = render::make(&output.output, &look)?;
    let has_place_for_notes = output.is_for_people() || output.output == "json";
    if !has_place_for_notes {
        tell_notes(&document.notes);
    }
    if has_place_for_notes || !is_missing {
        write(&document, &*render)?;
    }
    Ok(outcome)
}

/// What is to be said where the section asked for is missing because of what the logs hold, and not because there is none
/// of that name: a job that asks every hour for the statuses of failures is answered in a quiet hour too.
fn missing(document: &Document, look: &Look, counted: u64) -> Result<Option<Note>> {
    let Err(error) = render::check_section(document, look) else { return Ok(None) };
    let section = look.section.as_deref().unwrap_or_default();
    let name = section.rsplit('/').next().unwrap_or_default();
    match counted == 0 || report::is_left_out_when_quiet(name) {
        true => Ok(Some(Note::info(format!("{error}: nothing was counted for it")))),
        false => Err(error),
    }
}

pub(super) fn outcome_of(answer: &Answer, max_rejected: Option<&str>) -> Result<Outcome> {
    if !answer.is_whole() {
        return Ok(Outcome::Incomplete);
    }
    match max_rejected.map(units::parse_share).transpose()? {
        Some(most) if answer.account().rejected_share() > most => Ok(Outcome::ThresholdPassed),
        _ => Ok(Outcome::Answered),
    }
}

/// Says which threshold was passed: a status of 1 alone tells nobody why.
pub(super) fn threshold(answer: &Answer, max_rejected: Option<&str>) -> Note {
    let share = answer.account().rejected_share() * 100.0;
    let most = max_rejected.unwrap_or_default();
    Note::warning(format!(
        "{share:.3} % were not understood, more than --max-rejected {most} allows"
    ))
}

/// Writes notes to standard error, for layouts that have no place for them.
pub(super) fn tell_notes(notes: &[Note]) {
    let look = Look { width: None, ..Look::default() };
    let _ = render::notes(notes, &look, &mut io::stderr().lock());
}

fn write(document: &Document, render: &dyn render::Render) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    quiet(render.render(document, &mut out).and_then(|()| out.flush()))
}

/// A reader that went away has seen enough: no error.
pub(super) fn quiet(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(Error::usage(error.to_string()))
        }
        written => {
            written.map_err(|error| Error::io("write to", Path::new("standard output"), error))
        }
    }
}
