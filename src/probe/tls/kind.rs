//! `probe tls`: what a service shows of its certificates, and everything that is wrong with them.
//!
//! Name, connection, for some protocols a few words in clear, handshake; then each point alone: dates of every
//! certificate relative to its lifetime, name, trust, order, keys, signatures, and on request the file on disk, the
//! names that should be covered, and the old versions that are still offered. The addresses of a name are compared
//! with each other. `file:PATH` judges a PEM file in the same way.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::judge::covers;
use super::starttls::Starttls;
use super::{Certificate, KNOBS, Session, Settings, old, pem_file};
use crate::document::{Cell, Column, Level, Role, Section, Table};
use crate::error::{Error, Result};
use crate::probe::class::Class;
use crate::probe::net::{self, Deadline, Peer};
use crate::probe::options::{Knob, Options};
use crate::probe::target::{Place, Target};
use crate::probe::trace::{Halt, Trace};
use crate::probe::{Kind, Outcome, Probe, Run};

/// The table line.
pub(in crate::probe) static KIND: Kind = Kind {
    name: "tls",
    about: "certificates and handshake: dates, chain, names, versions",
    target: "HOST[:443] or file:PATH",
    steps: &["resolve", "connect", "starttls", "tls"],
    knobs: &[
        &[
            Knob::one("starttls", "PROTOCOL", "first ask in clear: smtp, lmtp, imap, pop3, mysql"),
            Knob::many("names", "NAME,…", "names that the certificate must cover, as a table"),
            Knob::one("compare-file", "FILE", "compare with the certificate in this PEM file"),
            Knob::flag("old-versions", "see whether TLS 1.0 and 1.1 are still accepted"),
            Knob::flag("compare-sni", "see whether the default certificate is another one"),
            Knob::one("alpn", "PROTOCOL,…", "offer these application protocols"),
        ],
        KNOBS,
    ],
    measures: &[("days", "days until the first certificate of the chain ends")],
    make: |options| Ok(Box::new(Tls::parse(options)?)),
};

#[derive(Debug)]
struct Tls {
    settings: Settings,
    starttls: Option<Starttls>,
    names: Vec<String>,
    file: Option<(String, CertificateDer<'static>)>,
    old_versions: bool,
    compare_sni: bool,
}

type Dialogue = std::result::Result<(), Halt>;

impl Tls {
    fn parse(options: &Options) -> Result<Self> {
        let mut settings = Settings::parse(options)?;
        settings.alpn = options.list("alpn").into_iter().map(Into::into).collect();
        let file = options.text("compare-file").map(first_of_file).transpose()?;
        Ok(Self {
            settings,
            starttls: options.value("starttls", "smtp, lmtp, imap, pop3 or mysql")?,
            names: options.list("names").into_iter().map(str::to_owned).collect(),
            file,
            old_versions: options.flag("old-versions"),
            compare_sni: options.flag("compare-sni"),
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, target: &Target, peer: &Peer) -> Dialogue {
        trace.plan(match self.starttls {
            Some(_) => KIND.steps,
            None => &["resolve", "connect", "tls"],
        });
        let mut wire = trace.connect(peer)?;
        if let Some(protocol) = self.starttls {
            let asked = format!("STARTTLS of {}", protocol.name());
            trace.step("starttls", asked, |deadline| protocol.ask(&mut wire, deadline))?;
        }
        let host = target.host();
        let shaken = trace.upgrade(&mut wire, host, &self.settings);
        let Ok(session) = shaken else { return self.after_failure(trace, peer, host) };
        match self.starttls {
            Some(protocol) => protocol.leave(wire, trace.deadline()),
            None => wire.leave(b""),
        }
        self.beyond_the_handshake(trace, peer, host, &session);
        Ok(())
    }

    /// What the chain and further handshakes tell.
    fn beyond_the_handshake(
        &self,
        trace: &mut Trace<'_>,
        peer: &Peer,
        host: Option<&str>,
        session: &Session,
    ) {
        self.judge_certificates(trace, &session.chain);
        if self.compare_sni {
            self.default_certificate(trace, peer, session);
        }
        if self.old_versions && self.starttls.is_none() {
            self.old_versions(trace, peer, host);
        }
    }

    /// The table of the chain, the names, the file.
    fn judge_certificates(&self, trace: &mut Trace<'_>, chain: &[CertificateDer<'static>]) {
        let certificates: Vec<_> = chain.iter().filter_map(Certificate::read).collect();
        let Some(leaf) = certificates.first() else { return };
        let days = trace.days_left(leaf);
        trace.summary(format!("{} for {days} days more, by {}", leaf.subject, leaf.issuer));
        trace.section(chain_table(&certificates));
        if !self.names.is_empty() {
            self.judge_names(trace, leaf);
        }
        if let Some((path, on_disk)) = &self.file {
            compare_file(trace, path, on_disk, &chain[0]);
        }
    }

    /// Which of the wanted names the certificate covers, and by which of its own.
    fn judge_names(&self, trace: &mut Trace<'_>, leaf: &Certificate) {
        let by = |name: &String| leaf.names.iter().find(|pattern| covers(pattern, name));
        let row = |name: &String| {
            let level = if by(name).is_some() { Level::Ok } else { Level::Critical };
            vec![Cell::text(name), Cell::Level(level), by(name).map_or(Cell::Empty, Cell::text)]
        };
        let columns = vec![
            Column::new("name", Role::Key),
            Column::new("covered", Role::Value),
            Column::new("by", Role::Detail),
        ];
        trace.section(Section::table("names", "Names", table(columns, self.names.iter().map(row))));
        let missed: Vec<_> = self.names.iter().filter(|name| by(name).is_none()).cloned().collect();
        if !missed.is_empty() {
            let came = format!("not for {}", missed.join(", "));
            trace.fault(Class::WrongName, "a certificate for all the names given", came);
        }
    }

    /// A second handshake without a name: what does a client get that does not say whom it wants?
    fn default_certificate(&self, trace: &mut Trace<'_>, peer: &Peer, session: &Session) {
        let source = trace.run().common.source;
        let deadline = trace.deadline();
        let shaken = net::connect(peer, source, deadline).and_then(|mut wire| {
            let session = super::upgrade(&mut wire, None, &self.settings, deadline);
            wire.leave(b"");
            session
        });
        let differs = shaken.map(|other| other.chain.first() != session.chain.first());
        trace.fact(
            "default_certificate",
            Cell::text(match differs {
                Ok(false) => "the same",
                Ok(true) => "another one",
                Err(_) => "none",
            }),
        );
    }

    fn old_versions(&self, trace: &mut Trace<'_>, peer: &Peer, host: Option<&str>) {
        let offered = self.ask_old(trace, peer, host);
        let named: Vec<_> = offered.iter().map(|version| version.name()).collect();
        trace.fact("old_versions", Cell::List(named.iter().map(Cell::text).collect()));
        if !named.is_empty() {
            trace.fault(Class::TlsOldOffered, "no version before 1.2", named.join(", "));
        }
    }

    fn ask_old(&self, trace: &Trace<'_>, peer: &Peer, host: Option<&str>) -> Vec<old::Version> {
        let source = trace.run().common.source;
        let name = self.settings.name_for(host);
        let deadline = trace.deadline();
        old::accepted(peer, source, name, deadline)
    }

    /// A handshake that failed: perhaps the server speaks only what rustls does not.
    fn after_failure(&self, trace: &mut Trace<'_>, peer: &Peer, host: Option<&str>) -> Dialogue {
        if self.starttls.is_some()
            || trace.failed_with(&[Class::TlsHandshake, Class::Reset, Class::ClosedEarly]).is_none()
        {
            return Err(Halt);
        }
        let offered = self.ask_old(trace, peer, host);
        let named: Vec<_> = offered.iter().map(|version| version.name()).collect();
        if !named.is_empty() {
            let came = format!("it speaks {} only", named.join(" and "));
            trace.fault(Class::TlsTooOld, "TLS 1.2 or 1.3", came);
        }
        Err(Halt)
    }

    fn file(&self, trace: &mut Trace<'_>, path: &Path) -> Dialogue {
        trace.plan(&["read"]);
        let path = path.to_string_lossy();
        let chain = trace.step("read", format!("certificates of {path}"), |_: Deadline| {
            pem_file(&path).map_err(|error| net::Failure::new(Class::BadTarget, error.to_string()))
        })?;
        trace.judge_chain(&chain, self.settings.name_for(None), &self.settings);
        self.judge_certificates(trace, &chain);
        Ok(())
    }
}

fn first_of_file(path: &str) -> Result<(String, CertificateDer<'static>)> {
    let first = pem_file(path)?.into_iter().next();
    let first = first.ok_or_else(|| Error::input(format!("'{path}': no certificate")))?;
    Ok((path.to_owned(), first))
}

/// A renewed certificate that is on disk and not in service wants only a reload.
fn compare_file(
    trace: &mut Trace<'_>,
    path: &str,
    on_disk: &CertificateDer<'static>,
    served: &CertificateDer<'static>,
) {
    if on_disk == served {
        trace.fact("file", Cell::text("the same"));
        return;
    }
    let (Some(on_disk), Some(served)) = (Certificate::read(on_disk), Certificate::read(served))
    else {
        return;
    };
    let newer = on_disk.not_after > served.not_after && on_disk.names == served.names;
    let class = if newer { Class::NotReloaded } else { Class::FileDiffers };
    // A week is left before it hurts: until then it is a warning.
    let urgent = trace.days_left(&served) <= 7;
    let level = if newer && urgent { Level::Critical } else { Level::Warning };
    trace.fact("file", Cell::text(if newer { "newer" } else { "another one" }));
    let came =
        format!("{} serial {}, in service {}", on_disk.subject, on_disk.serial, served.serial);
    trace.fault_at(class, level, format!("the certificate of {path}"), came);
}

fn chain_table(certificates: &[Certificate]) -> Section {
    let columns = [
        ("subject", Role::Key),
        ("issuer", Role::Value),
        ("not_before", Role::Value),
        ("not_after", Role::Value),
        ("key", Role::Value),
        ("signature", Role::Value),
        ("serial", Role::Detail),
        ("fingerprint", Role::Detail),
    ];
    let columns = columns.into_iter().map(|(name, role)| Column::new(name, role)).collect();
    let row = |one: &Certificate| {
        vec![
            Cell::text(&one.subject),
            Cell::text(&one.issuer),
            Cell::Instant(one.not_before.saturating_mul(1_000_000)),
            Cell::Instant(one.not_after.saturating_mul(1_000_000)),
            Cell::text(one.key.to_string()),
            Cell::text(&one.signature),
            Cell::text(&one.serial),
            Cell::text(&one.fingerprint),
        ]
    };
    Section::table("chain", "Certificates as sent", table(columns, certificates.iter().map(row)))
}

fn table(columns: Vec<Column>, rows: impl Iterator<Item = Vec<Cell>>) -> Table {
    let rows: Vec<_> = rows.collect();
    Table { columns, total_rows: rows.len() as u64, rows }
}

/// The addresses of one name should show one certificate; those that differ from the most frequent get a warning.
fn compare_addresses(outcomes: &mut [Outcome]) {
    let fingerprint = |outcome: &Outcome| outcome.fact("fingerprint").cloned();
    let prints: Vec<_> = outcomes.iter().filter_map(fingerprint).collect();
    let count = |print: &Cell| prints.iter().filter(|other| *other == print).count();
    let Some(usual) = prints.iter().max_by_key(|print| count(print)).cloned() else { return };
    let others = prints.len();
    for outcome in outcomes.iter_mut().filter(|o| fingerprint(o).is_some_and(|p| p != usual)) {
        let came = format!("another certificate than at other addresses ({others} in all)");
        outcome.add_fault(Class::Differs, "tls", "one certificate at all addresses", came);
    }
}

impl Probe for Tls {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        if let Some(path) = word.strip_prefix("file:") {
            let place = Place::File(path.into());
            return Ok(vec![Target { label: word.to_owned(), place, rest: String::new() }]);
        }
        let port = self.starttls.map_or(443, Starttls::port);
        Target::ports(word, Some(port))
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        if let Place::File(path) = &target.place {
            return run.single(target, |trace| self.file(trace, path));
        }
        let mut outcomes =
            run.each_address(target, |trace, peer| self.dialogue(trace, target, peer));
        compare_addresses(&mut outcomes);
        outcomes
    }
}
