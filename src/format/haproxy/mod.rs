//! HAProxy: sessions in all their layouts, and what it says about servers, checks and itself.
//!
//! ```text
//! Mar  7 09:15:02 lb1 haproxy[77]: 198.51.100.4:52110 [07/Mar/2024:09:15:02.418] www~ app/node3 3/0/1/44/49 200 8812 - - ---- 41/40/12/3/0 0/0 {shop.example|Mozilla/5.0} {} "GET /cart HTTP/1.1"
//! Mar  7 09:15:05 lb1 haproxy[77]: Server app/node3 is DOWN, reason: Layer4 timeout, check duration: 2001ms. 1 active and 0 backup servers left. …
//! ```
//!
//! [`mod@line`] reads the layouts of `option httplog`, `httpslog` and `tcplog` along their spaces; [`template`] reads `option
//! httplog clf` and the `log-format` strings that the user gives ([`definition`], [`variables`]); both fill a
//! [`session::Session`], which becomes a row in one place. [`event`] reads the other lines. A log may hold all of them.
//!
//! The time of a session is the stamp in the line (when the request or the connection came), of anything else that of
//! the envelope. A block of captures that stands alone may hold what was captured of the request or of the response,
//! which the line does not tell: it counts as the request's. The first of the five timers was another one up to version
//! 1.6 (it includes what today is idle time), and the last one too; nothing in a line tells the version.
//!
//! Description: chapter 8 of <https://docs.haproxy.org/dev/configuration.html>.

pub mod conf;
pub(crate) mod definition;
pub(crate) mod event;
mod figure;
mod line;
mod session;
mod template;
mod usual;
mod variables;
mod verdict;

use std::sync::Arc;

use self::event::{Event, Labels};
use self::figure::UNSAID;
use self::line::Columns;
use self::session::{Session, Writer};
use self::template::{Read, Template};
use self::variables::What;
use super::envelope::{self, Peeled, Stamps};
use super::trouble::Levels;
use super::web::conf::{Definition, Language};
use super::{Family, Format, Line, Parser, Scan};
use crate::error::{Error, Result};
use crate::ledger::Reason;
use crate::record::minute::Minute;
use crate::record::time::{self, Clock};
use crate::record::{Fields, Label, Layout, Row, Slot};

/// The format.
#[derive(Debug, Clone)]
pub struct Haproxy {
    name: String,
    /// How sessions are written, where the user says it. The first that fits a line reads it.
    templates: Vec<Template>,
}

impl Haproxy {
    /// With HAProxy's own layouts of lines.
    pub fn built_in() -> Self {
        Self { name: "haproxy".to_owned(), templates: Vec::new() }
    }

    /// With a `log-format` string beside them.
    ///
    /// # Errors
    /// When the string cannot be read: says which part and why.
    pub fn new(name: &str, definition: &str) -> Result<Self> {
        Ok(Self { name: name.to_owned(), templates: vec![Template::new(definition)?] })
    }

    /// With the definitions of a configuration, whose frontends may all write into one log. Those that say most are tried
    /// first, because a short one may fit anything.
    fn of_templates(mut templates: Vec<Template>) -> Self {
        templates.sort_by_key(|template| std::cmp::Reverse(template.len()));
        Self { name: "haproxy".to_owned(), templates }
    }
}

impl Format for Haproxy {
    fn name(&self) -> &str {
        &self.name
    }

    fn family(&self) -> Family {
        Family::Haproxy
    }

    fn fields(&self) -> Fields {
        let all = Fields::of(session::FIELDS).union(Fields::of(FIELDS));
        self.templates.iter().fold(all, |all, template| all.union(template.fields()))
    }

    /// What HAProxy says of itself may be anything, but when that is most of a log, its sessions are in a layout that
    /// somebody has to name.
    fn claims(&self, sample: &[u8]) -> Option<u64> {
        if !self.templates.is_empty() {
            return None;
        }
        let (mut known, mut unknown) = (0, 0);
        for line in sample.split(|byte| *byte == b'\n') {
            match is_known(line) {
                Some(true) => known += 1,
                Some(false) => unknown += 1,
                None => {}
            }
        }
        (unknown > known).then_some(known)
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        Box::new(Sessions::new(&self.templates, layout, clock))
    }
}

/// Whether a line of HAProxy is one of its own layouts or texts; `None` for lines of others.
fn is_known(line: &[u8]) -> Option<bool> {
    let peeled = envelope::peel(line);
    let peeled = peeled.without_stamp().unwrap_or(peeled);
    let text = peeled.message.trim_ascii_end();
    let is_known = line::is_peer_and_stamp(text)
        || is_like_clf(text)
        || event::startup(text).is_some()
        || event::event(text).is_some();
    (is_known || peeled.tag.is_some_and(is_own)).then_some(is_known)
}

/// An address, two dashes and a stamp in front.
fn is_like_clf(text: &[u8]) -> bool {
    memchr::memmem::find(&text[..text.len().min(80)], b" - - [").is_some()
}

slots! {
    time TIME, class CLASS, kind KIND, level LEVEL, loghost LOGHOST, program PROGRAM, pid PID,
    client CLIENT, client_port CLIENT_PORT, local_address LOCAL_ADDRESS, port PORT,
    frontend FRONTEND, backend BACKEND, server SERVER, message MESSAGE, reason REASON, code CODE,
    action ACTION, sni SNI, tls_version TLS_VERSION, tls_cipher TLS_CIPHER, query QUERY,
    request_captures REQUEST_CAPTURES,
}

/// The parser.
#[derive(Debug)]
struct Sessions {
    slots: Slots,
    writer: Writer,
    labels: Labels,
    levels: Levels,
    own: Vec<Template<What<Slot>>>,
    http: Template<What<Slot>>,
    clf: Template<What<Slot>>,
    clock: Clock,
    minute: Minute,
    /// The minute of the latest usual stamp, as it is written and where it begins.
    latest: ([u8; 18], i64),
    stamps: Stamps,
    names: Names,
}

impl Parser for Sessions {
    const MARK: u8 = b' ';

    #[inline]
    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> std::result::Result<(), Reason> {
        if self.own.is_empty()
            && let Some((start, spaces)) = self.names.find(line.bytes)
            && let Some(spaces) = marks_behind(line, start, spaces)
            && self.session(line, &line.bytes[start..], spaces, row).is_ok()
        {
            self.write_names(line, row);
            return Ok(());
        }
        self.any(line, row)
    }
}

impl Sessions {
    fn new(templates: &[Template], layout: &Layout, clock: Clock) -> Self {
        let built_in = |text| {
            Template::new(text)
                .expect("a built-in definition compiles: tests use them")
                .bind(layout)
        };
        Self {
            slots: Slots::new(layout),
            writer: Writer::new(layout),
            labels: Labels::new(),
            levels: Levels::new(),
            own: templates.iter().map(|template| template.bind(layout)).collect(),
            http: built_in(template::HTTP),
            clf: built_in(template::CLF),
            clock: clock.clone(),
            minute: Minute::default(),
            latest: ([0; 18], 0),
            stamps: Stamps::new(clock),
            names: Names::default(),
        }
    }

    /// A session in a layout that is read along the spaces, which stand at those positions of the piece.
    #[inline]
    fn session(
        &mut self,
        line: Line<'_>,
        text: &[u8],
        spaces: &[u32],
        row: &mut Row<'_>,
    ) -> std::result::Result<(), Reason> {
        let base = line.place(text);
        if let Some(usual) = usual::read(text, spaces, base)
            && let Some(instant) = self.usual_instant(usual.stamp.of(text))
        {
            self.writer.write_usual(&usual, text, base, instant, row);
            if usual.tail.start < usual.tail.end {
                self.tail(line, usual.tail.of(text), row);
            }
            return Ok(());
        }
        let mut session = Session::NOTHING;
        let (stamp, tail) = line::read(&Columns::new(text, spaces, base), &mut session)?;
        if !stamp.is_empty() {
            session.instant = self.instant(stamp).ok_or(Reason::BadTime)?;
        }
        self.writer.write(&session, &line, row);
        if !tail.is_empty() {
            self.tail(line, tail, row);
        }
        Ok(())
    }

    /// The instant of a stamp with its brackets, when it is of the same minute as the one before.
    #[inline(always)]
    fn usual_instant(&mut self, stamp: &[u8]) -> Option<i64> {
        let stamp: &[u8; 26] = stamp.try_into().ok()?;
        let [.., a, b, b'.', c, d, e, b']'] = stamp else { return None };
        let digits = [*a, *b, *c, *d, *e].map(|byte| byte.wrapping_sub(b'0'));
        if digits[0] > 5 || digits.iter().any(|digit| *digit > 9) {
            return None;
        }
        let [a, b, c, d, e] = digits.map(i64::from);
        let within = (a * 10 + b) * 1_000_000 + (c * 100 + d * 10 + e) * 1_000;
        let minute: &[u8; 18] = stamp[1..].first_chunk()?;
        if *minute != self.latest.0 {
            let start = self.instant(&stamp[1..25])? - within;
            self.latest = (*minute, start);
        }
        Some(self.latest.1 + within)
    }

    #[inline]
    fn instant(&mut self, stamp: &[u8]) -> Option<i64> {
        let clock = &mut self.clock;
        let read = || Some(clock.instant(time::day_month_year(stamp, b'/', b':')?));
        self.minute.instant(stamp.get(..18)?, stamp.get(18..)?, b"", read)
    }

    /// What stands behind the request, if it is what `option httpslog` puts there.
    fn tail(&self, line: Line<'_>, tail: &[u8], row: &mut Row<'_>) {
        let Some(tls) = line::tls(tail) else { return };
        let slots = &self.slots;
        line.write_some(row, slots.sni, tls.sni);
        line.write_some(row, slots.tls_version, tls.version);
        line.write_some(row, slots.tls_cipher, tls.cipher);
        line.write_some(row, slots.code, tls.error);
        if tls.error.is_some() {
            row.label(slots.class, Label::WARN);
            row.label(slots.kind, self.labels.of(event::Kind::TlsHandshake));
        }
    }

    /// A line of any kind, in any envelope.
    fn any(&mut self, line: Line<'_>, row: &mut Row<'_>) -> std::result::Result<(), Reason> {
        if line.bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Reason::Blank);
        }
        if line.bytes[0] == 0 {
            return Err(Reason::Binary);
        }
        let peeled = envelope::peel(line.bytes);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        self.envelope(line, &peeled, row);
        self.message(line, &peeled, row)?;
        if peeled.repeat > 1 {
            row.repeat(peeled.repeat);
        }
        self.names.remember(line.bytes, &peeled);
        Ok(())
    }

    /// What an envelope says. Its time is overwritten by the stamp of a session.
    fn envelope(&mut self, line: Line<'_>, peeled: &Peeled<'_>, row: &mut Row<'_>) {
        let slots = self.slots;
        if let Some(instant) = peeled.stamp.and_then(|stamp| self.stamps.instant(stamp)) {
            row.number(slots.time, instant);
        }
        line.write_some(row, slots.loghost, peeled.host);
        line.write_some(row, slots.program, peeled.tag);
        if let Some(pid) = peeled.pid {
            row.number(slots.pid, pid);
        }
        if let Some(severity) = peeled.severity {
            row.label(slots.level, self.levels.of(severity));
        }
    }

    /// The line without its envelope.
    fn message(
        &mut self,
        line: Line<'_>,
        peeled: &Peeled<'_>,
        row: &mut Row<'_>,
    ) -> std::result::Result<(), Reason> {
        let text = peeled.message.trim_ascii_end();
        let own = template::read_by(&self.own, text, self.slots.query, &mut self.clock);
        // HAProxy's own lines about failures name the listener behind the frontend.
        let names_listener = |read: &Read<'_>| {
            read.is_failure && read.session.frontend.is_some_and(|name| name.contains(&b'/'))
        };
        if let Some(read) = own.filter(|read| !names_listener(read)) {
            // Behind a stamp, what says why a connection failed may be anything: a session too.
            let is_session = read.is_failure
                && line::is_peer_and_stamp(text)
                && self.session_within(line, text, row).is_ok();
            if !is_session {
                self.write_own(line, &read, row);
            }
            return Ok(());
        }
        // `log … format iso` and `timed` put a stamp in front, and no name.
        if let Some(inner) = peeled.without_stamp() {
            self.envelope(line, &inner, row);
            return self.message(line, &inner, row);
        }
        if line::is_peer_and_stamp(text) {
            return self.session_or_failure(line, text, row).map_err(|reason| {
                if self.was_cut(line, text) { Reason::Truncated } else { reason }
            });
        }
        self.clf_or_event(line, text, peeled, row)
    }

    fn write_own(&self, line: Line<'_>, read: &Read<'_>, row: &mut Row<'_>) {
        self.writer.write(&read.session, &line, row);
        read.more.iter().for_each(|more| more.write(&line, row));
        if read.is_failure {
            let is_tls = read.session.frontend.is_some_and(|name| name.ends_with(b"~"));
            let kind =
                if is_tls { event::Kind::TlsHandshake } else { event::Kind::ClientConnection };
            row.label(self.slots.class, Label::WARN);
            row.label(self.slots.kind, self.labels.of(kind));
        }
    }

    /// A session that is a part of the line.
    fn session_within(
        &mut self,
        line: Line<'_>,
        text: &[u8],
        row: &mut Row<'_>,
    ) -> std::result::Result<(), Reason> {
        let start = line.place(text);
        let first = line.marks.partition_point(|mark| (*mark as usize) < start);
        let within = line.marks.partition_point(|mark| (*mark as usize) < start + text.len());
        self.session(line, text, &line.marks[first..within], row)
    }

    fn session_or_failure(
        &mut self,
        line: Line<'_>,
        text: &[u8],
        row: &mut Row<'_>,
    ) -> std::result::Result<(), Reason> {
        let Err(reason) = self.session_within(line, text, row) else { return Ok(()) };
        if let Some(failure) = event::failure(text) {
            if !failure.stamp.is_empty() {
                let instant = self.instant(failure.stamp).ok_or(Reason::BadTime)?;
                row.number(self.slots.time, instant);
            }
            self.write_event(line, failure.text, &failure.event, row);
            return Ok(());
        }
        // A captured cookie may hold spaces, and then they do not number the columns.
        let Ok(read) = self.http.read(text, self.slots.query, &mut self.clock) else {
            return Err(reason);
        };
        self.writer.write(&read.session, &line, row);
        Ok(())
    }

    fn clf_or_event(
        &mut self,
        line: Line<'_>,
        text: &[u8],
        peeled: &Peeled<'_>,
        row: &mut Row<'_>,
    ) -> std::result::Result<(), Reason> {
        if is_like_clf(text)
            && let Ok(read) = self.clf.read(text, self.slots.query, &mut self.clock)
        {
            self.writer.write(&read.session, &line, row);
            let captures = read.tail.trim_ascii();
            line.write_some(
                row,
                self.slots.request_captures,
                (!captures.is_empty()).then_some(captures),
            );
            return Ok(());
        }
        let is_own = peeled.tag.is_some_and(is_own);
        let (text, level) = match event::startup(text) {
            Some(startup) => {
                row.number(self.slots.pid, startup.pid);
                row.label(self.slots.level, self.levels.of(startup.level));
                (startup.message, Some(startup.level))
            }
            None => (text, peeled.severity),
        };
        let is_startup =
            level != peeled.severity || text.len() < peeled.message.trim_ascii_end().len();
        match event::event(text) {
            Some(event) => self.write_event(line, text, &event, row),
            None if self.was_cut(line, text) => return Err(Reason::Truncated),
            None if is_own || is_startup => {
                self.write_event(line, text, &event::other(level), row);
            }
            None if peeled.tag.is_some() => return Err(Reason::OtherProgram),
            None => return Err(Reason::Malformed),
        }
        Ok(())
    }

    /// True for a line in the user's own layout that was cut too early to count as a session. What else HAProxy says is
    /// never so long.
    fn was_cut(&self, line: Line<'_>, text: &[u8]) -> bool {
        /// HAProxy cuts at 1024 bytes, and a relay may have written a shorter envelope.
        const SHORTEST: usize = 960;
        line.bytes.len() >= SHORTEST && self.own.iter().any(|own| own.begins(text))
    }

    fn write_event(&self, line: Line<'_>, text: &[u8], event: &Event<'_>, row: &mut Row<'_>) {
        let slots = &self.slots;
        row.label(slots.class, event.class);
        row.label(slots.kind, self.labels.of(event.kind));
        line.write_some(row, slots.message, Some(text));
        line.write_some(row, slots.frontend, event.frontend);
        line.write_some(row, slots.backend, event.backend);
        line.write_some(row, slots.server, event.server);
        line.write_some(row, slots.reason, event.reason);
        line.write_some(row, slots.code, event.code);
        let peers = [
            (slots.client, slots.client_port, event.client),
            (slots.local_address, slots.port, event.local),
        ];
        for (address, port, peer) in peers {
            if let Some((text, number)) = peer {
                line.write_some(row, address, Some(text));
                row.number(port, number);
            }
        }
        if let Some(action) = event.action {
            row.made(slots.action, action.as_bytes());
        }
    }

    /// What the envelope says that is as the one before.
    #[inline]
    fn write_names(&self, line: Line<'_>, row: &mut Row<'_>) {
        let (slots, names) = (&self.slots, &self.names);
        if let Some((start, len)) = names.host {
            row.span(slots.loghost, line.at + start, len);
        }
        if let Some((start, len)) = names.tag {
            row.span(slots.program, line.at + start, len);
        }
        if names.pid != UNSAID {
            row.number(slots.pid, names.pid);
        }
    }
}

/// The marks behind the message's `start`, if as many stand before it as `before` says: a damaged stamp may hold more.
#[inline]
fn marks_behind<'l>(line: Line<'l>, start: usize, before: usize) -> Option<&'l [u32]> {
    let (own, behind) = line.marks.split_at_checked(before)?;
    let start = line.at + start;
    let is_outside = own.last().is_none_or(|mark| (*mark as usize) < start);
    let is_inside = behind.first().is_none_or(|mark| *mark as usize >= start);
    (is_outside && is_inside).then_some(behind)
}

/// True for the tags that HAProxy has by default, in its editions.
fn is_own(tag: &[u8]) -> bool {
    memchr::memmem::find(tag, b"haproxy").is_some() || tag.starts_with(b"hapee")
}

/// The length of `Mar  7 09:15:02`.
const STAMP: usize = 15;

/// The names in the envelope of the line before: between the stamp of syslog and the message nearly every line has the
/// same bytes.
#[derive(Debug)]
struct Names {
    bytes: Vec<u8>,
    /// Where they stand in the line, and how long they are.
    host: Option<(usize, usize)>,
    tag: Option<(usize, usize)>,
    pid: i64,
    /// The spaces in `bytes`.
    spaces: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self { bytes: Vec::new(), host: None, tag: None, pid: UNSAID, spaces: 0 }
    }
}

impl Names {
    /// Where the message begins in a line with the same names, and how many spaces stand before it.
    #[inline]
    fn find(&self, line: &[u8]) -> Option<(usize, usize)> {
        let (stamp, rest) = line.split_at_checked(STAMP)?;
        let shape = [stamp[3], stamp[6], stamp[9], stamp[12]];
        if self.bytes.is_empty() || shape != *b"  ::" || !rest.starts_with(&self.bytes) {
            return None;
        }
        let before = 2 + usize::from(stamp[4] == b' ') + self.spaces;
        Some((STAMP + self.bytes.len(), before))
    }

    /// Remembers the names of a line, if they stand right behind a stamp and right before the message.
    fn remember(&mut self, line: &[u8], peeled: &Peeled<'_>) {
        let whole = Line { bytes: line, at: 0, marks: &[] };
        let place = |part: &[u8]| whole.place(part);
        let start = place(peeled.message);
        let stamp =
            line.get(..STAMP).filter(|stamp| stamp[6] == b' ' && stamp[0].is_ascii_alphabetic());
        let is_plain = peeled.repeat == 1 && peeled.severity.is_none() && peeled.tag.is_some();
        let Some(bytes) = line.get(STAMP..start).filter(|_| stamp.is_some() && is_plain) else {
            return;
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.host = peeled.host.map(|host| (place(host), host.len()));
        self.tag = peeled.tag.map(|tag| (place(tag), tag.len()));
        self.pid = peeled.pid.unwrap_or(UNSAID);
        self.spaces = bytes.iter().filter(|byte| **byte == b' ').count();
    }
}

/// The format of a `log-format` string.
///
/// # Errors
/// When the string cannot be read: says which part and why.
pub fn from_definition(name: &str, definition: &str) -> Result<Arc<dyn Format>> {
    Ok(Arc::new(Haproxy::new(name, definition)?))
}

/// The numbers of the definitions that cannot be read, and why.
pub type Unread = Vec<(usize, Error)>;

/// The format of the definitions in configurations of HAProxy, and why each of the others cannot be read.
///
/// # Errors
/// When none of them can be read: says why not the first.
pub fn from_definitions(definitions: &[&Definition]) -> Result<(Arc<dyn Format>, Unread)> {
    let (mut templates, mut problems) = (Vec::new(), Vec::new());
    for (at, definition) in definitions.iter().enumerate() {
        match Template::new(&definition.text) {
            Ok(template) => {
                templates.push(template.failing(definition.language == Language::HaproxyErrors))
            }
            Err(problem) => problems.push((at, problem)),
        }
    }
    match problems.is_empty() || !templates.is_empty() {
        true => Ok((Arc::new(Haproxy::of_templates(templates)), problems)),
        false => Err(problems.swap_remove(0).1),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod traps;
