//! By what a report tells records apart: one symbol a record, whatever the kind of the field.
//!
//! Texts are numbered by the dictionaries of the run. Labels and numbers have few different values, which the state
//! numbers itself.

use serde::{Deserialize, Serialize};

use super::{Dictionaries, Needs, Renumberings};
use crate::record::block::ROWS;
use crate::record::{Field, Kind, Label, Records, Symbol};
use crate::tally::{Ids, Renumbering};

/// The keys of one field in a state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Keys {
    /// Symbols of the dictionary of the run.
    Texts,
    /// Values that the state numbers.
    Values(Ids),
}

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

    /// The symbols of a block; `None` when the run does not read the field.
    pub(super) fn symbols<'a>(
        &mut self,
        field: Field,
        records: &Records<'a>,
        room: &'a mut [Symbol; ROWS],
    ) -> Option<&'a [Symbol]> {
        let ids = match self {
            Self::Texts => return records.symbols(field),
            Self::Values(ids) => ids,
        };
        let column = records.column(field)?;
        let is_label = field.kind() == Kind::Label;
        for (symbol, value) in room.iter_mut().zip(column) {
            *symbol = match value.number() {
                None => Symbol::ABSENT,
                Some(number) if is_label => {
                    ids.of(number, || Label::from_number(number).word().to_owned())
                }
                Some(number) => ids.of(number, || number.to_string()),
            };
        }
        Some(&room[..column.len()])
    }

    /// What to print for a symbol.
    pub(super) fn text<'a>(
        &'a self,
        field: Field,
        dictionaries: &'a Dictionaries,
        symbol: Symbol,
    ) -> &'a [u8] {
        match self {
            Self::Texts => dictionaries.text(field, symbol),
            Self::Values(ids) => ids.text(symbol).as_bytes(),
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
            _ => renumberings.of(field).clone(),
        }
    }
}
