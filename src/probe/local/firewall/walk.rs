//! What a firewall's rules come to for one packet: chains, rules and conditions, whoever wrote them, and the way of a
//! packet through them.
//!
//! A condition fits, does not fit, or depends on what is not known. A rule of the last kind is passed over and
//! remembered: the decision is that of the rules which fit for certain, and the others are named beside it.

use std::net::IpAddr;

/// A new connection, or a datagram, to a port of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub port: u16,
    pub udp: bool,
    /// Who sends it; nobody in particular where none is given, but not this machine.
    pub source: Option<IpAddr>,
    pub v6: bool,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Reject,
}

/// What a rule does with a packet that fits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    End(Verdict),
    /// Goes on in another chain of the same table, and comes back.
    Jump(String),
    /// Goes on there for good.
    Goto(String),
    /// Back to the chain that it came from.
    Return,
    /// Counts, logs, marks.
    Nothing,
}

/// Whether a packet meets a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    No,
    Perhaps,
}

impl Fit {
    fn of(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Perhaps,
        }
    }
}

/// What a rule asks of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Its protocol by name: `tcp`, `udp`, `icmp`.
    Protocol(Vec<String>),
    /// IPv6, or IPv4.
    Version6(bool),
    /// The port it goes to, from and to.
    Port(Vec<(u16, u16)>),
    /// Where it comes from: addresses and how many of their bits count.
    Source(Vec<(IpAddr, u8)>),
    /// By which interface it comes.
    Interface(String),
    /// Where its connection stands: `new`, `established`.
    State(Vec<String>),
    /// It is not as the condition says.
    Not(Box<Self>),
    /// Something else, which is not known of a packet that was never sent.
    Unknown,
}

impl Condition {
    fn fits(&self, packet: &Packet) -> Fit {
        match self {
            Self::Protocol(names) => {
                let own = if packet.udp { "udp" } else { "tcp" };
                Fit::of(names.iter().any(|name| name == own || name == "all"))
            }
            Self::Version6(v6) => Fit::of(packet.v6 == *v6),
            Self::Port(ranges) => {
                Fit::of(ranges.iter().any(|(from, to)| (*from..=*to).contains(&packet.port)))
            }
            Self::Source(nets) => source_fits(packet, nets),
            Self::Interface(name) => interface_fits(packet, name),
            Self::State(states) => Fit::of(states.iter().any(|state| state == "new")),
            Self::Not(inner) => inner.fits(packet).not(),
            Self::Unknown => Fit::Perhaps,
        }
    }
}

fn source_fits(packet: &Packet, nets: &[(IpAddr, u8)]) -> Fit {
    if nets.iter().any(|(net, bits)| *bits == 0 && net.is_ipv6() == packet.v6) {
        return Fit::Yes;
    }
    match packet.source {
        Some(source) => Fit::of(nets.iter().any(|(net, bits)| is_in(source, *net, *bits))),
        // Nobody in particular is not this machine.
        None if nets.iter().all(|(net, _)| net.is_loopback()) => Fit::No,
        None if nets.iter().all(|(net, _)| net.is_ipv6() != packet.v6) => Fit::No,
        None => Fit::Perhaps,
    }
}

/// True when the address is in the network.
pub(super) fn is_in(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    let shift = |whole: u32| whole.saturating_sub(u32::from(bits));
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            (a.to_bits() ^ n.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            (a.to_bits() ^ n.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn interface_fits(packet: &Packet, name: &str) -> Fit {
    let loopback = packet.source.is_some_and(|source| source.is_loopback());
    match (name == "lo", loopback) {
        (true, is) => Fit::of(is),
        (false, true) => Fit::No,
        (false, false) => Fit::Perhaps,
    }
}

/// One rule: all its conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// The rule as it is written, for people.
    pub text: String,
    pub conditions: Vec<Condition>,
    pub action: Action,
}

impl Rule {
    fn fits(&self, packet: &Packet) -> Fit {
        self.conditions.iter().fold(Fit::Yes, |fit, one| fit.and(one.fits(packet)))
    }
}

/// A chain of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// The table that it is in, which bounds where its jumps lead: `inet filter`.
    pub table: String,
    pub name: String,
    /// IPv6 only, IPv4 only, or both.
    pub v6: Option<bool>,
    /// Where it stands among those that every packet to this machine passes; `None` for one that is jumped to.
    pub priority: Option<i64>,
    pub policy: Option<Verdict>,
    /// It has rules in words that only the program knows which wrote them.
    pub foreign: bool,
    pub rules: Vec<Rule>,
}

/// All chains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules(pub Vec<Chain>);

impl Rules {
    pub(super) fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Leaves out chains with foreign words, now that what they mean is here from the program that wrote them.
    pub(super) fn leave_out_foreign(&mut self, v6: bool) {
        self.0.retain(|chain| !(chain.foreign && chain.v6 == Some(v6)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many rules there are.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|chain| chain.rules.len()).sum()
    }
}

/// What becomes of a packet, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub verdict: Verdict,
    /// The rule or policy that decides.
    pub by: String,
    /// Rules before it that would decide otherwise, if what they depend on held.
    pub perhaps: Vec<String>,
    pub v6: bool,
}

/// How deep chains may jump into each other.
const DEEPEST: usize = 16;

/// The most rules that are looked at: chains that jump to one another would go on for ever.
const MOST: usize = 100_000;

/// Follows a packet through all chains of the way in: each may drop it, and none can let it in past the others.
pub(super) fn decide(rules: &Rules, packet: &Packet) -> Decision {
    let concerns = |chain: &&Chain| chain.v6.is_none_or(|v6| v6 == packet.v6);
    let mut bases: Vec<_> =
        rules.0.iter().filter(concerns).filter(|chain| chain.priority.is_some()).collect();
    bases.sort_by_key(|chain| chain.priority);
    let mut way = Way { rules, packet, seen: 0, perhaps: Vec::new() };
    let mut last = "nothing: there is no rule for it".to_owned();
    for base in bases {
        let (verdict, by) = way.through(base, 0).unwrap_or_else(|| {
            let policy = base.policy.unwrap_or(Verdict::Accept);
            (policy, format!("the policy of {} {}", base.table, base.name))
        });
        last = by;
        if verdict != Verdict::Accept {
            return way.decision(verdict, last);
        }
    }
    way.decision(Verdict::Accept, last)
}

struct Way<'r> {
    rules: &'r Rules,
    packet: &'r Packet,
    seen: usize,
    perhaps: Vec<(Verdict, String)>,
}

impl Way<'_> {
    /// Those that would have decided as it was decided change nothing.
    fn decision(self, verdict: Verdict, by: String) -> Decision {
        let accepts = verdict == Verdict::Accept;
        let other = |(one, _): &(Verdict, String)| (*one == Verdict::Accept) != accepts;
        let perhaps = self.perhaps.into_iter().filter(other).map(|(_, text)| text).collect();
        Decision { verdict, by, perhaps, v6: self.packet.v6 }
    }

    /// The end that a chain gives a packet; `None` when it comes out of it.
    fn through(&mut self, chain: &Chain, depth: usize) -> Option<(Verdict, String)> {
        for rule in &chain.rules {
            self.seen += 1;
            if self.seen > MOST {
                return None;
            }
            let fit = rule.fits(self.packet);
            if fit == Fit::No {
                continue;
            }
            match (&rule.action, fit) {
                (Action::End(verdict), Fit::Yes) => return Some((*verdict, rule.text.clone())),
                (Action::End(verdict), _) => self.note(*verdict, &rule.text),
                (Action::Return, Fit::Yes) => return None,
                (Action::Return | Action::Nothing, _) => {}
                (Action::Jump(name), _) => {
                    let end = self.other_chain(chain, name, depth);
                    if let Some(end) = self.certain(end, fit, rule) {
                        return Some(end);
                    }
                }
                (Action::Goto(name), _) => {
                    let end = self.other_chain(chain, name, depth);
                    let end = self.certain(end, fit, rule);
                    if end.is_some() || fit == Fit::Yes {
                        return end;
                    }
                }
            }
        }
        None
    }

    fn other_chain(&mut self, from: &Chain, name: &str, depth: usize) -> Option<(Verdict, String)> {
        let same =
            |chain: &&Chain| chain.table == from.table && chain.v6 == from.v6 && chain.name == name;
        let chain = self.rules.0.iter().find(same).filter(|_| depth < DEEPEST)?;
        self.through(chain, depth + 1)
    }

    /// An end that was reached by a rule which only perhaps fits is no end.
    fn certain(
        &mut self,
        end: Option<(Verdict, String)>,
        fit: Fit,
        rule: &Rule,
    ) -> Option<(Verdict, String)> {
        match (end, fit) {
            (Some((verdict, text)), Fit::Perhaps) => {
                self.note(verdict, &format!("{} > {text}", rule.text));
                None
            }
            (end, _) => end,
        }
    }

    /// A few tell enough.
    fn note(&mut self, verdict: Verdict, text: &str) {
        if self.perhaps.len() < 20 {
            self.perhaps.push((verdict, text.to_owned()));
        }
    }
}
