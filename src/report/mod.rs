//! The reports: recipes that turn records into sections of an answer.
//!
//! One file a report. Its author writes a [`Report`]: what it needs, a state, how the state takes in records, how two
//! states become one, and what sections come of it. The engine holds the erased twin [`AnyReport`]. Reports meet
//! formats only in the vocabulary of fields; they print nothing and read nothing.
//!
//! States are counted by symbol: a text field that a report names in [`Needs::symbols`] is numbered once for all
//! reports of the run ([`Dictionaries`]), and a state is an array by those numbers. When two threads' results are
//! joined, the symbols of one are renumbered ([`Renumberings`]).

mod agents;
mod bind;
mod breakdown;
mod bursts;
mod clients;
mod endpoints;
mod errors;
mod haproxy;
mod keys;
mod latency;
mod mysql;
mod outcome;
mod paths;
mod postfix;
mod referers;
mod status;
mod subjects;
#[cfg(test)]
pub(crate) mod testing;
pub mod top;
mod totals;
mod traffic;
mod visitors;

use std::any::Any;
use std::fmt;

use breakdown::{Breakdowns, Subject};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document::Section;
use crate::error::{Error, Result};
use crate::format::Family;
use crate::record::{Field, Fields, Records, Symbol, Zone};
use crate::tally::{Dictionary, Renumbering};

/// What a report reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// Without these it has nothing to say, and is left out or refused before any byte is read.
    pub required: Fields,
    /// These it uses where the format supplies them.
    pub optional: Fields,
    /// Those of both that it reads by symbol instead of by value. Text only.
    pub symbols: Fields,
}

impl Needs {
    /// Needs these fields, all of them.
    pub fn required(fields: &[Field]) -> Self {
        Self { required: Fields::of(fields), ..Self::default() }
    }

    /// Uses these as well where they are.
    #[must_use]
    pub fn optional(mut self, fields: &[Field]) -> Self {
        self.optional = self.optional.union(Fields::of(fields));
        self
    }

    /// Reads these, which are also named above, by symbol.
    #[must_use]
    pub fn by_symbol(mut self, fields: &[Field]) -> Self {
        self.symbols = self.symbols.union(Fields::of(fields));
        self
    }

    /// All that it reads.
    pub fn all(&self) -> Fields {
        self.required.union(self.optional)
    }
}

/// The dictionaries of one thread, or of the whole run after they were joined.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct Dictionaries(Vec<(String, Dictionary)>);

impl Dictionaries {
    /// An empty dictionary for each of these fields, together at most `most_bytes` large.
    pub fn new(fields: &[Field], most_bytes: usize) -> Self {
        let share = most_bytes / fields.len().max(1);
        Self(fields.iter().map(|field| (field.name().to_owned(), Dictionary::new(share))).collect())
    }

    /// The dictionary of a field, if any report reads it by symbol.
    pub fn of(&self, field: Field) -> Option<&Dictionary> {
        self.0.iter().find(|(name, _)| name == field.name()).map(|(_, dictionary)| dictionary)
    }

    /// All of them, with the names of their fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Dictionary)> {
        self.0.iter().map(|(name, dictionary)| (name.as_str(), dictionary))
    }

    /// All of them, to be filled.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Dictionary)> {
        self.0.iter_mut().map(|(name, dictionary)| (name.as_str(), dictionary))
    }

    /// The text of a field's symbol; empty when there is none.
    pub fn text(&self, field: Field, symbol: Symbol) -> &[u8] {
        self.of(field).map_or(&[], |dictionary| dictionary.text(symbol))
    }

    /// The dictionaries of these fields, in this order; an empty one where there is none yet.
    #[must_use]
    pub fn conform(mut self, fields: &[Field]) -> Self {
        let conformed = fields.iter().map(|field| {
            let known = self.0.iter().position(|(name, _)| name == field.name());
            match known {
                Some(at) => self.0.swap_remove(at),
                None => (field.name().to_owned(), Dictionary::new(usize::MAX)),
            }
        });
        Self(conformed.collect())
    }

    /// Takes in the texts of others and says how their symbols are called here.
    ///
    /// # Errors
    /// When the others are for other fields.
    pub fn absorb(&mut self, others: &Self) -> Result<Renumberings> {
        if self.0.len() != others.0.len() {
            return Err(Error::input("it counts other fields"));
        }
        let pairs = self.0.par_iter_mut().zip(&others.0);
        let renumberings = pairs.map(|((name, own), (other_name, other))| {
            if name != other_name {
                return Err(Error::input(format!("it counts '{other_name}' and not '{name}'")));
            }
            Ok((name.clone(), own.absorb(other)))
        });
        let renumberings = renumberings.collect::<Result<_>>()?;
        Ok(Renumberings(renumberings))
    }
}

/// How the symbols of a state that is taken in are called in the one that takes it in, by field.
#[derive(Debug, Clone)]
pub struct Renumberings(Vec<(String, Renumbering)>);

impl Renumberings {
    /// Those of a field.
    ///
    /// # Panics
    /// When the field has no dictionary: a report asks only for those that it named in its needs.
    pub fn of(&self, field: Field) -> &Renumbering {
        let found = self.0.iter().find(|(name, _)| name == field.name());
        &found.expect("the field is among the symbols that the report needs").1
    }
}

/// What a report may use when it finishes.
#[derive(Debug, Clone, Copy)]
pub struct Closing<'a> {
    /// The texts behind the symbols.
    pub dictionaries: &'a Dictionaries,
    /// What the user set.
    pub options: &'a Options,
    /// How many records were counted.
    pub records: u64,
    /// The instants of the first and the last record, in microseconds.
    pub period: Option<(i64, i64)>,
    /// What the records are.
    pub family: Family,
}

/// What the user may set for all reports.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Options {
    /// The most rows of a table; 0 means all.
    pub limit: usize,
    /// Count paths with their query.
    pub keep_query: bool,
    /// Count paths with numbers and identifiers folded to `:id`.
    pub group_paths: bool,
    /// Count statements with the numbers in their names folded to `?`.
    pub group_names: bool,
    /// Name statements by the checksums of pt-query-digest.
    pub pt_checksums: bool,
    /// The zone in which hours and days are counted.
    pub zone: Zone,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: 10,
            keep_query: false,
            group_paths: false,
            group_names: false,
            pt_checksums: false,
            zone: Zone::default(),
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--tz {}", self.zone)?;
        f.write_str(if self.keep_query { " --keep-query" } else { "" })?;
        f.write_str(if self.group_paths { " --group-paths" } else { "" })?;
        f.write_str(if self.group_names { " --group-names" } else { "" })?;
        f.write_str(if self.pt_checksums { " --pt-checksums" } else { "" })
    }
}

/// What the author of a report writes.
pub trait Report: Send + Sync {
    /// What it has counted so far.
    type State: Send + Serialize + DeserializeOwned + 'static;

    /// Stable name; unique among the reports of a run.
    fn name(&self) -> String;

    /// What it reads.
    fn needs(&self) -> Needs;

    /// A state that has seen nothing.
    fn start(&self) -> Self::State;

    /// Takes in the records of a block.
    fn observe(&self, state: &mut Self::State, records: &Records<'_>);

    /// Joins two states; in any order and any grouping the same comes out.
    fn merge(&self, into: &mut Self::State, from: Self::State, renumberings: &Renumberings);

    /// What is to be shown.
    fn finish(&self, state: Self::State, closing: &Closing<'_>) -> Vec<Section>;
}

/// A state whose type only its report knows.
pub type AnyState = Box<dyn Any + Send>;

/// A report as the engine holds it.
pub trait AnyReport: Send + Sync {
    /// See [`Report::name`].
    fn name(&self) -> String;
    /// See [`Report::needs`].
    fn needs(&self) -> Needs;
    /// See [`Report::start`].
    fn start(&self) -> AnyState;
    /// See [`Report::observe`].
    fn observe(&self, state: &mut AnyState, records: &Records<'_>);
    /// See [`Report::merge`].
    fn merge(&self, into: &mut AnyState, from: AnyState, renumberings: &Renumberings);
    /// See [`Report::finish`].
    fn finish(&self, state: AnyState, closing: &Closing<'_>) -> Vec<Section>;
    /// The state as bytes.
    ///
    /// # Errors
    /// Never for the states of this crate; a serializer may fail by its type.
    fn save(&self, state: &AnyState) -> Result<Vec<u8>>;
    /// The state back from bytes.
    ///
    /// # Errors
    /// When the bytes are not those of such a state.
    fn load(&self, bytes: &[u8]) -> Result<AnyState>;
}

const OWN: &str = "a report is only given states that it started or loaded";

impl<R: Report> AnyReport for R {
    fn name(&self) -> String {
        Report::name(self)
    }

    fn needs(&self) -> Needs {
        Report::needs(self)
    }

    fn start(&self) -> AnyState {
        Box::new(Report::start(self))
    }

    fn observe(&self, state: &mut AnyState, records: &Records<'_>) {
        Report::observe(self, state.downcast_mut().expect(OWN), records);
    }

    fn merge(&self, into: &mut AnyState, from: AnyState, renumberings: &Renumberings) {
        let from = from.downcast::<R::State>().expect(OWN);
        Report::merge(self, into.downcast_mut().expect(OWN), *from, renumberings);
    }

    fn finish(&self, state: AnyState, closing: &Closing<'_>) -> Vec<Section> {
        Report::finish(self, *state.downcast().expect(OWN), closing)
    }

    fn save(&self, state: &AnyState) -> Result<Vec<u8>> {
        let state: &R::State = state.downcast_ref().expect(OWN);
        postcard::to_stdvec(state).map_err(|error| Error::input(error.to_string()))
    }

    fn load(&self, bytes: &[u8]) -> Result<AnyState> {
        match postcard::from_bytes::<R::State>(bytes) {
            Ok(state) => Ok(Box::new(state)),
            Err(_) => Err(Error::input(format!("the part '{}' is damaged", self.name()))),
        }
    }
}

/// What a report may know when it is made.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The family of the records.
    pub family: Family,
    /// The fields that the formats of the run supply.
    pub supplied: Fields,
    /// What the user set.
    pub options: &'a Options,
}

/// A report of the table [`REPORTS`].
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The word for it on the command line; where it has but one main section, the name of that.
    pub name: &'static str,
    /// One line for help.
    pub about: &'static str,
    /// The families that it is for; none means all.
    pub families: &'static [Family],
    make: Make,
}

/// How a report is made. Breakdowns are told apart from the others so that a run may make one report of many.
#[derive(Debug, Clone, Copy)]
enum Make {
    Report(fn(&Setting<'_>) -> Box<dyn AnyReport>),
    Breakdown(fn(&Setting<'_>) -> Subject),
}

impl Entry {
    /// The report alone.
    pub fn report(&self, setting: &Setting<'_>) -> Box<dyn AnyReport> {
        match self.make {
            Make::Report(make) => make(setting),
            Make::Breakdown(subject) => breakdowns(vec![subject(setting)], setting),
        }
    }

    /// True when it says something about records of that family that carry those fields.
    pub fn suits(&self, setting: &Setting<'_>) -> bool {
        let family = self.families.is_empty() || self.families.contains(&setting.family);
        family && self.report(setting).needs().required.is_within(setting.supplied)
    }
}

fn breakdowns(subjects: Vec<Subject>, setting: &Setting<'_>) -> Box<dyn AnyReport> {
    Box::new(Breakdowns::new(subjects, subjects::summable(setting)))
}

/// All reports, in the order in which a full answer shows them: first whether something is wrong and since when, then
/// who and what is behind it, then the rest.
pub const REPORTS: &[Entry] = subjects::REPORTS;

/// The reports of a full answer about a family whose formats supply those fields, in the order in which they are shown.
pub fn for_family(family: Family, supplied: Fields, options: &Options) -> Vec<Box<dyn AnyReport>> {
    let setting = Setting { family, supplied, options };
    make_all(REPORTS.iter().filter(|entry| entry.suits(&setting)), &setting)
}

/// True for a section that a quiet log leaves out: who asks for it alone has asked rightly. Of the sections of other
/// reports only the run knows whether the logs could have them.
pub fn is_left_out_when_quiet(section: &str) -> bool {
    bursts::SECTIONS.contains(&section)
}

/// The reports of these entries, in their order. Neighbouring breakdowns become one report: what they all read off a
/// block is then read once.
fn make_all<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    setting: &Setting<'_>,
) -> Vec<Box<dyn AnyReport>> {
    let (mut reports, mut subjects) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.make {
            Make::Breakdown(subject) => subjects.push(subject(setting)),
            Make::Report(make) => {
                if !subjects.is_empty() {
                    reports.push(breakdowns(std::mem::take(&mut subjects), setting));
                }
                reports.push(make(setting));
            }
        }
    }
    if !subjects.is_empty() {
        reports.push(breakdowns(subjects, setting));
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_those_of_the_reports() {
        let options = Options::default();
        let supplied = Field::all_known().collect();
        let mut names = HashSet::new();
        for entry in REPORTS {
            let family = entry.families.first().copied().unwrap_or(Family::Web);
            let setting = Setting { family, supplied, options: &options };
            let name = match entry.make {
                Make::Report(make) => make(&setting).name(),
                Make::Breakdown(subject) => subject(&setting).name.to_owned(),
            };
            assert_eq!(name, entry.name);
            assert!(names.insert(entry.name), "{} is there twice", entry.name);
        }
    }

    /// Saved states find their report by its name.
    #[test]
    fn no_two_reports_of_a_family_have_one_name() {
        let families: HashSet<&str> =
            REPORTS.iter().flat_map(|entry| entry.families).map(|family| family.name()).collect();
        for family in families.into_iter().filter_map(Family::named) {
            let reports = for_family(family, Field::all_known().collect(), &Options::default());
            let names: Vec<String> = reports.iter().map(|report| report.name()).collect();
            let distinct: HashSet<&String> = names.iter().collect();
            assert_eq!(names.len(), distinct.len(), "{family:?}: {names:?}");
        }
    }

    #[test]
    fn a_report_without_its_fields_is_left_out() {
        let supplied = Fields::of(&[Field::TIME, Field::CLASS, Field::CLIENT]);
        let options = Options::default();
        let setting = Setting { family: Family::Web, supplied, options: &options };
        let suits =
            |name: &str| REPORTS.iter().any(|entry| entry.name == name && entry.suits(&setting));
        assert!(suits("totals") && suits("clients"));
        assert!(!suits("paths") && !suits("status"));
    }

    /// Every section of every report of a full answer, over random parts: one name each, rows as wide as the head.
    #[test]
    fn the_full_answer_merges_and_is_well_formed() {
        let supplied = Field::all_known().collect();
        let records = testing::requests(3_000, 77);
        let options = Options { group_paths: true, ..Options::default() };
        let mut names = HashSet::new();
        for report in for_family(Family::Web, supplied, &options) {
            testing::check_merging(&*report, Family::Web, &options, &records);
            for section in testing::sections(&*report, Family::Web, &options, &records) {
                assert!(names.insert(section.name.clone()), "{} is there twice", section.name);
                testing::check_form(&section);
            }
            testing::sections(&*report, Family::Web, &options, &[]);
        }
    }
}
