//! Definitions of lines, compiled: for `log-format` strings, and for the layouts that are too rare for code of their own.
//!
//! A line is matched from the left. Numbers and braces end by themselves; a word ends at the literal text behind it, and
//! so does anything else, at the first place from which the rest of the definition fits. HAProxy escapes nothing in
//! `%[…]`, so that such a place may have to be looked for again; a line that asks for too many tries is refused.
//!
//! HAProxy cuts what it logs at 1024 bytes unless its `len` says otherwise. So a line that does not fit may be the
//! beginning of one that does: it is one where all that makes a session was read, and what is lost are captures, texts,
//! the request.

use memchr::memchr;

use super::definition::{self, Element};
use super::figure::{self, UNSAID};
use super::line::named;
use super::session::Session;
use super::variables::{self, Escapes, Shape, Timer, What};
use crate::error::Result;
use crate::escape;
use crate::format::Line;
use crate::ledger::Reason;
use crate::record::time::{self, Clf, Clock};
use crate::record::{Fields, Layout, Row, Slot};

/// `option httplog`.
pub(super) const HTTP: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r";
/// `option httplog clf`. The captures, one in quotes after the other, are what is left over.
pub(super) const CLF: &str = r#"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B "" "" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS "#;

/// The most places that are tried for one line. A line that fits is mostly done with one a variable.
const MOST_TRIES: u32 = 2_000;

/// A compiled definition. `W` is [`What`] with fields or with slots.
#[derive(Debug, Clone)]
pub(super) struct Template<W = What> {
    elements: Vec<Element<W>>,
    is_http: bool,
    /// `error-log-format`: its lines tell of connections that became no sessions.
    is_failure: bool,
}

impl Template<What> {
    /// Compiles a definition.
    ///
    /// # Errors
    /// When it cannot be read: says which part and why.
    pub(super) fn new(text: &str) -> Result<Self> {
        let elements = definition::parse(text)?;
        let is_http = elements.iter().any(|element| {
            matches!(
                element,
                Element::Variable(
                    What::Status | What::Request | What::Target | What::Timer(Timer::Response)
                )
            )
        });
        Ok(Self { elements, is_http, is_failure: false })
    }

    /// The same for connections that fail before they are sessions.
    pub(super) fn failing(self, is_failure: bool) -> Self {
        Self { is_failure, ..self }
    }

    /// How many parts it has.
    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    /// The fields that its lines carry under names of their own.
    pub(super) fn fields(&self) -> Fields {
        variables::fields(self.elements.iter().filter_map(|element| match element {
            Element::Variable(what) => Some(what),
            _ => None,
        }))
    }

    /// The same for a parser.
    pub(super) fn bind(&self, layout: &Layout) -> Template<What<Slot>> {
        let elements = self.elements.iter().map(|element| match element {
            Element::Text(text) => Element::Text(text.clone()),
            Element::Space => Element::Space,
            Element::Variable(what) => Element::Variable(what.bind(layout)),
        });
        let (is_http, is_failure) = (self.is_http, self.is_failure);
        Template { elements: elements.collect(), is_http, is_failure }
    }
}

/// What a line said under names that are not those of every session.
#[derive(Debug, Clone)]
pub(super) enum More<'a> {
    Text(Slot, &'a [u8]),
    /// A text that does not stand in the line as such.
    Made(Slot, Vec<u8>),
    Number(Slot, i64),
}

impl More<'_> {
    /// Writes it.
    pub(super) fn write(&self, line: &Line<'_>, row: &mut Row<'_>) {
        match self {
            Self::Text(slot, text) => row.span(*slot, line.place(text), text.len()),
            Self::Made(slot, text) => row.made(*slot, text),
            Self::Number(slot, number) => row.number(*slot, *number),
        }
    }
}

/// A line read by a template.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) session: Session<'a>,
    pub(super) more: Vec<More<'a>>,
    /// What is left over behind the definition.
    pub(super) tail: &'a [u8],
    /// The connection failed before it was a session.
    pub(super) is_failure: bool,
}

/// Reads a line by the first of the templates that it fits as a whole, else by the first that it fits as far as it goes.
/// Lines about failures are too short to be cut, and who sets a `len` for a log of several layouts sets more than the usual
/// 1024 bytes: to look for the beginnings of all of them in each short line took four times as long.
pub(super) fn read_by<'a>(
    templates: &[Template<What<Slot>>],
    text: &'a [u8],
    query: Slot,
    clock: &mut Clock,
) -> Option<Read<'a>> {
    const SHORTEST_CUT: usize = 500;
    let may_be_cut = templates.len() == 1 || text.len() >= SHORTEST_CUT;
    let mut cuts = [Cut::Inside, Cut::BehindSession].into_iter().take(1 + usize::from(may_be_cut));
    cuts.find_map(|cut| {
        let mut templates = templates.iter();
        templates.find_map(|template| match template.is_failure && cut != Cut::Inside {
            true => None,
            false => template.read_cut(text, cut, query, clock)?.ok(),
        })
    })
}

impl Template<What<Slot>> {
    /// Reads a line; stamps are read by that clock.
    pub(super) fn read<'a>(
        &self,
        text: &'a [u8],
        query: Slot,
        clock: &mut Clock,
    ) -> std::result::Result<Read<'a>, Reason> {
        let whole = self.read_cut(text, Cut::Inside, query, clock);
        let read = whole.or_else(|| self.read_cut(text, Cut::BehindSession, query, clock));
        read.unwrap_or(Err(Reason::Malformed))
    }

    /// Reads a line that may end in that way; `None` when it does not fit.
    fn read_cut<'a>(
        &self,
        text: &'a [u8],
        cut: Cut,
        query: Slot,
        clock: &mut Clock,
    ) -> Option<std::result::Result<Read<'a>, Reason>> {
        if !self.may_fit(text, cut) {
            return None;
        }
        let mut matching = Matching::new(&self.elements, text, cut);
        let end = matching.run(0, 0)?;
        Some(self.values_of(&matching, text, end, query, clock))
    }

    /// False when the literal texts of the definition do not stand in the line in their order: one look at each, before
    /// places are tried. Among the definitions of a configuration most lines fit none but one.
    fn may_fit(&self, text: &[u8], cut: Cut) -> bool {
        let last = match cut {
            Cut::Inside => self.elements.len(),
            Cut::BehindSession => {
                self.elements.iter().rposition(Element::is_of_session).map_or(0, |last| last + 1)
            }
            Cut::Early => 0,
        };
        let mut at = 0;
        self.elements[..last].iter().enumerate().all(|(number, element)| match element {
            Element::Text(literal) if number == 0 => text.starts_with(literal),
            Element::Text(literal) => {
                let found = memchr::memmem::find(&text[at..], literal);
                at += found.map_or(0, |found| found + literal.len());
                found.is_some()
            }
            _ => true,
        })
    }

    fn values_of<'a>(
        &self,
        matching: &Matching<'_>,
        text: &'a [u8],
        end: usize,
        query: Slot,
        clock: &mut Clock,
    ) -> std::result::Result<Read<'a>, Reason> {
        let is_cut = matching.is_cut;
        let session = Session { is_http: self.is_http, is_cut, ..Session::NOTHING };
        let mut reading = Reading {
            read: Read {
                session,
                more: Vec::new(),
                tail: &text[end..],
                is_failure: self.is_failure,
            },
            millis: 0,
            query,
            clock,
        };
        let variables = self.elements.iter().filter_map(|element| match element {
            Element::Variable(what) => Some(what),
            _ => None,
        });
        for (what, (start, end)) in variables.zip(&matching.values) {
            reading.take(what, &text[*start..*end])?;
        }
        if reading.read.session.instant != UNSAID {
            reading.read.session.instant += reading.millis;
        }
        Ok(reading.read)
    }
}

/// How a line may end before its definition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Inside the quotes of the last variable.
    Inside,
    /// Anywhere behind what makes a session.
    BehindSession,
    /// Anywhere behind a stamp: too early to count.
    Early,
}

impl Template<What<Slot>> {
    /// True for the beginning of a line that was cut before all was said that makes a session.
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        Matching::new(&self.elements, text, Cut::Early).run(0, 0).is_some()
    }
}

/// One line being matched.
struct Matching<'t> {
    elements: &'t [Element<What<Slot>>],
    text: &'t [u8],
    tries: u32,
    /// Where the values of the variables so far stand.
    values: Vec<(usize, usize)>,
    may_be: Cut,
    is_cut: bool,
}

impl<'t> Matching<'t> {
    fn new(elements: &'t [Element<What<Slot>>], text: &'t [u8], may_be: Cut) -> Self {
        Self { elements, text, tries: MOST_TRIES, values: Vec::new(), may_be, is_cut: false }
    }

    /// True when a line may be cut inside the element of that number, or before it.
    fn may_end_in(&self, element: usize) -> bool {
        let (before, behind) = self.elements.split_at(element);
        match self.may_be {
            Cut::Inside => false,
            Cut::BehindSession => {
                before.iter().any(Element::is_of_session)
                    && !behind.iter().any(Element::is_of_session)
            }
            Cut::Early => before.iter().any(Element::is_stamp),
        }
    }

    /// The line ends here, before the element of that number or inside of it.
    fn ends_in(&mut self, element: usize) -> Option<usize> {
        self.is_cut = self.may_end_in(element);
        self.is_cut.then_some(self.text.len())
    }

    /// Matches the elements from a number on with the text from a place on; says where the last one ends.
    fn run(&mut self, element: usize, at: usize) -> Option<usize> {
        self.tries = self.tries.checked_sub(1)?;
        let rest = &self.text[at..];
        match self.elements.get(element) {
            None => Some(at),
            Some(Element::Text(literal)) if rest.starts_with(literal) => {
                self.run(element + 1, at + literal.len())
            }
            Some(Element::Text(literal)) if literal.starts_with(rest) => self.ends_in(element),
            Some(Element::Text(_)) => None,
            Some(Element::Space) => self.space(element, at),
            Some(Element::Variable(what)) => self.variable(what.shape(), element, at),
        }
    }

    fn space(&mut self, element: usize, at: usize) -> Option<usize> {
        let is_there = self.text.get(at) == Some(&b' ');
        if is_there && let Some(end) = self.run(element + 1, at + 1) {
            return Some(end);
        }
        if at == self.text.len() && self.may_end_in(element) {
            return self.ends_in(element);
        }
        // Not written behind another one, and cut off where it would be the last byte of a line.
        let left_out = at == 0 || at == self.text.len() || self.text[at - 1] == b' ';
        if left_out { self.run(element + 1, at) } else { None }
    }

    fn variable(&mut self, shape: Shape, element: usize, at: usize) -> Option<usize> {
        let text = self.text;
        let rest = &text[at..];
        if rest.is_empty() && self.may_end_in(element) {
            return self.ends_in(element);
        }
        // Captures that are not there leave nothing, so that a quote belongs to what follows them.
        let may_be_quoted = shape != Shape::Braces || rest.starts_with(b"\"{");
        if rest.first() == Some(&b'"') && may_be_quoted {
            return self.quoted(element, at + 1);
        }
        match shape {
            Shape::Number => {
                let len = figure::leading(rest).map(|(_, len)| len);
                let len = len.or((rest.first() == Some(&b'-')).then_some(1))?;
                self.value(element, at, at + len, at + len)
            }
            Shape::Braces => {
                let Some(inner) = rest.strip_prefix(b"{") else {
                    return self.value(element, at, at, at);
                };
                let Some(end) = memchr(b'}', inner).map(|end| at + 1 + end) else {
                    return self.cut_value(element, at);
                };
                self.value(element, at, end, end + 1)
            }
            Shape::Word => {
                let end = at + memchr(b' ', rest).unwrap_or(rest.len());
                self.until(element, at, end)
            }
            Shape::Any => self.until(element, at, text.len()),
        }
    }

    /// A value that ends at one of the places before `most` where the next element begins, the first that fits.
    fn until(&mut self, element: usize, start: usize, most: usize) -> Option<usize> {
        let is_escaped = self.is_escaped(element);
        let first = match self.elements.get(element + 1) {
            Some(Element::Text(literal)) => literal.first().copied(),
            Some(Element::Space) => Some(b' '),
            Some(Element::Variable(_)) | None => None,
        };
        let mut at = start;
        while let Some(first) = first {
            // One byte more: a word ends before a space that may be the next element.
            let within = &self.text[at..(most + 1).min(self.text.len())];
            let Some(found) = memchr(first, within) else { break };
            let end = at + found;
            let is_own = is_escaped && escape::is_escaped(&self.text[start..end]);
            if !is_own && let Some(done) = self.value(element, start, end, end) {
                return Some(done);
            }
            if self.tries == 0 {
                return None;
            }
            at = end + 1;
        }
        if most == self.text.len() { self.value(element, start, most, most) } else { None }
    }

    /// A value in quotes: up to the first closing one from which the rest fits, or to the end of a line that was cut.
    fn quoted(&mut self, element: usize, start: usize) -> Option<usize> {
        let is_escaped = self.is_escaped(element);
        let mut at = start;
        while let Some(found) = memchr(b'"', &self.text[at..]) {
            let end = at + found;
            let is_own = is_escaped && escape::is_escaped(&self.text[start..end]);
            if !is_own && let Some(done) = self.value(element, start, end, end + 1) {
                return Some(done);
            }
            if self.tries == 0 {
                return None;
            }
            at = end + 1;
        }
        let is_last = element + 1 == self.elements.len() && at == start;
        if is_last || self.may_end_in(element) { self.cut_value(element, start) } else { None }
    }

    /// True when the value of that element tells the quotes of its own by backslashes.
    fn is_escaped(&self, element: usize) -> bool {
        matches!(&self.elements[element], Element::Variable(what) if what.is_escaped())
    }

    /// A value that lacks its end, and all that should stand behind it.
    fn cut_value(&mut self, element: usize, start: usize) -> Option<usize> {
        let end = self.text.len();
        let is_last = element + 1 == self.elements.len();
        if !is_last && !self.may_end_in(element) {
            return None;
        }
        self.values.push((start, end));
        self.is_cut = true;
        Some(end)
    }

    /// Takes a value and goes on behind it; forgets it when the rest does not fit.
    fn value(&mut self, element: usize, start: usize, end: usize, next: usize) -> Option<usize> {
        self.values.push((start, end));
        let known = self.values.len();
        let done = self.run(element + 1, next);
        if done.is_none() {
            self.values.truncate(known - 1);
        }
        done
    }
}

impl Element<What<Slot>> {
    /// True for what a session cannot be without: all but texts that clients and servers choose.
    fn is_of_session(&self) -> bool {
        use What::{
            Duration, Escaped, Ignore, IgnoredNumber, Number, Question, Request, Target, Text,
        };
        use What::{RequestCaptures, RequestCookie, ResponseCaptures, ResponseCookie};
        match self {
            Self::Text(_) | Self::Space => false,
            Self::Variable(what) => !matches!(
                what,
                Duration(_)
                    | Ignore
                    | IgnoredNumber
                    | Number(_)
                    | Question
                    | Target
                    | Request
                    | Text(_)
                    | Escaped(..)
                    | RequestCaptures
                    | RequestCookie
                    | ResponseCaptures
                    | ResponseCookie
            ),
        }
    }

    fn is_stamp(&self) -> bool {
        matches!(self, Self::Variable(What::Stamp | What::StampWithZone | What::Epoch))
    }
}

/// Values becoming a session.
struct Reading<'a, 'c> {
    read: Read<'a>,
    /// The microseconds that the stamp lacks.
    millis: i64,
    query: Slot,
    clock: &'c mut Clock,
}

type Taken = std::result::Result<(), Reason>;

impl<'a> Reading<'a, '_> {
    fn take(&mut self, what: &What<Slot>, text: &'a [u8]) -> Taken {
        let session = &mut self.read.session;
        match what {
            What::Ignore | What::IgnoredNumber => {}
            What::Client => session.client = named(text),
            What::Frontend => session.frontend = named(text),
            What::Backend => session.backend = named(text),
            What::Server => session.server = named(text),
            What::RequestCookie => session.request_cookie = named(text),
            What::ResponseCookie => session.response_cookie = named(text),
            What::RequestCaptures => session.request_captures = inside_braces(text),
            What::ResponseCaptures => session.response_captures = inside_braces(text),
            What::Request => session.request = Some(text),
            What::Target => {
                session.target = named(text).filter(|text| *text != b"<BADREQ>");
            }
            What::State if matches!(text.len(), 2 | 4) => session.state = Some(text),
            What::State => return Err(Reason::Malformed),
            What::Stamp | What::StampWithZone | What::Epoch => return self.stamp(what, text),
            What::Question => {
                let query = text.strip_prefix(b"?");
                self.read.more.extend(query.map(|query| More::Text(self.query, query)));
            }
            What::Text(slot) => {
                // What HAProxy could not read stands in the request, and is no method and no path.
                let text = named(text).filter(|text| *text != b"<BADREQ>");
                self.read.more.extend(text.map(|text| More::Text(*slot, text)));
            }
            What::Escaped(slot, escapes) => {
                let text = named(text).filter(|text| *text != b"<BADREQ>");
                self.read.more.extend(text.map(|text| match text.contains(&b'\\') {
                    true => More::Made(*slot, plain(text, *escapes)),
                    false => More::Text(*slot, text),
                }));
            }
            number => return self.number(number, text),
        }
        Ok(())
    }

    fn number(&mut self, what: &What<Slot>, text: &'a [u8]) -> Taken {
        if text == b"-" || text.is_empty() {
            return Ok(());
        }
        let figure = figure::single(text).ok_or(Reason::Malformed)?;
        let (value, session) = (figure.value, &mut self.read.session);
        match what {
            What::ClientPort => session.client_port = value,
            What::Millis => self.millis = value * 1000,
            What::Status => session.status = value,
            What::Bytes => {
                session.bytes = value;
                session.is_partial |= figure.is_plus;
            }
            What::Connections(4) => {
                session.connections[4] = value;
                session.is_redispatched = figure.is_plus;
            }
            What::Connections(place) => session.connections[usize::from(*place)] = value,
            What::Queue(place) => session.queues[usize::from(*place)] = value,
            What::Timer(timer) => {
                session.is_partial |= figure.is_plus;
                *timer_of(session, *timer) = value;
            }
            What::Number(slot) => self.read.more.push(More::Number(*slot, value)),
            What::Duration(slot) if value >= 0 => {
                self.read.more.push(More::Number(*slot, value * 1000));
            }
            _ => {}
        }
        Ok(())
    }

    fn stamp(&mut self, what: &What<Slot>, text: &[u8]) -> Taken {
        let instant = match what {
            _ if text.is_empty() => return Ok(()),
            What::Epoch => figure::single(text).map(|seconds| seconds.value * time::SECOND),
            What::StampWithZone => text.try_into().ok().and_then(|text| Clf::default().parse(text)),
            _ => time::day_month_year(text, b'/', b':').map(|wall| self.clock.instant(wall)),
        };
        self.read.session.instant = instant.ok_or(Reason::BadTime)?;
        Ok(())
    }
}

fn timer_of<'s>(session: &'s mut Session<'_>, timer: Timer) -> &'s mut i64 {
    match timer {
        Timer::Request => &mut session.t_request,
        Timer::Queue => &mut session.t_queue,
        Timer::Connect => &mut session.t_connect,
        Timer::Response => &mut session.t_response,
        Timer::Total => &mut session.total,
    }
}

/// A text without its escapes.
fn plain(text: &[u8], escapes: Escapes) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    match escapes {
        Escapes::Json => escape::unescape(text, &mut plain),
        Escapes::Backslash => {
            let mut bytes = text.iter();
            while let Some(byte) = bytes.next() {
                let escaped = if *byte == b'\\' { bytes.next() } else { None };
                plain.push(*escaped.unwrap_or(byte));
            }
        }
    }
    plain
}

/// The values between braces; `None` when there were none.
fn inside_braces(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"{")?;
    Some(inner.strip_suffix(b"}").unwrap_or(inner))
}
