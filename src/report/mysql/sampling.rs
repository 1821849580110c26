//! Whether a slow log holds a sample of the statements, and for how many of them its records stand.
//!
//! Percona Server writes into each record of how many statements or sessions it logged one. MariaDB samples as well and
//! does not write it, so that a log of MariaDB may be a sample without saying so. The figures of all other reports are of
//! the records alone: a factor is an average, and of a rare statement it says nothing.

use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use crate::document::{Cell, Fact, Note, Section};
use crate::record::{Field, Records};
use crate::units;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Sampling;

/// What was counted of records that say of how many they are one.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in super::super) struct State {
    sampled: u64,
    /// How many statements they stand for: the sum of their factors.
    statements: u64,
    /// The least and the greatest factor.
    factors: Option<(u64, u64)>,
    /// How many are of sampled sessions.
    by_session: u64,
}

impl State {
    fn merge(&mut self, other: Self) {
        self.sampled += other.sampled;
        self.statements = self.statements.saturating_add(other.statements);
        self.by_session += other.by_session;
        self.factors = match (self.factors, other.factors) {
            (Some(own), Some(more)) => Some((own.0.min(more.0), own.1.max(more.1))),
            (own, more) => own.or(more),
        };
    }
}

impl Report for Sampling {
    type State = State;

    fn name(&self) -> String {
        "sampling".to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::required(&[Field::RATE_LIMIT]).optional(&[Field::RATE_TYPE])
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let factors = records.column(Field::RATE_LIMIT).unwrap_or_default();
        for (row, factor) in factors.iter().enumerate() {
            // A factor of one is no sample.
            let Some(factor) = factor.number().filter(|factor| *factor > 1) else { continue };
            let factor = factor.unsigned_abs();
            let is_by_session = records.text(Field::RATE_TYPE, row) == Some(b"session");
            state.merge(State {
                sampled: 1,
                statements: factor,
                factors: Some((factor, factor)),
                by_session: u64::from(is_by_session),
            });
        }
    }

    fn merge(&self, into: &mut State, from: State, _: &Renumberings) {
        into.merge(from);
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let Some((least, greatest)) = state.factors else { return Vec::new() };
        let others = closing.records.saturating_sub(state.sampled);
        let facts = vec![
            Fact::new("sampled", Cell::Count(state.sampled)),
            Fact::new("sampled_by_session", Cell::Count(state.by_session)),
            Fact::new("least_factor", Cell::Count(least)),
            Fact::new("greatest_factor", Cell::Count(greatest)),
            Fact::new("estimated_statements", Cell::Count(state.statements.saturating_add(others))),
        ];
        let mut section = Section::facts("sampling", "Sampling", facts);
        section.notes.push(note(&state, least, greatest));
        vec![section]
    }
}

fn note(state: &State, least: u64, greatest: u64) -> Note {
    let factor = match least == greatest {
        true => least.to_string(),
        false => format!("{least} to {greatest}"),
    };
    Note::warning(format!(
        "the log holds a sample, one of {factor} (records: {}, statements: about {}); all other figures are of the records",
        units::count(state.sampled),
        units::count(state.statements)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::Options;
    use super::super::super::testing::{Dice, Made, check_form, check_merging, sections};
    use super::*;
    use crate::format::Family;

    fn record(factor: &str, of: &str) -> Made {
        vec![
            (Field::TIME, "1000000".to_owned()),
            (Field::RATE_LIMIT, factor.to_owned()),
            (Field::RATE_TYPE, of.to_owned()),
        ]
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(9);
        let of = ["query", "session"];
        let records: Vec<Made> =
            (0..2_000).map(|_| record(&dice.below(5).to_string(), of[dice.below(2)])).collect();
        check_merging(&Sampling, Family::MysqlSlow, &Options::default(), &records);
        let found = sections(&Sampling, Family::MysqlSlow, &Options::default(), &records);
        found.iter().for_each(check_form);
    }

    #[test]
    fn factors_are_summed_where_the_log_says_them() {
        let bare = vec![(Field::TIME, "1000000".to_owned())];
        let records = [record("10", "query"), record("100", "session"), record("1", "query"), bare];
        let found = sections(&Sampling, Family::MysqlSlow, &Options::default(), &records);
        for (name, count) in [
            ("sampled", 2),
            ("sampled_by_session", 1),
            ("least_factor", 10),
            ("greatest_factor", 100),
            ("estimated_statements", 112),
        ] {
            assert_eq!(found[0].fact(name), Some(&Cell::Count(count)), "{name}");
        }
        assert!(
            found[0].notes[0].text.contains("one of 10 to 100 (records: 2, statements: about 110)")
        );
    }

    #[test]
    fn a_log_without_factors_has_no_such_section() {
        let records = [record("1", "query")];
        let found = sections(&Sampling, Family::MysqlSlow, &Options::default(), &records);
        assert!(found.is_empty());
    }
}
