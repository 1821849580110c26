//! How the text of one variable of a web log becomes values.
//!
//! A [`Capture`] names what stands in one place of a line: the client, a status, a duration in some unit. It is made
//! with fields when a definition is compiled and [bound](Capture::bind) to the slots of a run's layout. `-` means that
//! the server had nothing to say. Values of known type are checked whether anybody wants them or not, so that a line
//! is accepted or refused by its shape alone.

use memchr::memchr;

use super::batch::Stretches;
use super::{request, strftime};
use crate::ledger::Reason;
use crate::record::block::{ROWS, Rows};
use crate::record::minute::Minute;
use crate::record::time::{self, Clf, Clock};
use crate::record::{Field, Fields, Label, Layout, Row, Slot, Span, Value, number};
use crate::scan;

/// What stands in one place of a line. `F` is [`Field`] in a definition and [`Slot`] in a parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Capture<F = Field> {
    /// Nothing that has a name.
    Ignore,
    /// The same, of a length that is always the same: text that could not be found by what stands behind it.
    Blank(usize),
    /// Text; `-` is absent.
    Text(F),
    /// Text that holds no spaces, where nothing else keeps them out: a definition that lacks a variable behind it is then not
    /// taken for that of the line.
    Word(F),
    /// The user: text that may hold spaces although no quotes stand around it. Apache writes an empty name as two quotes.
    User,
    /// A whole number; `-` is absent.
    Number(F),
    /// A size in bytes; `-` is absent: Apache writes it for an answer without a body.
    Size(F),
    /// A duration of so many decimal places of a microsecond's unit: 6 seconds, 3 milliseconds, 0 microseconds.
    Duration(F, u32),
    /// The chain of X-Forwarded-For where no other client is logged: its first address is the client.
    Forwarded,
    /// A length of time in whole nanoseconds.
    Nanos(F),
    /// Durations in seconds of several tries, `0.002, 0.450 : 0.010`; their sum.
    Durations(F),
    /// The durations of the tries until the answer was there, which also say how many tries there were.
    UpstreamTimes,
    /// Sizes of several tries; their sum.
    Sizes(F),
    /// The servers that were tried.
    Upstreams,
    /// Their statuses.
    UpstreamStatuses,
    /// The status of the answer.
    Status,
    /// The request line.
    Request,
    /// The target of the request, with or without its query.
    Target,
    /// The query with its question mark (Apache's `%q`).
    Question,
    /// A host and, right behind it, the target of the request: `shop.example/cart?n=1`.
    Address(F),
    /// A number, mostly a port, and right behind it the target: `8080/cart?n=1`.
    PortAndTarget(F),
    /// Apache's connection state at the end: `X` means that the client went away.
    ConnectionState,
    /// An instant.
    Time(Stamp),
}

impl<F> Capture<F> {
    /// True for a number that is whole, which scripts that change JSON lines may have written as `404.0`.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Size(_) | Self::Nanos(_) | Self::Status)
    }
}

/// How a stamp is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// `07/Mar/2024:09:15:02 +0100`.
    Clf,
    /// `2024-03-07T09:15:02+01:00` and its relatives.
    Iso,
    /// The same, always of that length.
    FixedIso(usize),
    /// A number since 1970, of so many places: 6 seconds (with a fraction), 3 milliseconds, 0 microseconds.
    Epoch(u32),
    /// Any of these, with or without brackets; each stamp tells which. Whole numbers count seconds, or their thousandths,
    /// millionths or milliardths, by how many digits they have.
    Any,
    /// Whatever `strftime` makes of this, in the run's zone unless it says one.
    Strftime(String),
}

impl Capture<Field> {
    /// The fields that it writes.
    pub(crate) fn fields(&self) -> Fields {
        use Capture as C;
        let several: &[Field] = match self {
            C::Ignore | C::Blank(_) => &[],
            C::Address(first) | C::PortAndTarget(first) => {
                &[*first, Field::TARGET, Field::PATH, Field::QUERY]
            }
            C::Text(field) | C::Word(field) => &[*field],
            C::Number(field) | C::Size(field) | C::Sizes(field) => &[*field],
            C::User => &[Field::USER],
            C::Forwarded => &[Field::FORWARDED, Field::CLIENT],
            C::UpstreamTimes => &[Field::UPSTREAM_DURATION, Field::UPSTREAM_TRIES],
            C::Duration(field, _) | C::Durations(field) | C::Nanos(field) => &[*field],
            C::Upstreams => &[Field::UPSTREAM, Field::UPSTREAMS, Field::UPSTREAM_TRIES],
            C::UpstreamStatuses => &[Field::UPSTREAM_STATUS],
            C::Status => &[Field::STATUS, Field::CLASS, Field::KIND],
            C::Request => &[
                Field::REQUEST,
                Field::METHOD,
                Field::TARGET,
                Field::PATH,
                Field::QUERY,
                Field::PROTOCOL,
            ],
            C::Target => &[Field::TARGET, Field::PATH, Field::QUERY],
            C::Question => &[Field::QUERY],
            C::ConnectionState => &[Field::CONNECTION_STATE],
            C::Time(_) => &[Field::TIME],
        };
        Fields::of(several)
    }

    /// The same for a parser. Where nobody wants a text, there is nothing to be done: any text will do.
    pub(crate) fn bind(&self, layout: &Layout) -> Capture<Slot> {
        use Capture as C;
        let is_text = matches!(
            self,
            C::Text(_) | C::User | C::Request | C::Target | C::Question | C::Address(_)
        );
        if is_text && !self.fields().iter().any(|field| layout.slot(field).is_wanted()) {
            return C::Ignore;
        }
        match self {
            C::Ignore => C::Ignore,
            C::Blank(width) => C::Blank(*width),
            C::Text(field) => C::Text(layout.slot(*field)),
            C::Word(field) => C::Word(layout.slot(*field)),
            C::Address(host) => C::Address(layout.slot(*host)),
            C::PortAndTarget(port) => C::PortAndTarget(layout.slot(*port)),
            C::User => C::User,
            C::Forwarded => C::Forwarded,
            C::Number(field) => C::Number(layout.slot(*field)),
            C::Size(field) => C::Size(layout.slot(*field)),
            C::Sizes(field) => C::Sizes(layout.slot(*field)),
            C::Duration(field, places) => C::Duration(layout.slot(*field), *places),
            C::Durations(field) => C::Durations(layout.slot(*field)),
            C::Nanos(field) => C::Nanos(layout.slot(*field)),
            C::UpstreamTimes => C::UpstreamTimes,
            C::Upstreams => C::Upstreams,
            C::UpstreamStatuses => C::UpstreamStatuses,
            C::Status => C::Status,
            C::Request => C::Request,
            C::Target => C::Target,
            C::Question => C::Question,
            C::ConnectionState => C::ConnectionState,
            C::Time(stamp) => C::Time(stamp.clone()),
        }
    }

    /// How long its text always is, if it always is.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            Self::Time(Stamp::Clf) => Some(Clf::LEN),
            Self::Time(Stamp::FixedIso(width)) => Some(*width),
            Self::Time(Stamp::Strftime(format)) => strftime::width(format),
            Self::Blank(width) => Some(*width),
            _ => None,
        }
    }

    /// True for lists, whose items are joined by `, ` and ` : `, spaces and all.
    pub(crate) fn is_list(&self) -> bool {
        use Capture as C;
        matches!(
            self,
            C::Durations(_)
                | C::UpstreamTimes
                | C::Sizes(_)
                | C::Upstreams
                | C::UpstreamStatuses
                | C::Forwarded
                | C::Text(Field::FORWARDED)
        )
    }

    /// How likely its text holds what separates variables, where no quotes stand around it: agents hold anything, users
    /// hold spaces.
    pub(crate) fn looseness(&self) -> u8 {
        match self {
            Self::Text(Field::AGENT) => 2,
            Self::User => 1,
            _ => 0,
        }
    }
}

/// The slots of the fields that a web log has whatever its definition.
#[derive(Debug, Clone, Copy)]
struct Slots {
    time: Slot,
    user: Slot,
    class: Slot,
    kind: Slot,
    status: Slot,
    request: Slot,
    method: Slot,
    target: Slot,
    path: Slot,
    query: Slot,
    protocol: Slot,
    client: Slot,
    forwarded: Slot,
    upstream: Slot,
    upstreams: Slot,
    upstream_tries: Slot,
    upstream_duration: Slot,
    upstream_status: Slot,
    connection_state: Slot,
}

/// Reads captures into rows: what all web formats share, however they find the text of a variable.
#[derive(Debug)]
pub(crate) struct Reader {
    slots: Slots,
    clock: Clock,
    clf: Clf,
    minute: Minute,
    /// An empty text is absent as well as `-`.
    takes_empty_for_absent: bool,
    verdicts: Box<[(Label, Label); 1000]>,
    other: Verdicts,
    /// What the record of each row says about its own outcome.
    outcomes: Box<[Outcome; ROWS]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    status: Option<u16>,
    upstream_failed: bool,
    has_upstream_status: bool,
    aborted: bool,
}

/// The kinds that do not follow from the status alone.
#[derive(Debug, Clone, Copy)]
struct Verdicts {
    retried_upstream: Label,
    upstream_protocol: Label,
    client_abort: Label,
}

type Read = Result<(), Reason>;

impl Reader {
    /// A reader for one input on one thread.
    pub(crate) fn new(layout: &Layout, clock: Clock) -> Self {
        let slots = Slots {
            time: layout.slot(Field::TIME),
            user: layout.slot(Field::USER),
            class: layout.slot(Field::CLASS),
            kind: layout.slot(Field::KIND),
            status: layout.slot(Field::STATUS),
            request: layout.slot(Field::REQUEST),
            method: layout.slot(Field::METHOD),
            target: layout.slot(Field::TARGET),
            path: layout.slot(Field::PATH),
            query: layout.slot(Field::QUERY),
            protocol: layout.slot(Field::PROTOCOL),
            client: layout.slot(Field::CLIENT),
            forwarded: layout.slot(Field::FORWARDED),
            upstream: layout.slot(Field::UPSTREAM),
            upstreams: layout.slot(Field::UPSTREAMS),
            upstream_tries: layout.slot(Field::UPSTREAM_TRIES),
            upstream_duration: layout.slot(Field::UPSTREAM_DURATION),
            upstream_status: layout.slot(Field::UPSTREAM_STATUS),
            connection_state: layout.slot(Field::CONNECTION_STATE),
        };
        let other = Verdicts {
            retried_upstream: Label::of("retried_upstream"),
            upstream_protocol: Label::of("upstream_protocol"),
            client_abort: Label::of("client_abort"),
        };
        Self {
            slots,
            clock,
            clf: Clf::default(),
            minute: Minute::default(),
            takes_empty_for_absent: false,
            verdicts: verdicts_by_status(),
            other,
            outcomes: Box::new([Outcome::default(); ROWS]),
        }
    }

    /// The same for a log whose server writes nothing where it has nothing to say.
    pub(crate) fn with_empty_as_absent(self, takes_empty_for_absent: bool) -> Self {
        Self { takes_empty_for_absent, ..self }
    }

    /// True when a text says nothing.
    #[inline]
    fn is_absent(&self, text: &[u8]) -> bool {
        text == b"-" || self.takes_empty_for_absent && text.is_empty()
    }

    /// Begins the record of a row.
    #[inline]
    pub(crate) fn begin(&mut self, row: &Row<'_>) {
        self.outcomes[row.place()] = Outcome::default();
    }

    /// Begins the records of these rows.
    pub(crate) fn begin_all(&mut self, rows: &Rows<'_>) {
        self.outcomes[rows.places()].fill(Outcome::default());
    }

    /// Ends the records of these rows.
    pub(crate) fn end_all(&mut self, rows: &mut Rows<'_>) {
        if self.slots.class.is_wanted() || self.slots.kind.is_wanted() {
            (0..rows.places().len()).for_each(|number| self.end(&mut rows.row(number)));
        }
    }

    /// Reads the text of one variable, which stands at `at` in the piece.
    #[inline(always)] // The two cheapest captures are most of a line; a call costs more than either.
    pub(crate) fn read(
        &mut self,
        capture: &Capture<Slot>,
        text: &[u8],
        at: usize,
        row: &mut Row<'_>,
    ) -> Read {
        match capture {
            Capture::Ignore => {}
            Capture::Text(slot) => self.text(*slot, text, at, row),
            capture => return self.read_typed(capture, text, at, row),
        }
        Ok(())
    }

    /// Reads the text of one variable in each line of a batch, as [`read`](Self::read) does, and says in which lines it
    /// cannot be read: a bit a line. What is frequent has a loop of its own.
    pub(crate) fn read_all(
        &mut self,
        capture: &Capture<Slot>,
        texts: &Stretches<'_>,
        rows: &mut Rows<'_>,
    ) -> u64 {
        match capture {
            Capture::Ignore | Capture::Blank(_) => 0,
            Capture::Text(slot) => {
                let takes_empty = !self.takes_empty_for_absent;
                let column = rows.column(*slot).iter_mut();
                for (value, (text, at)) in column.zip(texts.iter()) {
                    if text != b"-" && (takes_empty || !text.is_empty()) {
                        *value = Value::from_span(Span::new(at, text.len()));
                    }
                }
                0
            }
            Capture::Status => self.statuses(texts, rows),
            Capture::Size(slot) => texts.convert(rows.column(*slot), size),
            Capture::User => texts.each(rows, |text, at, row| {
                self.user(text, at, row);
                Ok(())
            }),
            Capture::Time(Stamp::Clf) => {
                texts.convert(rows.column(self.slots.time), |text| self.instant(&Stamp::Clf, text))
            }
            Capture::Request => texts.each(rows, |text, at, row| {
                self.request(text, at, row);
                Ok(())
            }),
            _ => texts.each(rows, |text, at, row| self.read_typed(capture, text, at, row)),
        }
    }

    fn statuses(&mut self, texts: &Stretches<'_>, rows: &mut Rows<'_>) -> u64 {
        let mut outcomes = self.outcomes[rows.places()].iter_mut();
        texts.convert(rows.column(self.slots.status), |text| {
            // Before the text may turn out to be no status: each row has its own.
            let outcome = outcomes.next().expect("one a row");
            let value = status(text)?;
            outcome.status = value.number().map(|status| status as u16);
            Ok(value)
        })
    }

    fn read_typed(
        &mut self,
        capture: &Capture<Slot>,
        text: &[u8],
        at: usize,
        row: &mut Row<'_>,
    ) -> Read {
        match capture {
            Capture::Ignore | Capture::Blank(_) => {}
            Capture::Text(slot) => self.text(*slot, text, at, row),
            Capture::Word(_) if memchr::memchr(b' ', text).is_some() => {
                return Err(Reason::Malformed);
            }
            Capture::Word(slot) => self.text(*slot, text, at, row),
            Capture::User => self.user(text, at, row),
            Capture::Forwarded => self.forwarded(text, at, row),
            Capture::Status => return self.status(text, row),
            Capture::Request => self.request(text, at, row),
            Capture::Time(stamp) => row.set(self.slots.time, self.instant(stamp, text)?),
            Capture::Size(slot) => row.set_if_said(*slot, size(text)?),
            Capture::Number(slot) => return write_number(*slot, number::signed(text), text, row),
            Capture::Duration(slot, places) => {
                // Below zero stands for a time that nobody took: it is absent, not the shortest of all.
                return match number::scaled(text, *places) {
                    Some(..0) => Ok(()),
                    length => write_number(*slot, length, text, row),
                };
            }
            Capture::Nanos(slot) => {
                let length = number::integer(text).map(|nanos| nanos / 1000);
                return write_number(*slot, length, text, row);
            }
            Capture::Durations(slot) => {
                return sum(*slot, text, row, |item| number::scaled(item, 6));
            }
            Capture::UpstreamTimes => {
                self.tries(text, row);
                let slot = self.slots.upstream_duration;
                return sum(slot, text, row, |item| number::scaled(item, 6));
            }
            Capture::Sizes(slot) => return sum(*slot, text, row, number::integer),
            Capture::Upstreams => self.upstreams(text, at, row),
            Capture::UpstreamStatuses => self.upstream_statuses(text, at, row),
            Capture::Target => self.target(text, at, row),
            Capture::Question => self.question(text, at, row),
            Capture::Address(host) => self.address(*host, text, at, row),
            Capture::PortAndTarget(port) => return self.port_and_target(*port, text, at, row),
            Capture::ConnectionState => {
                self.outcomes[row.place()].aborted = text == b"X";
                // A dash is a state too: the connection is closed behind the answer.
                row.span(self.slots.connection_state, at, text.len());
            }
        }
        Ok(())
    }

    /// True when a text can be read so, whatever is made of it.
    pub(crate) fn fits(&mut self, capture: &Capture, text: &[u8]) -> bool {
        use Capture as C;
        let is_absent = matches!(text, b"-" | b"");
        let are = |read: fn(&[u8]) -> Option<i64>| {
            is_list(text) && items(text).all(|item| item == b"-" || read(item).is_some())
        };
        match capture {
            C::Status => status(text).is_ok(),
            C::Size(_) => size(text).is_ok(),
            C::Number(_) => is_absent || number::signed(text).is_some(),
            C::Duration(_, places) => is_absent || number::scaled(text, *places).is_some(),
            C::Nanos(_) => is_absent || number::integer(text).is_some(),
            C::Durations(_) | C::UpstreamTimes => are(|item| number::scaled(item, 6)),
            C::Sizes(_) => are(number::integer),
            C::Blank(width) => text.len() == *width,
            C::Time(stamp) => self.instant(stamp, text).is_ok(),
            C::PortAndTarget(_) => port_len(text) > 0,
            _ => true,
        }
    }

    /// Ends a record: its class and kind follow from all that was read.
    #[inline]
    pub(crate) fn end(&mut self, row: &mut Row<'_>) {
        let outcome = self.outcomes[row.place()];
        let Outcome { status, upstream_failed, has_upstream_status, aborted } = outcome;
        let Some(status) = status else { return };
        let (mut class, mut kind) = self.verdicts[usize::from(status)];
        if status == 9 && has_upstream_status {
            (class, kind) = (Label::WARN, self.other.upstream_protocol);
        } else if upstream_failed && class == Label::OK {
            (class, kind) = (Label::WARN, self.other.retried_upstream);
        } else if aborted && class == Label::OK {
            (class, kind) = (Label::WARN, self.other.client_abort);
        }
        row.label(self.slots.class, class);
        row.label(self.slots.kind, kind);
    }

    #[inline]
    fn text(&self, slot: Slot, text: &[u8], at: usize, row: &mut Row<'_>) {
        if !self.is_absent(text) {
            row.span(slot, at, text.len());
        }
    }

    fn forwarded(&self, text: &[u8], at: usize, row: &mut Row<'_>) {
        self.text(self.slots.forwarded, text, at, row);
        let first = text.split(|byte| *byte == b',').next().unwrap_or_default();
        self.text(self.slots.client, first, at, row);
    }

    #[inline]
    fn user(&self, text: &[u8], at: usize, row: &mut Row<'_>) {
        let text = if text == b"\"\"" { b"" } else { text };
        self.text(self.slots.user, text, at, row);
    }

    #[inline]
    fn status(&mut self, text: &[u8], row: &mut Row<'_>) -> Read {
        let value = status(text)?;
        self.outcomes[row.place()].status = value.number().map(|status| status as u16);
        row.set_if_said(self.slots.status, value);
        Ok(())
    }

    #[inline(always)] // Mostly the stamp is known, and then this is one of its arms.
    fn instant(&mut self, stamp: &Stamp, text: &[u8]) -> Result<Value, Reason> {
        let instant = match stamp {
            Stamp::Clf => text.try_into().ok().and_then(|text| self.clf.parse(text)),
            Stamp::Iso | Stamp::FixedIso(_) => self.iso(text),
            Stamp::Epoch(places) => number::scaled(text, *places),
            Stamp::Any => self.any(text),
            Stamp::Strftime(format) => self.strftime(format, text),
        };
        instant.map(Value::from_number).ok_or(Reason::BadTime)
    }

    #[inline]
    fn iso(&mut self, text: &[u8]) -> Option<i64> {
        let (head, rest) = text.split_at_checked(17)?;
        let is_tail = |byte: &u8| !byte.is_ascii_digit() && !matches!(byte, b'.' | b',');
        let (seconds, tail) = rest.split_at(rest.iter().position(is_tail).unwrap_or(rest.len()));
        let Self { minute, clock, .. } = self;
        minute.instant(head, seconds, tail, || time::iso(text).map(|stamp| clock.iso(stamp)))
    }

    fn any(&mut self, text: &[u8]) -> Option<i64> {
        let text = match text {
            [b'[', inner @ .., b']'] => inner,
            text => text,
        };
        match text {
            [_, _, b'/', ..] => text.try_into().ok().and_then(|text| self.clf.parse(text)),
            [_, _, _, _, b'-', ..] => self.iso(text),
            _ => epoch(text),
        }
    }

    #[cold]
    fn strftime(&mut self, format: &str, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(time) = chrono::DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_micros());
        }
        let time = chrono::NaiveDateTime::parse_from_str(text, format).ok()?;
        Some(self.clock.instant(time.and_utc().timestamp_micros()))
    }

    /// Takes a request line apart. What is none (TLS bytes on a plain port, nothing at all) stays whole in `request`
    /// and has no method and no path.
    #[inline(always)] // Beside the loop over a batch there is one caller.
    fn request(&mut self, text: &[u8], at: usize, row: &mut Row<'_>) {
        if self.is_absent(text) {
            return;
        }
        row.span(self.slots.request, at, text.len());
        let Some((method, protocol)) = request::ends(text) else { return };
        row.span(self.slots.method, at, method);
        if protocol < text.len() {
            row.span(self.slots.protocol, at + protocol + 1, text.len() - protocol - 1);
        }
        self.target(&text[method + 1..protocol], at + method + 1, row);
    }

    #[inline(always)] // Most of what a request is.
    fn target(&mut self, target: &[u8], at: usize, row: &mut Row<'_>) {
        if self.is_absent(target) {
            return;
        }
        row.span(self.slots.target, at, target.len());
        if !self.slots.path.is_wanted() && !self.slots.query.is_wanted() {
            return;
        }
        let start = if target.first() == Some(&b'/') { 0 } else { request::path_start(target) };
        let path = &target[start..];
        let end = scan::find(b'?', path, 0, path.len()).unwrap_or(path.len());
        row.span(self.slots.path, at + start, end);
        if end < path.len() {
            row.span(self.slots.query, at + start + end + 1, path.len() - end - 1);
        }
    }

    /// A host has no slash, and a target begins with one.
    fn address(&mut self, host: Slot, text: &[u8], at: usize, row: &mut Row<'_>) {
        let (mut name, target) = text.split_at(memchr(b'/', text).unwrap_or(text.len()));
        if target.is_empty() && name.len() > 1 {
            // There was no request: the dash is that of the target, which no host ends in.
            name = name.strip_suffix(b"-").unwrap_or(name);
        }
        self.text(host, name, at, row);
        if !target.is_empty() {
            self.target(target, at + name.len(), row);
        }
    }

    /// Where there is no request, a dash stands for the target.
    fn port_and_target(&mut self, port: Slot, text: &[u8], at: usize, row: &mut Row<'_>) -> Read {
        let digits = port_len(text);
        if digits == 0 {
            return Err(Reason::Malformed);
        }
        write_number(port, number::signed(&text[..digits]), &text[..digits], row)?;
        self.target(&text[digits..], at + digits, row);
        Ok(())
    }

    fn question(&self, text: &[u8], at: usize, row: &mut Row<'_>) {
        if let [b'?', query @ ..] = text {
            row.span(self.slots.query, at + 1, query.len());
        }
    }

    fn upstreams(&mut self, text: &[u8], at: usize, row: &mut Row<'_>) {
        if text == b"-" || text.is_empty() {
            return;
        }
        row.span(self.slots.upstreams, at, text.len());
        let last = items(text).last().unwrap_or(text);
        row.span(self.slots.upstream, at + text.len() - last.len(), last.len());
        if self.slots.upstream_tries.is_wanted() {
            row.number(self.slots.upstream_tries, items(text).count() as i64);
        }
    }

    /// Counts the tries where the list of servers does not.
    fn tries(&self, text: &[u8], row: &mut Row<'_>) {
        let tries = self.slots.upstream_tries;
        let is_said = !matches!(text, b"-" | b"") && tries.is_wanted();
        if is_said && row.get(tries).is_absent() {
            row.number(tries, items(text).count() as i64);
        }
    }

    fn upstream_statuses(&mut self, text: &[u8], at: usize, row: &mut Row<'_>) {
        self.text(self.slots.upstream_status, text, at, row);
        let outcome = &mut self.outcomes[row.place()];
        outcome.has_upstream_status = !matches!(text, b"-" | b"");
        outcome.upstream_failed = items(text).any(|item| matches!(item, [b'5', _, _]));
    }
}

/// How much of a text is a port, or the dash of one that is absent.
fn port_len(text: &[u8]) -> usize {
    match text {
        [b'-', b'/' | b'-', ..] => 1,
        text => text.iter().take_while(|byte| byte.is_ascii_digit()).count(),
    }
}

/// An instant as a number since 1970.
fn epoch(text: &[u8]) -> Option<i64> {
    match text.iter().position(|byte| *byte == b'.').unwrap_or(text.len()) {
        0..=11 => number::scaled(text, 6),
        12..=14 => number::scaled(text, 3),
        15..=17 => number::scaled(text, 0),
        _ => Some(number::integer(text)? / 1000),
    }
}

#[inline]
fn status(text: &[u8]) -> Result<Value, Reason> {
    let &[a, b, c] = text else {
        return if text == b"-" { Ok(Value::ABSENT) } else { Err(Reason::Malformed) };
    };
    let digits = [a, b, c].map(|byte| byte.wrapping_sub(b'0'));
    if digits.iter().any(|digit| *digit > 9) {
        return Err(Reason::Malformed);
    }
    let [a, b, c] = digits.map(i64::from);
    Ok(Value::from_number(a * 100 + b * 10 + c))
}

#[inline]
fn size(text: &[u8]) -> Result<Value, Reason> {
    match number::integer(text) {
        Some(size) => Ok(Value::from_number(size)),
        None if text == b"-" => Ok(Value::ABSENT),
        None => Err(Reason::Malformed),
    }
}

#[inline]
fn write_number(slot: Slot, number: Option<i64>, text: &[u8], row: &mut Row<'_>) -> Read {
    match (number, text) {
        (Some(number), _) => row.number(slot, number),
        (None, b"-" | b"") => {}
        (None, _) => return Err(Reason::Malformed),
    }
    Ok(())
}

/// True when every space of a list of tries stands beside a comma or a lone colon.
fn is_list(text: &[u8]) -> bool {
    let mut spaces = memchr::memchr_iter(b' ', text);
    spaces.all(|at| {
        text[..at].ends_with(b",") || text[..at].ends_with(b" :") || text[at..].starts_with(b" : ")
    })
}

/// The items of a list of tries. Tries of one group are joined by `, `, groups by ` : `.
fn items(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b',')).filter(|item| !item.is_empty() && *item != b":")
}

/// Writes the sum of the items that are numbers, none of them below zero; a list without any is absent.
fn sum(slot: Slot, text: &[u8], row: &mut Row<'_>, read: fn(&[u8]) -> Option<i64>) -> Read {
    if !is_list(text) {
        return Err(Reason::Malformed);
    }
    let mut total = None;
    for item in items(text).filter(|item| *item != b"-") {
        let number = read(item).ok_or(Reason::Malformed)?;
        if number < 0 {
            continue;
        }
        total = Some(total.unwrap_or(0_i64).saturating_add(number));
    }
    if let Some(total) = total {
        row.number(slot, total);
    }
    Ok(())
}

/// Class and kind by status. Nginx has statuses of its own: 444 and 494 to 499; 000 means that nothing was sent, 009
/// an answer of HTTP/0.9. Of what holds a status the last counts.
fn verdicts_by_status() -> Box<[(Label, Label); 1000]> {
    let rules = [
        (0..=999, Label::WARN, "http_other"),
        (0..=0, Label::WARN, "no_response"),
        (9..=9, Label::OK, "http_2xx"),
        (100..=199, Label::OK, "http_1xx"),
        (200..=299, Label::OK, "http_2xx"),
        (300..=399, Label::OK, "http_3xx"),
        (400..=493, Label::WARN, "http_4xx"),
        (444..=444, Label::WARN, "rejected"),
        (494..=498, Label::WARN, "rejected"),
        (499..=499, Label::WARN, "client_abort"),
        (500..=599, Label::ERROR, "http_5xx"),
        (502..=502, Label::ERROR, "http_502"),
        (503..=503, Label::ERROR, "http_503"),
        (504..=504, Label::ERROR, "http_504"),
    ];
    let mut verdicts = Box::new([(Label::WARN, Label::WARN); 1000]);
    for (statuses, class, kind) in rules {
        verdicts[statuses].fill((class, Label::of(kind)));
    }
    verdicts
}
