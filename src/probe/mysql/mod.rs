//! `probe mysql`: is the database alive, does it let us in, and how near is it to its limits?
//!
//! Name, connection, greeting, on request TLS, login, and after a good login what the server counts. The greeting is
//! always answered with a login, by default as a made-up user whom a healthy server refuses: hanging up after the
//! greeting would count as a broken connection, and lock this host out after a while. Everything asked only reads.
//!
//! A made-up user shows that the server is alive, and no more: with exactly all connections taken the server still
//! looks at the password first, and only a user who may come in hears that there is no room (`--user`).
//!
//! Errors have classes of their own: `too_many_connections` (which comes in the place of the greeting, or only after
//! the login), `host_blocked`, `host_denied`, `auth_fail`, `database_denied`, `user_limit`, `auth_plugin`,
//! `password_expired`, `tls_required`, `shutting_down`, `read_only`; any other is `server_error`. Of a server that
//! lets us in, `near_connection_limit` and `lock_waits` may be found.

mod credentials;
mod errors;
mod login;
mod packet;
mod query;

use std::thread;
use std::time::Duration;

use self::credentials::given;
use self::login::{Credentials, Login, ask_for_tls, log_in};
use self::packet::{First, Greeting, Packet, ServerError, first};
use self::query::{Counters, Processes};
use super::class::Class;
use super::courtesy::{self, MYSQL_QUIT, Protocol, mysql_login, recognise};
use super::escape::{escaped, quoted};
use super::expect::Expectation;
use super::net::{self, Answer, Deadline, Failure, Peer, Wire};
use super::options::{Knob, Options};
use super::target::Target;
use super::tls::{self, Settings};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::{Cell, Level};
use crate::error::{Error, Result};

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "mysql",
    about: "MySQL and MariaDB: errors by their codes, login, connections against their limit",
    target: "HOST[:3306] or unix:/PATH",
    steps: &["resolve", "connect", "greeting", "tls", "login", "status", "processlist", "query"],
    knobs: &[
        &[
            Knob::one("user", "NAME", "log in as this user (logmill, who need not exist)"),
            Knob::one("password-file", "FILE", "with the password in this file"),
            Knob::one("password-env", "VARIABLE", "with the password in this environment variable"),
            Knob::one("defaults-file", "FILE", "user and password from [client] of an option file"),
            Knob::one("database", "NAME", "into this database"),
            Knob::flag("tls", "encrypt, and judge the certificate"),
            Knob::one("interval", "TIME", "look at the counters twice, for rates"),
            Knob::flag("processlist", "count who works, idles and waits for locks"),
            Knob::one("query", "STATEMENT", "ask this SELECT or SHOW"),
            Knob::many(
                "expect",
                "TEXT",
                "its first value must hold this text; ~PATTERN, !~PATTERN",
            ),
            Knob::one("extra-port", "PORT", "at 'too many connections', try this reserved port"),
        ],
        tls::KNOBS,
    ],
    measures: &[
        ("connections", "per cent of max_connections in use"),
        ("threads_running", "statements at work now"),
        ("slow_queries", "slow statements since the server's start"),
        ("queries_per_second", "questions a second over --interval"),
        ("slow_per_minute", "slow statements a minute over --interval"),
        ("value", "the first value of --query"),
        ("days", "days until the first certificate of the chain ends"),
    ],
    make: |options| Ok(Box::new(Mysql::parse(options)?)),
};

/// The steps of a made-up user.
const STRANGER: &[&str] = &["resolve", "connect", "greeting", "login"];

/// The steps of a known user without TLS.
const IN_CLEAR: &[&str] =
    &["resolve", "connect", "greeting", "login", "status", "processlist", "query"];

/// The most bytes of a greeting.
const LIMIT: usize = 4096;

/// Per cent of the allowed connections from which the server is near its limit: a warning, and critical.
const NEAR: (f64, f64) = (80.0, 95.0);

#[derive(Debug)]
struct Mysql {
    /// Who was given to log in as; nobody by default.
    who: Option<Credentials>,
    tls: Option<Settings>,
    interval: Option<Duration>,
    processlist: bool,
    query: Option<String>,
    expect: Vec<Expectation>,
    extra_port: Option<u16>,
}

type Dialogue = std::result::Result<(), Halt>;

impl Mysql {
    fn parse(options: &Options) -> Result<Self> {
        let who = given(options)?;
        let wants_user = ["database", "interval", "processlist", "query", "expect"];
        if let Some(knob) = wants_user.iter().find(|knob| options.flag(knob) && who.is_none()) {
            return Err(Error::usage(format!("--{knob} wants a login"))
                .advise("give --user or --defaults-file"));
        }
        Ok(Self {
            who,
            tls: options.flag("tls").then(|| Settings::parse(options)).transpose()?,
            interval: options.duration("interval")?,
            processlist: options.flag("processlist"),
            query: options.text("query").map(read_only).transpose()?,
            expect: options.all("expect").map(Expectation::parse).collect::<Result<_>>()?,
            extra_port: options.value("extra-port", "a port")?,
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, target: &Target, peer: &Peer) -> Dialogue {
        trace.plan(match (&self.tls, &self.who) {
            (Some(_), _) => KIND.steps,
            (None, Some(_)) => IN_CLEAR,
            (None, None) => STRANGER,
        });
        let mut wire = trace.connect(peer)?;
        let greeting = match self.greeting(trace, &mut wire, peer) {
            Ok(greeting) => greeting,
            Err(halt) => {
                let unread = wire.unread().to_vec();
                courtesy::leave(wire, &unread, trace.deadline());
                return Err(halt);
            }
        };
        let who = self.encrypt(trace, &mut wire, target, &greeting)?;
        let private = wire.is_encrypted() || matches!(peer, Peer::Unix(_));
        let login =
            trace.step("login", format!("a login as {}", shown(&who.user)), |deadline| {
                log_in(&mut wire, &greeting, &who, private, deadline)
            })?;
        if login != Login::In {
            let in_clear = !wire.is_encrypted();
            wire.leave(b"");
            let denied = matches!(&login, Login::Refused(error) if error.code == 1045);
            let judged = self.judge_login(trace, login, peer);
            if denied && in_clear && greeting.offers_tls() && self.who.is_some() {
                suggest_tls(trace);
            }
            return judged;
        }
        trace.fact("login", Cell::text("accepted"));
        let asked = self.ask(trace, &mut wire, &greeting);
        wire.leave(MYSQL_QUIT);
        asked
    }

    fn greeting(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
        peer: &Peer,
    ) -> std::result::Result<Greeting, Halt> {
        let greeted = trace.step("greeting", "a greeting", |deadline| greet(wire, deadline));
        if greeted.is_err() && trace.failed_with(&[Class::Silent]).is_some() {
            trace.because(
                "the server looks the client's name up (skip_name_resolve), or it is stuck",
            );
        }
        match greeted? {
            First::Greeting(greeting) => {
                trace.came(format!("version {}", greeting.version));
                trace.summary(format!("{} is alive", greeting.version));
                trace.fact("version", Cell::text(&greeting.version));
                trace.fact("auth_plugin", Cell::text(&greeting.plugin));
                trace.fact("tls_offered", Cell::text(yes_or_no(greeting.offers_tls())));
                Ok(greeting)
            }
            First::Error(error) => {
                trace.fact("refused", Cell::text("in the place of the greeting"));
                let halt = server_fault(trace, "a greeting", &error);
                self.after_error(trace, &error, peer);
                Err(halt)
            }
            First::Old(version) => {
                let came = format!("protocol {version}, of a server before 3.21");
                Err(trace.halt(Class::Unexpected, "protocol 10", came))
            }
        }
    }

    /// Encrypts where that is wanted, and says who shall log in: not the given user when the certificate does not
    /// hold, whose password then stays here.
    fn encrypt(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
        target: &Target,
        greeting: &Greeting,
    ) -> std::result::Result<Credentials, Halt> {
        let who = self.who.clone().unwrap_or_else(Credentials::stranger);
        let Some(settings) = &self.tls else { return Ok(who) };
        if !greeting.offers_tls() {
            let deadline = trace.deadline();
            // The made-up user's refusal keeps this host from being counted as one that hangs up.
            let _ = wire.send(&mysql_login(false), deadline).and_then(|()| wire.some(deadline));
            return Err(trace.halt(
                Class::StarttlsMissing,
                "the offer of TLS",
                "its greeting has none",
            ));
        }
        trace.step("tls", "TLS", |deadline| ask_for_tls(wire, greeting, deadline))?;
        trace.upgrade(wire, target.host(), settings)?;
        match trace.level() {
            Level::Ok | Level::Warning => Ok(who),
            Level::Critical | Level::Unknown => Ok(Credentials::stranger()),
        }
    }

    /// A login that did not succeed. A made-up user is refused by a healthy server.
    fn judge_login(&self, trace: &mut Trace<'_>, login: Login, peer: &Peer) -> Dialogue {
        let is_stranger = self.who.is_none() || trace.level() == Level::Critical;
        match login {
            Login::In => Ok(()),
            Login::Refused(error) if is_stranger && errors::is_plain_refusal(error.code) => {
                trace.came(error.to_string());
                trace.fact("login", Cell::text("not tested"));
                Ok(())
            }
            Login::Untested(why) if is_stranger => {
                trace.came(why);
                trace.fact("login", Cell::text("not tested"));
                Ok(())
            }
            Login::Untested(why) => Err(trace.halt(Class::LoginUntested, "a login", why)),
            Login::Refused(error) => {
                trace.fact("refused", Cell::text("after the login"));
                let halt = server_fault(trace, "a login", &error);
                self.after_error(trace, &error, peer);
                Err(halt)
            }
        }
    }

    /// MariaDB keeps a port of its own for administrators, which still works when the other is full.
    fn after_error(&self, trace: &mut Trace<'_>, error: &ServerError, peer: &Peer) {
        let (Some(port), Peer::Tcp(address)) = (self.extra_port, peer) else { return };
        if error.code != 1040 {
            return;
        }
        let door = Peer::Tcp((address.ip(), port).into());
        let who = self.who.clone().unwrap_or_else(Credentials::stranger);
        let source = trace.run().common.source;
        let deadline = trace.deadline();
        let tried = net::connect(&door, source, deadline)
            .and_then(|wire| try_login(wire, &who, deadline))
            .unwrap_or_else(|failure| failure.came);
        trace.fact("extra_port", Cell::text(tried));
    }

    /// What an open session is asked.
    fn ask(&self, trace: &mut Trace<'_>, wire: &mut Wire, greeting: &Greeting) -> Dialogue {
        let counters = self.status(trace, wire)?;
        let connections =
            match (counters.number("threads_connected"), counters.number("max_connections")) {
                (Some(now), Some(most)) => format!(", {now} of {most} connections"),
                _ => String::new(),
            };
        trace.summary(format!("{} lets us in{connections}", greeting.version));
        if self.processlist {
            processlist(trace, wire)?;
        }
        match &self.query {
            Some(statement) => self.query(trace, wire, statement),
            None => Ok(()),
        }
    }

    /// The counters, twice where rates are wanted.
    fn status(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
    ) -> std::result::Result<Counters, Halt> {
        let read = trace.step("status", "SHOW GLOBAL STATUS", |deadline| {
            let earlier = counters(wire, deadline)?;
            let (Some(interval), Ok(_)) = (self.interval, &earlier) else {
                return Ok((earlier, None));
            };
            thread::sleep(interval.min(deadline.remaining().unwrap_or_default()));
            Ok((counters(wire, deadline)?, earlier.ok()))
        })?;
        let now = match read.0 {
            Ok(now) => now,
            Err(error) => return Err(server_fault(trace, "SHOW GLOBAL STATUS", &error)),
        };
        keep_counters(trace, &now);
        if let (Some(interval), Some(earlier)) = (self.interval, read.1) {
            let rate = |name| now.rate_since(&earlier, name, interval.as_secs_f64());
            keep_rates(trace, rate("questions"), rate("slow_queries"));
        }
        judge_connections(trace, &now);
        Ok(now)
    }

    fn query(&self, trace: &mut Trace<'_>, wire: &mut Wire, statement: &str) -> Dialogue {
        let asked = escaped(statement.as_bytes(), 200);
        let rows = trace.step("query", asked.as_str(), |deadline| {
            // The server then refuses what our own look at the statement has missed.
            query::ask(wire, "START TRANSACTION READ ONLY", deadline)?.ok();
            query::ask(wire, statement, deadline)
        })?;
        let rows = rows.map_err(|error| server_fault(trace, &asked, &error))?;
        let first = rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_default();
        trace.came(quoted(&first));
        trace.fact("value", Cell::text(&first));
        trace.fact("rows", Cell::Count(rows.len() as u64));
        if let Some(value) =
            std::str::from_utf8(&first).ok().and_then(|text| text.parse::<f64>().ok())
        {
            trace.measure("value", value, "");
        }
        for missed in self.expect.iter().filter(|one| !one.holds(&first)) {
            trace.fault(Class::Unexpected, format!("a value with '{missed}'"), quoted(&first));
        }
        Ok(())
    }
}

fn read_only(statement: &str) -> Result<String> {
    match query::why_not_read_only(statement) {
        None => Ok(statement.to_owned()),
        Some(why) => Err(Error::usage(format!("--query '{statement}': {why}"))
            .advise("write one SELECT or SHOW: --query 'SELECT COUNT(*) FROM jobs'")),
    }
}

/// The first packet, if it is one of this protocol.
fn greet(wire: &mut Wire, deadline: Deadline) -> Answer<First> {
    wire.more(deadline)?;
    if let Some(other) = recognise(wire.unread()).filter(|found| *found != Protocol::Mysql) {
        let came = format!(
            "{} instead: {}",
            other.name(),
            quoted(&wire.unread()[..wire.unread().len().min(80)])
        );
        return Err(Failure::new(Class::WrongProtocol, came));
    }
    let packet = Packet::read(wire, LIMIT, deadline)?;
    first(&packet.body)
}

/// What came of a login through the reserved port, in words.
fn try_login(mut wire: Wire, who: &Credentials, deadline: Deadline) -> Answer<String> {
    let greeting = match greet(&mut wire, deadline)? {
        First::Greeting(greeting) => greeting,
        First::Error(error) => return Ok(error.to_string()),
        First::Old(version) => return Ok(format!("protocol {version}")),
    };
    Ok(match log_in(&mut wire, &greeting, who, false, deadline)? {
        Login::In => {
            wire.leave(MYSQL_QUIT);
            "lets us in".to_owned()
        }
        Login::Refused(error) => error.to_string(),
        Login::Untested(why) => why,
    })
}

/// MariaDB gives the same answer to a wrong password and to a right one that came in clear where TLS is wanted.
fn suggest_tls(trace: &mut Trace<'_>) {
    let usual = Class::AuthFail.words().cause;
    trace.because(format!("{usual}; or the account or the server wants TLS (--tls)"));
}

/// A fault with the class of the server's error, and the cause where its code has one.
fn server_fault(trace: &mut Trace<'_>, asked: &str, error: &ServerError) -> Halt {
    let (class, cause) = errors::meaning(error.code);
    let halt = trace.halt(class, asked, error.to_string());
    if !cause.is_empty() {
        trace.because(cause);
    }
    halt
}

/// Everything that the server counts, and the settings that bound it.
fn counters(
    wire: &mut Wire,
    deadline: Deadline,
) -> Answer<std::result::Result<Counters, ServerError>> {
    let mut counters = Counters::default();
    if let Err(error) = query::ping(wire, deadline)? {
        return Ok(Err(error));
    }
    for statement in ["SHOW GLOBAL STATUS", SETTINGS] {
        match query::ask(wire, statement, deadline)? {
            Ok(rows) => counters.add(rows),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(counters))
}

const SETTINGS: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
    ('max_connections', 'max_connect_errors', 'long_query_time', 'read_only', 'skip_name_resolve')";

/// The counters and settings that are kept as facts.
const KEPT: [&str; 13] = [
    "uptime",
    "threads_connected",
    "threads_running",
    "max_connections",
    "max_used_connections",
    "connection_errors_max_connections",
    "aborted_connects",
    "aborted_clients",
    "questions",
    "slow_queries",
    "long_query_time",
    "read_only",
    "skip_name_resolve",
];

fn keep_counters(trace: &mut Trace<'_>, now: &Counters) {
    for name in KEPT {
        let cell = match (now.number(name), now.text(name)) {
            (Some(number), _) => Cell::Count(number),
            (None, Some(text)) => Cell::text(text),
            (None, None) => continue,
        };
        trace.fact(name, cell);
    }
    if let Some(percent) = now.connections_percent() {
        trace.measure("connections", percent, "%");
    }
    for (name, unit) in [("threads_running", ""), ("slow_queries", "c")] {
        if let Some(value) = now.number(name) {
            trace.measure(name, value as f64, unit);
        }
    }
}

fn keep_rates(trace: &mut Trace<'_>, questions: Option<f64>, slow: Option<f64>) {
    if let Some(rate) = questions {
        trace.fact("queries_per_second", Cell::Rate(rate));
        trace.measure("queries_per_second", rate, "");
    }
    if let Some(rate) = slow {
        trace.measure("slow_per_minute", rate * 60.0, "");
    }
}

/// Warns before the limit is reached, unless the check has ranges of its own for that.
fn judge_connections(trace: &mut Trace<'_>, now: &Counters) {
    let common = trace.run().common;
    let own = common.warn.iter().chain(&common.crit).any(|(name, _)| name == "connections");
    let Some(percent) = now.connections_percent().filter(|percent| !own && *percent >= NEAR.0)
    else {
        return;
    };
    let level = if percent >= NEAR.1 { Level::Critical } else { Level::Warning };
    let asked = format!("under {} % of max_connections in use", NEAR.0);
    let (used, most) = (now.number("threads_connected"), now.number("max_connections"));
    let came =
        format!("{percent:.0} %: {} of {}", used.unwrap_or_default(), most.unwrap_or_default());
    trace.fault_at(Class::NearConnectionLimit, level, asked, came);
}

fn processlist(trace: &mut Trace<'_>, wire: &mut Wire) -> Dialogue {
    let asked = "SHOW PROCESSLIST";
    let rows = trace.step("processlist", asked, |deadline| query::ask(wire, asked, deadline))?;
    let rows = rows.map_err(|error| server_fault(trace, asked, &error))?;
    let found = Processes::count(&rows);
    trace.fact("processes", Cell::Count(found.all));
    trace.fact("idle", Cell::Count(found.idle));
    trace.fact("waiting_for_locks", Cell::Count(found.waiting));
    if let Some((seconds, statement)) = &found.longest {
        trace.fact(
            "longest",
            Cell::Duration(i64::try_from(*seconds).unwrap_or(0).saturating_mul(1_000_000)),
        );
        trace.fact("longest_statement", Cell::text(statement));
    }
    if found.waiting > 0 {
        let came = format!("{} of {} wait", found.waiting, found.all);
        trace.fault(Class::LockWaits, "no statement that waits for a lock", came);
    }
    Ok(())
}

fn shown(user: &str) -> String {
    escaped(user.as_bytes(), 80)
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

impl Probe for Mysql {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        Target::ports(word, Some(3306))
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, target, peer))
    }
}
