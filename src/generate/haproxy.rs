//! HAProxy behind syslog: HTTP, HTTPS and TCP sessions, with health checks and failed handshakes between them.
//!
//! `Mar  7 09:15:02 lb1 haproxy[812]: 198.51.100.4:52110 [07/Mar/2024:09:15:02.418] www~ app/node3 3/0/1/44/49 200 8812 - -
//! --VN 41/40/12/3/0 0/0 {shop.example} "GET /cart HTTP/1.1"`
//!
//! See <https://docs.haproxy.org/2.6/configuration.html#8.2.3>. The lines are those of version 2.6.

use super::clock::Moment;
use super::dice::{Curve, Dice};
use super::ink::{self, Escape, Stamps, number};
use super::run::{Chunk, Fault, Source};
use super::site::{Kind, POOLS, Page, SECTIONS};
use super::traffic::{Hit, Outage, Request, Traffic, fate};
use super::{Format, Spec};

const fn format(
    name: &'static str,
    about: &'static str,
    make: fn(&Spec) -> Box<dyn Source>,
) -> Format {
    Format { name, about, rate: 100.0, lift: 1.2, make }
}

pub(super) const HAPROXY_HTTP: Format =
    format("haproxy-http", "HAProxy, option httplog, behind syslog", |spec| {
        Box::new(Balancer::new(spec, Mode::Http))
    });
pub(super) const HAPROXY_HTTPS: Format =
    format("haproxy-https", "HAProxy, option httpslog, behind syslog", |spec| {
        Box::new(Balancer::new(spec, Mode::Https))
    });
pub(super) const HAPROXY_TCP: Format =
    format("haproxy-tcp", "HAProxy, option tcplog, behind syslog", |spec| {
        Box::new(Balancer::new(spec, Mode::Tcp))
    });

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Http,
    Https,
    Tcp,
}

struct Balancer {
    traffic: Traffic,
    mode: Mode,
    times: Curve,
    sizes: Curve,
}

/// Of the sessions in a burst, how many in 10,000 go to what is broken.
const STRICKEN: u32 = 3000;

/// The names of the pools here; their servers are numbered from 1.
const BACKENDS: [&str; 3] = ["web", "api", "blog"];

/// A time that never came.
const NEVER: i64 = -1;

/// A session that ended.
struct Session<'s> {
    hit: Hit<'s>,
    pool: usize,
    /// The number of the server; 0 where none was chosen.
    server: usize,
    /// Milliseconds: request, queue, connect, response, total. TCP has queue, connect and total.
    timers: [i64; 5],
    /// 0 or more; HAProxy 2.6 prints -1 where nothing was sent.
    status: i32,
    bytes: u64,
    /// Four characters; TCP prints two.
    state: &'static str,
    retries: u32,
    redispatched: bool,
    queue: u32,
}

impl Session<'_> {
    fn total(&self) -> i64 {
        self.timers[4]
    }
}

impl Balancer {
    fn new(spec: &Spec, mode: Mode) -> Self {
        Self {
            traffic: Traffic::new(spec, Escape::Haproxy, false),
            mode,
            times: Curve::log_normal(0.9),
            sizes: Curve::log_normal(0.4),
        }
    }

    fn draw(&self, moment: Moment, dice: &mut Dice) -> (Session<'_>, Option<usize>) {
        if let Some(burst) = moment.burst
            && dice.chance(STRICKEN)
        {
            let outage = self.traffic.outage(burst);
            if let Some(hit) = self.traffic.victim(moment.time, outage, dice) {
                return (self.broken(hit, outage, dice), Some(burst));
            }
        }
        let (hit, page) = self.traffic.any(moment.time, dice);
        let session = match self.mode {
            Mode::Tcp => self.connection(hit, page, dice),
            Mode::Http | Mode::Https => self.request(hit, page, dice),
        };
        (session, None)
    }

    /// A session that went as it should.
    fn request<'s>(&self, hit: Hit<'s>, page: &Page, dice: &mut Dice) -> Session<'s> {
        let lot = dice.bits();
        let (pool, server) = choose(page, dice);
        let (wait, connect) = ((lot >> 8 & 63 == 0).into(), (lot >> 14 & 1) as i64);
        let response = (self.times.scale(page.micros.into(), lot >> 20) / 1000) as i64;
        let transfer = (lot >> 32 & 3) as i64;
        let timers = [0, wait, connect, response, wait + connect + response + transfer];
        let (status, _) = fate(page.kind, (((lot >> 48) * 10_000) >> 16) as u32, lot);
        let body = match status {
            200 | 201 | 206 => self.sizes.scale(page.bytes.into(), lot >> 36),
            204 | 304 => 0,
            _ => 153,
        };
        // Cookies keep people at their server; programs have none.
        let state = match (page.kind, lot & 3) {
            (Kind::Api | Kind::Beacon, _) => "----",
            (_, 0) => "--NI",
            _ => "--VN",
        };
        let mut session = Session {
            hit,
            pool,
            server,
            timers,
            status: status.into(),
            bytes: body + 210 + (lot >> 24 & 127),
            state,
            retries: 0,
            redispatched: false,
            queue: 0,
        };
        session.trouble(dice);
        session
    }

    fn connection<'s>(&self, hit: Hit<'s>, page: &Page, dice: &mut Dice) -> Session<'s> {
        let (pool, server) = choose(page, dice);
        let total = (self.times.scale(1_500, dice.bits())) as i64;
        let mut session = Session {
            hit,
            pool,
            server,
            timers: [0, 1, 0, 0, total + 1],
            status: 0,
            bytes: self.sizes.scale(4_000, dice.bits()),
            state: "----",
            retries: 0,
            redispatched: false,
            queue: 0,
        };
        match dice.below(10_000) {
            0..200 => session.state = "CD--",
            200..300 => (session.state, session.timers[4]) = ("cD--", 60_001),
            300..320 => (session.state, session.timers[4]) = ("sD--", 60_001),
            320..330 => session.refuse(0, dice),
            _ => {}
        }
        session
    }

    fn broken<'s>(&self, hit: Hit<'s>, outage: Outage, dice: &mut Dice) -> Session<'s> {
        let pool = SECTIONS[outage.section].pool;
        let tcp = self.mode == Mode::Tcp;
        let mut session = Session {
            hit,
            pool,
            server: place_of(outage),
            timers: [0, 0, 1, NEVER, 50_001],
            status: 504,
            bytes: if tcp { 0 } else { 198 },
            state: if tcp { "sD--" } else { "sH--" },
            retries: 0,
            redispatched: false,
            queue: 0,
        };
        if outage.refuses {
            session.refuse(if tcp { 0 } else { 217 }, dice);
        }
        session
    }

    fn write(&self, session: &Session<'_>, ink: &mut Ink, dice: &mut Dice, out: &mut Vec<u8>) {
        ink.head(session, dice, out);
        let tls = self.mode == Mode::Https;
        out.extend_from_slice(if self.mode == Mode::Tcp { b"sql " } else { b"www" });
        if self.mode != Mode::Tcp {
            out.extend_from_slice(if tls { b"~ " } else { b" " });
        }
        backend(session, out);
        if self.mode == Mode::Tcp {
            tcp_figures(session, out);
        } else {
            http_figures(session, out);
        }
        loads(session, dice, out);
        if self.mode != Mode::Tcp {
            request(&session.hit, out);
        }
        if tls {
            out.extend_from_slice(b" 0/0000000000000000/0/0/");
            out.push(b'0' + (session.hit.bits >> 60 & 1) as u8);
            out.push(b' ');
            out.extend_from_slice(session.hit.host.as_bytes());
            out.extend_from_slice(b"/TLSv1.3/TLS_AES_256_GCM_SHA384");
        }
        out.push(b'\n');
    }
}

/// The number of the broken server in its pool, from 1.
fn place_of(outage: Outage) -> usize {
    let servers = POOLS[SECTIONS[outage.section].pool].servers;
    servers.iter().position(|&server| server == outage.server).map_or(0, |place| place + 1)
}

fn choose(page: &Page, dice: &mut Dice) -> (usize, usize) {
    let pool = SECTIONS[page.section as usize].pool;
    (pool, dice.below(POOLS[pool].servers.len() as u32) as usize + 1)
}

impl Session<'_> {
    /// What happens to a request now and then.
    fn trouble(&mut self, dice: &mut Dice) {
        match dice.below(10_000) {
            0..30 => self.unread(400, 0, "CR--"),
            30..50 => self.unread(400, 0, "PR--"),
            50..70 => self.unread(408, 10_000, "cR--"),
            70..110 => self.local(403, 192, "PR--"),
            110..160 => self.local(302, 104, "LR--"),
            160..190 => self.state = "CD--",
            190..205 => self.unanswered(400, 206, "CH--"),
            205..211 => self.unanswered(502, 209, "SH--"),
            211..214 => {
                self.unanswered(504, 198, "sH--");
                self.timers[4] = 50_001;
            }
            214..216 => {
                self.local(503, 217, "sQ--");
                (self.timers, self.queue) = ([0, 5_001, NEVER, NEVER, 5_001], 3);
            }
            216..219 => self.refuse(217, dice),
            219..235 => {
                self.timers[2] += 1000;
                self.timers[4] += 1000;
                (self.retries, self.redispatched) = (1, true);
            }
            _ => {}
        }
    }

    fn end(&mut self, status: i32, bytes: u64, state: &'static str) {
        (self.status, self.bytes, self.state) = (status, bytes, state);
    }

    /// The request was never read whole.
    fn unread(&mut self, status: i32, millis: i64, state: &'static str) {
        self.end(status, 0, state);
        (self.hit.request, self.server) = (Request::Nothing, 0);
        self.timers = [NEVER, NEVER, NEVER, NEVER, millis];
    }

    /// HAProxy answers itself.
    fn local(&mut self, status: i32, bytes: u64, state: &'static str) {
        self.end(status, bytes, state);
        (self.server, self.timers) = (0, [0, NEVER, NEVER, NEVER, 0]);
    }

    /// The server was reached and gave no answer.
    fn unanswered(&mut self, status: i32, bytes: u64, state: &'static str) {
        self.end(status, bytes, state);
        self.timers[3] = NEVER;
    }

    /// The server was not reached in three more tries, a second each.
    fn refuse(&mut self, bytes: u64, dice: &mut Dice) {
        self.end(503, bytes, "SC--");
        self.retries = 3;
        self.timers = [0, 0, NEVER, NEVER, 3000 + i64::from(dice.below(8))];
    }
}

/// The caches of stamps.
struct Ink {
    envelope: Stamps,
    accepted: Stamps,
}

impl Ink {
    fn new() -> Self {
        Self { envelope: Stamps::new(ink::syslog), accepted: Stamps::new(ink::slashed) }
    }

    fn envelope(&mut self, time: i64, out: &mut Vec<u8>) {
        self.envelope.write(out, time);
        out.extend_from_slice(b" lb1 haproxy[812]: ");
    }

    /// Up to the blank before the frontend.
    fn head(&mut self, session: &Session<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
        self.envelope(session.hit.end, out);
        self.peer(&session.hit, accepted(session), dice, out);
    }

    fn peer(&mut self, hit: &Hit<'_>, time: i64, dice: &mut Dice, out: &mut Vec<u8>) {
        out.extend_from_slice(hit.client);
        out.push(b':');
        number(out, dice.between(1024, 65_535).into());
        out.extend_from_slice(b" [");
        self.accepted.write(out, time);
        out.push(b'.');
        ink::millis(out, time);
        out.extend_from_slice(b"] ");
    }
}

/// When the session began: its stamp.
fn accepted(session: &Session<'_>) -> i64 {
    session.hit.end - session.total() * 1000
}

fn backend(session: &Session<'_>, out: &mut Vec<u8>) {
    let unread = matches!(session.hit.request, Request::Nothing);
    let name = if unread { "www" } else { BACKENDS[session.pool] };
    out.extend_from_slice(name.as_bytes());
    out.push(b'/');
    server(session.pool, session.server, out);
    out.push(b' ');
}

fn server(pool: usize, place: usize, out: &mut Vec<u8>) {
    if place == 0 {
        out.extend_from_slice(b"<NOSRV>");
        return;
    }
    out.extend_from_slice(BACKENDS[pool].as_bytes());
    number(out, place as u64);
}

fn timer(out: &mut Vec<u8>, millis: i64) {
    if millis < 0 {
        out.push(b'-');
    }
    number(out, millis.unsigned_abs());
}

fn http_figures(session: &Session<'_>, out: &mut Vec<u8>) {
    for (place, &millis) in session.timers.iter().enumerate() {
        if place > 0 {
            out.push(b'/');
        }
        timer(out, millis);
    }
    out.push(b' ');
    timer(out, session.status.into());
    out.push(b' ');
    number(out, session.bytes);
    out.extend_from_slice(b" - - ");
    out.extend_from_slice(session.state.as_bytes());
}

fn tcp_figures(session: &Session<'_>, out: &mut Vec<u8>) {
    let [_, queue, connect, _, total] = session.timers;
    for (millis, end) in [(queue, b'/'), (connect, b'/'), (total, b' ')] {
        timer(out, millis);
        out.push(end);
    }
    number(out, session.bytes);
    out.push(b' ');
    out.extend_from_slice(&session.state.as_bytes()[..2]);
}

/// Connections, retries and queues: each level has no more than the one above it.
fn loads(session: &Session<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
    let bits = dice.bits();
    let all = 20 + (bits & 127);
    let front = all - (bits >> 8 & 7);
    let back = (front >> 1) - (bits >> 12 & 3);
    let own = if session.server == 0 { 0 } else { back >> 2 };
    out.push(b' ');
    for connections in [all, front, back, own] {
        number(out, connections);
        out.push(b'/');
    }
    if session.redispatched {
        out.push(b'+');
    }
    number(out, session.retries.into());
    out.extend_from_slice(b" 0/");
    number(out, session.queue.into());
}

/// The captured host and the request.
fn request(hit: &Hit<'_>, out: &mut Vec<u8>) {
    let Request::Line { method, path, query, value, protocol } = hit.request else {
        out.extend_from_slice(b" \"<BADREQ>\"");
        return;
    };
    for part in [" {", hit.host, "} \"", method, " "] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(path);
    if !query.is_empty() {
        out.extend_from_slice(query.as_bytes());
        number(out, value.into());
    }
    out.push(b' ');
    out.extend_from_slice(protocol.as_bytes());
    out.push(b'"');
}

impl Balancer {
    /// Appends one of the lines that tell no session: a failed handshake, a health check.
    fn notice(&self, time: i64, ink: &mut Ink, dice: &mut Dice, out: &mut Vec<u8>) {
        ink.envelope(time, out);
        if self.mode == Mode::Https && dice.chance(8000) {
            let (hit, _) = self.traffic.any(time, dice);
            ink.peer(&hit, time, dice, out);
            let text =
                dice.pick(&["SSL handshake failure", "Connection closed during SSL handshake"]);
            out.extend_from_slice(b"www/1: ");
            out.extend_from_slice(text.as_bytes());
            out.push(b'\n');
            return;
        }
        let pool = dice.below(POOLS.len() as u32) as usize;
        let place = dice.below(POOLS[pool].servers.len() as u32) as usize + 1;
        let (before, after) = dice.pick(&HEALTH);
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(BACKENDS[pool].as_bytes());
        out.push(b'/');
        server(pool, place, out);
        out.extend_from_slice(after.as_bytes());
        out.push(b'\n');
    }

    /// Appends that a server is found dead; false where the session is to be logged instead.
    fn down(&self, moment: Moment, ink: &mut Ink, dice: &mut Dice, out: &mut Vec<u8>) -> bool {
        let Some(burst) = moment.burst.filter(|_| dice.chance(20)) else { return false };
        let outage = self.traffic.outage(burst);
        let pool = SECTIONS[outage.section].pool;
        ink.envelope(moment.time, out);
        out.extend_from_slice(b"Server ");
        out.extend_from_slice(BACKENDS[pool].as_bytes());
        out.push(b'/');
        server(pool, place_of(outage), out);
        let reason: &[u8] = if outage.refuses {
            b" is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. "
        } else {
            b" is DOWN, reason: Layer7 timeout, check duration: 1001ms. "
        };
        out.extend_from_slice(reason);
        number(out, POOLS[pool].servers.len() as u64 - 1);
        out.extend_from_slice(b" active and 0 backup servers left. ");
        number(out, dice.below(40).into());
        out.extend_from_slice(b" sessions active, 0 requeued, 0 remaining in queue.\n");
        true
    }
}

/// What stands before and after the server's name.
const HEALTH: [(&str, &str); 3] = [
    (
        "Health check for server ",
        " failed, reason: Layer7 wrong status, code: 503, info: \"Service Unavailable\", check duration: 4ms, status: 2/3 UP.",
    ),
    (
        "Health check for server ",
        " succeeded, reason: Layer7 check passed, code: 200, check duration: 2ms, status: 3/3 UP.",
    ),
    (
        "Server ",
        " is UP, reason: Layer7 check passed, code: 200, check duration: 2ms. 2 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
    ),
];

impl Source for Balancer {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut ink = Ink::new();
        while let Some(moment) = chunk.moments.next() {
            let (dice, out) = (&mut chunk.dice, &mut *chunk.text);
            if self.down(moment, &mut ink, dice, out) {
                chunk.end(moment.time, moment.burst);
            } else if dice.chance(15) {
                self.notice(moment.time, &mut ink, dice, out);
                chunk.end(moment.time, None);
            } else {
                let (session, burst) = self.draw(moment, dice);
                self.write(&session, &mut ink, dice, out);
                chunk.end(accepted(&session), burst);
            }
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        let outage = self.traffic.outage(nth);
        let backend = BACKENDS[SECTIONS[outage.section].pool];
        let subject = format!("{backend}/{backend}{}", place_of(outage));
        Fault { kind: outage.kind(), subject }
    }
}
