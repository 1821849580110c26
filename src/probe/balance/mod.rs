//! `probe balance`: over which servers do requests spread, and do sessions stay where they began?
//!
//! Many requests, each over a connection of its own and without cookies, counted by who answered; then some more that
//! send back the cookies of the first answer, and on request some over one connection and from several addresses of
//! ours. Who answered is told by a header, a cookie, the body or the status.
//!
//! `unbalanced` when one server takes all, or more than chance explains; `session_lost` when the server changes
//! although the cookies were sent (with `--sticky`); `backend_errors` when some answers fail and others do not;
//! `identity_missing` when the answers do not show who gave them.

mod identity;

use std::collections::BTreeMap;
use std::net::IpAddr;

use self::identity::{Identity, Jar};
use super::class::Class;
use super::http::client::{self, Body, Head, Request};
use super::http::url::Url;
use super::net::{self, Answer, Deadline, Failure, Peer, Wire};
use super::options::{Knob, Options, wants};
use super::spread::{Part, Spread};
use super::target::Target;
use super::tls::{self, Settings};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::error::{Error, Result};

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "balance",
    about: "load balancing: how requests spread over servers, whether sessions stick",
    target: "http[s]://HOST[:PORT]/PATH",
    steps: &["resolve", "connect", "tls", "spread", "sticky", "keep_alive"],
    knobs: &[
        &[
            Knob::one("requests", "N", "ask so often, 200 at most (40)"),
            Knob::one(
                "by",
                "WHAT",
                "tell servers apart by header:NAME, cookie:NAME, body:~PATTERN or status",
            ),
            Knob::many("weight", "SERVER=N", "the weight of a server (1)"),
            Knob::one("servers", "N", "so many servers must answer"),
            Knob::flag("sticky", "sessions must stay with their server"),
            Knob::flag("keep-alive", "also ask over one connection"),
            Knob::many("from", "ADDRESS,…", "ask from these addresses of ours in turn"),
        ],
        tls::KNOBS,
    ],
    measures: &[
        ("servers", "servers that answered"),
        ("largest_share", "per cent of the answers by the busiest server"),
        ("failed", "requests without a good answer"),
        ("days", "days until the first certificate of the chain ends"),
    ],
    make: |options| Ok(Box::new(Balance::parse(options)?)),
};

/// The steps without TLS.
const PLAIN: &[&str] = &["resolve", "connect", "spread", "sticky", "keep_alive"];

/// The most requests of one check: it is no load test.
const MOST: u32 = 200;

/// The most bytes of a body; an identity stands near the beginning.
const LIMIT: usize = 256 * 1024;

/// How many requests test a session, and a connection that is kept.
const SESSION: u32 = 10;

#[derive(Debug)]
struct Balance {
    requests: u32,
    by: Identity,
    weights: BTreeMap<String, u64>,
    servers: Option<usize>,
    sticky: bool,
    keep_alive: bool,
    from: Vec<IpAddr>,
    settings: Settings,
}

type Dialogue = std::result::Result<(), Halt>;

/// Who answered how often; `None` stands for answers that failed.
#[derive(Debug, Default)]
struct Tally {
    servers: BTreeMap<String, u64>,
    /// Requests that got no answer, or one of 500 and above.
    failed: u64,
    /// The first of them.
    failure: String,
    /// Answers that did not show who gave them.
    nameless: u64,
}

impl Balance {
    fn parse(options: &Options) -> Result<Self> {
        let requests: u32 = options.value("requests", "a number")?.unwrap_or(40);
        if !(2..=MOST).contains(&requests) {
            return Err(Error::usage(format!("--requests {requests}: wants 2 to {MOST}"))
                .advise("the probe looks at how requests spread; it is no load test"));
        }
        let by = "header:NAME, cookie:NAME, body:~PATTERN or status";
        Ok(Self {
            requests,
            by: options.value("by", by)?.unwrap_or(Identity::Guessed),
            weights: weights(options)?,
            servers: options.value("servers", "a number")?,
            sticky: options.flag("sticky"),
            keep_alive: options.flag("keep-alive"),
            from: addresses(options)?,
            settings: Settings::parse(options)?,
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, url: &Url, peer: &Peer) -> Dialogue {
        trace.plan(if url.secure { KIND.steps } else { PLAIN });
        let mut wire = trace.connect(peer)?;
        if url.secure {
            trace.upgrade(&mut wire, Some(&url.host), &self.settings)?;
        }
        let mut jar = Jar::default();
        let tally =
            trace.step("spread", format!("{} times GET {url}", self.requests), |deadline| {
                self.spread(wire, url, peer, &mut jar, deadline)
            })?;
        self.judge_spread(trace, &tally)?;
        self.session(trace, url, peer, jar)?;
        match self.keep_alive {
            true => self.one_connection(trace, url, peer),
            false => Ok(()),
        }
    }

    /// The first request over the wire that is there, each other over its own. A request that fails is counted.
    fn spread(
        &self,
        first: Wire,
        url: &Url,
        peer: &Peer,
        jar: &mut Jar,
        deadline: Deadline,
    ) -> Answer<Tally> {
        let mut tally = Tally::default();
        let answer = ask(first, &request(url, None), deadline)?;
        jar.keep(&answer.0);
        tally.count(&self.by, Ok(answer));
        for number in 1..self.requests {
            let source = self.from.get(number as usize % self.from.len().max(1)).copied();
            let answer = self
                .connect(url, peer, source, deadline)
                .and_then(|wire| ask(wire, &request(url, None), deadline));
            tally.count(&self.by, answer);
            if deadline.remaining().is_none() {
                break;
            }
        }
        Ok(tally)
    }

    /// A connection beside the first; its certificate is that of the first, which has been judged.
    fn connect(
        &self,
        url: &Url,
        peer: &Peer,
        source: Option<IpAddr>,
        deadline: Deadline,
    ) -> Answer<Wire> {
        let mut wire = net::connect(peer, source, deadline)?;
        if url.secure {
            let name = self.settings.name_for(Some(&url.host));
            tls::upgrade(&mut wire, name, &self.settings, deadline)?;
        }
        Ok(wire)
    }

    fn judge_spread(&self, trace: &mut Trace<'_>, tally: &Tally) -> Dialogue {
        let answered: u64 = tally.servers.values().sum();
        let parts = self.parts(tally);
        let largest = tally.servers.values().max().copied().unwrap_or_default();
        trace.measure("servers", tally.servers.len() as f64, "");
        trace.measure("failed", tally.failed as f64, "");
        trace.measure("largest_share", largest as f64 * 100.0 / answered.max(1) as f64, "%");
        if tally.failed > 0 {
            let came = format!(
                "{} of {} failed, the first: {}",
                tally.failed, self.requests, tally.failure
            );
            trace.fault(Class::BackendErrors, "a good answer each time", came);
        }
        if tally.servers.is_empty() && tally.nameless > 0 {
            let came = format!("{} answers without a mark", tally.nameless);
            return Err(trace.halt(Class::IdentityMissing, "a mark of who answered", came));
        }
        let spread = Spread::of(&parts.iter().map(|(_, part)| part.clone()).collect::<Vec<_>>());
        trace.section(table(&parts, answered));
        if let Some(spread) = &spread {
            trace.fact("chi_squared", Cell::Real(spread.chi_squared));
            trace.fact("probability", Cell::Real(spread.probability));
        }
        let shown = shown(tally);
        trace.summary(format!("{} servers: {shown}", tally.servers.len()));
        self.judge_servers(trace, tally, &shown);
        if spread.is_some_and(|spread| spread.is_uneven()) && tally.servers.len() > 1 {
            trace.fault(Class::Unbalanced, "shares as weighted", shown);
        }
        Ok(())
    }

    /// One server that takes all may be right for a client that is bound to it; it is not balancing.
    fn judge_servers(&self, trace: &mut Trace<'_>, tally: &Tally, shown: &str) {
        let wanted = self.servers.unwrap_or(2).max(self.weights.len());
        if tally.servers.len() >= wanted || tally.servers.is_empty() {
            return;
        }
        trace.fault(Class::Unbalanced, format!("answers of {wanted} servers at least"), shown);
        trace.because(
            "the others are down and retried over, the client is bound by its address (ip_hash, balance source), \
             or the proxy passes to one server's own address instead of the group's name",
        );
    }

    /// What each server got and its weight; those with a weight given that did not answer have nothing.
    fn parts(&self, tally: &Tally) -> Vec<(String, Part)> {
        let silent = self.weights.keys().filter(|name| !tally.servers.contains_key(*name));
        let names = tally.servers.keys().chain(silent);
        let part = |name: &String| {
            let count = tally.servers.get(name).copied().unwrap_or_default();
            (name.clone(), Part { count, weight: self.weights.get(name).copied().unwrap_or(1) })
        };
        names.map(part).collect()
    }

    /// Requests that send back the cookies of the first answer.
    fn session(&self, trace: &mut Trace<'_>, url: &Url, peer: &Peer, mut jar: Jar) -> Dialogue {
        let set: Vec<_> =
            jar.all().map(|c| format!("{}; {}", c.name, c.attributes.join("; "))).collect();
        trace.fact("cookies", Cell::List(set.iter().map(Cell::text).collect()));
        if set.is_empty() && !self.sticky {
            return Ok(());
        }
        let source = self.from.first().copied();
        let tally = trace.step("sticky", "the same with cookies", |deadline| {
            let mut tally = Tally::default();
            for _ in 0..SESSION {
                let cookies = jar.header(url.secure, &url.path);
                let wire = self.connect(url, peer, source, deadline)?;
                let answer = ask(wire, &request(url, cookies), deadline)?;
                jar.keep(&answer.0);
                tally.count(&self.by, Ok(answer));
            }
            Ok(tally)
        })?;
        let sticks = tally.servers.len() <= 1 && tally.failed == 0;
        trace.fact("sessions_stick", Cell::text(if sticks { "yes" } else { "no" }));
        if !sticks && self.sticky {
            trace.fault(Class::SessionLost, "one server for one session", shown(&tally));
            trace.because(why_lost(&jar, url));
        }
        Ok(())
    }

    /// Requests over one connection, which some balancers leave with one server.
    fn one_connection(&self, trace: &mut Trace<'_>, url: &Url, peer: &Peer) -> Dialogue {
        let source = self.from.first().copied();
        let asked = "several requests over one connection";
        let tally = trace.step("keep_alive", asked, |deadline| {
            let mut wire = self.connect(url, peer, source, deadline)?;
            let mut tally = Tally::default();
            for _ in 0..SESSION {
                match ask_again(&mut wire, url, deadline) {
                    Ok((answer, last)) => {
                        tally.count(&self.by, Ok(answer));
                        if last {
                            break;
                        }
                    }
                    // A server may close between two requests whenever it likes.
                    Err(failure) if is_end(&failure) && tally.answered() > 0 => break,
                    Err(failure) => return Err(failure),
                }
            }
            wire.leave(b"");
            Ok(tally)
        })?;
        trace.fact("requests_on_one_connection", Cell::Count(tally.answered()));
        trace.fact("over_one_connection", Cell::text(shown(&tally)));
        Ok(())
    }
}

/// One request that wants the connection kept, its answer, and whether that was the last.
fn ask_again(wire: &mut Wire, url: &Url, deadline: Deadline) -> Answer<((Head, Body), bool)> {
    let mut request = request(url, None);
    request.headers.push(("Connection".to_owned(), "keep-alive".to_owned()));
    wire.send(&request.bytes(), deadline)?;
    let head = client::head(wire, deadline)?;
    let body = client::body(wire, &head, "GET", LIMIT, deadline)?;
    let last = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(((head, body), last))
}

fn is_end(failure: &Failure) -> bool {
    matches!(failure.class, Class::ClosedEarly | Class::Reset)
}

impl Tally {
    /// How many answers came, good or not.
    fn answered(&self) -> u64 {
        self.servers.values().sum::<u64>() + self.nameless
    }

    fn count(&mut self, by: &Identity, answer: Answer<(Head, Body)>) {
        let failure = match &answer {
            Err(failure) => Some(format!("{}: {}", failure.class.name(), failure.came)),
            Ok((head, _)) => (head.status >= 500).then(|| head.line()),
        };
        if let Some(failure) = failure {
            self.failed += 1;
            if self.failure.is_empty() {
                self.failure = failure;
            }
        }
        let Ok((head, body)) = answer else { return };
        match by.of(&head, &body) {
            Some(name) => *self.servers.entry(name).or_default() += 1,
            None => self.nameless += 1,
        }
    }
}

/// The names and counts of the busiest servers.
fn shown(tally: &Tally) -> String {
    let mut all: Vec<_> = tally.servers.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let more = all.len().saturating_sub(8);
    let words: Vec<_> = all.iter().take(8).map(|(name, count)| format!("{name} {count}")).collect();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", words.join(", "))
}

/// Why a session was lost, as far as its cookies tell.
fn why_lost(jar: &Jar, url: &Url) -> String {
    if jar.all().next().is_none() {
        return "the balancer sets no cookie, and does not bind clients in another way".to_owned();
    }
    let lost = jar.all().find_map(|cookie| {
        cookie.why_lost(url.secure, &url.path).map(|why| format!("{}: {why}", cookie.name))
    });
    match lost {
        Some(lost) => format!("a browser does not send the cookie back; {lost}"),
        None => "no cookie binds the client to a server, or its server is away".to_owned(),
    }
}

fn request(url: &Url, cookies: Option<String>) -> Request {
    let mut request = Request::get(url);
    request.headers.extend(cookies.map(|cookies| ("Cookie".to_owned(), cookies)));
    request
}

fn ask(mut wire: Wire, request: &Request, deadline: Deadline) -> Answer<(Head, Body)> {
    wire.send(&request.bytes(), deadline)?;
    let head = client::head(&mut wire, deadline)?;
    let body = client::body(&mut wire, &head, "GET", LIMIT, deadline)?;
    wire.leave(b"");
    Ok((head, body))
}

fn weights(options: &Options) -> Result<BTreeMap<String, u64>> {
    let read = |(name, text): (&str, &str)| {
        let weight = text.parse().map_err(|_| wants("weight", text, "SERVER=N"))?;
        Ok((name.to_owned(), weight))
    };
    options.pairs("weight")?.into_iter().map(read).collect()
}

fn addresses(options: &Options) -> Result<Vec<IpAddr>> {
    let read = |text: &str| text.parse().map_err(|_| wants("from", text, "IP addresses of ours"));
    options.list("from").into_iter().map(read).collect()
}

fn table(parts: &[(String, Part)], answered: u64) -> Section {
    let columns = vec![
        Column::new("server", Role::Key),
        Column::new("answers", Role::Main),
        Column::new("share", Role::Value),
        Column::new("due", Role::Value),
    ];
    let weight: u64 = parts.iter().map(|(_, part)| part.weight).sum();
    let row = |(name, part): &(String, Part)| {
        vec![
            Cell::text(name),
            Cell::Count(part.count),
            Cell::share(part.count, answered),
            Cell::share(part.weight, weight),
        ]
    };
    let rows: Vec<_> = parts.iter().map(row).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    Section::table("spread", "Who answered", table)
}

impl Probe for Balance {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        Ok(vec![Url::parse(word)?.target()])
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        // The target was made from an address, which reads back.
        let Ok(url) = Url::parse(&target.rest) else { return Vec::new() };
        run.each_address(target, |trace, peer| self.dialogue(trace, &url, peer))
    }
}
