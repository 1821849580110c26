//! Which format is this? The one whose parser accepts most of the first records.
//!
//! Every format of the table reads the same sample. Where two accept as much, the one wins that makes more of a
//! record: a line of `timed` is also one of a looser format, and has more to say as what it is. A format needs three
//! fifths of the records that it had something to understand in; below that nothing is guessed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Entry, FORMATS, Family, Format, Room};
use crate::input::Framing;
use crate::ledger::{Account, Reason};
use crate::record::time::Clock;
use crate::record::{Block, Field, Fields, Layout, Origin};

/// How much of an input is looked at, in bytes.
pub const HEAD_BYTES: usize = 256 << 10;
/// How many lines of it are read at most.
const LINES: usize = 400;
/// How many lines tell which formats are worth trying on all of those,
const FEW_LINES: usize = 40;
/// if one format understands so many records in them.
const MANY: u64 = 5;
/// The part of the records that a format has to accept.
pub const LEAST_SHARE: f64 = 0.6;

/// What was found.
#[derive(Debug, Clone)]
pub struct Detection {
    /// The format.
    pub format: Arc<dyn Format>,
    /// How well it fits.
    pub fit: Fit,
    /// The next best and how well that fits, where it comes close.
    pub runner_up: Option<(String, Fit)>,
}

/// How a format fits a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Records that it accepts.
    pub accepted: u64,
    /// Records in which there was something to understand.
    pub records: u64,
    /// Records that it leaves to other programs.
    pub others: u64,
    /// The earliest instant in them, in microseconds.
    pub first: Option<i64>,
}

impl Fit {
    /// The part of the records that it accepts.
    pub fn share(&self) -> f64 {
        if self.records == 0 { 0.0 } else { self.accepted as f64 / self.records as f64 }
    }
}

/// How a format fits the beginning of an input. `is_whole` says that the input ends there.
pub fn fit(format: &dyn Format, head: &[u8], is_whole: bool, clock: &Clock) -> Fit {
    fit_in(&mut Room::new(trial_layout()), format, head, is_whole, clock)
}

/// What a trial reads.
fn trial_layout() -> Layout {
    Layout::new(Fields::of(&[Field::TIME]), Fields::NONE)
}

fn fit_in(room: &mut Room, format: &dyn Format, head: &[u8], is_whole: bool, clock: &Clock) -> Fit {
    let mut parser = format.parser(&trial_layout(), clock.clone());
    let (mut account, mut first) = (Account::default(), None::<i64>);
    let text = sample(parser.framing(), head, is_whole);
    let mut sink = |block: &mut Block, account: &mut Account| {
        account.counted.records += block.len() as u64;
        let records = block.records(text);
        let times = records.column(Field::TIME).into_iter().flatten();
        first = times.filter_map(|time| time.number()).chain(first).min();
    };
    parser.scan(text, Origin::default(), room, &mut account, &mut sink);
    let accepted = account.counted.records;
    // Nobody claims what he cannot read.
    let claimed = (accepted > 0).then(|| format.claims(text)).flatten();
    let claimed = claimed.map_or(accepted, |claimed| claimed.min(accepted));
    let records = account.read.records - account.skipped().records;
    let others = others_in(&account);
    Fit { accepted: claimed.min(records), records, others, first }
}

fn others_in(account: &Account) -> u64 {
    account.refused(Reason::OtherProgram).map_or(0, |refused| refused.amount.records)
}

/// The records of a text that a format refuses.
pub fn refused(format: &dyn Format, text: &[u8], clock: &Clock) -> Vec<u8> {
    records_where(format, text, clock, |account| account.rejected().records > 0)
}

/// The records of a text of which the account says so; it says so too of records together when it does of one of them.
fn records_where(
    format: &dyn Format,
    text: &[u8],
    clock: &Clock,
    says: impl Fn(&Account) -> bool,
) -> Vec<u8> {
    let (mut room, mut parser) =
        (Room::new(trial_layout()), format.parser(&trial_layout(), clock.clone()));
    let framing = parser.framing();
    let mut holds = |records: &[u8]| {
        let mut account = Account::default();
        parser.scan(records, Origin::default(), &mut room, &mut account, &mut |_, _| {});
        says(&account)
    };
    let mut found = Vec::new();
    for portion in portions(text) {
        // Mostly there are none.
        if holds(portion) {
            let records = records(framing, portion);
            records.filter(|record| holds(record)).for_each(|record| found.extend(record));
        }
    }
    found
}

/// The records of a text: lines, with those behind them that begin none.
fn records(framing: Framing, text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut ends = memchr::memchr_iter(b'\n', rest).map(|end| end + 1);
        let is_end = |end: &usize| framing.opens(rest, *end, true) != Some(false);
        let end = ends.find(is_end).unwrap_or(rest.len());
        let record;
        (record, rest) = rest.split_at(end);
        (!record.is_empty()).then_some(record)
    })
}

/// A text in portions of whole lines, so that trying one takes little memory.
fn portions(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const BYTES: usize = 16 << 10;
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest.get(BYTES..).unwrap_or_default());
        let portion;
        (portion, rest) = rest.split_at(end.map_or(rest.len(), |end| BYTES + end + 1));
        (!portion.is_empty()).then_some(portion)
    })
}

/// The formats of other families that take lines which this one leaves to other programs, the best of each family, with
/// how many they take.
pub fn beside(format: &dyn Format, text: &[u8], clock: &Clock) -> Vec<(Arc<dyn Format>, u64)> {
    let others = records_where(format, text, clock, |account| others_in(account) > 0);
    if others.is_empty() {
        return Vec::new();
    }
    let mut room = Room::new(trial_layout());
    let mut best = BTreeMap::<Family, (Arc<dyn Format>, u64)>::new();
    for entry in &FORMATS {
        let other = to_measure(entry.make(), &others);
        if other.family() != format.family() {
            let accepted = fit_in(&mut room, &*other, &others, true, clock).accepted;
            // Of equals the first in the table stays.
            if best.get(&other.family()).is_none_or(|(_, most)| accepted > *most) {
                best.insert(other.family(), (other, accepted));
            }
        }
    }
    best.into_values().filter(|(_, count)| *count > 0).collect()
}

/// The format as the beginning of an input needs it.
pub fn to_measure(format: Arc<dyn Format>, head: &[u8]) -> Arc<dyn Format> {
    format.fitted(head).unwrap_or(format)
}

/// The first lines that are whole. What is left of a line at the end of an input says nothing against its format: it is
/// being written, or was cut off.
fn sample(framing: Framing, head: &[u8], is_whole: bool) -> &[u8] {
    let mut ends = memchr::memchr_iter(b'\n', head);
    let last = ends.by_ref().take(LINES).last();
    let is_all = is_whole && ends.next().is_none();
    match last {
        Some(_) if is_all && !matches!(framing, Framing::Lines) => head,
        Some(end) => &head[..=end],
        None => head,
    }
}

/// The format of the beginning of an input; `Err` has the best that did not fit well enough, if any fitted at all.
pub fn detect(
    head: &[u8],
    is_whole: bool,
    clock: &Clock,
) -> Result<Detection, Option<(&'static Entry, Fit)>> {
    let mut trial = Trial { room: Room::new(trial_layout()), head, is_whole, clock };
    let all = || FORMATS.iter().map(|entry| (entry, entry.make())).collect();
    let likely = trial.likely(all()).map(|likely| trial.ranked(likely));
    let is_enough = |found: &Vec<Tried>| found.first().is_some_and(Tried::is_enough);
    let mut found = likely.filter(is_enough).unwrap_or_else(|| trial.ranked(all()));
    if found.is_empty() {
        let others = |entry: &'static Entry| {
            entry.with_other_stamps().into_iter().map(move |format| (entry, format))
        };
        found = trial.ranked(FORMATS.iter().flat_map(others).collect());
    }
    let mut found = found.into_iter();
    let Some(best) = found.next() else { return Err(None) };
    if !best.is_enough() {
        return Err(Some((best.entry, best.fit)));
    }
    let Tried { format, fit, .. } = best;
    let close = found.next().filter(|other| other.fit.accepted * 5 >= fit.accepted * 4);
    let runner_up = close.map(|other| (other.entry.name.to_owned(), other.fit));
    Ok(Detection { format, fit, runner_up })
}

/// The format of a log that holds nothing yet but what its server writes when it opens the file. What log daemons write
/// of themselves may stand in logs of several families, and tells of none.
pub fn opened(head: &[u8], clock: &Clock) -> Option<Detection> {
    let mut room = Room::new(trial_layout());
    let mut is_its = |format: &Arc<dyn Format>| {
        let mut account = Account::default();
        let mut parser = format.parser(&trial_layout(), clock.clone());
        parser.scan(head, Origin::default(), &mut room, &mut account, &mut |_, _| {});
        let banners = account.refused(Reason::Banner).map_or(0, |refused| refused.amount.records);
        banners > 0 && banners == account.read.records
    };
    let mut formats = FORMATS.iter().map(Entry::make).filter(|format| is_its(format));
    let format = formats.next()?;
    if formats.any(|other| other.family() != format.family()) {
        return None;
    }
    let fit = Fit { accepted: 0, records: 0, others: 0, first: None };
    Some(Detection { format, fit, runner_up: None })
}

type Candidates = Vec<(&'static Entry, Arc<dyn Format>)>;

/// A format that was tried.
struct Tried {
    entry: &'static Entry,
    format: Arc<dyn Format>,
    fit: Fit,
}

impl Tried {
    fn is_enough(&self) -> bool {
        self.fit.share() >= LEAST_SHARE
    }
}

/// A beginning on which formats are tried.
struct Trial<'t> {
    room: Room,
    head: &'t [u8],
    is_whole: bool,
    clock: &'t Clock,
}

impl Trial<'_> {
    /// Those that understand anything of the first few lines, if one of them understands many: a log of its kind has no
    /// need of the others, and trying all of them on all lines would take longer than reading a small log.
    fn likely(&mut self, all: Candidates) -> Option<Candidates> {
        let end = memchr::memchr_iter(b'\n', self.head).nth(FEW_LINES)?;
        let few = &self.head[..=end];
        let mut most = 0;
        let mut is_likely = |format: &Arc<dyn Format>| {
            let format = to_measure(format.clone(), self.head);
            let accepted = fit_in(&mut self.room, &*format, few, false, self.clock).accepted;
            most = most.max(accepted);
            accepted > 0
        };
        let likely = all.into_iter().filter(|(_, format)| is_likely(format)).collect();
        (most >= MANY).then_some(likely)
    }

    /// Those that understand anything, the best first; of equals the first stays in front.
    fn ranked(&mut self, candidates: Candidates) -> Vec<Tried> {
        let tried = candidates.into_iter().map(|(entry, format)| {
            let format = to_measure(format, self.head);
            let fit = fit_in(&mut self.room, &*format, self.head, self.is_whole, self.clock);
            Tried { entry, format, fit }
        });
        let mut found: Vec<Tried> = tried.filter(|tried| tried.fit.accepted > 0).collect();
        found.sort_by_key(|Tried { format, fit, .. }| {
            std::cmp::Reverse((fit.accepted, format.fields().iter().count()))
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(head: &str) -> Option<String> {
        let clock = Clock::new(chrono_tz::UTC, 0);
        let found = detect(head.as_bytes(), true, &clock).ok()?;
        Some(found.format.name().to_owned())
    }

    const HEAD: &str = r#"::1 - - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5"#;

    #[test]
    fn the_more_telling_format_wins() {
        assert_eq!(name(HEAD).as_deref(), Some("common"));
        assert_eq!(name(&format!("{HEAD} \"-\" \"x\"\n")).as_deref(), Some("combined"));
        assert_eq!(name(&format!("{HEAD} \"-\" \"x\" \"-\"\n")).as_deref(), Some("main"));
        assert_eq!(name(&format!("{HEAD} \"-\" \"x\" 0.002 0.001\n")).as_deref(), Some("timed"));
        assert_eq!(
            name(&format!("www:80 {HEAD} \"-\" \"x\"\n")).as_deref(),
            Some("vhost_combined")
        );
    }

    /// Apache's `%I %O %D` behind combined was told as 79 seconds of request time and 969 of upstream time.
    #[test]
    fn whole_numbers_are_no_seconds() {
        let behind = |columns: &str| name(&format!("{HEAD} \"-\" \"x\" {columns}\n"));
        assert_eq!(behind("79 264 705").as_deref(), Some("combined_tail"));
        assert_eq!(behind("705").as_deref(), Some("combined_tail"), "%D");
        assert_eq!(behind("0.705").as_deref(), Some("request_time"));
        assert_eq!(behind("79 264").as_deref(), Some("combinedio"));
        assert_eq!(
            behind("705 0").as_deref(),
            Some("combined_tail"),
            "%D %T: less was sent than 5 bytes"
        );
        assert_eq!(behind("0.002 0.001, 0.004 : -").as_deref(), Some("timed"));
        assert_eq!(behind("0.002 - .").as_deref(), Some("timed_pipe"));
        assert_eq!(behind("\"-\" 0.002 -").as_deref(), Some("main_timed"));
        assert_eq!(behind("\"-\" 0.002").as_deref(), Some("main_request_time"));
        assert_eq!(behind("\"-\" 7").as_deref(), Some("combined_tail"));
        assert_eq!(behind("\"3.14\"").as_deref(), Some("combined_tail"), "$gzip_ratio");
        assert_eq!(behind("\"10.0.0.1\"").as_deref(), Some("main"));
        assert_eq!(behind("7 \"shop\" \"http://a:1\" 3ms").as_deref(), Some("traefik"));
    }

    /// Columns in quotes kept such logs from being recognised at all.
    #[test]
    fn columns_that_nobody_named_may_be_quoted() {
        let line = format!("{HEAD} \"-\" \"x\" \"-\" \"id 7\" [10.0.0.1:80] 0.1 \"/a\"\n");
        assert_eq!(name(&line).as_deref(), Some("combined_tail"));
    }

    /// What the first few lines are in is no answer for the others.
    #[test]
    fn a_log_that_begins_otherwise_is_told_by_most_of_its_lines() {
        let other = format!("{HEAD} \"-\" \"x\"\n").repeat(FEW_LINES + 2);
        let json = "{\"status\":200,\"uri\":\"/\",\"time\":\"2024-03-07T09:15:02Z\"}\n".repeat(300);
        assert_eq!(name(&(other + &json)).as_deref(), Some("json"));
    }

    #[test]
    fn a_cut_last_line_does_not_count() {
        let head = format!("{HEAD}\n{HEAD}\n{}", &HEAD[..30]);
        let clock = Clock::new(chrono_tz::UTC, 0);
        let fit = detect(head.as_bytes(), false, &clock).unwrap().fit;
        assert_eq!((fit.accepted, fit.records), (2, 2));
        assert_eq!(fit.first, Some(1_709_799_302_000_000));
        // At the end of an input as well: a log of one record and a half is a log.
        let half = format!("{HEAD}\n{}", &HEAD[..30]);
        assert_eq!(name(&half).as_deref(), Some("common"));
    }

    #[test]
    fn nothing_is_guessed_from_junk() {
        assert_eq!(name("dear diary\n"), None);
        assert_eq!(name(""), None);
    }

    /// What stands before a line in an envelope that nobody knows was told as its host and its client.
    #[test]
    fn words_before_a_line_are_no_host_and_no_client() {
        let line = r#"10.0.0.7 - - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5 "-" "x""#;
        let before = |words: &str| name(&format!("{words}{line}\n"));
        for words in [
            "web-0 nginx ",
            "[pod/web-0/nginx] ",
            "0|web  | ",
            "nginx: ",
            "access.log:",
            "access.log:12:",
            "1709799302.418123 web1 nginx[77]: ",
            "[12345.678901] web1 nginx[77]: ",
            "shop.example 7 ",
        ] {
            assert_eq!(before(words), None, "{words}");
        }
        for (words, format) in [
            ("", "combined"),
            ("shop.example ", "vhost"),
            ("_ ", "vhost"),
            ("shop.example:443 ", "vhost_combined"),
            ("Mar 07 09:15:02.418123 web1 nginx[77]: ", "combined"),
            ("Thu 2024-03-07 09:15:02 CET web1 nginx[77]: ", "combined"),
        ] {
            assert_eq!(before(words).as_deref(), Some(format), "{words}");
        }
        let client = |client: &str| name(&line.replace("10.0.0.7", client));
        for text in [
            "unix:",
            "-",
            "::ffff:10.0.0.7",
            "fe80::1%eth0",
            "10.0.0.7:5123",
            "crawl-7.example",
            "4711",
        ] {
            assert_eq!(client(text).as_deref(), Some("combined"), "{text}");
        }
    }

    /// Such logs were of no known format, or their two first words were told as one client.
    #[test]
    fn hosts_beside_clients_and_columns_behind() {
        let line = |front: &str, behind: &str| {
            let middle = r#"- jo [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5 "-" "x""#;
            name(&format!("{front} {middle}{behind}\n"))
        };
        for (front, plain, with_tail) in [
            ("10.0.0.7", "combined", "combined_tail"),
            ("shop.example 10.0.0.7", "vhost", "vhost_tail"),
            ("shop.example ::1", "vhost", "vhost_tail"),
            ("10.0.0.1 10.0.0.7", "vhost", "vhost_tail"),
            ("10.0.0.1 localhost", "vhost", "vhost_tail"),
            ("shop.example client.example", "vhost", "vhost_tail"),
            ("shop.example:443 10.0.0.7", "vhost_combined", "vhost_combined_tail"),
            ("10.0.0.7 shop.example", "client_vhost", "client_vhost_tail"),
            ("::1 shop.example:8443", "client_vhost", "client_vhost_tail"),
        ] {
            assert_eq!(line(front, "").as_deref(), Some(plain), "{front}");
            for behind in [" 1234", " \"-\" 7", " \"203.0.113.9, 10.1.1.1\" rt=0.3 \"-\""] {
                assert_eq!(line(front, behind).as_deref(), Some(with_tail), "{front} {behind}");
            }
        }
        assert_eq!(line("10.0.0.7 -", "").as_deref(), Some("combined"));
        let own = r#"[07/Mar/2024:09:15:02 +0100] 404 - GET https shop.example "/" [Client 10.0.0.7] [Length 5] [Gzip -] "x" "-""#;
        assert_eq!(name(own).as_deref(), Some("proxy_manager_own"));
        let handed_on =
            own.replace("404 -", "- 502, 200 200 -").replace("\"x", "[Sent-to 10.0.0.5] \"x");
        assert_eq!(name(&handed_on).as_deref(), Some("proxy_manager"));
        // Apache's identity is no host.
        let ident =
            r#"10.0.0.7 jo.doe - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5 "-" "x""#;
        assert_eq!(name(ident).as_deref(), Some("combined"));
    }

    #[test]
    fn a_mark_or_a_hole_in_front_is_no_word() {
        for front in ["\u{feff}", "\0\0\0\0"] {
            let head = format!("{front}{HEAD} \"-\" \"x\"\n");
            assert_eq!(name(&head).as_deref(), Some("combined"), "{front:?}");
        }
    }

    /// A column with a key behind the agent, `rt="0.1"`, was told as the end of the agent.
    #[test]
    fn columns_with_keys_are_no_part_of_the_agent() {
        let behind = |columns: &str| name(&format!("{HEAD} \"-\" \"x\" {columns}\n"));
        assert_eq!(behind("rt=\"0.1\"").as_deref(), Some("combined_tail"));
        assert_eq!(behind("rt=\"0.1\" host=\"a.b\"").as_deref(), Some("combined_tail"));
        assert_eq!(name(&format!("{HEAD} \"-\" \"a \"b\" c\"\n")).as_deref(), Some("combined"));
    }

    /// `[$time_iso8601]` in the place of `[$time_local]` made every usual line unknown.
    #[test]
    fn usual_lines_may_have_other_stamps() {
        let with = |stamp: &str| name(&HEAD.replace("07/Mar/2024:09:15:02 +0100", stamp));
        assert_eq!(with("2024-03-07T09:15:02+01:00").as_deref(), Some("common"));
        assert_eq!(with("1709799302.418").as_deref(), Some("common"));
        assert_eq!(with("yesterday"), None);
    }
}
