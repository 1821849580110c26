//! By what a report tells records apart: one symbol a record, whatever the kind of the field.
//!
//! Texts are numbered by the dictionaries of the run. Labels and numbers have few different values, which the state
//! numbers itself.

use serde::{Deserialize, Serialize};

use super::{Dictionaries, Needs, Renumberings};
use crate::document::{Note, Section};
use crate::record::block::ROWS;
use crate::record::{Field, Kind, Label, Records, Symbol, Value, dname};
use crate::tally::{Dictionary, Ids, Renumbering};
use crate::units;

/// The keys of one field in a state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Keys {
    /// Symbols of the dictionary of the run.
    Texts,
    /// Values that the state numbers.
    Values(Ids),
    /// The domains of names, worked out and numbered by the state for the records that it asks for: too dear for all.
    Domains(Dictionary),
}

/// For the domains of one state, in bytes.
const MOST_DOMAIN_BYTES: usize = 16 << 20;

/// Adds a field that is read by [`Keys`] to what a report cannot do without.
pub(super) fn require(mut needs: Needs, field: Field) -> Needs {
    needs.required.insert(field);
    use_too(needs, field)
}

/// Adds a field that is read by [`Keys`] to what a report uses where it is.
pub(super) fn use_too(needs: Needs, field: Field) -> Needs {
    let needs = needs.optional(&[field]);
    if field.kind().is_text() { needs.by_symbol(&[field]) } else { needs }
}

impl Keys {
    /// For that field.
    pub(super) fn of(field: Field) -> Self {
        if field.kind().is_text() { Self::Texts } else { Self::Values(Ids::default()) }
    }

    /// The domains of the names in [`Field::NAME`].
    pub(super) fn domains() -> Self {
        Self::Domains(Dictionary::new(MOST_DOMAIN_BYTES))
    }

    /// The symbols of a block; `None` when the run does not read the field.
    pub(super) fn symbols<'a>(
        &'a mut self,
        field: Field,
        records: &Records<'a>,
        room: &'a mut [Symbol; ROWS],
    ) -> Option<&'a [Symbol]> {
        match self.reader(field, records)? {
            Reader::Texts(symbols) => Some(symbols),
            Reader::Values { ids, column, is_label } => {
                let mut last = (Value::ABSENT, Symbol::ABSENT);
                for (symbol, value) in room.iter_mut().zip(column) {
                    if last.0 != *value {
                        last = (*value, of_value(ids, *value, is_label));
                    }
                    *symbol = last.1;
                }
                Some(&room[..column.len()])
            }
            mut reader => {
                let room = &mut room[..records.len()];
                room.iter_mut().enumerate().for_each(|(row, symbol)| *symbol = reader.at(row));
                Some(room)
            }
        }
    }

    /// What reads single symbols of a block; `None` when the run does not read the field.
    pub(super) fn reader<'a>(
        &'a mut self,
        field: Field,
        records: &Records<'a>,
    ) -> Option<Reader<'a>> {
        match self {
            Self::Texts => records.symbols(field).map(Reader::Texts),
            Self::Values(ids) => {
                let is_label = field.kind() == Kind::Label;
                records.column(field).map(|column| Reader::Values { ids, column, is_label })
            }
            Self::Domains(domains) => {
                let records = *records;
                records.column(Field::NAME).map(|names| Reader::Domains { domains, names, records })
            }
        }
    }

    /// What to print for the symbols.
    pub(super) fn texts<'a>(&'a self, field: Field, dictionaries: &'a Dictionaries) -> Texts<'a> {
        match self {
            Self::Texts => Texts::Of(dictionaries.of(field)),
            Self::Values(ids) => Texts::Values(ids),
            Self::Domains(domains) => Texts::Of(Some(domains)),
        }
    }

    /// Takes in the keys of another state and says which symbols they have here.
    pub(super) fn absorb(
        &mut self,
        others: &Self,
        field: Field,
        renumberings: &Renumberings,
    ) -> Renumbering {
        match (self, others) {
            (Self::Values(own), Self::Values(others)) => own.absorb(others),
            (Self::Domains(own), Self::Domains(others)) => own.absorb(others),
            _ => renumberings.of(field).clone(),
        }
    }
}

/// What to print for the symbols of one field.
#[derive(Clone, Copy)]
pub(super) enum Texts<'a> {
    Of(Option<&'a Dictionary>),
    Values(&'a Ids),
}

impl<'a> Texts<'a> {
    /// For that one.
    pub(super) fn of(self, symbol: Symbol) -> &'a [u8] {
        match self {
            Self::Of(dictionary) => dictionary.map_or(&[], |dictionary| dictionary.text(symbol)),
            Self::Values(ids) => ids.text(symbol).as_bytes(),
        }
    }
}

/// Says below a table how many records it leaves out: those that say nothing of the field, and those whose values did not
/// fit into memory.
pub(super) fn note_left_out(section: &mut Section, field: Field, absent: u64, others: u64) {
    let field = field.name();
    if others > 0 {
        let others = units::count(others);
        section.notes.push(Note::warning(format!(
            "{others} records have a value of {field} that did not fit into memory and is not in the table"
        )));
    }
    if absent > 0 {
        let text = format!("{} records say no {field}", units::count(absent));
        section.notes.push(Note::info(text));
    }
}

/// Reads the symbols of one field of a block.
pub(super) enum Reader<'a> {
    Texts(&'a [Symbol]),
    Values { ids: &'a mut Ids, column: &'a [Value], is_label: bool },
    Domains { domains: &'a mut Dictionary, names: &'a [Value], records: Records<'a> },
}

impl Reader<'_> {
    /// The symbol of a record.
    pub(super) fn at(&mut self, row: usize) -> Symbol {
        match self {
            Self::Texts(symbols) => symbols[row],
            Self::Values { ids, column, is_label } => of_value(ids, column[row], *is_label),
            Self::Domains { domains, names, records } => match records.bytes(names[row]) {
                None => Symbol::ABSENT,
                Some(name) => domains.intern(dname::registrable(name)),
            },
        }
    }
}

fn of_value(ids: &mut Ids, value: Value, is_label: bool) -> Symbol {
    match value.number() {
        None => Symbol::ABSENT,
        Some(number) if is_label => ids.of(number, || Label::from_number(number).word().to_owned()),
        Some(number) => ids.of(number, || number.to_string()),
    }
}
