//! The monitoring plugins' form: `KIND STATE - one line | perfdata`, further lines after it, and 0, 1, 2 or 3 as the
//! exit status.
//!
//! The worst outcome wins: critical before warning before unknown before ok. `|` and line breaks in foreign text would
//! end the text, so they are replaced. Described in the plugins' development guidelines.

use std::fmt::Write;

use crate::document::Level;
use crate::probe::outcome::{Measure, Outcome, worst};

/// The plugins' exit status of a run: 0 ok, 1 warning, 2 critical, 3 unknown. Nothing checked is unknown.
pub fn exit_status(outcomes: &[Outcome]) -> u8 {
    if outcomes.is_empty() {
        return 3;
    }
    match worst(outcomes.iter().map(Outcome::level)) {
        Level::Ok => 0,
        Level::Warning => 1,
        Level::Critical => 2,
        Level::Unknown => 3,
    }
}

/// The whole output of a run.
pub fn nagios(outcomes: &[Outcome]) -> String {
    let mut text = format!("{} | {}\n", headline(outcomes), perfdata(outcomes));
    if outcomes.len() > 1 {
        for outcome in outcomes {
            let _ = writeln!(text, "{} {}", line(outcome), safe(&outcome.address));
        }
    }
    for fault in outcomes.iter().flat_map(|outcome| &outcome.faults) {
        let _ = writeln!(text, "{}: {}", fault.class.name(), safe(&fault.came));
        let _ =
            writeln!(text, "  likely cause: {}; next: {}", safe(&fault.cause), safe(&fault.next));
    }
    text
}

fn headline(outcomes: &[Outcome]) -> String {
    let state = state(worst(outcomes.iter().map(Outcome::level)));
    match outcomes {
        [] => "PROBE UNKNOWN - nothing was checked".to_owned(),
        [one] => line(one),
        many => {
            let bad = many.iter().filter(|outcome| outcome.level() != Level::Ok).count();
            format!("PROBE {state} - {} checks, {bad} not ok", many.len())
        }
    }
}

fn line(outcome: &Outcome) -> String {
    let kind = outcome.kind.to_ascii_uppercase();
    let state = state(outcome.level());
    format!("{kind} {state} - {} {}", safe(&outcome.target), safe(&outcome.line()))
}

fn state(level: Level) -> String {
    level.name().to_ascii_uppercase()
}

/// Nothing that would end the line or begin the perfdata.
fn safe(text: &str) -> String {
    text.replace('|', "/").replace(['\n', '\r'], " ")
}

/// `label=value[unit];warn;crit;min;max` for each measure. Labels name the outcome where there are several.
fn perfdata(outcomes: &[Outcome]) -> String {
    let mut parts = Vec::new();
    for outcome in outcomes {
        let prefix = match outcomes.len() {
            1 => String::new(),
            _ => format!("{} {} ", outcome.target, outcome.address),
        };
        parts.extend(outcome.measures.iter().map(|measure| part(&prefix, measure)));
    }
    parts.join(" ")
}

fn part(prefix: &str, measure: &Measure) -> String {
    let label = label(&format!("{prefix}{}", measure.name));
    let range = |range: Option<_>| range.map_or_else(String::new, |range| format!("{range}"));
    let (warn, crit) = (range(measure.warn), range(measure.crit));
    let floor = if measure.value < 0.0 { "" } else { "0" };
    let value = match measure.unit {
        "s" => format!("{:.6}", measure.value),
        _ => format!("{}", measure.value),
    };
    format!("{label}={value}{};{warn};{crit};{floor};", measure.unit)
}

/// Quoted when it holds a blank; without the characters that the form reserves.
fn label(text: &str) -> String {
    let text = safe(text).replace(['=', '\''], "_");
    if text.contains(' ') { format!("'{}'", text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{bad, good};
    use super::*;

    #[test]
    fn one_good_outcome_is_one_line() {
        assert_eq!(
            nagios(&[good()]),
            "HTTP OK - http://www.lab.test/ HTTP/1.1 200 OK, 240 bytes | \
             time=0.002500s;0.5;;0; connect=0.000250s;;;0;\n"
        );
        assert_eq!(exit_status(&[good()]), 0);
        assert_eq!(exit_status(&[]), 3);
    }

    #[test]
    fn foreign_text_ends_no_line() {
        let text = nagios(&[good(), bad()]);
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("PROBE CRITICAL - 2 checks, 1 not ok | 'http://www.lab.test/"));
        assert_eq!(text.matches('|').count(), 1);
        assert_eq!(exit_status(&[good(), bad()]), 2);
    }
}
