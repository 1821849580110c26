//! Which format each input is in: the one that the user named, one of those that a configuration defines, or the one that
//! its first records show.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rayon::prelude::*;

use super::{Question, Request, foreign};
use crate::document::Note;
use crate::engine;
use crate::error::{Error, Result};
use crate::format::detect::{self, Detection, Fit, HEAD_BYTES};
use crate::format::web::conf::{Definition, Language};
use crate::format::{self, Family, Format, envelope, haproxy, web};
use crate::input::{
    Compression, DiscoverOptions, Framing, Input, Source, Wrapping, discover, looks_binary,
};
use crate::record::Field;
use crate::record::time::Clock;

/// An input that was opened and recognised.
#[derive(Debug)]
pub struct Recognised {
    /// The input; nothing of it is consumed.
    pub input: Input,
    /// Its format.
    pub format: Arc<dyn Format>,
    /// How well the format fits its first records.
    pub fit: Fit,
    /// Why this format: for `--explain`.
    pub why: String,
    pub(super) clock: Clock,
    /// What its beginning looks like, if there is enough of it to tell copies.
    print: Option<u64>,
    /// Formats of other families whose lines stand between its own.
    beside: Vec<Arc<dyn Format>>,
    /// Whether these are read as well.
    reads_beside: bool,
}

/// Opens everything that was named and tells its format.
pub(super) fn all(
    request: &Request,
    notes: &mut Vec<Note>,
) -> Result<(Vec<Recognised>, Vec<Error>)> {
    let found = discover(&request.files, &DiscoverOptions { series: request.series });
    for repeat in &found.repeats {
        notes.push(Note::info(match repeat.name == repeat.first {
            true => format!("'{}' was named more than once and read once", repeat.name),
            false => format!("'{}' is '{}', read once", repeat.name, repeat.first),
        }));
    }
    notes.dedup();
    let known = Known::new(request, notes)?;
    let (mut inputs, mut problems) = (Vec::new(), found.problems);
    for (source, recognised) in found.sources.iter().zip(each(&found.sources, &known, request)) {
        match recognised {
            Ok(Some(input)) => {
                notes.extend(unnamed_columns(&input));
                notes.extend(copy_of(&input, &inputs));
                notes.extend(of_several(&input));
                inputs.push(input);
            }
            Ok(None) => notes.push(Note::info(format!("'{}' is empty", source.name))),
            Err(problem) => problems.push(problem),
        }
    }
    Ok((inputs, problems))
}

/// What each of the inputs is, in their order: many small ones are looked at side by side.
fn each(sources: &[Source], known: &Known, request: &Request) -> Vec<Result<Option<Recognised>>> {
    let recognise = |source| recognise(source, known, request);
    match sources {
        [] | [_] => sources.iter().map(recognise).collect(),
        many => engine::on_threads(request.threads, || many.par_iter().map(recognise).collect()),
    }
}

/// How much of two inputs must be the same for one to be called a copy of the other.
const LEAST_COPIED: usize = 16 << 10;

/// A log beside its copy, as an interrupted rotation leaves them (`access.log.1` and `access.log.1.gz`), counts twice.
fn copy_of(input: &Recognised, others: &[Recognised]) -> Option<Note> {
    let print = input.print?;
    let other = others.iter().find(|other| other.print == Some(print))?;
    let (name, other) = (&input.input.source().name, &other.input.source().name);
    Some(Note::warning(format!(
        "'{name}' begins as '{other}' does: if one is a copy of the other, its records count twice"
    )))
}

fn print_of(head: &[u8]) -> Option<u64> {
    let mut hasher = std::hash::DefaultHasher::new();
    head.hash(&mut hasher);
    (head.len() >= LEAST_COPIED).then(|| hasher.finish())
}

fn unnamed_columns(input: &Recognised) -> Option<Note> {
    let name = &input.input.source().name;
    input.format.name().split(", ").any(|name| name.ends_with("_tail")).then(|| {
        Note::info(format!(
            "'{name}' has columns behind the agent that nobody named: --log-format, --nginx-conf or --apache-conf says what they are"
        ))
    })
}

/// A log into which several programs write: each has its own report, but records and counts are of one format.
fn of_several(input: &Recognised) -> Option<Note> {
    let (name, own) = (&input.input.source().name, input.format.name());
    let beside = input.beside.iter().map(|format| format.name());
    let (formats, flags): (Vec<_>, Vec<_>) =
        beside.map(|name| (format!("'{name}'"), format!("--format {name}"))).unzip();
    let formats = match &formats[..] {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        all => all.concat(),
    };
    match (formats.is_empty(), input.reads_beside) {
        (true, _) => None,
        (false, true) => {
            Some(Note::info(format!("'{name}' holds lines of {formats} beside those of '{own}'")))
        }
        (false, false) => Some(Note::info(format!(
            "'{name}' holds lines of {formats} too, which are not among these of '{own}': {} reads them",
            flags.join(" or ")
        ))),
    }
}

/// What the user said about the formats.
#[derive(Debug)]
enum Known {
    /// Nothing: each input is recognised.
    Nothing,
    /// The format of all inputs.
    Given(Arc<dyn Format>),
    /// Formats out of configurations, with the file and the line of each.
    Defined(Vec<(Arc<dyn Format>, String)>),
}

impl Known {
    fn new(request: &Request, notes: &mut Vec<Note>) -> Result<Self> {
        if let Some(definition) = &request.log_format {
            return Ok(Self::Given(format::from_definition("custom", definition)?));
        }
        if let Some(name) = &request.format {
            return Ok(Self::Given(format::named(name)?));
        }
        match request.definitions.is_empty() {
            true => Ok(Self::Nothing),
            false => Self::defined(request, notes),
        }
    }

    /// A configuration may define lines that cannot be read back; these cost nothing but themselves.
    fn defined(request: &Request, notes: &mut Vec<Note>) -> Result<Self> {
        let (mut usable, mut first_error) = (Vec::new(), None);
        let (web, haproxy): (Vec<&Definition>, Vec<&Definition>) =
            request.definitions.iter().partition(|defined| defined.language == Language::Web);
        if let Some(first) = haproxy.first() {
            let (format, problems) = haproxy::from_definitions(&haproxy)?;
            usable.push((format, format!("'{}'", first.place.file.display())));
            for (at, error) in problems {
                let Definition { name, place, .. } = haproxy[at];
                let place = format!("'{}' line {}", place.file.display(), place.line);
                notes.push(Note::warning(format!("{place}: '{name}': {error}")));
            }
        }
        for defined in web {
            let place = format!("'{}' line {}", defined.place.file.display(), defined.place.line);
            match format::from_definition(&defined.name, &defined.text) {
                Ok(format) => usable.push((format, place)),
                Err(error) => {
                    notes.push(Note::warning(format!("{place}: '{}': {error}", defined.name)));
                    first_error = first_error.or(Some(error));
                }
            }
        }
        match first_error {
            Some(error) if usable.is_empty() => Err(error),
            _ => Ok(Self::Defined(usable)),
        }
    }
}

/// Opens one source and tells its format; `None` when there is nothing in it.
fn recognise(source: &Source, known: &Known, request: &Request) -> Result<Option<Recognised>> {
    let mut input = Input::open(source)?;
    let mut head = input.head(HEAD_BYTES)?;
    if head.is_empty() && input.compression() == Compression::Plain {
        return Ok(None);
    }
    let clock = Clock::new(request.zone, written(source, request));
    let wrapping = Wrapping::of(&head);
    let choose = |head: &[u8]| {
        let (found, reason) = Beginning { source, head, clock: &clock }.choose(known, request)?;
        let why = why(&found, &reason, head);
        Ok((found, why))
    };
    let (found, why) = match wrapping {
        // Whatever else such lines may be: nobody else writes them.
        Some(wrapping) if wrapping.is_certain(&head) => {
            (input, head) = opened_up(input, wrapping)?;
            match (choose(&head), wrapping.further()) {
                (Err(problem), Some(further)) => {
                    (input, head) = opened_up(input, further)?;
                    choose(&head).map_err(|_| problem)?
                }
                (chosen, _) => chosen?,
            }
        }
        Some(wrapping) => match choose(&head) {
            Ok(chosen) => chosen,
            Err(problem) => {
                (input, head) = opened_up(input, wrapping)?;
                // Of two formats that are unknown the outer one is what the user sees.
                choose(&head).map_err(|_| problem)?
            }
        },
        None => choose(&head)?,
    };
    let print = print_of(&head);
    let (format, fit, beside) = (found.format, found.fit, Vec::new());
    let reads_beside = reads_several(request);
    let mut recognised = Recognised { input, format, fit, why, clock, print, beside, reads_beside };
    if !matches!(known, Known::Given(_)) && is_of_lines(&recognised.format) {
        let lines = recognised.looked_at(&head);
        recognised.look_for_a_second(&lines, known);
        recognised.look_beside(&lines);
    }
    Ok(Some(recognised))
}

/// True when an input is read in several formats if it holds several: each family has its own part of the answer.
fn reads_several(request: &Request) -> bool {
    matches!(request.asked.question, Question::Report | Question::Bursts)
}

/// True for formats whose records are told by single lines, so that those of another may stand between them.
fn is_of_lines(format: &Arc<dyn Format>) -> bool {
    matches!(format.framing(), Framing::Lines | Framing::Opens(_))
}

/// From how many places of a log lines are taken to see whether it goes on in the format that it began with.
const PLACES: u64 = 8;
/// How many bytes are taken there.
const PLACE_BYTES: usize = 16 << 10;
/// How many lines another format has to have: fewer are the odd lines that every log has.
const LEAST_OTHERS: u64 = 10;

impl Recognised {
    /// The formats that it is read in: what the first does not take goes to the others.
    pub fn formats(&self) -> impl Iterator<Item = &Arc<dyn Format>> {
        let beside = if self.reads_beside { &self.beside[..] } else { &[] };
        std::iter::once(&self.format).chain(beside)
    }

    /// Looks whether lines of other programs are in formats of other families.
    fn look_beside(&mut self, lines: &[u8]) {
        for (format, count) in detect::beside(&*self.format, lines, &self.clock) {
            if count >= LEAST_OTHERS {
                self.put_beside(format);
            }
        }
    }

    /// Remembers a format of another family.
    fn put_beside(&mut self, format: Arc<dyn Format>) {
        let mut known = std::iter::once(&self.format).chain(&self.beside);
        let is_new = known.all(|known| known.family() != format.family());
        if is_new && is_of_lines(&format) {
            self.why.push_str(&format!("; lines of {} stand between them", format.name()));
            self.beside.push(format);
        }
    }

    /// The whole lines of the beginning, and some from further places.
    fn looked_at(&mut self, head: &[u8]) -> Vec<u8> {
        let end = memchr::memrchr(b'\n', head).map_or(0, |end| end + 1);
        let rest = self.input.excerpts(head.len() as u64, PLACES, PLACE_BYTES);
        [&head[..end], &rest].concat()
    }

    /// Looks whether lines that the format refuses are in another one, as those behind a change of the configuration are.
    fn look_for_a_second(&mut self, lines: &[u8], known: &Known) {
        let refused = detect::refused(&*self.format, lines, &self.clock);
        // Mostly there are none, and trying all formats on them would take longer than reading a small log.
        if memchr::memchr_iter(b'\n', &refused).count() < LEAST_OTHERS as usize {
            return;
        }
        let Some(second) = second(&refused, known, &self.clock) else {
            let all = several(&refused, &self.clock).unwrap_or_default();
            return all.into_iter().for_each(|found| self.put_beside(found.format));
        };
        let Some(both) = format::either(&*self.format, &*second.format) else {
            return self.put_beside(second.format);
        };
        self.why.push_str(&format!(
            "; of the lines that are not, {} of {} looked at are {}",
            second.fit.accepted,
            second.fit.records,
            second.format.name()
        ));
        self.format = both;
    }
}

/// The format of lines that another one refused, if nine in ten are in the same.
fn second(refused: &[u8], known: &Known, clock: &Clock) -> Option<Detection> {
    let is_sure = |found: &Detection| {
        found.fit.accepted >= LEAST_OTHERS && found.fit.share() >= 0.9 && has_time(found)
    };
    let fitting = |format: &Arc<dyn Format>| {
        let format = detect::to_measure(format.clone(), refused);
        let fit = detect::fit(&*format, refused, true, clock);
        Detection { format, fit, runner_up: None }
    };
    let defined = match known {
        Known::Defined(formats) => {
            let all = formats.iter().map(|(format, _)| fitting(format)).filter(is_sure);
            all.max_by_key(|found| (found.fit.accepted, found.format.fields().iter().count()))
        }
        _ => None,
    };
    defined.or_else(|| detect::detect(refused, true, clock).ok().filter(is_sure))
}

/// Formats of different families that make up nearly all of some lines together, the first of them first: each takes what
/// those before it refuse.
fn several(lines: &[u8], clock: &Clock) -> Option<Vec<Detection>> {
    let (mut found, mut rest) = (Vec::<Detection>::new(), lines.to_vec());
    while let Some(next) = most_of(&rest, clock) {
        let is_new = found.iter().all(|known| known.format.family() != next.format.family());
        if !is_new || next.fit.accepted < LEAST_OTHERS || !has_time(&next) {
            break;
        }
        rest = detect::refused(&*next.format, &rest, clock);
        found.push(next);
    }
    (rest.len() <= lines.len() / 10).then_some(found)
}

/// The format of lines in which more of some lines are than in any other.
fn most_of(lines: &[u8], clock: &Clock) -> Option<Detection> {
    let found = detect::detect(lines, true, clock).or_else(|best| {
        let (entry, fit) = best.ok_or(())?;
        let format = detect::to_measure(entry.make(), lines);
        Ok::<_, ()>(Detection { format, fit, runner_up: None })
    });
    found.ok().filter(|found| is_of_lines(&found.format))
}

/// The lines inside the lines of an input, and its head again.
fn opened_up(input: Input, wrapping: Wrapping) -> Result<(Input, Vec<u8>)> {
    let mut input = input.unwrapped(wrapping)?;
    let head = input.head(HEAD_BYTES)?;
    Ok((input, head))
}

/// When the source was last written to, in microseconds.
fn written(source: &Source, request: &Request) -> i64 {
    let modified = source.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    modified.map_or(request.now, |time| i64::try_from(time.as_micros()).unwrap_or(request.now))
}

/// The beginning of an input.
#[derive(Clone, Copy)]
struct Beginning<'a> {
    source: &'a Source,
    head: &'a [u8],
    clock: &'a Clock,
}

impl Beginning<'_> {
    /// The format of the input, and who says so.
    fn choose(self, known: &Known, request: &Request) -> Result<(Detection, String)> {
        match known {
            Known::Nothing => self.seen(request),
            Known::Given(format) => Ok((self.measured(format), ", which you named".to_owned())),
            Known::Defined(formats) => {
                let all = formats.iter().map(|(format, place)| (self.measured(format), place));
                let Some((best, place)) = best_defined(self.source, request, all) else {
                    return self.seen(request);
                };
                if best.fit.share() < 1.0 || !has_time(&best) {
                    // A definition of a whole line as one text takes any line: another format may say more.
                    match self.seen(request) {
                        Ok(seen) if is_better(&seen.0, &best) => return Ok(seen),
                        _ => {}
                    }
                }
                Ok((best, format!(", which {place} defines")))
            }
        }
    }

    fn is_whole(self) -> bool {
        self.head.len() < HEAD_BYTES
    }

    /// The format that the first records show.
    fn seen(self, request: &Request) -> Result<(Detection, String)> {
        let found = detect::detect(self.head, self.is_whole(), self.clock).or_else(|best| {
            let several = if reads_several(request) { self.several() } else { None };
            let opened = || detect::opened(self.head, self.clock).filter(|_| self.is_whole());
            several.or_else(opened).ok_or(best)
        });
        found.map(|found| (found, String::new())).map_err(|best| self.unknown(best))
    }

    /// The first of several formats of different families.
    #[cold]
    fn several(self) -> Option<Detection> {
        let end = memchr::memrchr(b'\n', self.head).map_or(0, |end| end + 1);
        let mut found = several(&self.head[..end], self.clock)?;
        (found.len() > 1).then(|| found.swap_remove(0))
    }

    #[cold]
    fn unknown(self, best: Option<(&'static format::Entry, Fit)>) -> Error {
        let path = std::path::Path::new(&self.source.name);
        if let Some((what, advice)) = no_log(self.head) {
            return Error::input(what).at(path).advise(advice);
        }
        let Some((entry, fit)) = best else {
            if let Some(foreign) = foreign::recognise(self.head) {
                return Error::input(foreign.what).at(path).advise(foreign.advice);
            }
            let (what, advice) = match is_of_haproxy(self.head) {
                true => (
                    "none of its first lines is in a layout that HAProxy has built in",
                    TELL_HAPROXY,
                ),
                false => ("none of its first lines is in a format that logmill knows", TELL),
            };
            return Error::input(what).at(path).advise(advice);
        };
        let (of, first) = (fit.records, format!("'{}' ({})", entry.name, fit.accepted));
        if let Some(second) = self.beside(entry) {
            let (name, count) = (second.format.name(), second.fit.accepted);
            let what = format!(
                "holds several formats: of its first {of} records {first} and '{name}' ({count})"
            );
            let advice =
                format!("read it once in each: --format {} and --format {name}", entry.name);
            return Error::input(what).at(path).advise(advice);
        }
        let what = format!(
            "only {} of its first {of} records are in the format '{}', the nearest one",
            fit.accepted, entry.name
        );
        let advice = if entry.name == "haproxy" { TELL_HAPROXY } else { TELL };
        Error::input(what).at(path).advise(advice)
    }

    /// The format of the lines that another one refuses, if most of those are in one.
    fn beside(self, entry: &format::Entry) -> Option<Detection> {
        let format = detect::to_measure(entry.make(), self.head);
        let refused = detect::refused(&*format, self.head, self.clock);
        detect::detect(&refused, true, self.clock).ok()
    }

    fn measured(self, format: &Arc<dyn Format>) -> Detection {
        let format = detect::to_measure(format.clone(), self.head);
        let fit = detect::fit(&*format, self.head, self.is_whole(), self.clock);
        Detection { format, fit, runner_up: None }
    }
}

/// True where the envelopes say that HAProxy wrote the lines.
fn is_of_haproxy(head: &[u8]) -> bool {
    const LINES: usize = 16;
    let mut lines = head.split(|byte| *byte == b'\n').take(LINES).map(envelope::peel);
    lines.any(|line| line.program().is_some_and(|program| program.starts_with(b"haproxy")))
}

fn has_time(found: &Detection) -> bool {
    found.format.fields().has(Field::TIME)
}

fn is_better(seen: &Detection, defined: &Detection) -> bool {
    seen.fit.accepted > defined.fit.accepted || has_time(seen) && !has_time(defined)
}

/// Of the definitions that take lines of this input: the one that the configuration gives to a log of that name, else
/// the one that takes most, of equals the one that makes more of a line, of these the first.
fn best_defined<'p>(
    source: &Source,
    request: &Request,
    all: impl Iterator<Item = (Detection, &'p String)>,
) -> Option<(Detection, &'p String)> {
    let mut fitting: Vec<_> = all.filter(|(found, _)| found.fit.accepted > 0).collect();
    fitting.sort_by_key(|(found, _)| {
        let is_own = found.fit.share() >= detect::LEAST_SHARE
            && is_written_by(source, request, found.format.name());
        std::cmp::Reverse((is_own, found.fit.accepted, found.format.fields().iter().count()))
    });
    fitting.into_iter().next()
}

/// True when a configuration says that logs of this name, which rotation may have made longer, are written by that
/// definition.
fn is_written_by(source: &Source, request: &Request, definition: &str) -> bool {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = last(&source.name);
    let mut own = request.logs.iter().filter(|log| log.definition == definition);
    own.any(|log| {
        let log = last(&log.path);
        let rest = if log.is_empty() { None } else { name.strip_prefix(&log) };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']))
    })
}

const TELL: &str = "tell its format with --format NAME ('logmill formats' lists them), or its layout with --log-format 'DEFINITION', --nginx-conf FILE or --apache-conf FILE";
const TELL_HAPROXY: &str = "its sessions are in a layout of their own: name it with --log-format 'DEFINITION' or --haproxy-conf FILE";

/// What the beginning of an input is that is no log at all, and what to do about it.
fn no_log(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let has = |byte| memchr::memchr(byte, head).is_some();
    Some(match head {
        [] => ("unpacks to nothing", "it is empty, or was cut off near its beginning"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => (
            "is UTF-16 text",
            "make it UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE | logmill report -",
        ),
        _ if is_wide(head, 1) => (
            "is UTF-16 text without a mark",
            "make it UTF-8 first: iconv -f UTF-16LE -t UTF-8 FILE | logmill report -",
        ),
        _ if is_wide(head, 0) => (
            "is UTF-16 text without a mark",
            "make it UTF-8 first: iconv -f UTF-16BE -t UTF-8 FILE | logmill report -",
        ),
        _ if Compression::of(head) != Compression::Plain => {
            ("is packed twice", "unpack it once first: zcat FILE | logmill report -")
        }
        _ if head.starts_with(b"{\"logmill_state\"") => (
            "is a state that --save wrote, no log",
            "show it, alone or with others: logmill merge FILE",
        ),
        _ if head.iter().all(u8::is_ascii_whitespace) => {
            ("holds nothing but blank lines", "name another file")
        }
        _ if looks_binary(head) => {
            ("is binary, not text", "name logs, or a pattern that only they match")
        }
        _ if has(b'\r') && !has(b'\n') => (
            "its lines end in carriage returns alone",
            "give it line feeds first: tr '\\r' '\\n' < FILE | logmill report -",
        ),
        _ => return None,
    })
}

/// True when of most pairs of bytes that one is zero, and the other is none.
fn is_wide(head: &[u8], zero: usize) -> bool {
    let (pairs, _) = head[..head.len().min(4096)].as_chunks::<2>();
    let is_wide = |pair: &&[u8; 2]| pair[zero] == 0 && pair[1 - zero] != 0;
    pairs.len() > 1 && pairs.iter().filter(is_wide).count() * 10 > pairs.len() * 9
}

fn why(found: &Detection, reason: &str, head: &[u8]) -> String {
    let Fit { accepted, records, .. } = found.fit;
    let mut why = format!("{accepted} of its first {records} records are in this format{reason}");
    if let Some((name, fit)) = &found.runner_up {
        why.push_str(&format!("; next best is {name} with {}", fit.accepted));
    }
    if found.format.family() == Family::Web
        && let Some(clue) = web::server_of(head)
    {
        why.push_str(&format!("; the server seems to be {}: {}", clue.server, clue.why));
    }
    why
}
