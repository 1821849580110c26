//! The way in which this machine resolves names: what `/etc/resolv.conf` says, and whether each server in it answers.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::document::{Cell, Column, Level, Role, Section, Table};
use crate::probe::class::Class;
use crate::probe::net::{Answer, Deadline};
use crate::probe::resolver::{Question, Reply, ask_tcp, ask_udp};
use crate::probe::trace::{Halt, Trace};

/// Where the system keeps it.
const FILE: &str = "/etc/resolv.conf";

/// How many servers the system asks; more are ignored.
const ASKED: usize = 3;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    servers: Vec<IpAddr>,
    search: Vec<String>,
    options: Vec<String>,
}

fn parse(text: &str) -> Settings {
    let mut settings = Settings::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let key = words.next().unwrap_or_default();
        match key {
            "nameserver" => {
                settings.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
            }
            // The last line of these wins.
            "search" | "domain" => settings.search = words.map(str::to_owned).collect(),
            "options" => settings.options.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    settings
}

/// Asks each server for a name, over UDP and TCP.
pub(super) fn check(trace: &mut Trace<'_>, name: &str) -> std::result::Result<(), Halt> {
    let asked = format!("{name} of each server in {FILE}");
    let (settings, answers) = trace.step("resolver", asked.as_str(), |deadline| {
        let settings = parse(&fs::read_to_string(FILE).unwrap_or_default());
        let answers: Vec<_> =
            settings.servers.iter().map(|ip| Answers::of(*ip, name, deadline)).collect();
        Ok((settings, answers))
    })?;
    let list = |words: &[String]| Cell::List(words.iter().map(Cell::text).collect());
    trace.fact("servers", Cell::Count(settings.servers.len() as u64));
    trace.fact("search", list(&settings.search));
    trace.fact("options", list(&settings.options));
    if settings.servers.is_empty() {
        return Err(trace.halt(Class::NameFailed, asked, format!("{FILE} names no server")));
    }
    if settings.servers.len() > ASKED {
        let came = format!("{} are named", settings.servers.len());
        trace.fault(Class::ResolverIgnored, format!("{ASKED} servers at most"), came);
    }
    judge(trace, &answers[..answers.len().min(ASKED)]);
    let good = answers.iter().filter(|one| one.is_good()).count();
    trace.measure("servers", good as f64, "");
    trace.summary(format!("{good} of {} servers answer", answers.len()));
    trace.section(table(&answers));
    Ok(())
}

/// A server that fails makes every program wait for the next; without any that answers there are no names.
fn judge(trace: &mut Trace<'_>, answers: &[Answers]) {
    let none = answers.iter().all(|one| one.udp.is_err());
    for one in answers {
        let most = if none { Level::Critical } else { Level::Warning };
        for (way, answer) in [("UDP", &one.udp), ("TCP", &one.tcp)] {
            if let Err((class, came)) = answer {
                // Nearly all is asked over UDP.
                let level = if way == "TCP" { Level::Warning } else { most };
                let asked = format!("an answer of {} over {way}", one.server);
                trace.fault_at(*class, level, asked, came);
                trace.next(&format!("dig @{} . NS +tries=1; dig @{0} . NS +tcp", one.server));
            }
        }
    }
}

/// How one server answered.
struct Answers {
    server: IpAddr,
    udp: Result<i64, (Class, String)>,
    tcp: Result<i64, (Class, String)>,
}

impl Answers {
    fn of(server: IpAddr, name: &str, deadline: Deadline) -> Self {
        let at = SocketAddr::new(server, 53);
        let share = || deadline.min(Deadline::after(std::time::Duration::from_secs(2)));
        let question = Question::parse(name, if name == "." { "NS" } else { "A" }, true);
        let timed = |ask: &dyn Fn(&Question) -> Answer<Reply>| {
            let Some(question) = &question else {
                return Err((Class::BadTarget, "not a name".to_owned()));
            };
            let began = Instant::now();
            let reply = ask(question).map_err(|failure| (failure.class, failure.came))?;
            refusal(&reply)?;
            Ok(i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX))
        };
        Self {
            server,
            udp: timed(&|question| ask_udp(at, question, None, share())),
            tcp: timed(&|question| ask_tcp(at, question, None, share())),
        }
    }

    fn is_good(&self) -> bool {
        self.udp.is_ok()
    }
}

/// That a name does not exist is an answer; that the server would or could not say is none.
fn refusal(reply: &Reply) -> Result<(), (Class, String)> {
    match reply.rcode.as_str() {
        "SERVFAIL" => Err((Class::Servfail, reply.rcode.clone())),
        "REFUSED" => Err((Class::DnsRefused, reply.rcode.clone())),
        "NOERROR" | "NXDOMAIN" => Ok(()),
        other => Err((Class::DnsError, other.to_owned())),
    }
}

fn table(answers: &[Answers]) -> Section {
    let columns = [
        ("server", Role::Key),
        ("level", Role::Value),
        ("udp", Role::Main),
        ("tcp", Role::Value),
        ("said", Role::Detail),
    ];
    let columns = columns.into_iter().map(|(name, role)| Column::new(name, role)).collect();
    let time =
        |answer: &Result<i64, _>| answer.as_ref().map_or(Cell::Empty, |t| Cell::Duration(*t));
    let row = |one: &Answers| {
        let level = if one.is_good() { Level::Ok } else { Level::Critical };
        let said = [&one.udp, &one.tcp].into_iter().filter_map(|answer| answer.as_ref().err());
        let said: Vec<_> = said.map(|(class, came)| format!("{}: {came}", class.name())).collect();
        vec![
            Cell::text(one.server.to_string()),
            Cell::Level(level),
            time(&one.udp),
            time(&one.tcp),
            Cell::text(said.join("; ")),
        ]
    };
    let rows: Vec<_> = answers.iter().map(row).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    Section::table("servers", "Name servers of this machine", table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_file() {
        let settings = parse(
            "# by hand\nnameserver 127.0.0.53\nnameserver ::1\nnameserver x\nsearch a.test\nsearch b.test c.test\n\
             options ndots:2 rotate\noptions timeout:1\n",
        );
        assert_eq!(settings.servers.len(), 2);
        assert_eq!(settings.search, ["b.test", "c.test"]);
        assert_eq!(settings.options, ["ndots:2", "rotate", "timeout:1"]);
    }

    proptest! {
        #[test]
        fn any_text(text in "(nameserver|search|options| |\n|.){0,30}") {
            let _ = parse(&text);
        }
    }
}
