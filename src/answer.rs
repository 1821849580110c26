//! What a pass found, before it becomes a document: the states of the reports and the ledger.
//!
//! An answer can be saved and joined with others ([`crate::state`]); [`Answer::document`] finishes the reports and puts
//! the ledger beside them, so that no number stands without what it was counted from.

use serde::{Deserialize, Serialize};

use crate::document::{Cell, Column, Document, Note, Role, Section, Table, Weight};
use crate::engine::{self, Group, State};
use crate::error::Error;
use crate::format::Family;
use crate::input;
use crate::ledger::{Account, Reason};
use crate::plan::{Asked, Question, Recognised};
use crate::record::{Fields, Zone};

/// What a pass found.
#[derive(Debug)]
pub struct Answer {
    /// What was asked.
    pub asked: Asked,
    /// What was counted, by family.
    pub parts: Vec<Part>,
    /// What became of each input.
    pub readers: Vec<Reader>,
    /// What a reader must know to trust the numbers.
    pub notes: Vec<Note>,
    /// Inputs that could not be read at all.
    pub problems: Vec<Error>,
    /// On how many threads the reports are finished; 0 is one a core.
    pub threads: usize,
}

/// What was counted of one family.
#[derive(Debug)]
pub struct Part {
    /// What was asked.
    pub group: Group,
    /// The fields that the formats of the inputs supply.
    pub supplied: Fields,
    /// What was found.
    pub state: State,
}

/// What became of one input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reader {
    /// Its name.
    pub name: String,
    /// The names of its formats, with commas between them.
    pub format: String,
    /// The names of their families.
    pub families: Vec<String>,
    /// How it was packed.
    pub compression: String,
    /// Its records and bytes.
    pub account: Account,
    /// What kept it from being read whole.
    pub problems: Vec<String>,
    /// What was odd about it and cost nothing.
    pub warnings: Vec<String>,
}

impl Reader {
    pub(crate) fn new(input: &Recognised) -> Self {
        Self {
            name: input.input.source().name.clone(),
            format: input.formats().map(|format| format.name()).collect::<Vec<_>>().join(", "),
            families: input.formats().map(|format| format.family().name().to_owned()).collect(),
            compression: input.input.packing().to_owned(),
            account: Account::default(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Takes in what parsing and reading found.
    pub(crate) fn close(&mut self, account: Account, read: input::Account) {
        self.account = account;
        engine::close_account(&mut self.account, &read);
        self.problems = read.problems.iter().map(Error::to_string).collect();
        self.problems.extend(self.nothing_fits());
        self.warnings = read.warnings.iter().map(Error::to_string).collect();
    }
}

impl Reader {
    fn known_families(&self) -> impl Iterator<Item = Family> {
        self.families.iter().filter_map(|name| Family::named(name))
    }

    /// An input that holds nothing of the format that it was read in was not read.
    fn nothing_fits(&self) -> Option<String> {
        let rejected = self.account.rejected().records;
        let is_all =
            rejected > 0 && rejected + self.account.skipped().records == self.account.read.records;
        is_all.then(|| {
            let (name, format) = (&self.name, &self.format);
            format!("'{name}': none of its records is in the format '{format}'")
        })
    }
}

impl Answer {
    /// The account of all inputs together.
    pub fn account(&self) -> Account {
        let mut whole = Account::default();
        self.readers.iter().for_each(|reader| whole.merge(reader.account.clone()));
        whole
    }

    /// True when every input that was named was read to its end, in the runs that were saved and merged too.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
            && self.notes.iter().all(|note| note.weight != Weight::Problem)
            && self.readers.iter().all(|reader| reader.problems.is_empty())
    }

    /// Finishes the reports and puts the ledger beside them.
    pub fn document(self) -> Document {
        engine::on_threads(self.threads, || self.finish())
    }

    fn finish(mut self) -> Document {
        // In the order of their contents, whichever was counted or merged first.
        self.readers.sort_by(|a, b| order(a).cmp(&order(b)));
        let account = self.account();
        let title = self.title(&account);
        let mut notes = self.remarks();
        notes.extend(self.problems.iter().map(|problem| Note::problem(problem.to_string())));
        notes.sort_by_key(|note| std::cmp::Reverse(note.weight));
        let ledger = ledger(&self.readers, &account);
        let several = self.parts.len() > 1;
        let mut sections = Vec::new();
        for Part { group, state, .. } in self.parts {
            let mut own = group.finish(state, &self.asked.options);
            if several {
                own.iter_mut().for_each(|section| section.group = group.family().name().into());
            }
            sections.append(&mut own);
        }
        let has_bursts = sections.iter().any(|section| section.name != "sampling");
        if !has_bursts && self.asked.question == Question::Bursts {
            notes.push(Note::info(match account.counted.records {
                0 => "no bursts: no record was counted, so that nothing can be said of any",
                _ => "no bursts: neither errors nor warnings ever left their usual rate",
            }));
        }
        sections.extend(ledger);
        Document { mode: self.asked.question.mode(), title, sections, notes }
    }

    fn title(&self, account: &Account) -> String {
        let mut families: Vec<Family> =
            self.readers.iter().flat_map(Reader::known_families).collect();
        families.sort_unstable();
        families.dedup();
        let families: Vec<&str> = families.into_iter().map(Family::title).collect();
        let inputs = match &self.readers[..] {
            [only] => only.name.clone(),
            all => format!("{} files", all.len()),
        };
        let records = crate::units::count(account.counted.records);
        format!("{} · {inputs} · {records} records", families.join(", "))
    }

    /// What a reader must know to trust the numbers, without the inputs that could not be read at all.
    pub fn remarks(&self) -> Vec<Note> {
        let account = self.account();
        let mut notes = self.notes.clone();
        for reader in &self.readers {
            notes.extend(reader.problems.iter().map(Note::problem));
            notes.extend(reader.warnings.iter().map(Note::warning));
        }
        let rejected = account.rejected();
        if rejected.records > 0 {
            // Beside records that are handed out themselves there is no ledger.
            let why = match self.asked.question {
                Question::Records { .. } => "'logmill report --section ledger_reasons'",
                _ => "the ledger",
            };
            notes.push(Note::warning(format!(
                "{} of {} records were not understood; {why} says why",
                crate::units::count(rejected.records),
                crate::units::count(account.read.records)
            )));
        }
        notes.extend(nothing_left(&account, &self.asked.options.zone));
        for part in &self.parts {
            let full = part.state.dictionaries.iter().filter(|(_, texts)| texts.refused() > 0);
            notes.extend(full.map(|(name, texts)| {
                Note::warning(format!(
                    "too many different values of '{name}': {} records count as '(other)'",
                    crate::units::count(texts.refused())
                ))
            }));
        }
        notes
    }
}

/// A filter that lets nothing pass mostly asks for a time that these logs do not cover: says which they do.
fn nothing_left(account: &Account, zone: &Zone) -> Option<Note> {
    if account.counted.records > 0 || account.filtered.records == 0 {
        return None;
    }
    let time = |micros| {
        let time = chrono::DateTime::from_timestamp_micros(zone.wall(micros))?;
        Some(time.format("%Y-%m-%d %H:%M:%S").to_string())
    };
    let span = account.period.and_then(|(first, last)| Some((time(first)?, time(last)?)));
    let span = span.map(|(first, last)| format!("; the logs reach from {first} to {last} {zone}"));
    Some(Note::warning(format!(
        "no record passed the filters, which took all {}{}",
        crate::units::count(account.filtered.records),
        span.unwrap_or_default()
    )))
}

/// What decides where an input is shown: when it begins, then its name.
fn order(reader: &Reader) -> (i64, &str) {
    (reader.account.period.map_or(i64::MAX, |(first, _)| first), &reader.name)
}

/// The ledger: in = counted + filtered out + skipped + rejected, in records and bytes, with reasons and samples.
fn ledger(readers: &[Reader], whole: &Account) -> Vec<Section> {
    let mut sections = vec![balance(whole)];
    if whole.reasons().any(|(reason, _)| reason != Reason::Blank) {
        sections.push(reasons(readers));
    }
    sections.push(files(readers));
    sections
}

fn balance(account: &Account) -> Section {
    let amounts = [
        ("read", account.read),
        ("counted", account.counted),
        ("filtered_out", account.filtered),
        ("rejected", account.rejected()),
        ("skipped", account.skipped()),
    ];
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (name, amount) in amounts {
        if amount.records > 0 || matches!(name, "read" | "counted" | "rejected") {
            let share = Cell::share(amount.records, account.read.records);
            let (records, bytes) = (Cell::Count(amount.records), Cell::Bytes(amount.bytes));
            rows.push(vec![Cell::text(name.replace('_', " ")), records, share, bytes]);
        }
    }
    if account.hole_bytes > 0 {
        let bytes = Cell::Bytes(account.hole_bytes);
        rows.push(vec![Cell::text("NUL bytes, byte order marks"), Cell::Empty, Cell::Empty, bytes]);
    }
    let columns = vec![
        Column::new("what", Role::Key).labelled("lines"),
        Column::new("records", Role::Value),
        Column::new("share", Role::Value),
        Column::new("bytes", Role::Value),
    ];
    let total_rows = rows.len() as u64;
    Section::table("ledger", "Every line accounted for", Table { columns, rows, total_rows })
}

/// How many bytes of a sample are shown.
const SHOWN_BYTES: usize = 240;

/// What was not counted and why, each reason with the first records of it.
fn reasons(readers: &[Reader]) -> Section {
    let mut rows = Vec::new();
    for reader in readers {
        for (reason, refused) in
            reader.account.reasons().filter(|(reason, _)| *reason != Reason::Blank)
        {
            let samples = refused.samples.iter();
            let shown = |text: &[u8]| Cell::text(&text[..text.len().min(SHOWN_BYTES)]);
            let samples: Vec<Cell> = samples.map(|sample| shown(&sample.text)).collect();
            let first =
                refused.samples.first().map_or(Cell::Empty, |sample| Cell::Count(sample.offset));
            rows.push(vec![
                Cell::text(reason.words()),
                Cell::Count(refused.amount.records),
                Cell::Bytes(refused.amount.bytes),
                Cell::text(&reader.name),
                first,
                Cell::List(samples),
            ]);
        }
    }
    let columns = vec![
        Column::new("reason", Role::Key),
        Column::new("records", Role::Main),
        Column::new("bytes", Role::Value),
        Column::new("file", Role::Value),
        Column::new("first_at_byte", Role::Value),
        Column::new("samples", Role::Detail),
    ];
    let total_rows = rows.len() as u64;
    Section::table("ledger_reasons", "Not counted, and why", Table { columns, rows, total_rows })
}

fn files(readers: &[Reader]) -> Section {
    let row = |reader: &Reader| {
        let account = &reader.account;
        let (first, last) = account.period.unzip();
        vec![
            Cell::text(&reader.name),
            Cell::text(&reader.format),
            Cell::text(&reader.compression),
            Cell::Count(account.read.records),
            Cell::Count(account.counted.records),
            Cell::Count(account.rejected().records),
            Cell::Bytes(account.read.bytes),
            first.map_or(Cell::Empty, Cell::Instant),
            last.map_or(Cell::Empty, Cell::Instant),
        ]
    };
    let columns = vec![
        Column::new("file", Role::Key),
        Column::new("format", Role::Value),
        Column::new("packed", Role::Value),
        Column::new("records", Role::Value),
        Column::new("counted", Role::Value),
        Column::new("rejected", Role::Value),
        Column::new("bytes", Role::Value),
        Column::new("first", Role::Value),
        Column::new("last", Role::Value),
    ];
    let rows: Vec<_> = readers.iter().map(row).collect();
    let total_rows = rows.len() as u64;
    Section::table("files", "Files", Table { columns, rows, total_rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Body;

    #[test]
    fn the_ledger_names_what_there_is() {
        let mut account = Account::default();
        account.read.add(10);
        account.counted.add(10);
        let Body::Table(table) = balance(&account).body else { panic!("a table") };
        assert_eq!(table.rows.len(), 3);
        assert_eq!(table.rows[0][1], Cell::Count(1));
    }
}
