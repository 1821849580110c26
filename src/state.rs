//! Answers on disk: written beside an answer, read back and joined, so that a week is merged from its days and a
//! cluster's report from its hosts.
//!
//! A file is one line of JSON that says what it is (`head -1 FILE` shows it) and, behind it, a zstd frame with a checksum:
//! what was asked, by family the dictionaries and each report's state under the report's name, and the ledger. States
//! join in any order and any grouping to what one run over all inputs would have counted; a law in the tests says so.
//!
//! ```
//! use logmill::plan::{Plan, Question, Request};
//! use logmill::state;
//!
//! # fn main() -> logmill::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! let monday = folder.path().join("monday.state");
//! let request = Request::new(Question::Report, ["fixtures/nginx/rotated/access.log.1"]);
//! state::save(&Plan::new(request)?.run(&|_, _| {})?, &monday)?;
//!
//! let tuesday = folder.path().join("tuesday.state");
//! let request = Request::new(Question::Report, ["fixtures/nginx/rotated/access.log"]);
//! state::save(&Plan::new(request)?.run(&|_, _| {})?, &tuesday)?;
//!
//! let both = state::merge(&[monday, tuesday])?;
//! assert_eq!(both.account().counted.records, 15 + 14);
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Part, Reader};
use crate::document::Note;
use crate::engine::{Group, State};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::format::Family;
use crate::plan::Asked;
use crate::record::{Field, Fields, Kind};
use crate::report::{AnyState, Dictionaries};
use crate::tally::Dictionary;

/// The version of the layout; one that is newer than this is refused.
const VERSION: u32 = 1;

/// The line in front.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    logmill_state: u32,
    program: String,
    mode: String,
    families: Vec<String>,
    files: usize,
    records: u64,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    /// The line in front, so that the checksum covers it.
    head: Vec<u8>,
    asked: Asked,
    parts: Vec<SavedPart>,
    readers: Vec<Reader>,
    /// With a problem for each input that could not be read at all.
    notes: Vec<Note>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedPart {
    family: String,
    /// The fields that the formats supplied, with their kinds.
    supplied: Vec<(String, Kind)>,
    dictionaries: Dictionaries,
    records: u64,
    period: Option<(i64, i64)>,
    /// The bytes of each report's state, under the report's name.
    states: Vec<(String, Vec<u8>)>,
}

/// Writes an answer to a file. The file appears whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn save(answer: &Answer, path: &Path) -> Result<()> {
    let failed = |error| Error::io("write", path, error);
    let mut bytes =
        serde_json::to_vec(&head(answer)).map_err(|error| Error::input(error.to_string()))?;
    bytes.push(b'\n');
    let body = postcard::to_stdvec(&saved(answer, bytes.clone())?)
        .map_err(|error| Error::input(error.to_string()))?;
    let mut packer = zstd::Encoder::new(&mut bytes, 3).map_err(failed)?;
    packer.include_checksum(true).map_err(failed)?;
    packer.write_all(&body).and_then(|()| packer.finish().map(drop)).map_err(failed)?;
    write(&bytes, path).map_err(failed)
}

/// Writes beside a file and puts that in its place; what is no regular file is written to, never replaced.
fn write(bytes: &[u8], path: &Path) -> io::Result<()> {
    // A link stays one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What it holds is not whole; where it cannot be removed it says so by its name.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Looks whether an answer may be saved there, before anything is read: in the place of nothing or of a saved answer.
///
/// # Errors
/// When a folder is named, a file that holds something else (a log, mostly), or a place in no folder.
pub fn check_place(path: &Path) -> Result<()> {
    let refused = |what: &str, advice: &str| Err(Error::usage(what).at(path).advise(advice));
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            refused("is a directory", "name the file to save in: --save FILE")
        }
        Ok(metadata) if metadata.is_file() && metadata.len() > 0 && !is_saved(path) => refused(
            "holds something else than a saved answer, and is not overwritten",
            "--save wants the name of a file to write; the logs come behind it",
        ),
        Ok(_) => Ok(()),
        Err(_) => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                refused("lies in a directory that is not there", "make the directory first")
            }
            _ => Ok(()),
        },
    }
}

/// True for a file that begins as saved answers do.
fn is_saved(path: &Path) -> bool {
    const BEGINNING: &[u8] = b"{\"logmill_state\":";
    let mut head = [0; BEGINNING.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *BEGINNING
}

fn head(answer: &Answer) -> Head {
    let account = answer.account();
    let stamp = |micros| {
        let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
        time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    };
    let (first, last) = account.period.unzip();
    Head {
        logmill_state: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        mode: answer.asked.question.mode().to_owned(),
        families: answer.parts.iter().map(|part| part.group.family().name().to_owned()).collect(),
        files: answer.readers.len(),
        records: account.counted.records,
        first: first.map(stamp),
        last: last.map(stamp),
    }
}

fn saved(answer: &Answer, head: Vec<u8>) -> Result<Saved> {
    let unread = answer.problems.iter().map(|problem| Note::problem(problem.to_string()));
    Ok(Saved {
        head,
        asked: answer.asked.clone(),
        parts: answer.parts.iter().map(saved_part).collect::<Result<_>>()?,
        readers: answer.readers.clone(),
        notes: answer.notes.iter().cloned().chain(unread).collect(),
    })
}

fn saved_part(part: &Part) -> Result<SavedPart> {
    let Part { group, supplied, state } = part;
    let named = |field: Field| (field.name().to_owned(), field.kind());
    let states = group.reports().iter().zip(&state.states);
    let states = states.map(|(report, state)| Ok((report.name(), report.save(state)?)));
    Ok(SavedPart {
        family: group.family().name().to_owned(),
        supplied: supplied.iter().map(named).collect(),
        dictionaries: state.dictionaries.clone(),
        records: state.records,
        period: state.period,
        states: states.collect::<Result<_>>()?,
    })
}

/// Reads states and joins them to one answer.
///
/// # Errors
/// When a file is no state, is damaged, was written by a newer logmill, or answers another question than the others.
pub fn merge(paths: &[impl AsRef<Path>]) -> Result<Answer> {
    let mut all = Vec::new();
    for path in paths {
        let path = path.as_ref();
        all.push(read(path).map_err(|error| error.at(path))?);
    }
    let Some((first, _)) = all.split_first() else {
        return Err(
            Error::usage("no state was named").advise("logmill merge monday.state tuesday.state")
        );
    };
    let asked = first.asked.clone();
    for (path, saved) in paths.iter().zip(&all) {
        asked.check_same(&saved.asked).map_err(|error| error.at(path.as_ref()))?;
    }
    join(asked, all)
}

fn read(path: &Path) -> Result<Saved> {
    let file = fs::File::open(path).map_err(|error| {
        let error = Error::io("open", path, error);
        match path.as_os_str() == "-" {
            true => error.advise("states are files; what a pipe brings is saved in one first"),
            false => error,
        }
    })?;
    let mut file = std::io::BufReader::new(file);
    let mut line = Vec::new();
    file.by_ref()
        .take(64 << 10)
        .read_until(b'\n', &mut line)
        .map_err(|error| Error::io("read", path, error))?;
    let foreign =
        || Error::input("is no state of logmill").advise("states are written with --save");
    let head: Head = serde_json::from_slice(&line).map_err(|_| foreign())?;
    if head.logmill_state > VERSION {
        let what = format!("was written by logmill {}, which is newer", head.program);
        return Err(Error::input(what).advise("merge with that version or a later one"));
    }
    let damaged = || Error::input("is damaged: its checksum or its length is wrong");
    let mut body = Vec::new();
    let mut unpacker = zstd::Decoder::with_buffer(file).map_err(|_| damaged())?;
    unpacker.read_to_end(&mut body).map_err(|_| damaged())?;
    let saved: Saved = postcard::from_bytes(&body).map_err(|_| damaged())?;
    let texts = saved.parts.iter().flat_map(|part| part.dictionaries.iter());
    let sound = texts.map(|(_, texts)| texts).all(Dictionary::is_sound);
    if sound && saved.head == line { Ok(saved) } else { Err(damaged()) }
}

fn join(asked: Asked, all: Vec<Saved>) -> Result<Answer> {
    let (mut readers, mut notes) = (Vec::new(), Vec::<Note>::new());
    let mut families: Vec<(Family, Fields, Vec<SavedPart>)> = Vec::new();
    for saved in all {
        for note in repeated(&readers, &saved.readers).into_iter().chain(saved.notes) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        readers.extend(saved.readers);
        for part in saved.parts {
            let family = Family::named(&part.family)
                .ok_or_else(|| Error::input(format!("'{}' is no family of logs", part.family)))?;
            let supplied = supplied(&part)?;
            match families.iter_mut().find(|(known, ..)| *known == family) {
                Some((_, fields, parts)) => {
                    *fields = fields.union(supplied);
                    parts.push(part);
                }
                None => families.push((family, supplied, vec![part])),
            }
        }
    }
    families.sort_by_key(|(family, ..)| *family);
    let parts = families.into_iter();
    let parts = parts.map(|(family, supplied, parts)| join_parts(&asked, family, supplied, parts));
    let parts = parts.collect::<Result<_>>()?;
    Ok(Answer { asked, parts, readers, notes, problems: Vec::new(), threads: 0 })
}

/// An input that two states have counted, as far as its name, its size and its period tell.
fn repeated(known: &[Reader], more: &[Reader]) -> Vec<Note> {
    let twice = more.iter().filter(|reader| {
        let same = |other: &&Reader| {
            let (a, b) = (&reader.account, &other.account);
            other.name == reader.name && a.read == b.read && a.period == b.period
        };
        reader.account.read.records > 0 && known.iter().any(|other| same(&other))
    });
    twice
        .map(|reader| {
            Note::warning(format!("'{}' is in several states and counts in each", reader.name))
        })
        .collect()
}

fn supplied(part: &SavedPart) -> Result<Fields> {
    part.supplied.iter().map(|(name, kind)| Field::custom(name, *kind)).collect()
}

fn join_parts(
    asked: &Asked,
    family: Family,
    supplied: Fields,
    parts: Vec<SavedPart>,
) -> Result<Part> {
    let group = Group::new(family, asked.reports(family, supplied)?, Filter::default());
    let mut state = group.start(usize::MAX);
    for part in parts {
        state = group.merge(state, load(&group, part)?)?;
    }
    Ok(Part { group, supplied, state })
}

/// The states in the order of the group's reports. A report that the saved run had no fields for has seen nothing.
fn load(group: &Group, part: SavedPart) -> Result<State> {
    let mut saved: HashMap<String, Vec<u8>> = part.states.into_iter().collect();
    let states = group.reports().iter().map(|report| match saved.remove(&report.name()) {
        Some(bytes) => report.load(&bytes),
        None => Ok(report.start()),
    });
    let states = states.collect::<Result<Vec<AnyState>>>()?;
    if let Some(name) = saved.keys().next() {
        return Err(Error::input(format!(
            "holds a report '{name}' that this logmill does not know"
        )));
    }
    let mut dictionaries = part.dictionaries.conform(group.symbols());
    dictionaries.iter_mut().for_each(|(_, dictionary)| dictionary.restore());
    Ok(State { dictionaries, states, records: part.records, period: part.period })
}
