//! The formats: how each server writes its records.
//!
//! One file a format. Its author writes a [`Parser`] for one record and a [`Format`] that makes it; the loop over the
//! records of a piece is in `driver.rs`, compiled once for each parser. The table [`FORMATS`] is what detection, the command
//! line, the help and the tests walk. Nothing here reads files, counts or prints.
//!
//! A parser accepts or refuses a record by its whole shape, whichever fields are wanted: wanting fewer fields saves
//! the work of reading them out and changes nothing else.

#[macro_use]
mod frame;

pub mod apache_error;
mod batch;
pub mod bind;
pub mod detect;
mod driver;
pub mod envelope;
pub mod haproxy;
pub mod mysql_error;
pub mod mysql_slow;
pub mod nginx_error;
pub mod postfix;
#[cfg(test)]
pub(crate) mod testing;
mod trouble;
pub mod web;

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

pub use self::batch::Batch;
pub use self::driver::Room;
use crate::error::{Error, Result};
use crate::input::Framing;
use crate::ledger::{Account, Reason};
use crate::record::block::Rows;
use crate::record::time::Clock;
use crate::record::{Block, Fields, Layout, Origin, Row, Slot};

/// What a group of formats has in common for reports: the same events, whoever writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Requests of web servers.
    Web,
    /// Nginx error logs.
    NginxError,
    /// Apache error logs.
    ApacheError,
    /// HAProxy's sessions and events.
    Haproxy,
    /// Postfix.
    Postfix,
    /// BIND.
    Bind,
    /// Slow query logs of MySQL, MariaDB and Percona Server.
    MysqlSlow,
    /// Error logs of MySQL, MariaDB and Percona Server.
    MysqlError,
}

impl Family {
    /// Stable name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::NginxError => "nginx_error",
            Self::ApacheError => "apache_error",
            Self::Haproxy => "haproxy",
            Self::Postfix => "postfix",
            Self::Bind => "bind",
            Self::MysqlSlow => "mysql_slow",
            Self::MysqlError => "mysql_error",
        }
    }

    /// The heading for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Web => "Web requests",
            Self::NginxError => "Nginx errors",
            Self::ApacheError => "Apache errors",
            Self::Haproxy => "HAProxy",
            Self::Postfix => "Postfix",
            Self::Bind => "BIND",
            Self::MysqlSlow => "MySQL slow queries",
            Self::MysqlError => "MySQL errors",
        }
    }

    /// The family of that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Web,
            Self::NginxError,
            Self::ApacheError,
            Self::Haproxy,
            Self::Postfix,
            Self::Bind,
            Self::MysqlSlow,
            Self::MysqlError,
        ];
        all.into_iter().find(|family| family.name() == name)
    }
}

/// A way of writing records, built in or made from a definition.
pub trait Format: Debug + Send + Sync {
    /// The word for it on the command line and in answers.
    fn name(&self) -> &str;

    /// Which reports it is for.
    fn family(&self) -> Family;

    /// The fields that its records can carry.
    fn fields(&self) -> Fields;

    /// How many records of a sample are certainly its own, where its parser also takes records that could be anybody's.
    fn claims(&self, _sample: &[u8]) -> Option<u64> {
        None
    }

    /// The same format made to the measure of a log, of which this is the beginning, where it takes its fields from there.
    fn fitted(&self, _sample: &[u8]) -> Option<Arc<dyn Format>> {
        None
    }

    /// A parser for one input on one thread, which writes the fields of `layout`.
    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan>;

    /// The format as one of [two](either), where its lines can be told from those of others one by one.
    #[doc(hidden)]
    fn half(&self) -> Option<web::Half> {
        None
    }
}

impl<'f> dyn Format + 'f {
    /// Where its records begin: as its parser has it.
    pub fn framing(&self) -> Framing {
        let nothing = Layout::new(Fields::NONE, Fields::NONE);
        self.parser(&nothing, Clock::new(chrono_tz::UTC, 0)).framing()
    }
}

/// A format for logs that go on in another one: `second` reads what `first` refuses. `None` where the two cannot be read
/// together.
pub fn either(first: &dyn Format, second: &dyn Format) -> Option<Arc<dyn Format>> {
    web::Either::of(first.half()?, second.half()?)
}

/// A line of the table: a format that has a name.
#[derive(Debug)]
pub struct Entry {
    /// The word on the command line.
    pub name: &'static str,
    /// Its line in the help.
    pub about: &'static str,
    recipe: Recipe,
    made: OnceLock<Arc<dyn Format>>,
}

/// How a built-in format is made.
#[derive(Debug, Clone, Copy)]
enum Recipe {
    /// From a definition of lines of web servers.
    Access(&'static str),
    /// By its own code.
    Own(fn() -> Arc<dyn Format>),
}

/// The formats that every build knows. Detection tries them all; of equals the first wins.
pub static FORMATS: [Entry; 34] = [
    access("combined", "Nginx's default and Apache's combined", web::COMBINED),
    access("main", "Nginx of distributions and containers: combined, X-Forwarded-For", web::MAIN),
    // Before `timed`, which would take two sizes for two durations.
    access("combinedio", "Apache's combined, bytes on the wire", web::COMBINEDIO),
    access("timed", "Nginx combined, request and upstream time", web::TIMED),
    access("timed_upstream", "timed, with the upstreams and their statuses", web::TIMED_UPSTREAM),
    access("request_time", "Nginx combined, request time", web::REQUEST_TIME),
    access("timed_pipe", "timed, and whether requests were pipelined", web::TIMED_PIPE),
    access("main_request_time", "main, request time", web::MAIN_REQUEST_TIME),
    access("main_timed", "main, request and upstream time", web::MAIN_TIMED),
    access(
        "upstream_time",
        "Nginx combined, times of request and upstream by key",
        web::UPSTREAM_TIME,
    ),
    access("main_ext", "main with hosts, times and upstreams by key", web::MAIN_EXT),
    access("ingress", "the Kubernetes ingress controller for Nginx", web::INGRESS),
    access("traefik", "Traefik: combined, router, server and duration", web::TRAEFIK),
    access("proxy_manager", "Nginx Proxy Manager: hosts that it hands on", web::PROXY_MANAGER),
    access(
        "proxy_manager_own",
        "Nginx Proxy Manager: what it answers itself",
        web::PROXY_MANAGER_OWN,
    ),
    access(
        "combined_tail",
        "combined with columns behind it that nobody named",
        web::COMBINED_TAIL,
    ),
    access("common", "Apache's common: combined without referer and agent", web::COMMON),
    access("vhost_combined", "combined behind the virtual host and its port", web::VHOST_COMBINED),
    access(
        "vhost_combined_tail",
        "vhost_combined with columns behind it that nobody named",
        web::VHOST_COMBINED_TAIL,
    ),
    // Before `vhost`, which would take the client for the host and the host for the client.
    access("client_vhost", "combined, the virtual host behind the client", web::CLIENT_VHOST),
    access(
        "client_vhost_tail",
        "client_vhost with columns behind it that nobody named",
        web::CLIENT_VHOST_TAIL,
    ),
    access("vhost", "combined behind the virtual host", web::VHOST),
    access("vhost_tail", "vhost with columns behind it that nobody named", web::VHOST_TAIL),
    access("vhost_common", "common behind the virtual host", web::VHOST_COMMON),
    own("json", "access lines that are JSON objects, keys as chosen", || {
        Arc::new(web::Json::usual())
    }),
    own("ltsv", "access lines of labelled values with tabs between them", || {
        Arc::new(web::Ltsv::usual())
    }),
    own("nginx-error", "Nginx error log", || Arc::new(nginx_error::NginxError)),
    own("apache-error", "Apache error log", || Arc::new(apache_error::ApacheError)),
    own("postfix", "Postfix mail log, in any syslog envelope", || Arc::new(postfix::Postfix)),
    own("haproxy", "HAProxy: sessions in all layouts, servers, checks, proxies", || {
        Arc::new(haproxy::Haproxy::built_in())
    }),
    own("bind", "BIND's named: queries, responses and all other categories", || {
        Arc::new(bind::Bind)
    }),
    own("mysql-error", "error log of MySQL, Percona Server and MariaDB", || {
        Arc::new(mysql_error::MysqlError)
    }),
    own("mysql-slow", "slow query log of MySQL, Percona Server and MariaDB", || {
        Arc::new(mysql_slow::MysqlSlow::usual())
    }),
    own(
        "mysql-slow-table",
        "rows of mysql.slow_log: the file of the CSV engine, and dumps",
        || Arc::new(mysql_slow::table::MysqlSlowTable::default()),
    ),
];

const fn access(name: &'static str, about: &'static str, definition: &'static str) -> Entry {
    Entry { name, about, recipe: Recipe::Access(definition), made: OnceLock::new() }
}

const fn own(name: &'static str, about: &'static str, make: fn() -> Arc<dyn Format>) -> Entry {
    Entry { name, about, recipe: Recipe::Own(make), made: OnceLock::new() }
}

impl Entry {
    /// The same with stamps that are written in other ways, if its lines are those of a definition.
    fn with_other_stamps(&self) -> Vec<Arc<dyn Format>> {
        match self.recipe {
            Recipe::Access(definition) => web::Access::with_other_stamps(self.name, definition)
                .into_iter()
                .map(|format| Arc::new(format) as Arc<dyn Format>)
                .collect(),
            Recipe::Own(_) => Vec::new(),
        }
    }

    /// The format; made once.
    pub fn make(&self) -> Arc<dyn Format> {
        let make = || match self.recipe {
            Recipe::Access(definition) => Arc::new(
                web::Access::built_in(self.name, definition)
                    .expect("a built-in definition compiles: a test makes them all"),
            ),
            Recipe::Own(make) => make(),
        };
        self.made.get_or_init(make).clone()
    }
}

/// The built-in format of that name.
///
/// # Errors
/// When there is none: names those that there are.
pub fn named(name: &str) -> Result<Arc<dyn Format>> {
    match FORMATS.iter().find(|entry| entry.name == name) {
        Some(entry) => Ok(entry.make()),
        None => Err(Error::usage(format!("there is no format '{name}'")).advise(advice_on(name))),
    }
}

/// What was probably meant by a name that no format has.
#[cold]
fn advice_on(name: &str) -> String {
    if name.contains(['$', '%']) {
        return format!("that is a definition: --log-format '{name}'");
    }
    let names = || FORMATS.iter().map(|entry| entry.name);
    let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(name, known);
    let near = names().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match near.filter(|near| likeness(near) >= 0.6) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("formats: {}", names().collect::<Vec<_>>().join(", ")),
    }
}

/// The format of a definition: Nginx's `log_format`, Apache's `LogFormat` or HAProxy's `log-format`.
///
/// # Errors
/// When the definition cannot be read: says which part and why.
pub fn from_definition(name: &str, definition: &str) -> Result<Arc<dyn Format>> {
    if haproxy::definition::is_haproxy(definition) {
        return haproxy::from_definition(name, definition);
    }
    web::from_definition(name, definition)
}

/// What the author of a format writes: the parser of one record.
pub trait Parser: Send {
    /// The byte whose positions are found for each record beforehand: the most telling delimiter of the format. Records
    /// under [`Framing::Around`] go without.
    const MARK: u8 = b'"';

    /// Where records begin.
    const FRAMING: Framing = Framing::Lines;

    /// Where the record ends that begins at `start`, with its line end. Asked only under [`Framing::Around`], for each
    /// record of a piece in turn, right before it is read; `_line_ends` are those of the whole piece.
    fn end(&mut self, text: &[u8], _line_ends: &[u32], _start: usize) -> usize {
        text.len()
    }

    /// See [`Scan::begin`].
    fn begin(&mut self, _left: Option<&[u8]>) {}

    /// Reads one record into the row, or says why not. It may leave values behind when it refuses.
    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> std::result::Result<(), Reason>;

    /// True when [`parse_all`](Self::parse_all) is written. Then no line may stand for several records.
    const IN_BATCHES: bool = false;

    /// Reads the usual lines of a batch at once, each into its row, and says which are left to be [parsed](Self::parse)
    /// by themselves: a bit a line, the first the lowest. Whatever stands in the rows of those is forgotten.
    fn parse_all(&mut self, _batch: &Batch<'_>, _rows: &mut Rows<'_>) -> u64 {
        u64::MAX
    }
}

/// One record as it stands in a piece.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The record without its line end.
    pub bytes: &'a [u8],
    /// Where it begins in the piece: what spans count from.
    pub at: usize,
    /// Where [`Parser::MARK`] stands in it, as positions in the piece.
    pub marks: &'a [u32],
}

impl Line<'_> {
    /// Where a part of [`bytes`](Self::bytes) begins in the piece. An empty part may come from anywhere, as the `&[]` of
    /// a parser that found nothing does; its place is the beginning of the record.
    #[inline]
    pub fn place(&self, part: &[u8]) -> usize {
        if part.is_empty() {
            return self.at;
        }
        self.at + part.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr())
    }

    /// Writes a part of it into a slot of the row.
    #[inline(always)] // A store or two, in every reader.
    pub fn write(&self, row: &mut Row<'_>, slot: Slot, part: &[u8]) {
        row.span(slot, self.place(part), part.len());
    }

    /// Writes a part of it, if that is there.
    #[inline(always)] // Ten times a line; not inlined it costs more than the store.
    pub fn write_some(&self, row: &mut Row<'_>, slot: Slot, part: Option<&[u8]>) {
        if let Some(part) = part {
            self.write(row, slot, part);
        }
    }

    /// The position of a mark in [`bytes`](Self::bytes).
    #[inline]
    pub fn mark(&self, number: usize) -> Option<usize> {
        self.marks.get(number).map(|position| *position as usize - self.at)
    }
}

/// What takes the records of a full block.
pub type Sink<'s> = dyn FnMut(&mut Block, &mut Account) + 's;

/// A parser as the engine holds it: one virtual call a piece, everything inside compiled for the format.
pub trait Scan: Send {
    /// Where records begin.
    fn framing(&self) -> Framing;

    /// Says what the records before the next piece left behind, where the format's framing hands such a thing on. Without
    /// it the piece is taken for the one that follows the last.
    fn begin(&mut self, _left: Option<&[u8]>) {}

    /// Reads all records of a piece, which is whole records of `origin`. The sink gets the block whenever it is full and at
    /// the end, and the block is empty again afterwards. Refused records and what was read go to the account; what the
    /// sink keeps is its own affair.
    fn scan(
        &mut self,
        text: &[u8],
        origin: Origin,
        room: &mut Room,
        account: &mut Account,
        sink: &mut Sink<'_>,
    );
}
