//! From what was asked to what is to be done: inputs opened, formats told, reports chosen.
//!
//! A [`Request`] is what a person typed, with nothing looked at yet. [`Plan::new`] opens the inputs, tells the format of
//! each by its first records and refuses what cannot be done, all before the first record is counted.
//! [`Plan::run`] makes the one pass and hands the [`Answer`] over. Nothing here prints.

mod foreign;
mod recognise;
mod refused;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Part, Reader};
use crate::document::Note;
use crate::engine::{self, Dialect, Group, Job, Limits, Reading};
use crate::error::{Error, Result};
use crate::filter::{Calendar, Expr, Filter};
use crate::format::web::conf::{Definition, Log};
use crate::format::{Family, Format};
use crate::input::{Feed, FeedOptions, Framing, Input, Mmap};
use crate::record::{Field, Fields, Records, Zone};
use crate::records;
use crate::report::top::Top;
use crate::report::{self, AnyReport, Options};

pub use self::recognise::Recognised;

/// What is asked of the logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// The full report of each family.
    Report,
    /// Counts by one key or several, such as `client,status`, ordered by count or by the sum of a field.
    Top {
        /// The keys as typed.
        keys: String,
        /// The field whose sum orders the rows; `None` is the count.
        by: Option<String>,
    },
    /// When errors burst.
    Bursts,
    /// The records themselves.
    Records {
        /// The fields as typed, with commas between them; `None` is all that the formats supply.
        fields: Option<String>,
    },
}

impl Question {
    /// The mode of the document that answers it.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Top { .. } => "top",
            Self::Bursts => "bursts",
            Self::Records { .. } => "records",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode())?;
        match self {
            Self::Top { keys, by: Some(by) } => write!(f, " {keys} --by {by}"),
            Self::Top { keys, by: None } => write!(f, " {keys}"),
            _ => Ok(()),
        }
    }
}

/// Filters as they are typed.
fn listed(filters: &[String]) -> String {
    let typed = filters.iter().map(|filter| format!("--where '{filter}'"));
    let typed: Vec<String> = typed.collect();
    if typed.is_empty() { "no --where".to_owned() } else { typed.join(" ") }
}

/// What decides what is counted, whichever the inputs: answers to the same can be joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// What the user set for all reports.
    pub options: Options,
    /// `FIELD OP VALUE`; all must hold.
    pub filters: Vec<String>,
}

impl Asked {
    /// The reports that answer it for records of a family whose formats supply those fields.
    ///
    /// # Errors
    /// When the question names fields that there are not.
    pub fn reports(&self, family: Family, supplied: Fields) -> Result<Vec<Box<dyn AnyReport>>> {
        /// That the records are a sample is to be known whatever is asked of them.
        const SAMPLING: &str = "sampling";
        let all = || report::for_family(family, supplied, &self.options);
        let chosen = |names: &[&str]| -> Vec<Box<dyn AnyReport>> {
            all().into_iter().filter(|report| names.contains(&&*report.name())).collect()
        };
        match &self.question {
            Question::Report => Ok(all()),
            Question::Bursts => Ok(chosen(&["bursts", SAMPLING])),
            Question::Top { keys, by } => {
                let by = by.as_deref().unwrap_or("count");
                let top: Box<dyn AnyReport> = Box::new(Top::parse(keys, by, supplied)?);
                Ok(std::iter::once(top).chain(chosen(&[SAMPLING])).collect())
            }
            Question::Records { .. } => Ok(Vec::new()),
        }
    }

    /// # Errors
    /// When the other was asked something else; how many rows are shown does not matter.
    pub(crate) fn check_same(&self, other: &Self) -> Result<()> {
        let counted = |asked: &Self| Options { limit: 0, ..asked.options.clone() };
        let (what, own, others) = match () {
            () if self.question != other.question => {
                ("question", self.question.to_string(), other.question.to_string())
            }
            () if self.filters != other.filters => {
                ("filter", listed(&self.filters), listed(&other.filters))
            }
            () if counted(self) != counted(other) => {
                ("setting", self.options.to_string(), other.options.to_string())
            }
            () => return Ok(()),
        };
        Err(Error::input(format!("was counted with another {what} than the states before it"))
            .advise(format!("they were counted with {own}, this one with {others}")))
    }
}

/// What was asked, as typed.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked.
    pub asked: Asked,
    /// Paths, folders, patterns, `-`.
    pub files: Vec<OsString>,
    /// A base name stands for its rotated series.
    pub series: bool,
    /// The name of a format, for all inputs.
    pub format: Option<String>,
    /// A definition in the language of Nginx, Apache or HAProxy, for all inputs.
    pub log_format: Option<String>,
    /// Definitions of lines from configurations; each input gets the one that fits it best.
    pub definitions: Vec<Definition>,
    /// Which log is written by which of them, as the configurations say.
    pub logs: Vec<Log>,
    /// The first moment that counts.
    pub since: Option<String>,
    /// The moment from which on nothing counts.
    pub until: Option<String>,
    /// The length of time before now that counts.
    pub last: Option<String>,
    /// The zone of stamps and moments without one.
    pub zone: chrono_tz::Tz,
    /// Now, in microseconds since 1970 UTC: for relative moments, and for the year of stamps in streams.
    pub now: i64,
    /// Threads; 0 is one a core.
    pub threads: usize,
    /// Bytes for the distinct keys of one family.
    pub key_bytes: usize,
    /// Whether plain files are mapped.
    pub mmap: Mmap,
    /// About how many bytes a thread takes at a time. The answer does not depend on it.
    pub piece_bytes: usize,
}

impl Request {
    /// A question about some files, everything else as it is by default.
    pub fn new(question: Question, files: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            asked: Asked { question, options: Options::default(), filters: Vec::new() },
            files: files.into_iter().map(Into::into).collect(),
            series: false,
            format: None,
            log_format: None,
            definitions: Vec::new(),
            logs: Vec::new(),
            since: None,
            until: None,
            last: None,
            zone: chrono_tz::UTC,
            now: i64::try_from(now.as_micros()).unwrap_or(i64::MAX),
            threads: 0,
            key_bytes: 4 << 30,
            mmap: Mmap::Auto,
            piece_bytes: FeedOptions::default().piece_bytes,
        }
    }

    /// The first moment that counts, in microseconds.
    fn beginning(&self) -> Result<Option<i64>> {
        match &self.last {
            Some(last) => self.calendar().last(last).map(Some),
            None => self.moment(&self.since),
        }
    }

    fn moment(&self, text: &Option<String>) -> Result<Option<i64>> {
        let calendar = self.calendar();
        text.as_deref().map(|text| calendar.moment(text).map(|moment| moment.first)).transpose()
    }

    fn calendar(&self) -> Calendar {
        Calendar { zone: self.zone, now: self.now }
    }

    fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    request: Request,
    inputs: Vec<Recognised>,
    groups: Vec<Group>,
    /// The fields that the formats of each group supply.
    supplied: Vec<Fields>,
    /// The fields of records that are handed out themselves.
    chosen: Vec<Field>,
    notes: Vec<Note>,
    problems: Vec<Error>,
}

impl Plan {
    /// Opens the inputs and decides.
    ///
    /// # Errors
    /// When the user asked for something that cannot be. What is wrong with single inputs stands in
    /// [`problems`](Self::problems), and the others go on.
    pub fn new(mut request: Request) -> Result<Self> {
        let mut notes = Vec::new();
        let (mut inputs, problems) = recognise::all(&request, &mut notes)?;
        request.asked.options.zone = Zone::new(request.zone);
        // A series in the order of its contents, whatever the names say.
        inputs.sort_by_key(|input| input.fit.first.unwrap_or(i64::MAX));
        // Of logs that nobody understands it cannot be said which fields they carry: what is wrong with them is.
        let (groups, chosen) = match inputs.is_empty() {
            true => (Vec::new(), Vec::new()),
            false => {
                (groups(&request, &inputs, &mut notes)?, chosen(&request, self::supplied(&inputs))?)
            }
        };
        let (mut groups, supplied): (Vec<Group>, Vec<Fields>) = groups.into_iter().unzip();
        groups.iter_mut().for_each(|group| group.want(&chosen));
        Ok(Self { request, inputs, groups, supplied, chosen, notes, problems })
    }

    /// The inputs that were recognised, in the order of their contents.
    pub fn inputs(&self) -> &[Recognised] {
        &self.inputs
    }

    /// The fields that were chosen of records that are handed out themselves.
    pub fn chosen(&self) -> &[Field] {
        &self.chosen
    }

    /// What is wrong with the other inputs.
    pub fn problems(&self) -> &[Error] {
        &self.problems
    }

    /// What is wrong with the other inputs, for one who gives the plan up.
    pub fn into_problems(self) -> Vec<Error> {
        self.problems
    }

    /// The question.
    pub fn question(&self) -> &Question {
        &self.request.asked.question
    }

    /// The fields that the inputs supply.
    pub fn supplied(&self) -> Fields {
        supplied(&self.inputs)
    }

    /// Makes the pass. `watch` is called now and then with the bytes read and the bytes to read on disk.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn run(self, watch: &(dyn Fn(u64, u64) + Sync)) -> Result<Answer> {
        let Self { request, inputs, groups, supplied, notes, problems, .. } = self;
        let threads = request.thread_count();
        let is_answer = matches!(request.asked.question, Question::Report | Question::Bursts);
        let readings = inputs.iter().map(|input| reading(input, &groups, is_answer)).collect();
        let limits = Limits { threads, key_bytes: request.key_bytes };
        let job = Job { groups, readings, limits };
        let (readers, feed) = feed(inputs, &request, threads);
        let counted = watched(&feed, watch, || job.count(&feed))?;
        let parts = job.groups.into_iter().zip(supplied).zip(counted.states);
        let parts =
            parts.map(|((group, supplied), state)| Part { group, supplied, state }).collect();
        let mut readers = readers;
        for ((reader, account), read) in
            readers.iter_mut().zip(counted.accounts).zip(feed.into_accounts())
        {
            reader.close(account, read);
        }
        let notes = [refused::notes(&readers, &request, &notes), notes].concat();
        Ok(Answer { asked: request.asked, parts, readers, notes, problems, threads })
    }

    /// Hands out the records instead, input after input, each in its own order. `render` appends the bytes of a block,
    /// `write` takes them and returns false to stop early, `watch` hears what it hears of [`Plan::run`].
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn stream(
        self,
        render: &(dyn Fn(&Records<'_>, &mut Vec<u8>) + Sync),
        write: &mut (dyn FnMut(&[u8]) -> bool + Send),
        watch: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Answer> {
        let Self { request, inputs, groups, notes, problems, .. } = self;
        let threads = request.thread_count();
        let mut readers = Vec::new();
        let mut goes_on = true;
        let (mut before, whole) =
            (0, inputs.iter().filter_map(|input| input.input.source().size).sum());
        for input in inputs {
            let reading = reading(&input, &groups, false);
            let (mut reader, feed) = feed(vec![input], &request, threads);
            let group = &groups[reading.dialects[0].group];
            let number = readers.len() as u32;
            let stream = || {
                engine::stream(&reading, number, group, &feed, threads, render, |bytes| {
                    goes_on = goes_on && write(bytes);
                    goes_on
                })
            };
            let account = watched(&feed, &|read, _| watch(before + read, whole), stream)?;
            before += feed.progress().0;
            reader[0].close(account, feed.into_accounts().remove(0));
            readers.append(&mut reader);
            if !goes_on {
                break;
            }
        }
        let notes = [refused::notes(&readers, &request, &notes), notes].concat();
        Ok(Answer { asked: request.asked, parts: vec![], readers, notes, problems, threads })
    }
}

/// How an input is read. Whoever asks for fields by name is told of the records that do not carry them; the sections of an
/// answer are about the logs that do.
fn reading(input: &Recognised, groups: &[Group], is_answer: bool) -> Reading {
    let dialect = |format: &Arc<dyn Format>| {
        // One group for all families where the question does not tell them apart.
        let of_family = |group: &Group| group.family() == format.family();
        let group = groups.iter().position(of_family).unwrap_or(0);
        // No log carries its name, and all have one.
        let named = Fields::of(&[Field::SOURCE_FILE]);
        let supplied = is_answer.then(|| format.fields().union(named));
        Dialect { format: format.clone(), group, supplied }
    };
    let dialects = input.formats().map(dialect).collect();
    Reading { dialects, clock: input.clock.clone(), name: input.input.source().name.clone() }
}

fn feed(inputs: Vec<Recognised>, request: &Request, threads: usize) -> (Vec<Reader>, Feed) {
    let readers = inputs.iter().map(Reader::new).collect();
    let framed: Vec<(Input, Framing)> =
        inputs.into_iter().map(|input| (input.input, input.format.framing())).collect();
    let options = FeedOptions {
        threads,
        mmap: request.mmap,
        piece_bytes: request.piece_bytes,
        ..FeedOptions::default()
    };
    (readers, Feed::new(framed, options))
}

/// Runs the work and tells `watch` ten times a second how far it is.
fn watched<T>(feed: &Feed, watch: &(dyn Fn(u64, u64) + Sync), work: impl FnOnce() -> T) -> T {
    let (done, finished) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let pause = std::time::Duration::from_millis(100);
            while finished.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let (read, whole) = feed.progress();
                watch(read, whole);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

fn supplied(inputs: &[Recognised]) -> Fields {
    let formats = inputs.iter().flat_map(Recognised::formats);
    formats.fold(Fields::NONE, |all, format| all.union(format.fields()))
}

/// The groups that the question makes of the inputs: one a family, or one for all.
fn groups(
    request: &Request,
    inputs: &[Recognised],
    notes: &mut Vec<Note>,
) -> Result<Vec<(Group, Fields)>> {
    let formats = || inputs.iter().flat_map(Recognised::formats);
    let mut families: Vec<Family> = formats().map(|format| format.family()).collect();
    families.sort_unstable();
    families.dedup();
    if !matches!(request.asked.question, Question::Report | Question::Bursts) {
        families.truncate(1);
    }
    let mut groups = Vec::new();
    for family in families {
        let fields = match request.asked.question {
            Question::Report | Question::Bursts => {
                let own = formats().filter(|format| format.family() == family);
                own.fold(Fields::NONE, |all, format| all.union(format.fields()))
            }
            Question::Top { .. } => supplied(inputs).union(Fields::of(&[Field::SOURCE_FILE])),
            Question::Records { .. } => supplied(inputs),
        };
        let reports = request.asked.reports(family, fields)?;
        let counts = !matches!(request.asked.question, Question::Records { .. });
        if reports.is_empty() && counts {
            notes.push(Note::warning(format!("no report fits {}", family.title())));
        }
        groups.push((Group::new(family, reports, filter(request, inputs)?), fields));
    }
    Ok(groups)
}

fn chosen(request: &Request, supplied: Fields) -> Result<Vec<Field>> {
    match &request.asked.question {
        Question::Records { fields: Some(fields) } => records::fields(fields, supplied),
        Question::Records { fields: None } => Ok(supplied.iter().collect()),
        _ => Ok(Vec::new()),
    }
}

fn filter(request: &Request, inputs: &[Recognised]) -> Result<Filter> {
    let (calendar, supplied) = (request.calendar(), supplied(inputs));
    let exprs = request.asked.filters.iter().map(|text| Expr::parse(text, supplied, &calendar));
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    Filter::new(exprs, request.beginning()?, request.moment(&request.until)?)
}
