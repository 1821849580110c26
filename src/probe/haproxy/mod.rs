//! `probe haproxy`: which servers are up, who gets the load, what waits, what fails?
//!
//! The statistics come over HTTP (the address of the statistics page; `;csv` is added) or over the statistics socket,
//! on Unix or TCP, to which nothing but `show stat`, `show info`, `show servers state` and `show cli level` is ever
//! said. Each backend is judged: `backend_down`, `server_down`, `queueing`, `near_session_limit`, `unbalanced`, and with `--interval`
//! `backend_errors`. A socket on TCP that lets anybody give orders is `open_control_port`.

mod stats;

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use self::stats::{Line, State, check_meaning, spread};
use super::class::Class;
use super::http::auth;
use super::http::client::{self, Request};
use super::http::url::Url;
use super::net::{self, Answer, Deadline, Failure, Peer, Wire};
use super::options::{Knob, Options};
use super::spread::Spread;
use super::target::Target;
use super::tls::{self, Settings};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::{Cell, Column, Level, Role, Section, Table};
use crate::error::Result;

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "haproxy",
    about: "HAProxy: servers up, down and out, shares, queues, limits, errors",
    target: "http[s]://HOST[:PORT]/PATH of the statistics, unix:/SOCKET or HOST:PORT of the socket",
    steps: &["resolve", "connect", "tls", "stats", "info", "servers", "again"],
    knobs: &[
        &[
            Knob::many("backend", "NAME,…", "judge these backends only"),
            Knob::one("interval", "TIME", "look twice, and judge the errors in between"),
            Knob::one("basic-file", "FILE", "log in with the USER:PASSWORD in this file"),
            Knob::one("basic-env", "VARIABLE", "the same from this environment variable"),
        ],
        tls::KNOBS,
    ],
    measures: &[
        ("servers_up", "servers that take work"),
        ("servers_down", "servers whose check fails"),
        ("servers_out", "servers that drain or are taken out"),
        ("queued", "requests that wait for a server now"),
        ("sessions", "per cent of the fullest session limit in use"),
        ("connections", "per cent of maxconn in use"),
        ("idle", "per cent of its time that the process idles"),
        ("days", "days until the first certificate of the chain ends"),
    ],
    make: |options| Ok(Box::new(Haproxy::parse(options)?)),
};

/// The steps over a socket.
const SOCKET: &[&str] = &["resolve", "connect", "stats", "info", "servers"];

/// The steps over HTTP without TLS.
const PLAIN: &[&str] = &["resolve", "connect", "stats"];

/// The most bytes of statistics: room for ten thousand servers.
const LIMIT: usize = 8 * 1024 * 1024;

/// Per cent of a limit from which it is near.
const NEAR: f64 = 80.0;

#[derive(Debug)]
struct Haproxy {
    backends: Vec<String>,
    interval: Option<Duration>,
    login: Option<String>,
    settings: Settings,
}

type Dialogue = std::result::Result<(), Halt>;

impl Haproxy {
    fn parse(options: &Options) -> Result<Self> {
        Ok(Self {
            backends: options.list("backend").into_iter().map(str::to_owned).collect(),
            interval: options.duration("interval")?,
            login: auth::header(options)?,
            settings: Settings::parse(options)?,
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, url: Option<&Url>, peer: &Peer) -> Dialogue {
        trace.plan(match url {
            None => SOCKET,
            Some(url) if url.secure => &KIND.steps[..4],
            Some(_) => PLAIN,
        });
        let mut lines = self.first_look(trace, url, peer)?;
        if url.is_none() {
            self.information(trace, peer)?;
            self.places(trace, peer, &mut lines)?;
        }
        self.judge(trace, &lines)?;
        let Some(interval) = self.interval else { return Ok(()) };
        thread::sleep(interval.min(trace.deadline().remaining().unwrap_or_default()));
        let source = trace.run().common.source;
        let later = trace.step("again", "the statistics once more", |deadline| {
            let wire = net::connect(peer, source, deadline)?;
            self.fetch(wire, url, deadline)
        })?;
        judge_errors(trace, &self.wanted(&lines), &self.wanted(&later));
        Ok(())
    }

    /// Connects and asks, step by step.
    fn first_look(
        &self,
        trace: &mut Trace<'_>,
        url: Option<&Url>,
        peer: &Peer,
    ) -> std::result::Result<Vec<Line>, Halt> {
        let mut wire = trace.connect(peer)?;
        if let Some(url) = url.filter(|url| url.secure) {
            trace.upgrade(&mut wire, Some(&url.host), &self.settings)?;
        }
        trace.step("stats", asked(url), |deadline| talk(wire, url, self.login.as_deref(), deadline))
    }

    /// The statistics over a fresh connection. The certificate has been judged at the first look.
    fn fetch(&self, mut wire: Wire, url: Option<&Url>, deadline: Deadline) -> Answer<Vec<Line>> {
        if let Some(url) = url.filter(|url| url.secure) {
            tls::upgrade(
                &mut wire,
                self.settings.name_for(Some(&url.host)),
                &self.settings,
                deadline,
            )?;
        }
        talk(wire, url, self.login.as_deref(), deadline)
    }

    /// What the process says of itself, and how much it lets this socket do.
    fn information(&self, trace: &mut Trace<'_>, peer: &Peer) -> Dialogue {
        let source = trace.run().common.source;
        let (info, level) = trace.step("info", "show info", |deadline| {
            let info = command(net::connect(peer, source, deadline)?, "show info", deadline)?;
            // Older than 1.8, it does not know this question.
            let level = net::connect(peer, source, deadline)
                .and_then(|wire| command(wire, "show cli level", deadline));
            Ok((stats::info(&info), level.unwrap_or_default()))
        })?;
        keep_information(trace, &info);
        let level = level.trim_ascii();
        if matches!(peer, Peer::Tcp(_)) && matches!(level, b"admin" | b"operator") {
            let came = format!("level {}", String::from_utf8_lossy(level));
            trace.fault(Class::OpenControlPort, "no control over TCP", came);
        }
        Ok(())
    }

    /// Where the servers are, which the statistics tell only where `stats show-legends` is set.
    fn places(&self, trace: &mut Trace<'_>, peer: &Peer, lines: &mut [Line]) -> Dialogue {
        let source = trace.run().common.source;
        let asked = "show servers state";
        let shown = trace.step("servers", asked, |deadline| {
            command(net::connect(peer, source, deadline)?, asked, deadline)
        })?;
        let places = stats::places(&shown);
        for line in lines.iter_mut().filter(|line| line.is_server()) {
            line.stand_at(&places);
        }
        Ok(())
    }

    fn wanted<'l>(&self, lines: &'l [Line]) -> Vec<&'l Line> {
        let named = |line: &&Line| self.backends.is_empty() || self.backends.contains(&line.proxy);
        lines.iter().filter(named).collect()
    }

    fn judge(&self, trace: &mut Trace<'_>, lines: &[Line]) -> Dialogue {
        let lines = self.wanted(lines);
        if let Some(gone) =
            self.backends.iter().find(|name| lines.iter().all(|line| line.proxy != **name))
        {
            let came = "no line of that name";
            return Err(trace.halt(Class::Unexpected, format!("the backend {gone}"), came));
        }
        let servers: Vec<_> = lines.iter().copied().filter(|line| line.is_server()).collect();
        let counted = |state| servers.iter().filter(|line| line.state() == state).count();
        let (up, down, out) = (counted(State::Up), counted(State::Down), counted(State::Out));
        for (name, value) in [("servers_up", up), ("servers_down", down), ("servers_out", out)] {
            trace.fact(name, Cell::Count(value as u64));
            trace.measure(name, value as f64, "");
        }
        for backend in lines.iter().filter(|line| line.is_backend()) {
            let own: Vec<_> =
                servers.iter().copied().filter(|line| line.proxy == backend.proxy).collect();
            judge_backend(trace, backend, &own);
        }
        judge_queues(trace, &lines);
        judge_limits(trace, &lines);
        trace.summary(format!("{up} servers up, {down} down, {out} taken out"));
        trace.section(table(&servers));
        Ok(())
    }
}

fn asked(url: Option<&Url>) -> String {
    url.map_or_else(|| "show stat".to_owned(), |url| format!("GET {url}"))
}

/// Asks for the statistics in the one way or the other.
fn talk(
    wire: Wire,
    url: Option<&Url>,
    login: Option<&str>,
    deadline: Deadline,
) -> Answer<Vec<Line>> {
    let bytes = match url {
        Some(url) => page(wire, url, login, deadline)?,
        None => command(wire, "show stat", deadline)?,
    };
    stats::parse(&bytes)
}

fn page(mut wire: Wire, url: &Url, login: Option<&str>, deadline: Deadline) -> Answer<Vec<u8>> {
    let mut request = Request::get(url);
    request.headers.extend(login.map(|login| ("Authorization".to_owned(), login.to_owned())));
    wire.send(&request.bytes(), deadline)?;
    let head = client::head(&mut wire, deadline)?;
    let body = client::body(&mut wire, &head, "GET", LIMIT, deadline)?;
    wire.leave(b"");
    let class = match head.status {
        200 => return Ok(body.bytes),
        401 | 403 => Class::AuthFail,
        500..=599 => Class::StatusServer,
        _ => Class::StatusClient,
    };
    Err(Failure::new(class, head.line()))
}

/// One command a connection: the socket closes after its answer.
fn command(mut wire: Wire, words: &str, deadline: Deadline) -> Answer<Vec<u8>> {
    wire.send(format!("{words}\n").as_bytes(), deadline)?;
    wire.more(deadline)?;
    let (bytes, cut) = wire.rest(LIMIT, deadline)?;
    wire.leave(b"");
    match cut {
        false => Ok(bytes),
        true => Err(Failure::new(Class::TooLarge, format!("over {LIMIT} bytes of statistics"))),
    }
}

fn keep_information(trace: &mut Trace<'_>, info: &HashMap<String, String>) {
    let kept = [
        ("version", "Version"),
        ("uptime", "Uptime"),
        ("current_connections", "CurrConns"),
        ("max_connections", "Maxconn"),
        ("session_rate", "SessRate"),
    ];
    for (fact, name) in kept {
        if let Some(text) = info.get(name) {
            trace.fact(fact, text.parse().map_or_else(|_| Cell::text(text), Cell::Count));
        }
    }
    let number = |name: &str| info.get(name).and_then(|text| text.parse::<f64>().ok());
    if let Some(idle) = number("Idle_pct") {
        trace.measure("idle", idle, "%");
    }
    let most = number("Maxconn").filter(|most| *most > 0.0);
    if let (Some(now), Some(most)) = (number("CurrConns"), most) {
        let percent = now * 100.0 / most;
        trace.measure("connections", percent, "%");
        if percent >= NEAR {
            let came = format!("{now} of {most} connections");
            trace.fault(Class::NearSessionLimit, format!("under {NEAR} % of maxconn"), came);
        }
    }
}

/// A backend with no server left, servers that are down, and a share that is not as weighted.
fn judge_backend(trace: &mut Trace<'_>, backend: &Line, servers: &[&Line]) {
    if servers.is_empty() {
        return;
    }
    let down: Vec<_> = servers.iter().filter(|line| line.state() == State::Down).collect();
    if backend.state() == State::Down {
        let came = format!("{} is {}: {}", backend.proxy, backend.text("status"), named(servers));
        trace.fault(Class::BackendDown, "a server that takes work", came);
    } else if !down.is_empty() {
        let came = format!("{}: {}", backend.proxy, named(servers));
        trace.fault(Class::ServerDown, "all servers up", came);
    }
    if let Some(cause) =
        down.iter().map(|line| check_meaning(line.check())).find(|text| !text.is_empty())
    {
        trace.because(cause);
    }
    if let Some(next) = down.iter().find_map(|line| next_question(line)) {
        trace.next(&next);
    }
    if let Some(spread) = spread(servers).filter(Spread::is_uneven) {
        let came = format!("{}: {:.1} times its due at most", backend.proxy, spread.excess);
        trace.fault(Class::Unbalanced, "shares as weighted", came);
    }
}

/// How to ask a server that is down what its check asks, if it is known where it is.
fn next_question(line: &Line) -> Option<String> {
    let place = line.place()?;
    let question = match line.check().starts_with("L7") {
        true => format!("http http://{place}/<path of the check>"),
        false => format!("tcp {place}"),
    };
    Some(format!("logmill probe {question}   # from {{host}}"))
}

/// The servers that do not take work, each with its status and last check.
fn named(servers: &[&Line]) -> String {
    let word = |line: &&Line| {
        let since = line.number("lastchg").map(|s| format!(" for {s} s")).unwrap_or_default();
        format!("{} {} {}{since}", line.name, line.text("status"), line.check())
    };
    let idle: Vec<_> = servers.iter().filter(|l| l.state() != State::Up).map(word).collect();
    let more = idle.len().saturating_sub(5);
    let shown = idle.into_iter().take(5).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn judge_queues(trace: &mut Trace<'_>, lines: &[&Line]) {
    let queued: Vec<_> =
        lines.iter().filter(|line| line.is_backend() && line.count("qcur") > 0).collect();
    let sum: u64 = queued.iter().map(|line| line.count("qcur")).sum();
    trace.measure("queued", sum as f64, "");
    let most = lines.iter().filter(|line| line.is_backend()).map(|line| line.count("qmax")).max();
    trace.fact("queued_at_most", most.map_or(Cell::Empty, Cell::Count));
    if sum > 0 {
        let word = |line: &&&Line| format!("{} {}", line.proxy, line.count("qcur"));
        let came: Vec<_> = queued.iter().map(word).collect();
        trace.fault(Class::Queueing, "nothing that waits for a server", came.join(", "));
    }
}

fn judge_limits(trace: &mut Trace<'_>, lines: &[&Line]) {
    let fullest = lines
        .iter()
        .filter_map(|line| line.sessions_percent().map(|percent| (percent, line)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((percent, line)) = fullest else { return };
    trace.measure("sessions", percent, "%");
    if percent >= NEAR {
        let (now, most) = (line.count("scur"), line.count("slim"));
        let came = format!("{}/{}: {now} of {most}", line.proxy, line.name);
        trace.fault(Class::NearSessionLimit, format!("under {NEAR} % of the limit"), came);
    }
}

/// Errors between two looks: connections and answers that failed, and what was tried again.
fn judge_errors(trace: &mut Trace<'_>, before: &[&Line], after: &[&Line]) {
    let mut grown = Vec::new();
    for line in after.iter().filter(|line| line.is_server()) {
        let same = |other: &&&Line| other.proxy == line.proxy && other.name == line.name;
        let Some(earlier) = before.iter().find(same) else { continue };
        let words = ERRORS.iter().filter_map(|(column, word)| {
            let more = line.count(column).saturating_sub(earlier.count(column));
            (more > 0).then(|| format!("{more} {word}"))
        });
        let words: Vec<_> = words.collect();
        if !words.is_empty() {
            grown.push(format!("{}/{}: {}", line.proxy, line.name, words.join(", ")));
        }
    }
    if !grown.is_empty() {
        trace.fault(Class::BackendErrors, "no error between two looks", grown.join("; "));
    }
}

/// The columns that count what went wrong with a server.
const ERRORS: [(&str, &str); 4] = [
    ("econ", "failed connections"),
    ("eresp", "failed answers"),
    ("wretr", "retries"),
    ("wredis", "redispatches"),
];

fn table(servers: &[&Line]) -> Section {
    let columns = [
        ("server", Role::Key),
        ("address", Role::Value),
        ("state", Role::Value),
        ("status", Role::Value),
        ("check", Role::Value),
        ("weight", Role::Value),
        ("requests", Role::Main),
        ("share", Role::Value),
        ("due", Role::Value),
        ("sessions", Role::Value),
        ("limit", Role::Value),
        ("queued", Role::Value),
        ("connect_errors", Role::Value),
        ("answer_errors", Role::Value),
        ("retries", Role::Value),
        ("redispatches", Role::Value),
        ("changed_ago", Role::Value),
    ];
    let columns = columns.into_iter().map(|(name, role)| Column::new(name, role)).collect();
    let rows: Vec<_> = servers.iter().map(|line| row(line, servers)).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    Section::table("servers", "Servers", table)
}

fn row(line: &Line, servers: &[&Line]) -> Vec<Cell> {
    let peers = || servers.iter().filter(|other| other.proxy == line.proxy);
    let sum = |column: &str| peers().map(|other| other.count(column)).sum::<u64>();
    let number = |column: &str| line.number(column).map_or(Cell::Empty, Cell::Count);
    let since = line.number("lastchg").and_then(|seconds| i64::try_from(seconds).ok());
    let level = match line.state() {
        State::Up => Level::Ok,
        State::Out => Level::Warning,
        State::Down => Level::Critical,
    };
    vec![
        Cell::text(format!("{}/{}", line.proxy, line.name)),
        line.place().map_or(Cell::Empty, |place| Cell::text(place.to_string())),
        Cell::Level(level),
        Cell::text(line.text("status")),
        Cell::text(line.check()),
        number("weight"),
        number("stot"),
        Cell::share(line.count("stot"), sum("stot")),
        Cell::share(line.count("weight"), sum("weight")),
        number("scur"),
        number("slim"),
        number("qcur"),
        number("econ"),
        number("eresp"),
        number("wretr"),
        number("wredis"),
        since.map_or(Cell::Empty, |seconds| Cell::Duration(seconds.saturating_mul(1_000_000))),
    ]
}

/// The address of the page in its form for programs.
fn csv_address(mut url: Url) -> Url {
    if !url.path.contains(";csv") {
        url.path.push_str(";csv");
    }
    url
}

impl Probe for Haproxy {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        match word.contains("://") {
            true => Ok(vec![csv_address(Url::parse(word)?).target()]),
            false => Ok(vec![Target::net(word, None)?]),
        }
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        // The target was made from an address, which reads back; a socket has none.
        let url = Url::parse(&target.rest).ok().filter(|_| !target.rest.is_empty());
        run.each_address(target, |trace, peer| self.dialogue(trace, url.as_ref(), peer))
    }
}
