//! What the records are that a format refused: told by the samples that the ledger keeps, once all is read.
//!
//! The beginning of an input may say nothing of its end: a log goes on in another format, or two programs write into
//! one. Where an input can be looked at in advance, [`recognise`](super::recognise) finds such; what comes out of a pipe
//! or a packed file shows when it has passed.

use super::Request;
use crate::answer::Reader;
use crate::document::Note;
use crate::format::{self, detect};
use crate::ledger::{Reason, SAMPLE_BYTES};
use crate::record::time::Clock;

/// How many refused records of an input are worth a word: fewer are the odd lines that every log has.
const LEAST_REFUSED: u64 = 10;
/// How many samples of them have to be whole.
const LEAST_SAMPLES: u64 = 2;

/// For each input of which records were refused that are in another format: which, and how to read them, unless a note
/// says so already.
pub(super) fn notes(readers: &[Reader], request: &Request, known: &[Note]) -> Vec<Note> {
    readers.iter().filter_map(|reader| note(reader, request, known)).collect()
}

fn note(reader: &Reader, request: &Request, known: &[Note]) -> Option<Note> {
    let refused = reader.account.rejected().records;
    if refused < LEAST_REFUSED {
        return None;
    }
    let samples = samples(reader);
    let found = detect::detect(&samples, true, &Clock::new(request.zone, request.now)).ok()?;
    let (fit, name) = (&found.fit, found.format.name());
    let is_sure = fit.accepted == fit.records && fit.accepted >= LEAST_SAMPLES;
    let is_read = reader.format.split(", ").any(|format| format == name);
    let is_other = !is_read && format::named(name).is_ok();
    let (about, advice) = (format!("'{}'", reader.name), format!("--format {name}"));
    let says = |note: &Note| note.text.starts_with(&about) && note.text.contains(&advice);
    (is_sure && is_other && !known.iter().any(says)).then(|| {
        Note::warning(format!(
            "{about}: of the {} records that are not in '{}' the first look like '{name}': {advice} reads such",
            crate::units::count(refused),
            reader.format,
        ))
    })
}

/// The samples that are whole, a line each.
fn samples(reader: &Reader) -> Vec<u8> {
    let told = [Reason::Malformed, Reason::Truncated, Reason::Orphan];
    let refused = told.into_iter().filter_map(|reason| reader.account.refused(reason));
    let samples = refused.flat_map(|refused| &refused.samples);
    let whole = samples.filter(|sample| sample.text.len() < SAMPLE_BYTES);
    whole.flat_map(|sample| [sample.text.trim_ascii_end(), b"\n"].concat()).collect()
}
