//! Outcomes as a document: the checks, the worst first; what is wrong and what to do; and for a few outcomes, or on
//! request, every step, fact and table.

use crate::document::{Cell, Column, Document, Fact, Level, Note, Role, Section, Table};
use crate::probe::outcome::{End, Fault, Outcome, Step, weight, worst};

/// Up to so many outcomes are shown in full without being asked.
const FEW: usize = 2;

/// A document of a run. `title` says what was asked.
pub fn document(title: impl Into<String>, outcomes: &[Outcome], details: bool) -> Document {
    let mut sorted: Vec<_> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| std::cmp::Reverse(weight(outcome.level())));
    let mut sections = vec![checks(&sorted)];
    if sorted.iter().any(|outcome| !outcome.faults.is_empty()) {
        sections.push(faults(&sorted));
    }
    sections.extend(certificates(&sorted));
    sections.push(summary(&sorted));
    if details || sorted.len() <= FEW {
        sections.extend(sorted.iter().enumerate().flat_map(|(at, outcome)| full(at, outcome)));
    }
    let level = worst(outcomes.iter().map(Outcome::level));
    let notes = if level == Level::Unknown { vec![Note::warning(UNKNOWN)] } else { Vec::new() };
    Document { mode: "probe", title: title.into(), sections, notes }
}

const UNKNOWN: &str =
    "unknown means that this machine could not ask: it says nothing about the service";

fn table(columns: &[(&'static str, Role)], rows: Vec<Vec<Cell>>) -> Table {
    let columns = columns.iter().map(|(name, role)| Column::new(*name, *role)).collect();
    Table { columns, total_rows: rows.len() as u64, rows }
}

fn checks(outcomes: &[&Outcome]) -> Section {
    const COLUMNS: [(&str, Role); 9] = [
        ("level", Role::Value),
        ("kind", Role::Value),
        ("target", Role::Key),
        ("address", Role::Value),
        ("class", Role::Value),
        ("step", Role::Value),
        ("time", Role::Value),
        ("tries", Role::Value),
        ("result", Role::Detail),
    ];
    let row = |outcome: &&Outcome| {
        vec![
            Cell::Level(outcome.level()),
            Cell::text(outcome.kind),
            Cell::text(&outcome.target),
            Cell::text_if_any(&outcome.address),
            Cell::text(outcome.class().name()),
            outcome.failing_step().map_or(Cell::Empty, Cell::text),
            Cell::Duration(outcome.took),
            Cell::Count(u64::from(outcome.tries)),
            Cell::text(outcome.line()),
        ]
    };
    Section::table("checks", "Checks", table(&COLUMNS, outcomes.iter().map(row).collect()))
}

fn faults(outcomes: &[&Outcome]) -> Section {
    const COLUMNS: [(&str, Role); 9] = [
        ("level", Role::Value),
        ("target", Role::Key),
        ("address", Role::Value),
        ("step", Role::Value),
        ("class", Role::Value),
        ("asked", Role::Value),
        ("came", Role::Value),
        ("cause", Role::Detail),
        ("next", Role::Detail),
    ];
    let row = |outcome: &Outcome, fault: &Fault| {
        vec![
            Cell::Level(fault.level),
            Cell::text(&outcome.target),
            Cell::text_if_any(&outcome.address),
            Cell::text_if_any(fault.step),
            Cell::text(fault.class.name()),
            Cell::text(&fault.asked),
            Cell::text(&fault.came),
            Cell::text(&fault.cause),
            Cell::text(&fault.next),
        ]
    };
    let of = |outcome: &&Outcome| {
        let faults = outcome.faults.iter().map(|fault| row(outcome, fault));
        faults.collect::<Vec<_>>()
    };
    let rows = outcomes.iter().flat_map(of).collect();
    Section::table("faults", "What is wrong, and what to do", table(&COLUMNS, rows))
}

/// The certificates of several services, the one that ends first on top.
fn certificates(outcomes: &[&Outcome]) -> Option<Section> {
    const COLUMNS: [(&str, Role); 5] = [
        ("target", Role::Key),
        ("address", Role::Value),
        ("days", Role::Main),
        ("chain_not_after", Role::Value),
        ("issuer", Role::Detail),
    ];
    let mut due: Vec<_> =
        outcomes.iter().filter_map(|outcome| Some((outcome.measure("days")?, outcome))).collect();
    due.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let fact = |outcome: &Outcome, name| outcome.fact(name).cloned().unwrap_or(Cell::Empty);
    let row = |(days, outcome): &(f64, &&Outcome)| {
        vec![
            Cell::text(&outcome.target),
            Cell::text_if_any(&outcome.address),
            // Whole days that are left: the last one has begun and does not count.
            Cell::Number(days.floor() as i64),
            fact(outcome, "chain_not_after"),
            fact(outcome, "issuer"),
        ]
    };
    let rows: Vec<_> = due.iter().map(row).collect();
    let title = "Certificates, the first to end on top";
    (rows.len() > 1).then(|| Section::table("certificates", title, table(&COLUMNS, rows)))
}

fn summary(outcomes: &[&Outcome]) -> Section {
    let count = |level| outcomes.iter().filter(|outcome| outcome.level() == level).count() as u64;
    let facts = vec![
        Fact::new("checks", Cell::Count(outcomes.len() as u64)),
        Fact::new("ok", Cell::Count(count(Level::Ok))),
        Fact::new("warning", Cell::Count(count(Level::Warning))),
        Fact::new("critical", Cell::Count(count(Level::Critical))),
        Fact::new("unknown", Cell::Count(count(Level::Unknown))),
    ];
    Section::facts("summary", "Summary", facts)
}

/// Everything about one outcome, as a group of its own. The place keeps groups apart that have the same name.
fn full(at: usize, outcome: &Outcome) -> Vec<Section> {
    let mut sections = vec![steps(outcome)];
    let mut facts = outcome.facts.clone();
    facts.extend(
        outcome
            .measures
            .iter()
            .filter(|measure| measure.unit != "s")
            .map(|measure| Fact::new(measure.name, Cell::Real(measure.value))),
    );
    if !outcome.evidence.is_empty() {
        facts.push(Fact::new("first_bytes", Cell::text(&outcome.evidence)));
    }
    if !facts.is_empty() {
        sections.push(Section::facts("facts", "Facts", facts));
    }
    sections.extend(outcome.sections.iter().cloned());
    let group = format!("{}. {} {} {}", at + 1, outcome.kind, outcome.target, outcome.address);
    for section in &mut sections {
        group.trim_end().clone_into(&mut section.group);
    }
    sections
}

fn steps(outcome: &Outcome) -> Section {
    const COLUMNS: [(&str, Role); 5] = [
        ("step", Role::Key),
        ("end", Role::Value),
        ("time", Role::Value),
        ("asked", Role::Value),
        ("came", Role::Detail),
    ];
    let row = |step: &Step| {
        let (end, time) = match step.end {
            End::Done(micros) => ("done", Cell::Duration(micros)),
            End::Failed(class, micros) => (class.name(), Cell::Duration(micros)),
            End::NotReached => ("not reached", Cell::Empty),
        };
        let (asked, came) = (Cell::text_if_any(&step.asked), Cell::text_if_any(&step.came));
        vec![Cell::text(step.name), Cell::text(end), time, asked, came]
    };
    let rows = outcome.steps.iter().map(row).collect();
    Section::table("steps", "Steps", table(&COLUMNS, rows))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{bad, good};
    use super::*;
    use crate::document::Body;

    #[test]
    fn the_worst_comes_first_and_every_fault_is_a_row() {
        let document = document("two", &[good(), bad()], false);
        let Body::Table(checks) = &document.section("checks").unwrap().body else { panic!() };
        assert_eq!(checks.rows[0][0], Cell::Level(Level::Critical));
        let Body::Table(faults) = &document.section("faults").unwrap().body else { panic!() };
        assert_eq!(faults.rows.len(), 2);
        assert_eq!(document.section("summary").unwrap().fact("critical"), Some(&Cell::Count(1)));
    }

    #[test]
    fn names_are_unique_in_their_group() {
        let document = document("two", &[bad(), bad()], true);
        let mut names: Vec<_> = document.sections.iter().map(|s| (&s.group, &s.name)).collect();
        let before = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
