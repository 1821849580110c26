//! A finished answer: sections of typed cells, before anyone decides how they look.
//!
//! Reports and probes make documents, renderers show them, diagnosis reads them. Nothing here knows logs, terminals or
//! files. A cell keeps its exact value; rounding and units are the renderer's. Names are stable and lower case with
//! underscores, titles are for people.

/// One whole answer: what was asked, what was found, what was not understood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The mode that made it: `report`, `top`, `bursts`, `probe`, `diagnose`.
    pub mode: &'static str,
    /// What was asked, as a person would say it: the files, the filter, the period.
    pub title: String,
    /// The sections, the most important first.
    pub sections: Vec<Section>,
    /// What a reader must know to trust the numbers: guesses made, limits reached, input lost.
    pub notes: Vec<Note>,
}

/// A remark that stands beside the numbers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Note {
    /// How much it weighs.
    pub weight: Weight,
    /// One sentence without a full stop at its end.
    pub text: String,
}

/// How much a note weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Weight {
    /// Good to know: a format that was guessed, a zone that was assumed.
    Info,
    /// The numbers are right but not the whole: lines rejected, a limit reached.
    Warning,
    /// Something was lost or failed.
    Problem,
}

impl Weight {
    /// The word for machines and people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Note {
    /// A note of weight [`Weight::Info`].
    pub fn info(text: impl Into<String>) -> Self {
        Self { weight: Weight::Info, text: text.into() }
    }

    /// A note of weight [`Weight::Warning`].
    pub fn warning(text: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, text: text.into() }
    }

    /// A note of weight [`Weight::Problem`].
    pub fn problem(text: impl Into<String>) -> Self {
        Self { weight: Weight::Problem, text: text.into() }
    }
}

/// One part of an answer: a few facts, a table, or a series over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Stable name for machines: `clients`, `status_over_time`. Unique within its group.
    pub name: String,
    /// What it belongs to when one document holds several answers: a family of logs, a probe's target. May be empty.
    pub group: String,
    /// The heading for people.
    pub title: String,
    /// The content.
    pub body: Body,
    /// Remarks on this section alone.
    pub notes: Vec<Note>,
}

/// The content of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Named single values.
    Facts(Vec<Fact>),
    /// Rows under columns.
    Table(Table),
    /// Values at equal steps of time.
    Series(Series),
}

impl Body {
    /// Whether it holds no value: no fact, no row, no step.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Facts(facts) => facts.is_empty(),
            Self::Table(table) => table.rows.is_empty(),
            Self::Series(series) => series.points.is_empty(),
        }
    }
}

/// One named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Stable name for machines.
    pub name: &'static str,
    /// The words for people.
    pub label: String,
    /// The value.
    pub value: Cell,
}

impl Fact {
    /// A fact whose label is its name with spaces.
    pub fn new(name: &'static str, value: Cell) -> Self {
        Self { name, label: label(name), value }
    }
}

/// Rows under columns, in the order that the report chose.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What each cell of a row means. Names are unique within the table, so that a row can be read by name.
    pub columns: Vec<Column>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows there were before the limit.
    pub total_rows: u64,
}

/// The head of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Stable name for machines.
    pub name: String,
    /// The words for people, short enough to stand over a number.
    pub label: String,
    /// What the renderer may do with it.
    pub role: Role,
}

/// What a column is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Names the row. Text, aligned left, last to be cut.
    Key,
    /// The measure that orders the table; a bar may be drawn from it.
    Main,
    /// Any other value.
    Value,
    /// What the row means or why it is so, in words: other values make room for it.
    Remark,
    /// An example or an explanation: long text, shown where there is room.
    Detail,
}

impl Column {
    /// A column whose label is its name with spaces.
    pub fn new(name: impl Into<String>, role: Role) -> Self {
        let name = name.into();
        let label = label(&name);
        Self { name, label, role }
    }

    /// The same column under other words.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
}

/// Values at equal steps of time; a step in which nothing happened is present and holds zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The start of the first step: microseconds since 1970 UTC.
    pub start: i64,
    /// The length of a step in microseconds.
    pub step: i64,
    /// The measures, the leading one first. Names are unique, and none is `time`.
    pub columns: Vec<Column>,
    /// One row a step, one cell a column.
    pub points: Vec<Vec<Cell>>,
}

/// One typed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Empty,
    /// How many.
    Count(u64),
    /// A number that is no count and may be negative: a port, an exit code, a queue position.
    Number(i64),
    /// A mean or another real number without unit.
    Real(f64),
    /// A size in bytes.
    Bytes(u64),
    /// Bytes per second.
    ByteRate(f64),
    /// Events per second.
    Rate(f64),
    /// Microseconds; negative where two durations were subtracted.
    Duration(i64),
    /// A part of a whole, 0 to 1.
    Share(f64),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// Text as it stood in the log: any bytes. Renderers escape it.
    Text(Vec<u8>),
    /// A verdict: how a check or a class of records stands.
    Level(Level),
    /// Several values in one place: the addresses of a name, the samples of a reason.
    List(Vec<Cell>),
}

/// How good or bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Degraded, refused, retried.
    Warning,
    /// Failed.
    Critical,
    /// Could not be told.
    Unknown,
}

impl Level {
    /// The word for machines and people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl Cell {
    /// Text from anything that is bytes.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().to_vec())
    }

    /// Text, or no value where it is empty.
    pub fn text_if_any(text: impl AsRef<[u8]>) -> Self {
        if text.as_ref().is_empty() { Self::Empty } else { Self::text(text) }
    }

    /// True when it says that there is nothing: no value, or a count, size, rate, length or share of zero.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Count(value) | Self::Bytes(value) => *value == 0,
            Self::Number(value) | Self::Duration(value) => *value == 0,
            Self::Real(value) | Self::ByteRate(value) | Self::Rate(value) | Self::Share(value) => {
                *value == 0.0
            }
            Self::Instant(_) | Self::Text(_) | Self::Level(_) | Self::List(_) => false,
        }
    }

    /// `part` of `whole`; empty when there is no whole.
    pub fn share(part: u64, whole: u64) -> Self {
        match whole {
            0 => Self::Empty,
            _ => Self::Share(part as f64 / whole as f64),
        }
    }
}

impl Document {
    /// The first section of that name, in whichever group.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl Section {
    /// Its name, led by its group where it has one: `clients`, `nginx/clients`. Unique in a document.
    pub fn path(&self) -> String {
        match self.group.as_str() {
            "" => self.name.clone(),
            group => format!("{group}/{}", self.name),
        }
    }

    /// A section of facts.
    pub fn facts(name: impl Into<String>, title: impl Into<String>, facts: Vec<Fact>) -> Self {
        Self::new(name, title, Body::Facts(facts))
    }

    /// A section with a table.
    pub fn table(name: impl Into<String>, title: impl Into<String>, table: Table) -> Self {
        Self::new(name, title, Body::Table(table))
    }

    /// A section with a series.
    pub fn series(name: impl Into<String>, title: impl Into<String>, series: Series) -> Self {
        Self::new(name, title, Body::Series(series))
    }

    fn new(name: impl Into<String>, title: impl Into<String>, body: Body) -> Self {
        let (name, title) = (name.into(), title.into());
        Self { name, group: String::new(), title, body, notes: Vec::new() }
    }

    /// The fact of that name, if this is a section of facts and has it.
    pub fn fact(&self, name: &str) -> Option<&Cell> {
        match &self.body {
            Body::Facts(facts) => {
                facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
            }
            Body::Table(_) | Body::Series(_) => None,
        }
    }

    /// The table, if this is a section with one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.body {
            Body::Table(table) => Some(table),
            Body::Facts(_) | Body::Series(_) => None,
        }
    }
}

impl Table {
    /// At which place of each row the values of the column of that name stand.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl Series {
    /// The start of that step: microseconds since 1970 UTC.
    pub fn at(&self, step: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(step as i64))
    }
}
/// A name with spaces for people; between digits, as in `p99_9`, stands a point.
fn label(name: &str) -> String {
    let is_digit = |at: usize| name.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let spaced = name.char_indices().map(|(at, character)| match character {
        '_' if at > 0 && is_digit(at - 1) && is_digit(at + 1) => '.',
        '_' => ' ',
        character => character,
    });
    spaced.collect()
}
