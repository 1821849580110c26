//! `probe dns`: what does this name server answer, how fast, and do the others agree?
//!
//! Asked over UDP (again over TCP when the answer did not fit), any number of times. Every answer code has a class of
//! its own; an alias that leads nowhere, an empty answer and a refusal with its reason are told apart. On request every
//! authority of the zone is asked and compared with what the resolver says, other servers are compared, mail
//! exchangers are followed, the system's own answer is compared, and the way from the root is walked.

mod authority;
mod expect;
mod mail;
mod walk;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use domain::base::Rtype;

use self::expect::Expected;
use super::class::Class;
use super::net::{self, Answer, Deadline, Failure, Peer};
use super::options::{Knob, Options, wants};
use super::resolver::{self, Question, Reply};
use super::target::{Place, Target};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::{Cell, Column, Level, Role, Table};
use crate::error::{Error, Result};

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "dns",
    about: "name servers: answers, codes, authorities, agreement, time and loss",
    target: "NAME[@SERVER[:PORT]]",
    steps: &["resolve", "query"],
    knobs: &[&[
        Knob::one(
            "type",
            "TYPE",
            "the type of record: A, AAAA, MX, NS, SOA, TXT, PTR, SRV, CAA, … (A)",
        ),
        Knob::flag("tcp", "ask over TCP only"),
        Knob::flag("both", "ask over UDP and TCP, and compare"),
        Knob::one("tries", "N", "ask so often; gives median time and loss (1)"),
        Knob::flag("no-recursion", "do not let the server ask others"),
        Knob::many(
            "expect",
            "VALUE,…",
            "exactly these answers; addresses, networks, text, ~PATTERN",
        ),
        Knob::many("expect-some", "VALUE,…", "one of these among the answers"),
        Knob::one("expect-rcode", "CODE", "this answer code: NXDOMAIN"),
        Knob::flag(
            "authoritative",
            "ask every name server of the zone; compare serials and answers",
        ),
        Knob::one("authority-port", "PORT", "where those servers listen (53)"),
        Knob::many("authority-at", "NAME=ADDRESS:PORT", "where one of them is reached from here"),
        Knob::many("compare", "SERVER,…", "ask these servers too, and compare"),
        Knob::flag("mx", "follow the mail exchangers of the name"),
        Knob::flag("ptr", "the name of an address, and back"),
        Knob::flag("system", "compare with what this machine's programs get (hosts file included)"),
        Knob::flag("trace", "walk from the root, or from SERVER, to the name"),
    ]],
    measures: &[
        ("rtt", "seconds of a question and its answer, the median of all tries"),
        ("rtt_max", "the longest"),
        ("loss", "per cent of the tries without answer"),
        ("ttl", "seconds that the answer may be kept"),
        ("answers", "how many records of the type asked for"),
    ],
    make: |options| Ok(Box::new(Dns::parse(options)?)),
};

#[derive(Debug)]
struct Dns {
    rtype: String,
    transport: Transport,
    tries: u32,
    recurse: bool,
    expected: Expected,
    authoritative: bool,
    authority_port: u16,
    /// Authorities that are reached elsewhere than their names say.
    authority_at: Vec<(String, SocketAddr)>,
    compare: Vec<Target>,
    mx: bool,
    ptr: bool,
    system: bool,
    trace: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
    Both,
}

type Dialogue = std::result::Result<(), Halt>;

/// One server to ask, and how: what every part of the probe needs.
#[derive(Debug, Clone, Copy)]
struct Server {
    address: SocketAddr,
    source: Option<IpAddr>,
    deadline: Deadline,
}

impl Server {
    fn ask(&self, question: &Question) -> Answer<Reply> {
        resolver::ask(self.address, question, self.source, self.deadline)
    }

    /// The same question about another name or type.
    fn look_up(&self, name: &str, rtype: &str, recurse: bool) -> Answer<Reply> {
        self.ask(&question(name, rtype, recurse)?)
    }

    fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..*self }
    }

    /// The addresses of a name as this server knows them.
    fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let of = |rtype: &str| self.look_up(name, rtype, true).ok();
        let replies = [of("A"), of("AAAA")];
        let answers = replies.iter().flatten().flat_map(|reply| &reply.answers);
        answers.filter_map(|record| record.data.parse().ok()).collect()
    }
}

fn question(name: &str, rtype: &str, recurse: bool) -> Answer<Question> {
    Question::parse(name, rtype, recurse)
        .ok_or_else(|| Failure::new(Class::BadTarget, "a name or type that DNS does not have"))
}

impl Dns {
    fn parse(options: &Options) -> Result<Self> {
        let (ptr, mx) = (options.flag("ptr"), options.flag("mx"));
        let usual = if ptr {
            "PTR"
        } else if mx {
            "MX"
        } else {
            "A"
        };
        let rtype = options.text("type").unwrap_or(usual).to_ascii_uppercase();
        if Question::parse("a", &rtype, true).is_none() {
            return Err(Error::usage(format!("--type '{rtype}': there is no such type of record"))
                .advise("types: A, AAAA, MX, NS, SOA, TXT, PTR, SRV, CAA, CNAME, DS, DNSKEY, …"));
        }
        let servers = options.list("compare").into_iter();
        Ok(Self {
            rtype,
            transport: transport(options)?,
            tries: options.value("tries", "a number")?.unwrap_or(1).clamp(1, 100),
            recurse: !options.flag("no-recursion"),
            expected: Expected::parse(options)?,
            authoritative: options.flag("authoritative"),
            authority_port: options.value("authority-port", "a port")?.unwrap_or(53),
            authority_at: elsewhere(options)?,
            compare: servers.map(|word| Target::net(word, Some(53))).collect::<Result<_>>()?,
            mx,
            ptr,
            system: options.flag("system"),
            trace: options.flag("trace"),
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, name: &str, peer: &Peer) -> Dialogue {
        trace.address(peer);
        let Peer::Tcp(address) = *peer else {
            return Err(trace.halt(Class::BadTarget, "a name server", "a socket file"));
        };
        let server =
            Server { address, source: trace.run().common.source, deadline: trace.deadline() };
        let question = match question(name, &self.rtype, self.recurse) {
            Ok(question) => question,
            Err(failure) => return Err(trace.halt(failure.class, name, failure.came)),
        };
        let reply = self.query(trace, server, &question)?;
        facts(trace, &reply, question.rtype);
        self.judge(trace, &question, &reply);
        self.beyond(trace, server, name, &question, &reply);
        Ok(())
    }

    /// Asks as often as wanted. One answer is enough to go on; what was lost is a fault of its own.
    fn query(
        &self,
        trace: &mut Trace<'_>,
        server: Server,
        question: &Question,
    ) -> std::result::Result<Reply, Halt> {
        let mut heard = Heard::default();
        let asked = format!("{question} of {}", server.address);
        let reply = trace
            .step("query", &asked, |deadline| self.tries(server, question, deadline, &mut heard));
        let Heard { mut times, answers } = heard;
        let lost = self.tries as usize - times.len();
        if self.tries > 1 {
            trace.measure("loss", lost as f64 * 100.0 / f64::from(self.tries), "%");
        }
        let reply = reply?;
        times.sort_unstable();
        trace.measure("rtt", times[times.len() / 2].as_secs_f64(), "s");
        trace.measure("rtt_max", times[times.len() - 1].as_secs_f64(), "s");
        if lost > 0 {
            trace.fault(Class::Loss, asked, format!("{lost} of {} without answer", self.tries));
        }
        judge_tries(trace, question, &answers);
        let over = if reply.over_tcp { "TCP" } else { "UDP" };
        trace.came(format!("{}, {} bytes over {over}", said(&reply), reply.size));
        Ok(reply)
    }

    fn tries(
        &self,
        server: Server,
        question: &Question,
        deadline: Deadline,
        heard: &mut Heard,
    ) -> Answer<Reply> {
        let mut last = Err(Failure::new(Class::DnsTimeout, "no answer in time"));
        for left in (1..=self.tries).rev() {
            let Some(time) = deadline.remaining() else { break };
            let share = deadline.min(Deadline::after(time / left));
            let began = Instant::now();
            let reply = self.once(Server { deadline: share, ..server }, question);
            if let Ok(reply) = &reply {
                heard.times.push(began.elapsed());
                *heard.answers.entry(authority::answers_of(question, reply)).or_default() += 1;
            }
            if reply.is_ok() || last.is_err() {
                last = reply;
            }
        }
        last
    }

    fn once(&self, server: Server, question: &Question) -> Answer<Reply> {
        let Server { address, source, deadline } = server;
        match self.transport {
            Transport::Udp => resolver::ask(address, question, source, deadline),
            Transport::Tcp => resolver::ask_tcp(address, question, source, deadline),
            Transport::Both => {
                let reply = resolver::ask_udp(address, question, source, deadline)?;
                resolver::ask_tcp(address, question, source, deadline).map_err(|failure| {
                    Failure::new(failure.class, format!("over TCP only: {}", failure.came))
                })?;
                Ok(reply)
            }
        }
    }

    fn judge(&self, trace: &mut Trace<'_>, question: &Question, reply: &Reply) {
        let answers = reply.set(question.rtype);
        trace.summary(match answers.len() {
            0 => said(reply),
            _ => answers.join(", "),
        });
        if let Some(code) = self.expected.rcode() {
            if reply.rcode != code {
                trace.fault(Class::Unexpected, format!("answer code {code}"), said(reply));
            }
            return;
        }
        // Who walks from a server down expects it to refer further.
        let referred = self.trace && is_referral(reply);
        if let Some(class) = class_of(reply, question.rtype).filter(|_| !referred) {
            trace.fault(class, question.to_string(), said(reply));
            if let (Class::Nxdomain | Class::Nodata, Some(ttl)) = (class, reply.negative_ttl()) {
                trace.because(format!("the record is missing; resolvers keep that for {ttl} s"));
            }
        }
        self.expected.judge(trace, &answers);
    }

    /// The questions that go beyond one server's answer.
    fn beyond(
        &self,
        trace: &mut Trace<'_>,
        server: Server,
        name: &str,
        question: &Question,
        reply: &Reply,
    ) {
        if self.authoritative {
            let places = authority::Places { port: self.authority_port, at: &self.authority_at };
            authority::check(trace, server, places, question, reply);
        }
        if !self.compare.is_empty() {
            authority::compare(trace, server, &self.compare, question, reply);
        }
        if self.mx {
            mail::check(trace, server, reply);
        }
        if self.ptr {
            mail::check_reverse(trace, server, name, reply);
        }
        if self.system {
            compare_with_system(trace, name, question, reply);
        }
        if self.trace {
            walk::walk(trace, server, question, self.authority_port);
        }
    }
}

/// What the tries brought: the time of each answer, and how often each set of answers came.
#[derive(Debug, Default)]
struct Heard {
    times: Vec<Duration>,
    answers: BTreeMap<Vec<String>, u32>,
}

/// A server that says now this and now that is two servers behind one address. Sets that overlap are one set of which
/// another part is given each time.
fn judge_tries(trace: &mut Trace<'_>, question: &Question, answers: &BTreeMap<Vec<String>, u32>) {
    let apart = |(one, other): (&Vec<String>, &Vec<String>)| !one.iter().any(|a| other.contains(a));
    let Some(first) = answers.keys().next() else { return };
    if answers.keys().skip(1).any(|other| apart((first, other))) {
        let shown =
            |(set, count): (&Vec<String>, &u32)| format!("{} ({count} times)", set.join(", "));
        let came: Vec<_> = answers.iter().take(5).map(shown).collect();
        trace.fault(Class::Disagree, format!("{question} alike each time"), came.join(", "));
        trace.next("ss -lunp 'sport = :{port}'   # on {host}: two processes?");
    }
}

fn elsewhere(options: &Options) -> Result<Vec<(String, SocketAddr)>> {
    let read = |(name, text): (&str, &str)| {
        let address = text.parse().map_err(|_| wants("authority-at", text, "NAME=ADDRESS:PORT"))?;
        Ok((name.trim_end_matches('.').to_ascii_lowercase(), address))
    };
    options.pairs("authority-at")?.into_iter().map(read).collect()
}

fn transport(options: &Options) -> Result<Transport> {
    match (options.flag("tcp"), options.flag("both")) {
        (true, true) => Err(Error::usage("--tcp and --both exclude each other")),
        (true, false) => Ok(Transport::Tcp),
        (false, true) => Ok(Transport::Both),
        (false, false) => Ok(Transport::Udp),
    }
}

/// The answer code with its extended error and what was in the answer.
fn said(reply: &Reply) -> String {
    let mut text = reply.rcode.clone();
    if let Some((code, words)) = &reply.extended {
        text.push_str(&format!(", extended error {code}"));
        text.push_str(extended_name(*code));
        if !words.is_empty() {
            text.push_str(&format!(": {words}"));
        }
    }
    if let Some(alias) = reply.answers.iter().find(|record| record.rtype == Rtype::CNAME) {
        text.push_str(&format!(", {} is an alias of {}", alias.owner, alias.data));
    }
    text
}

/// The names of RFC 8914 for the codes that operators meet.
fn extended_name(code: u16) -> &'static str {
    match code {
        3 => " (stale answer)",
        6 => " (signatures are bogus)",
        7 => " (signature expired)",
        9 => " (key missing)",
        10 => " (signatures missing)",
        15 => " (blocked)",
        16 => " (censored)",
        17 => " (filtered)",
        18 => " (prohibited)",
        19 => " (stale NXDOMAIN)",
        20 => " (not authoritative)",
        22 => " (no authority can be reached)",
        23 => " (network error)",
        _ => "",
    }
}

/// What an answer means; `None` if it has what was asked for.
fn class_of(reply: &Reply, rtype: Rtype) -> Option<Class> {
    let has_alias = reply.answers.iter().any(|record| record.rtype == Rtype::CNAME);
    let has_answer =
        !reply.set(rtype).is_empty() || rtype == Rtype::ANY && !reply.answers.is_empty();
    match reply.rcode.as_str() {
        "NOERROR" if has_answer => None,
        "NOERROR" if is_referral(reply) => Some(Class::Lame),
        "NOERROR" => Some(Class::Nodata),
        "NXDOMAIN" if has_alias => Some(Class::DanglingCname),
        "NXDOMAIN" => Some(Class::Nxdomain),
        "SERVFAIL" => Some(Class::Servfail),
        "REFUSED" => Some(Class::DnsRefused),
        _ => Some(Class::DnsError),
    }
}

/// No answer, no authority, and the names of other servers instead.
fn is_referral(reply: &Reply) -> bool {
    let names_others = reply.authority.iter().any(|record| record.rtype == Rtype::NS);
    !reply.authoritative && names_others && reply.answers.is_empty()
}

fn facts(trace: &mut Trace<'_>, reply: &Reply, rtype: Rtype) {
    let mut flags = Vec::new();
    for (flag, on) in [
        ("aa", reply.authoritative),
        ("ra", reply.recursion),
        ("ad", reply.authentic),
        ("tc", reply.truncated),
    ] {
        flags.extend(on.then(|| Cell::text(flag)));
    }
    trace.fact("rcode", Cell::text(&reply.rcode));
    trace.fact("flags", Cell::List(flags));
    let answers = reply.set(rtype);
    trace.measure("answers", answers.len() as f64, "");
    trace.fact("answer", Cell::List(answers.iter().map(Cell::text).collect()));
    if let Some(ttl) = reply.answers.iter().map(|record| record.ttl).min() {
        trace.measure("ttl", f64::from(ttl), "");
    }
    if let Some(ttl) = reply.negative_ttl().filter(|_| answers.is_empty()) {
        trace.fact("negative_ttl", Cell::Duration(i64::from(ttl) * 1_000_000));
    }
    if let Some((code, text)) = &reply.extended {
        trace.fact("extended_error", Cell::Number(i64::from(*code)));
        trace.fact("extended_text", Cell::text(text));
    }
    if let Some(serial) = reply.serial() {
        trace.fact("serial", Cell::Count(u64::from(serial)));
    }
    trace.fact("bytes", Cell::Bytes(reply.size as u64));
    trace.fact("transport", Cell::text(if reply.over_tcp { "tcp" } else { "udp" }));
}

/// What programs of this machine get may come from the hosts file or another source.
fn compare_with_system(trace: &mut Trace<'_>, name: &str, question: &Question, reply: &Reply) {
    if !matches!(question.rtype, Rtype::A | Rtype::AAAA) {
        return;
    }
    let run = trace.run();
    let found = net::resolve(name, 0, run.common, trace.deadline());
    let found = found.map(|all| all.into_iter().map(|address| address.ip()).collect::<Vec<_>>());
    let of_type = |ip: &IpAddr| ip.is_ipv4() == (question.rtype == Rtype::A);
    // That the system finds nothing is an answer too.
    let system: Vec<_> = found.unwrap_or_default().into_iter().filter(of_type).collect();
    let system: Vec<_> = system.iter().map(ToString::to_string).collect();
    let answers = reply.set(question.rtype);
    let neither = system.is_empty() && answers.is_empty();
    let agrees = neither || system.iter().any(|one| answers.contains(&one.as_str()));
    trace.fact("system", Cell::List(system.iter().map(Cell::text).collect()));
    if !agrees {
        let came = format!("{} against {}", system.join(", "), answers.join(", "));
        trace.fault(Class::Disagree, "the system's answer to be the server's", came);
        trace.because("the hosts file, another source of names, or another resolver answers here");
        trace
            .next("getent ahosts <name>; grep -n <name> /etc/hosts; grep hosts /etc/nsswitch.conf");
    }
}

fn table(columns: &[(&'static str, Role)], rows: Vec<Vec<Cell>>) -> Table {
    let columns = columns.iter().map(|(name, role)| Column::new(*name, *role)).collect();
    Table { columns, total_rows: rows.len() as u64, rows }
}

/// `Ok` as a cell if nothing is wrong.
fn level(class: Option<Class>) -> Cell {
    Cell::Level(class.map_or(Level::Ok, Class::level))
}

impl Probe for Dns {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        let (name, server) = word.rsplit_once('@').map_or((word, None), |(n, s)| (n, Some(s)));
        let name = match (self.ptr, name.parse::<IpAddr>()) {
            (true, Ok(address)) => reverse(address),
            _ => name.to_owned(),
        };
        if Question::parse(&name, "A", true).is_none() || name.bytes().any(|b| b <= b' ') {
            return Err(Error::usage(format!("'{word}' has no name to ask for"))
                .advise("write NAME, NAME@SERVER or NAME@SERVER:PORT"));
        }
        let servers = match server {
            Some(server) => vec![Target::net(server, Some(53))?],
            None => system_servers(&name)?,
        };
        let of = |server: Target| match server.place {
            Place::Net { .. } => Ok(Target {
                label: format!("{name}@{}", server.label),
                rest: name.clone(),
                place: server.place,
            }),
            _ => Err(Error::usage(format!("'{word}': a name server is no socket file"))),
        };
        servers.into_iter().map(of).collect()
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, &target.rest, peer))
    }
}

fn system_servers(name: &str) -> Result<Vec<Target>> {
    let servers = resolver::system_servers();
    if servers.is_empty() {
        return Err(Error::usage("this system has no name server in /etc/resolv.conf")
            .advise(format!("write {name}@SERVER")));
    }
    Ok(servers.iter().map(|server| Target::of(&server.ip().to_string(), 53)).collect())
}

/// The name under which the names of an address are kept.
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = v6.octets().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits: Vec<_> = digits.map(|digit| format!("{digit:x}")).collect();
            let backwards: Vec<_> = digits.iter().rev().map(String::as_str).collect();
            format!("{}.ip6.arpa", backwards.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names() {
        assert_eq!(reverse("192.0.2.7".parse().unwrap()), "7.2.0.192.in-addr.arpa");
        assert!(reverse("2001:db8::1".parse().unwrap()).starts_with("1.0.0.0."));
        assert!(reverse("2001:db8::1".parse().unwrap()).ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
    }
}
