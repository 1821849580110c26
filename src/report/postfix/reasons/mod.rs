//! Why mail was put off, bounced, refused, held; warnings and failures; sessions that broke off; logins; TLS.
//!
//! A section for each [`topic::Topic`], a row for each different combination of its columns, with its count and its first
//! and last time. Reasons stand there in common words ([`super::reason`]), and what they are about is told from these
//! words at the end; the rows of a topic that log lines can fill without end (clients, users) are bounded by the memory
//! for all topics together. Clients are counted by symbol: they are numbered anyway, and there are many.

mod tables;
mod topic;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use self::tables::{Row, client_of, refusals, refused_clients, section};
use self::topic::TOPICS;
use super::super::{Closing, Needs, Renumberings, Report};
use super::reason::normalise;
use super::what::{self, What, Whats};
use crate::document::{Note, Section};
use crate::record::number::integer;
use crate::record::{Field, Label, Records, Symbol};
use crate::tally::{Dictionary, PerSymbol};
use crate::units;

/// For the texts of all rows, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// Different clients of all topics together: some 50 MB.
const MOST_CLIENTS: usize = 1 << 20;

/// Stands between the parts of a key. Postfix replaces control bytes, so that no text holds it.
const BETWEEN: u8 = 0x1F;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Reasons {
    whats: Whats,
    warning: i64,
}

impl Reasons {
    /// About all topics.
    pub(in super::super) fn new() -> Self {
        Self { whats: Whats::new(), warning: Label::of("warning").number() }
    }
}

/// How often, and when.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    count: u64,
    first: i64,
    last: i64,
    /// The largest number that was told, where a topic has one.
    most: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { count: 0, first: i64::MAX, last: i64::MIN, most: 0 }
    }
}

impl Seen {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.most = self.most.max(other.most);
    }

    /// Once, then.
    fn once(time: Option<i64>) -> Self {
        let (first, last) = (time.unwrap_or(i64::MAX), time.unwrap_or(i64::MIN));
        Self { count: 1, first, last, most: 0 }
    }
}

/// What was counted: keys are the number of the topic and the texts of its columns. Where a client is the last of them,
/// the key has the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    keys: Dictionary,
    seen: PerSymbol<Seen>,
    /// By a key in the upper half and a client in the lower.
    clients: HashMap<u64, Seen, RandomState>,
    /// How many records met a full table of clients.
    lost: u64,
    /// Clients that were refused.
    refused_clients: PerSymbol<Seen>,
    /// The key of the TLS connection before: the next one is like it, nearly always.
    #[serde(skip)]
    latest_tls: Option<(Vec<u8>, Symbol)>,
}

impl State {
    #[inline]
    fn see(&mut self, key: Symbol, client: Symbol, seen: Seen) {
        let pair = u64::from(key.0) << 32 | u64::from(client.0);
        let is_full = self.clients.len() >= MOST_CLIENTS;
        match self.clients.get_mut(&pair) {
            Some(known) => known.merge(seen),
            None if is_full || key == Symbol::OTHER => self.lost += seen.count,
            None => {
                self.clients.insert(pair, seen);
            }
        }
    }
}

/// A key in the making, for one record.
struct Key<'s> {
    state: &'s mut State,
    time: Option<i64>,
    /// The client of the record.
    client: Symbol,
    room: &'s mut Vec<u8>,
}

impl Key<'_> {
    /// Counts the record for a topic, under these texts.
    fn add(&mut self, topic: u8, parts: &[&[u8]]) {
        self.begin(topic);
        for part in parts {
            self.room.push(BETWEEN);
            self.room.extend_from_slice(part);
        }
        self.end();
    }

    /// The same, with a reason in common words behind the texts.
    fn add_reason(&mut self, topic: u8, parts: &[&[u8]], reason: &[u8]) {
        self.begin(topic);
        for part in parts {
            self.room.push(BETWEEN);
            self.room.extend_from_slice(part);
        }
        self.room.push(BETWEEN);
        normalise(reason, self.room);
        self.end();
    }

    fn begin(&mut self, topic: u8) {
        self.room.clear();
        self.room.push(topic);
    }

    fn end(&mut self) {
        let symbol = self.state.keys.intern(self.room);
        self.state.seen.at(symbol).merge(Seen::once(self.time));
    }

    /// Counts the record for a topic, under these texts and its client.
    fn add_client(&mut self, topic: u8, parts: &[&[u8]]) {
        self.begin(topic);
        for part in parts {
            self.room.push(BETWEEN);
            self.room.extend_from_slice(part);
        }
        let key = self.state.keys.intern(self.room);
        self.state.see(key, self.client, Seen::once(self.time));
    }

    /// Counts a number for a topic, of which the largest is shown.
    fn add_number(&mut self, topic: u8, parts: &[&[u8]], number: u64) {
        self.add(topic, parts);
        let symbol = self.state.keys.intern(self.room);
        let seen = self.state.seen.at(symbol);
        seen.most = seen.most.max(number);
    }

    fn add_tls(&mut self, parts: &[&[u8]]) {
        self.begin(topic::TLS);
        for part in parts {
            self.room.push(BETWEEN);
            self.room.extend_from_slice(part);
        }
        if let Some((key, symbol)) = &self.state.latest_tls
            && key == self.room
        {
            return self.state.seen.at(*symbol).merge(Seen::once(self.time));
        }
        let symbol = self.state.keys.intern(self.room);
        self.state.seen.at(symbol).merge(Seen::once(self.time));
        self.state.latest_tls = Some((self.room.clone(), symbol));
    }
}

impl Report for Reasons {
    type State = State;

    fn name(&self) -> String {
        "mail_reasons".to_owned()
    }

    fn needs(&self) -> Needs {
        let fields = Needs::required(&[Field::KIND]).optional(&what::FIELDS).optional(&[
            Field::TIME,
            Field::LEVEL,
            Field::PROGRAM,
            Field::RELAY,
            Field::REASON,
            Field::STAGE,
            Field::REPLY,
            Field::ACTION,
            Field::CLIENT,
            Field::RECIPIENT_DOMAIN,
            Field::RULE,
            Field::MESSAGE,
            Field::SASL_METHOD,
            Field::SASL_USER,
            Field::TLS_TRUST,
            Field::TLS_VERSION,
            Field::TLS_CIPHER,
            Field::TLS_FEATURES,
        ]);
        fields.by_symbol(&[Field::CLIENT])
    }

    fn start(&self) -> State {
        State {
            keys: Dictionary::new(MOST_BYTES),
            seen: PerSymbol::default(),
            clients: HashMap::default(),
            lost: 0,
            refused_clients: PerSymbol::default(),
            latest_tls: None,
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let Some(seen) = what::Seen::of(records) else { return };
        let levels = records.column(Field::LEVEL).unwrap_or_default();
        let features = records.column(Field::TLS_FEATURES).unwrap_or_default();
        let clients = records.symbols(Field::CLIENT).unwrap_or_default();
        let mut room = Vec::new();
        for (row, what) in self.whats.rows(seen) {
            let level = levels.get(row).and_then(|level| level.number());
            let is_featured = features.get(row).is_some_and(|features| !features.is_absent());
            if level.is_none() && !is_featured && is_silent(what) {
                continue;
            }
            let time = records.number(Field::TIME, row);
            let client = clients.get(row).copied().unwrap_or_default();
            let mut key = Key { state: &mut *state, time, client, room: &mut room };
            let text = |field| records.text(field, row).unwrap_or_default();
            if level == Some(self.warning) && what != What::AuthFail {
                key.add_reason(topic::WARNINGS, &[text(Field::PROGRAM)], text(Field::MESSAGE));
            }
            if is_featured {
                key.add(topic::TLS_FEATURES, &[text(Field::TLS_FEATURES)]);
            }
            let number = |field| records.number(field, row);
            count(&mut key, what, &text, &number);
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let renumbering = into.keys.absorb(&from.keys);
        into.seen.merge(from.seen, &renumbering, Seen::merge);
        let clients = renumberings.of(Field::CLIENT);
        into.lost += from.lost;
        into.refused_clients.merge(from.refused_clients, clients, Seen::merge);
        for (pair, seen) in from.clients {
            let (key, client) = (Symbol((pair >> 32) as u32), Symbol(pair as u32));
            into.see(renumbering.of(key), clients.of(client), seen);
        }
    }

    fn finish(&self, state: State, closing: &Closing<'_>) -> Vec<Section> {
        let with_clients = state.clients.iter().map(|(pair, seen)| {
            let mut key = state.keys.text(Symbol((pair >> 32) as u32)).to_vec();
            key.push(BETWEEN);
            key.extend_from_slice(client_of(closing, Symbol(*pair as u32)));
            (key, *seen)
        });
        let with_clients: Vec<(Vec<u8>, Seen)> = with_clients.collect();
        let mut rows: Vec<Vec<Row<'_>>> = TOPICS.iter().map(|_| Vec::new()).collect();
        let alone =
            state.seen.iter().filter(|(symbol, seen)| seen.count > 0 && *symbol != Symbol::OTHER);
        let alone = alone.map(|(symbol, seen)| (state.keys.text(symbol), seen));
        for (key, seen) in alone.chain(with_clients.iter().map(|(key, seen)| (&key[..], seen))) {
            let [topic, key @ ..] = key else { continue };
            // A state that someone forged may name a topic that there is not.
            if let Some(rows) = rows.get_mut(usize::from(*topic)) {
                rows.push((key, *seen));
            }
        }
        let lost = state.seen.get(Symbol::OTHER).map_or(0, |seen| seen.count) + state.lost;
        let mut sections = Vec::new();
        for (number, (topic, rows_of)) in (0..).zip(TOPICS.iter().zip(&rows)) {
            if number == topic::REJECTS {
                sections.extend(refusals(&rows, closing));
                sections.extend(refused_clients(&state.refused_clients, closing));
            }
            if !rows_of.is_empty() {
                sections.push(section(topic, rows_of.clone(), closing));
            }
        }
        if lost > 0 {
            let lost = units::count(lost);
            let text = format!("{lost} records of the mail tables did not fit into memory");
            sections.iter_mut().for_each(|section| section.notes.push(Note::warning(&text)));
        }
        sections
    }
}

/// True for what no topic is about, unless the record has a level or TLS features.
#[inline]
fn is_silent(what: What) -> bool {
    use What::{Active, Connect, Disconnect, Other, Removed, Sent};
    matches!(what, Sent | Active | Removed | Connect | Disconnect | Other)
}

/// Counts one record for its topics.
fn count<'a>(
    key: &mut Key<'_>,
    what: What,
    text: &impl Fn(Field) -> &'a [u8],
    number: &impl Fn(Field) -> Option<i64>,
) {
    match what {
        What::Received if !text(Field::SASL_USER).is_empty() => {
            key.add(topic::LOGGED_IN, &[text(Field::SASL_USER), text(Field::SASL_METHOD)]);
            key.add_client(topic::LOGGED_IN_FROM, &[text(Field::SASL_USER)]);
        }
        What::Deferred => deferral(key, text),
        What::Bounced => {
            key.add_reason(topic::BOUNCES, &[text(Field::RELAY)], text(Field::REASON));
        }
        What::Verified => {
            let word = number(Field::DELIVERY).map_or("", |word| Label::from_number(word).word());
            key.add_reason(topic::VERIFICATIONS, &[word.as_bytes()], text(Field::REASON));
        }
        What::RejectTemporary | What::RejectPermanent | What::ContentReject => reject(key, text),
        What::Policy => {
            let parts = [text(Field::ACTION), text(Field::STAGE)];
            key.add_reason(topic::POLICIES, &parts, text(Field::REASON));
            screened(key, text);
        }
        What::Greylisted => service(key, text, "greylisting"),
        What::PolicyPass => service(key, text, "pass"),
        What::PolicyRefused => service(key, text, "refuse"),
        What::Spf => service(key, text, "SPF"),
        What::Dkim => service(key, text, "DKIM"),
        What::Dmarc => service(key, text, "DMARC"),
        What::PolicyTrouble => {
            let message = text(Field::MESSAGE);
            key.add_reason(topic::SERVICE_TROUBLES, &[text(Field::PROGRAM)], message);
        }
        What::RelayTrouble => {
            let message = text(Field::MESSAGE);
            key.add_reason(topic::RELAY_TROUBLES, &[text(Field::PROGRAM)], message);
        }
        What::ConnectFailed => {
            key.add(topic::CONNECT_FAILURES, &[text(Field::RELAY), text(Field::REASON)]);
        }
        What::Session => {
            key.add(topic::BROKEN, &[text(Field::ACTION), text(Field::STAGE)]);
            key.add_client(topic::BROKEN_CLIENTS, &[text(Field::ACTION)]);
            screened(key, text);
        }
        What::Screened => screened(key, text),
        What::Listed => key.add(topic::DNSBL, &[text(Field::RULE)]),
        What::Statistics => rate(key, text),
        What::TlsOffered => key.add(topic::TLS_OFFERED, &[text(Field::RELAY)]),
        What::AuthFail => {
            key.add_client(topic::LOGIN_CLIENTS, &[text(Field::SASL_METHOD)]);
            key.add(topic::LOGIN_USERS, &[text(Field::SASL_USER), text(Field::REASON)]);
        }
        What::Tls => {
            let direction = if text(Field::CLIENT).is_empty() { "out" } else { "in" };
            let [trust, version, cipher] =
                [Field::TLS_TRUST, Field::TLS_VERSION, Field::TLS_CIPHER].map(text);
            key.add_tls(&[direction.as_bytes(), trust, version, cipher]);
        }
        What::Fatal => {
            let level = number(Field::LEVEL).map_or("", |level| Label::from_number(level).word());
            let parts = [level.as_bytes(), text(Field::PROGRAM)];
            key.add_reason(topic::FATALS, &parts, text(Field::MESSAGE));
        }
        What::Lifecycle => key.add(topic::MASTER, &[text(Field::PROGRAM), text(Field::MESSAGE)]),
        _ => {}
    }
}

fn deferral<'a>(key: &mut Key<'_>, text: &impl Fn(Field) -> &'a [u8]) {
    let reason = text(Field::REASON);
    key.add_reason(topic::DEFERRALS, &[text(Field::PROGRAM)], reason);
    if reason.starts_with(b"delivery temporarily suspended") {
        key.add_reason(topic::SUSPENDED, &[text(Field::RECIPIENT_DOMAIN)], reason);
    }
}

/// What a service beside Postfix decided, about what.
fn service<'a>(key: &mut Key<'_>, text: &impl Fn(Field) -> &'a [u8], about: &str) {
    let parts = [text(Field::PROGRAM), about.as_bytes(), text(Field::ACTION)];
    key.add_reason(topic::SERVICES, &parts, text(Field::REASON));
}

fn reject<'a>(key: &mut Key<'_>, text: &impl Fn(Field) -> &'a [u8]) {
    let reason = text(Field::REASON);
    key.add_reason(topic::REJECTS, &[text(Field::STAGE), text(Field::REPLY)], reason);
    if key.client != Symbol::ABSENT {
        key.state.refused_clients.at(key.client).merge(Seen::once(key.time));
    }
    if let Some((what, who)) = about(reason) {
        key.add(topic::REFUSED, &[what, who]);
    }
    if !text(Field::RULE).is_empty() {
        key.add(topic::LISTS, &[text(Field::RULE)]);
    }
}

/// `<jo@a.example>: Recipient address rejected: …`: whom a refusal is about, as what.
fn about(reason: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memmem::find(reason.strip_prefix(b"<")?, b">: ")?;
    let (who, rest) = (&reason[1..=end], &reason[end + 4..]);
    let what = &rest[..memchr::memchr2(b' ', b':', rest).unwrap_or(rest.len())];
    Some((what, who))
}

fn screened<'a>(key: &mut Key<'_>, text: &impl Fn(Field) -> &'a [u8]) {
    if text(Field::PROGRAM) == b"postscreen" {
        key.add(topic::POSTSCREEN, &[text(Field::ACTION)]);
    }
}

/// `statistics: max connection rate 3/60s for (smtp:192.0.2.7) at Mar  7 09:15:02`
fn rate<'a>(key: &mut Key<'_>, text: &impl Fn(Field) -> &'a [u8]) {
    let message = text(Field::MESSAGE);
    let Some(said) = message.strip_prefix(b"statistics: max ") else { return };
    let Some(digit) = said.iter().position(u8::is_ascii_digit) else { return };
    let (statistic, number) = said.split_at(digit);
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = integer(&number[..digits]).unwrap_or(0) as u64;
    key.add_number(topic::RATES, &[statistic.trim_ascii_end(), text(Field::CLIENT)], number);
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Dice, Made, check_form, check_merging, column, sections};
    use super::super::super::{AnyReport, Options};
    use super::*;
    use crate::document::Cell;
    use crate::format::Family;

    fn record(fields: &[(Field, &str)]) -> Made {
        fields.iter().map(|(field, value)| (*field, (*value).to_owned())).collect()
    }

    fn told(records: &[Made]) -> Vec<Section> {
        let report: Box<dyn AnyReport> = Box::new(Reasons::new());
        let found = sections(&*report, Family::Postfix, &Options::default(), records);
        found.iter().for_each(check_form);
        found
    }

    #[test]
    fn the_same_reason_is_one_row() {
        let deferred = |host: &str, reason: &str| {
            let reason = reason.replace("HOST", host);
            record(&[(Field::KIND, "deferred"), (Field::PROGRAM, "smtp"), (Field::REASON, &reason)])
        };
        let found = told(&[
            deferred("mx.a[192.0.2.7]", "connect to HOST:25: Connection refused"),
            deferred("mx.b[192.0.2.8]", "connect to HOST:25: Connection refused"),
            deferred(
                "mx.b[192.0.2.8]",
                "host HOST said: 450 4.2.0 <u@b>: Greylisted, id 4F9D195432E (in reply to RCPT TO command)",
            ),
        ]);
        assert_eq!(column(&found, "deferrals", "count"), [Cell::Count(2), Cell::Count(1)]);
        let categories = [Cell::text("refused"), Cell::text("greylist")];
        assert_eq!(column(&found, "deferrals", "category"), categories);
        let reasons = column(&found, "deferrals", "reason");
        assert_eq!(reasons[1], Cell::text("450 4.2.0 <>: Greylisted, id ID"));
    }

    #[test]
    fn logins_and_what_they_sent() {
        let found = told(&[
            record(&[
                (Field::KIND, "received"),
                (Field::SASL_USER, "jo"),
                (Field::SASL_METHOD, "PLAIN"),
            ]),
            record(&[(Field::KIND, "received")]),
            record(&[
                (Field::KIND, "auth_fail"),
                (Field::LEVEL, "warning"),
                (Field::CLIENT, "192.0.2.7"),
            ]),
        ]);
        assert_eq!(column(&found, "logged_in", "count"), [Cell::Count(1)]);
        assert_eq!(column(&found, "login_clients", "client"), [Cell::text("192.0.2.7")]);
        assert!(found.iter().all(|section| section.name != "warnings"));
    }

    #[test]
    fn merging_changes_nothing() {
        let mut dice = Dice(8);
        let kinds =
            ["deferred", "bounced", "reject_5xx", "policy", "session", "auth_fail", "tls", "fatal"];
        let records: Vec<Made> = (0..1_500)
            .map(|at| {
                let kind = kinds[dice.below(kinds.len())];
                let reason = format!("{} words", ["some", "more"][dice.below(2)]);
                let client = format!("192.0.2.{}", dice.below(40));
                let time = (at * 1_000).to_string();
                record(&[
                    (Field::TIME, &time),
                    (Field::KIND, kind),
                    (Field::REASON, &reason),
                    (Field::CLIENT, &client),
                    (Field::LEVEL, ["warning", "fatal"][dice.below(2)]),
                ])
            })
            .collect();
        let report: Box<dyn AnyReport> = Box::new(Reasons::new());
        check_merging(&*report, Family::Postfix, &Options::default(), &records);
    }
}
