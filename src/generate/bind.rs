//! The query log of BIND 9.18, with what else it tells: failures, refusals, lame servers, transfers. And that of 9.20 with
//! `responselog yes`, which has the answer behind each query.
//!
//! `07-Mar-2024 09:15:02.418 queries: info: client @0x7f2c5c0a1b68 192.0.2.7#51004 (www.example.org): query: www.example.org
//! IN A +E(0)K (192.0.2.53)`
//!
//! `07-Mar-2024 09:15:02.418 responses: info: client @0x7f2c5c0a1b68 192.0.2.7#51004 (www.example.org): response:
//! www.example.org IN A NOERROR 1 0 1 +E(0)K (192.0.2.53)`
//!
//! See <https://bind9.readthedocs.io/en/v9.18/reference.html#logging-block-grammar>.

use std::io::Write;

use super::clock::Moment;
use super::dice::{Dice, Weighted};
use super::ink::{self, Stamps, number};
use super::run::{Chunk, Fault, Source};
use super::site::{self, Texts};
use super::{Format, Spec};

pub(super) const BIND: Format = Format {
    name: "bind",
    about: "BIND 9.18 query log, with failures, refusals and lame servers",
    rate: 300.0,
    lift: 1.3,
    make: |spec| Box::new(Server::new(spec, false)),
};

pub(super) const BIND_RESPONSES: Format = Format {
    name: "bind-responses",
    about: "BIND 9.20 query log, with the response to each query",
    rate: 300.0,
    lift: 1.3,
    make: |spec| Box::new(Server::new(spec, true)),
};

struct Server {
    seed: u64,
    tells_responses: bool,
    clients: Texts,
    client_weights: Weighted,
    names: Texts,
    name_weights: Weighted,
    /// How many domains the names are in: name `n` is in domain `n % domains`.
    domains: u32,
    types: Weighted,
    flags: Weighted,
}

/// Of the queries in a burst, how many in 10,000 are for what is broken.
const STRICKEN: u32 = 4000;

const TYPES: [(f64, &str); 13] = [
    (46.0, "A"),
    (26.0, "AAAA"),
    (11.0, "HTTPS"),
    (6.0, "PTR"),
    (3.0, "MX"),
    (3.0, "TXT"),
    (1.5, "SRV"),
    (1.0, "NS"),
    (1.0, "DS"),
    (0.5, "SOA"),
    (0.5, "CNAME"),
    (0.3, "DNSKEY"),
    (0.2, "ANY"),
];

/// The place of PTR in [`TYPES`].
const POINTER: usize = 3;

const FLAGS: [(f64, &str); 12] = [
    (30.0, "+E(0)K"),
    (22.0, "+"),
    (14.0, "+E(0)"),
    (9.0, "-E(0)DC"),
    (8.0, "+E(0)DK"),
    (6.0, "-E(0)D"),
    (4.0, "+E(0)V"),
    (2.0, "+T"),
    (2.0, "+E(0)TK"),
    (1.5, "-"),
    (1.0, "+E(0)DCV"),
    (0.5, "-SE(0)"),
];

/// What stands before the domain; the first is the most usual.
const HOSTS: [&str; 12] = [
    "www",
    "",
    "api",
    "mail",
    "ns1",
    "cdn",
    "static",
    "mx1",
    "_dmarc",
    "autodiscover",
    "a\\.b",
    "img",
];

/// A query as it came.
struct Query<'q> {
    time: i64,
    client: &'q [u8],
    port: u32,
    /// The client object in memory; a few dozen are in use.
    object: u64,
    name: Vec<u8>,
    kind: &'static str,
    flags: &'static str,
}

impl Server {
    fn new(spec: &Spec, tells_responses: bool) -> Self {
        let mut dice = Dice::new(spec.seed, site::STREAM);
        let clients = site::addresses(spec.clients.max(1), &mut dice);
        let count = spec.paths.max(1);
        let domains = (count / HOSTS.len() as u32).max(1);
        let weights =
            |table: &[(f64, &str)]| -> Vec<f64> { table.iter().map(|row| row.0).collect() };
        Self {
            seed: spec.seed,
            tells_responses,
            client_weights: Weighted::zipf(clients.len() as u32, 20.0),
            clients,
            names: Texts::of((0..count).map(|nth| name(nth, domains))),
            name_weights: Weighted::zipf(count, 4.0),
            domains,
            types: Weighted::new(&weights(&TYPES)),
            flags: Weighted::new(&weights(&FLAGS)),
        }
    }

    /// A query for one of the names, or for the name of an address.
    fn any(&self, time: i64, dice: &mut Dice) -> Query<'_> {
        let (kind, bits) = (self.types.at(dice.bits()), dice.bits());
        if kind != POINTER {
            return self.query(time, self.name_weights.at(bits), kind, dice);
        }
        let mut text = Vec::with_capacity(64);
        site::dotted(bits as u32, &mut text);
        text.extend_from_slice(b".in-addr.arpa");
        self.ask(time, text, kind, dice)
    }

    fn query(&self, time: i64, name: usize, kind: usize, dice: &mut Dice) -> Query<'_> {
        let mut text = self.names.get(name).to_vec();
        let bits = dice.bits();
        if bits & 15 == 0 {
            shuffle_case(&mut text, bits >> 4);
        }
        self.ask(time, text, kind, dice)
    }

    fn ask(&self, time: i64, name: Vec<u8>, kind: usize, dice: &mut Dice) -> Query<'_> {
        Query {
            time,
            client: self.clients.get(self.client_weights.at(dice.bits())),
            port: dice.between(1024, 65_535),
            object: 0x7f2c_5c00_0168 + u64::from(dice.below(48)) * 0x2_4e00,
            name,
            kind: TYPES[kind].1,
            flags: match FLAGS[self.flags.at(dice.bits())].1 {
                // Since 9.20 the sign stands behind the version of EDNS.
                "-SE(0)" if self.tells_responses => "-E(0)S",
                flags => flags,
            },
        }
    }

    /// The domain whose servers a burst breaks: one of the busiest.
    fn broken(&self, burst: usize) -> u32 {
        Dice::new(self.seed, (1 << 62) + burst as u64).below(self.domains.min(8))
    }

    /// A name in the broken domain.
    fn victim(&self, burst: usize, dice: &mut Dice) -> usize {
        let hosts = self.names.len() as u32 / self.domains;
        (self.broken(burst) + self.domains * dice.below(hosts.min(4))) as usize
    }
}

/// What a query was answered with.
struct Answer {
    rcode: &'static str,
    /// Records in the answer, the authority and the additional section.
    counts: [u64; 3],
}

impl Answer {
    /// Each name has its own fate, whoever asks: most are there, some are not, a few are broken.
    fn to(query: &Query<'_>) -> Self {
        let fate = query.name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte | 32)).wrapping_mul(0x0100_0000_01b3)
        });
        let fate = fate >> 20;
        let additional = u64::from(query.flags.contains('E'));
        match fate % 100 {
            0..9 => Self { rcode: "NXDOMAIN", counts: [0, 1, additional] },
            9 => Self::none("SERVFAIL", query),
            10 => Self::none("REFUSED", query),
            11 => Self::none("FORMERR", query),
            // The name is there and has no records of the type.
            _ if (fate / 128 + query.kind.len() as u64).is_multiple_of(8) => {
                Self { rcode: "NOERROR", counts: [0, 1, additional] }
            }
            _ => Self { rcode: "NOERROR", counts: [1 + fate / 128 % 3, 0, additional] },
        }
    }

    fn none(rcode: &'static str, query: &Query<'_>) -> Self {
        Self { rcode, counts: [0, 0, u64::from(query.flags.contains('E'))] }
    }
}

/// `www.blue-shoe7.example`
fn name(nth: u32, domains: u32) -> String {
    let host = HOSTS[(nth / domains) as usize % HOSTS.len()];
    let domain = domain(nth % domains);
    if host.is_empty() { domain } else { format!("{host}.{domain}") }
}

fn domain(nth: u32) -> String {
    let place = nth as usize;
    let (adjective, noun) = (site::ADJECTIVES[place % 16], site::NOUNS[place / 16 % 24]);
    format!("{adjective}-{noun}{}.example", place / 384)
}

/// Some resolvers ask in mixed case, to make answers hard to forge.
fn shuffle_case(name: &mut [u8], bits: u64) {
    for (place, byte) in name.iter_mut().enumerate() {
        if bits >> (place % 48) & 1 == 1 {
            byte.make_ascii_uppercase();
        }
    }
}

/// Writes records.
struct Pen<'p> {
    stamps: &'p mut Stamps,
    out: &'p mut Vec<u8>,
}

impl Pen<'_> {
    /// Date, category and severity.
    fn head(&mut self, time: i64, category: &str) {
        self.stamps.write(self.out, time);
        self.out.push(b'.');
        ink::millis(self.out, time);
        self.out.push(b' ');
        self.out.extend_from_slice(category.as_bytes());
    }

    /// The head and `client @0x… A#P (NAME): `.
    fn client(&mut self, query: &Query<'_>, category: &str) {
        self.head(query.time, category);
        self.out.extend_from_slice(b"client @0x");
        ink::hex(self.out, query.object, 12);
        self.out.push(b' ');
        self.out.extend_from_slice(query.client);
        self.out.push(b'#');
        number(self.out, query.port.into());
        self.out.extend_from_slice(b" (");
        self.out.extend_from_slice(&query.name);
        self.out.extend_from_slice(b"): ");
    }

    fn query(&mut self, query: &Query<'_>) {
        self.client(query, "queries: info: ");
        self.out.extend_from_slice(b"query: ");
        self.out.extend_from_slice(&query.name);
        for part in [" IN ", query.kind, " ", query.flags] {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.local(query);
    }

    fn response(&mut self, query: &Query<'_>, answer: &Answer) {
        self.client(query, "responses: info: ");
        self.out.extend_from_slice(b"response: ");
        self.out.extend_from_slice(&query.name);
        for part in [" IN ", query.kind, " ", answer.rcode] {
            self.out.extend_from_slice(part.as_bytes());
        }
        for count in answer.counts {
            self.out.push(b' ');
            number(self.out, count);
        }
        self.out.push(b' ');
        self.out.extend_from_slice(query.flags.as_bytes());
        self.local(query);
    }

    /// Ends the record with the address that was asked.
    fn local(&mut self, query: &Query<'_>) {
        let six = query.client.contains(&b':');
        self.out.extend_from_slice(if six { b" (2001:db8::53)\n" } else { b" (192.0.2.53)\n" });
    }

    fn failed(&mut self, query: &Query<'_>, reason: &str) {
        self.client(query, "query-errors: info: ");
        let name = String::from_utf8_lossy(&query.name);
        let line = if reason == "SERVFAIL" { 7094 } else { 7916 };
        self.say(format_args!(
            "query failed ({reason}) for {name}/IN/{} at query.c:{line}",
            query.kind
        ));
    }

    /// Ends the record with a text.
    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        writeln!(self.out, "{text}").expect("a vector takes all");
    }
}

/// Something other than a query, in 10,000.
fn other(query: &Query<'_>, lot: u32, pen: &mut Pen<'_>, dice: &mut Dice) {
    let (name, kind) = (String::from_utf8_lossy(&query.name).into_owned(), query.kind);
    let server = format!("198.51.100.{}#53", dice.between(2, 250));
    match lot {
        0..40 => {
            let reason = *dice.pick(&["SERVFAIL", "timed out", "failure"]);
            pen.failed(query, reason);
        }
        40..80 => {
            pen.client(query, "security: info: ");
            pen.say(format_args!(
                "query (cache) '{name}/{kind}/IN' denied (allow-query-cache did not match)"
            ));
        }
        80..120 => {
            pen.head(query.time, "lame-servers: info: ");
            let reason = *dice.pick(&[
                "connection refused",
                "timed out",
                "host unreachable",
                "REFUSED unexpected RCODE",
                "SERVFAIL unexpected RCODE",
            ]);
            pen.say(format_args!("{reason} resolving '{name}/{kind}/IN': {server}"));
        }
        120..130 => {
            pen.head(query.time, "resolver: info: ");
            pen.say(format_args!("DNS format error from {server} resolving {name}/{kind} for {}#{}: reply has no answer", String::from_utf8_lossy(query.client), query.port));
        }
        130..140 => {
            pen.head(query.time, "dnssec: info: ");
            pen.say(format_args!("validating {name}/{kind}: no valid signature found"));
        }
        140..148 => {
            pen.client(query, "query-errors: info: ");
            pen.say(format_args!("rate limit slip NXDOMAIN response to 198.51.100.0/24 for {name} IN {kind}  ({:08x})", dice.bits() as u32));
        }
        148..150 => {
            pen.client(query, "security: error: ");
            pen.say(format_args!("zone transfer '{name}/AXFR/IN' denied"));
        }
        _ => {
            pen.head(query.time, "notify: info: ");
            pen.say(format_args!(
                "zone {}/IN: sending notifies (serial 20260105{:02})",
                domain(dice.below(4)),
                dice.below(99) + 1
            ));
        }
    }
}

/// Of 10,000 records, how many are something other than a query.
const OTHER: u32 = 152;

impl Source for Server {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut stamps = Stamps::new(ink::named);
        while let Some(moment) = chunk.moments.next() {
            match moment.burst.filter(|_| chunk.dice.chance(STRICKEN)) {
                Some(burst) => self.stricken(moment.time, burst, &mut stamps, chunk),
                None => self.record(moment, &mut stamps, chunk),
            }
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        Fault { kind: "servfail", subject: domain(self.broken(nth)) }
    }
}

impl Server {
    fn record(&self, moment: Moment, stamps: &mut Stamps, chunk: &mut Chunk<'_>) {
        let query = self.any(moment.time, &mut chunk.dice);
        let lot = chunk.dice.below(10_000);
        let mut pen = Pen { stamps, out: chunk.text };
        if lot < OTHER {
            other(&query, lot, &mut pen, &mut chunk.dice);
            return chunk.end(moment.time, None);
        }
        pen.query(&query);
        chunk.end(moment.time, None);
        if self.tells_responses {
            Pen { stamps, out: chunk.text }.response(&query, &Answer::to(&query));
            chunk.end(moment.time, None);
        }
    }

    /// A query for what is broken, and what came of it.
    fn stricken(&self, time: i64, burst: usize, stamps: &mut Stamps, chunk: &mut Chunk<'_>) {
        let name = self.victim(burst, &mut chunk.dice);
        let kind = chunk.dice.below(2) as usize;
        let query = self.query(time, name, kind, &mut chunk.dice);
        Pen { stamps, out: chunk.text }.query(&query);
        chunk.end(time, Some(burst));
        Pen { stamps, out: chunk.text }.failed(&query, "SERVFAIL");
        chunk.end(time, Some(burst));
        if self.tells_responses {
            let answer = Answer::none("SERVFAIL", &query);
            Pen { stamps, out: chunk.text }.response(&query, &answer);
            chunk.end(time, Some(burst));
        }
    }
}
