//! The whole in a few figures: how many records, over which time, how much, from how many.
//!
//! One section of facts, `totals`. How many different clients, paths and so on there are is read off the dictionaries
//! of the run at the end; only what depends on two fields at once (paths that were not found) is counted here.

use serde::{Deserialize, Serialize};

use super::outcome::{self, Scale};
use super::{Closing, Needs, Renumberings, Report, paths};
use crate::document::{Cell, Fact, Note, Section};
use crate::record::{Field, Fields, Label, Records};
use crate::tally::{Dictionary, PerSymbol};
use crate::units;

/// Fields whose different values are worth a figure, and its name.
const DISTINCT: [(Field, &str); 19] = [
    (Field::CLIENT, "clients"),
    (Field::PATH, "paths"),
    (Field::TARGET, "targets"),
    (Field::HOST, "hosts"),
    (Field::USER, "users"),
    (Field::AGENT, "agents"),
    (Field::REFERER, "referers"),
    (Field::UPSTREAM, "upstreams"),
    (Field::FRONTEND, "frontends"),
    (Field::BACKEND, "backends"),
    (Field::SERVER, "servers"),
    (Field::SENDER, "senders"),
    (Field::RECIPIENT, "recipients"),
    (Field::SENDER_DOMAIN, "sender_domains"),
    (Field::RECIPIENT_DOMAIN, "recipient_domains"),
    (Field::RELAY, "relays"),
    (Field::NAME, "names"),
    (Field::FINGERPRINT, "fingerprints"),
    (Field::DATABASE, "databases"),
];

/// The report.
#[derive(Debug)]
pub(super) struct Totals {
    distinct: Vec<(Field, &'static str)>,
    sizes: Vec<Field>,
    /// The field whose values are paths, where there are paths.
    path: Option<Field>,
    /// What tells that a path was not found, where something does.
    not_found: Option<(Field, i64)>,
}

impl Totals {
    /// With what the format supplies; `path` is the field by which paths are counted.
    pub(super) fn new(supplied: Fields, path: Field) -> Self {
        let unused = if path == Field::PATH { Field::TARGET } else { Field::PATH };
        let distinct = DISTINCT.into_iter();
        let distinct =
            distinct.filter(|(field, _)| supplied.has(*field) && *field != unused).collect();
        let mut sizes = outcome::size_fields(supplied);
        // Without sizes of answers it is an error log, whose sizes are of bodies that were refused.
        let has_sums = !sizes.is_empty() && supplied.has(Field::BYTES_IN);
        sizes.extend(has_sums.then_some(Field::BYTES_IN));
        let path = supplied.has(path).then_some(path);
        Self { distinct, sizes, path, not_found: path.and_then(|_| not_found(supplied)) }
    }
}

/// The field and its value that tell of a path that was not found: access logs have statuses, error logs have kinds.
fn not_found(supplied: Fields) -> Option<(Field, i64)> {
    let kind = (Field::KIND, Label::of("not_found").number());
    [(Field::STATUS, 404), kind].into_iter().find(|(field, _)| supplied.has(*field))
}

/// What was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// By number of the class: ok, warn, error.
    classes: [u64; 4],
    bytes: u64,
    bytes_in: u64,
    /// By path: was it ever not found?
    not_found: PerSymbol<bool>,
}

impl Report for Totals {
    type State = State;

    fn name(&self) -> String {
        "totals".to_owned()
    }

    fn needs(&self) -> Needs {
        let distinct: Vec<Field> = self.distinct.iter().map(|(field, _)| *field).collect();
        Needs::default()
            .optional(&[Field::TIME, Field::CLASS])
            .optional(&self.not_found.map(|(field, _)| [field]).unwrap_or([Field::CLASS]))
            .optional(&self.sizes)
            .optional(&distinct)
            .by_symbol(&distinct)
    }

    fn start(&self) -> State {
        State::default()
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let classes = records.column(Field::CLASS).unwrap_or_default();
        for (class, count) in state.classes.iter_mut().enumerate() {
            // A pass a class: comparing a whole column is cheaper than looking at each value once.
            *count +=
                classes.iter().filter(|value| value.number() == Some(class as i64)).count() as u64;
        }
        let sizes = outcome::sizes(records);
        state.bytes = sizes.iter().fold(state.bytes, |sum, size| sum.saturating_add(*size));
        for value in records.column(Field::BYTES_IN).unwrap_or_default() {
            state.bytes_in = state.bytes_in.saturating_add(value.number_or(0).max(0) as u64);
        }
        self.see_not_found(state, records);
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        into.classes.iter_mut().zip(from.classes).for_each(|(own, more)| *own += more);
        into.bytes = into.bytes.saturating_add(from.bytes);
        into.bytes_in = into.bytes_in.saturating_add(from.bytes_in);
        if let Some(path) = self.path {
            let renumbering = renumberings.of(path);
            into.not_found.merge(from.not_found, renumbering, |own, more| *own |= more);
        }
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let mut facts = vec![Fact::new("records", Cell::Count(closing.records))];
        facts.extend(period(closing));
        facts.extend(self.amounts(&state));
        for (lane, word) in Scale::Class.lanes() {
            facts.push(Fact::new(word, Cell::Count(state.classes[*lane])));
        }
        for (field, name) in &self.distinct {
            let distinct = closing.dictionaries.of(*field).map_or(0, Dictionary::distinct);
            facts.push(Fact::new(name, Cell::Count(distinct)));
        }
        facts.extend(self.paths(&state, closing));
        let mut section = Section::facts("totals", "Totals", facts);
        section.notes.extend(self.limits(closing));
        vec![section]
    }
}

impl Totals {
    fn see_not_found(&self, state: &mut State, records: &Records<'_>) {
        let paths = self.path.and_then(|path| records.symbols(path)).unwrap_or_default();
        let Some((field, not_found)) = self.not_found else { return };
        let tells = records.column(field).unwrap_or_default();
        for (path, told) in paths.iter().zip(tells) {
            if told.number() == Some(not_found) {
                *state.not_found.at(*path) = true;
            }
        }
    }

    fn amounts(&self, state: &State) -> Vec<Fact> {
        let mut facts = Vec::new();
        if self.sizes.iter().any(|field| *field != Field::BYTES_IN) {
            facts.push(Fact::new("bytes", Cell::Bytes(state.bytes)));
        }
        if self.sizes.contains(&Field::BYTES_IN) {
            facts.push(Fact::new("bytes_in", Cell::Bytes(state.bytes_in)));
        }
        facts
    }

    fn paths(&self, state: &State, closing: &Closing<'_>) -> Vec<Fact> {
        let dictionary = self.path.and_then(|path| closing.dictionaries.of(path));
        let Some(dictionary) = dictionary else { return Vec::new() };
        let files = dictionary.iter().filter(|(_, path)| paths::is_static(path)).count();
        let missing = state
            .not_found
            .iter()
            .filter(|(symbol, missing)| **missing && !dictionary.text(*symbol).is_empty());
        let mut facts = vec![Fact::new("static_files", Cell::Count(files as u64))];
        if self.not_found.is_some() {
            facts.push(Fact::new("not_found_paths", Cell::Count(missing.count() as u64)));
        }
        facts
    }

    /// Where memory ended, the figures are lower bounds.
    fn limits(&self, closing: &Closing<'_>) -> Vec<Note> {
        let full = self.distinct.iter().filter_map(|(field, name)| {
            let refused = closing.dictionaries.of(*field)?.refused();
            (refused > 0).then(|| {
                let refused = units::count(refused);
                Note::warning(format!(
                    "there are more {name} than fitted into memory: {refused} records had one that is not counted"
                ))
            })
        });
        full.collect()
    }
}

/// First, last, how long, how many a second.
fn period(closing: &Closing<'_>) -> Vec<Fact> {
    let Some((first, last)) = closing.period else { return Vec::new() };
    // Stamps name the second that has begun, so that a log of one second lasts one.
    let span = last.saturating_sub(first).max(1_000_000);
    vec![
        Fact::new("first", Cell::Instant(first)),
        Fact::new("last", Cell::Instant(last)),
        Fact::new("span", Cell::Duration(last.saturating_sub(first))),
        Fact::new("rate", Cell::Rate(closing.records as f64 / (span as f64 / 1e6))),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_merging, requests, sections};
    use super::super::{AnyReport, Options};
    use super::*;
    use crate::format::Family;

    fn report() -> Box<dyn AnyReport> {
        Box::new(Totals::new(Field::all_known().collect(), Field::PATH))
    }

    #[test]
    fn merging_changes_nothing() {
        check_merging(&*report(), Family::Web, &Options::default(), &requests(4_000, 3));
    }

    #[test]
    fn counts_what_is_different() {
        let record = |client: &str, path: &str, status: &str| {
            vec![
                (Field::TIME, "5000000".to_owned()),
                (Field::CLASS, "ok".to_owned()),
                (Field::CLIENT, client.to_owned()),
                (Field::PATH, path.to_owned()),
                (Field::STATUS, status.to_owned()),
                (Field::BYTES, "10".to_owned()),
            ]
        };
        let records =
            [record("a", "/x.css", "200"), record("b", "/no", "404"), record("a", "/no", "404")];
        let found = sections(&*report(), Family::Web, &Options::default(), &records);
        for (name, count) in [
            ("records", 3),
            ("clients", 2),
            ("paths", 2),
            ("static_files", 1),
            ("not_found_paths", 1),
        ] {
            assert_eq!(found[0].fact(name), Some(&Cell::Count(count)), "{name}");
        }
        assert_eq!(found[0].fact("bytes"), Some(&Cell::Bytes(30)));
        assert_eq!(found[0].fact("rate"), Some(&Cell::Rate(3.0)));
    }

    /// Seen in a log of errors with five files that were not found: "not found paths 0", and the size of a body that
    /// was refused as "bytes in".
    #[test]
    fn error_logs_tell_by_kind_what_was_not_found() {
        let record = |path: &str, kind: &str| {
            vec![
                (Field::TIME, "5000000".to_owned()),
                (Field::KIND, kind.to_owned()),
                (Field::PATH, path.to_owned()),
                (Field::BYTES_IN, "98685".to_owned()),
            ]
        };
        let records =
            [record("/a", "not_found"), record("/b", "body_too_large"), record("/a", "not_found")];
        let supplied = Fields::of(&[Field::TIME, Field::KIND, Field::PATH, Field::BYTES_IN]);
        let report: Box<dyn AnyReport> = Box::new(Totals::new(supplied, Field::PATH));
        let found = sections(&*report, Family::NginxError, &Options::default(), &records);
        assert_eq!(found[0].fact("not_found_paths"), Some(&Cell::Count(1)));
        assert_eq!(found[0].fact("bytes_in"), None);
    }
}
