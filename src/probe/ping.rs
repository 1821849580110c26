//! `probe ping`: does the host answer at all, how fast, how reliably?
//!
//! By an ICMP datagram socket where the system permits it (`net.ipv4.ping_group_range`), else by a raw socket, else by
//! TCP: there an answer of any kind, a refusal too, proves that the host is up. ICMP is filtered in many places, so
//! silence is a warning and never critical by itself.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};

use super::class::Class;
use super::net::{self, Answer, Deadline, Failure, Peer, plain};
use super::options::{Knob, Options, wants};
use super::target::{Place, Target};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::Cell;
use crate::error::Result;

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "ping",
    about: "is the host up: round trip and loss, by ICMP or, where that is not permitted, by TCP",
    target: "HOST",
    steps: &["resolve", "ping"],
    knobs: &[&[
        Knob::one("count", "N", "ask so often (5)"),
        Knob::one("interval", "TIME", "pause between two questions (200ms)"),
        Knob::one("by", "WAY", "icmp, tcp, or auto (auto)"),
        Knob::one("port", "PORT,…", "the ports to try by TCP (443,80)"),
    ]],
    measures: &[
        ("rta", "seconds of a round trip, the mean"),
        ("rta_max", "the longest"),
        ("loss", "per cent of the questions without answer"),
    ],
    make: |options| Ok(Box::new(Ping::parse(options)?)),
};

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Ping {
    count: u32,
    interval: Duration,
    by: By,
    ports: Vec<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Auto,
    Icmp,
    Tcp,
}

impl Ping {
    fn parse(options: &Options) -> Result<Self> {
        let by = match options.text("by").unwrap_or("auto") {
            "auto" => By::Auto,
            "icmp" => By::Icmp,
            "tcp" => By::Tcp,
            other => return Err(wants("by", other, "icmp, tcp or auto")),
        };
        let ports = options.list("port").into_iter();
        let ports: Result<Vec<u16>> =
            ports.map(|text| text.parse().map_err(|_| wants("port", text, "ports"))).collect();
        let ports = ports.map(|all| if all.is_empty() { vec![443, 80] } else { all })?;
        Ok(Self {
            count: options.value("count", "a number")?.unwrap_or(5).clamp(1, 1000),
            interval: options.duration("interval")?.unwrap_or(Duration::from_millis(200)),
            by,
            ports,
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, peer: &Peer) -> std::result::Result<(), Halt> {
        let Peer::Tcp(address) = *peer else { return Err(Halt) };
        trace.address(peer);
        let way = match self.way(address.ip(), trace.run().common.source) {
            Ok(way) => way,
            Err(failure) => return Err(trace.halt(failure.class, "an ICMP socket", failure.came)),
        };
        trace.fact("by", Cell::text(way.name()));
        let asked = format!("{} round trips to {} by {}", self.count, address.ip(), way.name());
        let times =
            trace.step("ping", &asked, |deadline| Ok(self.rounds(&way, address, deadline)))?;
        self.judge(trace, asked, &times);
        Ok(())
    }

    /// The best way that the system permits.
    fn way(&self, ip: IpAddr, source: Option<IpAddr>) -> Answer<Way> {
        let icmp = || Icmp::open(ip, source).map(Way::Icmp);
        match self.by {
            By::Tcp => Ok(Way::Tcp(source)),
            By::Icmp => icmp(),
            By::Auto => Ok(icmp().unwrap_or(Way::Tcp(source))),
        }
    }

    /// The times of the answers that came.
    fn rounds(&self, way: &Way, address: SocketAddr, deadline: Deadline) -> Vec<Duration> {
        let mut times = Vec::new();
        for round in 0..self.count {
            let Some(left) = deadline.remaining() else { break };
            let share = left / (self.count - round);
            let patience = deadline.min(Deadline::after(share.min(PATIENCE)));
            let began = Instant::now();
            if self.once(way, address, round, patience) {
                times.push(began.elapsed());
            }
            if round + 1 < self.count {
                thread::sleep(self.interval.min(share.saturating_sub(began.elapsed())));
            }
        }
        times
    }

    fn once(&self, way: &Way, address: SocketAddr, round: u32, deadline: Deadline) -> bool {
        match way {
            Way::Icmp(icmp) => icmp.echo(round, deadline).unwrap_or(false),
            Way::Tcp(source) => self.ports.iter().any(|port| {
                let peer = Peer::Tcp(SocketAddr::new(address.ip(), *port));
                match net::connect(&peer, *source, deadline) {
                    Ok(wire) => {
                        wire.leave(b"");
                        true
                    }
                    Err(failure) => failure.class == Class::Refused,
                }
            }),
        }
    }

    fn judge(&self, trace: &mut Trace<'_>, asked: String, times: &[Duration]) {
        let lost = self.count as usize - times.len();
        trace.measure("loss", lost as f64 * 100.0 / f64::from(self.count), "%");
        let came = format!("{lost} of {} without answer", self.count);
        if times.is_empty() {
            trace.fault(Class::PingSilent, asked, came);
            return;
        }
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(1);
        let (least, most) = (times.iter().min(), times.iter().max());
        trace.measure("rta", mean.as_secs_f64(), "s");
        trace.measure("rta_max", most.map_or(0.0, Duration::as_secs_f64), "s");
        let micros = |time: Option<&Duration>| time.map_or(0, Duration::as_micros);
        trace.summary(format!(
            "{} of {} answered, {} / {} / {} µs",
            times.len(),
            self.count,
            micros(least),
            mean.as_micros(),
            micros(most),
        ));
        if lost > 0 {
            trace.fault(Class::Loss, asked, came);
        }
    }
}

/// How the host is asked.
enum Way {
    Icmp(Icmp),
    Tcp(Option<IpAddr>),
}

impl Way {
    fn name(&self) -> &'static str {
        match self {
            Self::Icmp(icmp) if icmp.raw => "icmp (raw)",
            Self::Icmp(_) => "icmp",
            Self::Tcp(_) => "tcp",
        }
    }
}

/// A socket for echo requests to one address.
struct Icmp {
    socket: Socket,
    v6: bool,
    /// A raw socket: IPv4 answers come with their IP header, and answers to others come too.
    raw: bool,
    /// Eight bytes that mark our requests among all others.
    mark: [u8; 8],
}

/// Echo request and reply of ICMP and of ICMPv6.
const TYPES: [(u8, u8); 2] = [(8, 0), (128, 129)];

impl Icmp {
    fn open(ip: IpAddr, source: Option<IpAddr>) -> Answer<Self> {
        let (domain, protocol) = match ip {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let open = |kind| Socket::new(domain, kind, Some(protocol));
        let (socket, raw) = match open(Type::DGRAM) {
            Ok(socket) => (socket, false),
            Err(_) => (open(Type::RAW).map_err(|error| not_permitted(&error))?, true),
        };
        let bound = source.map_or(Ok(()), |source| socket.bind(&SocketAddr::new(source, 0).into()));
        let connected = bound.and_then(|()| socket.connect(&SocketAddr::new(ip, 0).into()));
        connected.map_err(|error| not_permitted(&error))?;
        let mut mark = [0; 8];
        // Without random bytes only the chance of a mix-up grows.
        let _ = SystemRandom::new().fill(&mut mark);
        Ok(Self { socket, v6: ip.is_ipv6(), raw, mark })
    }

    /// True when the answer to this request came in time.
    fn echo(&self, sequence: u32, deadline: Deadline) -> io::Result<bool> {
        let sequence = u16::try_from(sequence).unwrap_or_default();
        self.socket.send(&request(self.v6, sequence, self.mark))?;
        let mut space = [0; 2048];
        while let Some(left) = deadline.remaining() {
            self.socket.set_read_timeout(Some(left))?;
            let got = match (&self.socket).read(&mut space) {
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let with_header = self.raw && !self.v6;
            if is_reply(&space[..got], with_header, self.v6, sequence, self.mark) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn not_permitted(error: &io::Error) -> Failure {
    let class = match error.kind() {
        ErrorKind::PermissionDenied => Class::NotPermitted,
        ErrorKind::NetworkUnreachable => Class::NoRoute,
        ErrorKind::HostUnreachable => Class::Unreachable,
        _ => Class::LocalLimit,
    };
    Failure::new(class, plain(error))
}

/// Type, code, checksum, number, sequence, and our mark.
fn request(v6: bool, sequence: u16, mark: [u8; 8]) -> Vec<u8> {
    let mut packet = vec![TYPES[usize::from(v6)].0, 0, 0, 0, mark[0], mark[1]];
    packet.extend(sequence.to_be_bytes());
    packet.extend(mark);
    if !v6 {
        // The system fills in that of ICMPv6, which covers addresses.
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

/// The sum of RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
    let mut sum: u32 = packet.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// The reply to our request: the number may have been changed by the system, sequence and mark may not.
fn is_reply(bytes: &[u8], with_header: bool, v6: bool, sequence: u16, mark: [u8; 8]) -> bool {
    let header = match (with_header, bytes.first()) {
        (true, Some(first)) => usize::from(first & 15) * 4,
        _ => 0,
    };
    let Some(packet) = bytes.get(header..).filter(|packet| packet.len() >= 16) else {
        return false;
    };
    packet[0] == TYPES[usize::from(v6)].1
        && packet[6..8] == sequence.to_be_bytes()
        && packet[8..16] == mark
}

impl Probe for Ping {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        let target = Target::net(word, Some(1))?;
        Ok(vec![match target.place {
            Place::Net { host, .. } => Target::of(&host, 0),
            _ => return Err(wants("TARGET", word, "a host")),
        }])
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_sums_to_nothing() {
        let packet = request(false, 3, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(checksum(&packet), 0);
    }

    #[test]
    fn only_our_own_reply_counts() {
        let mark = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut reply = request(false, 3, mark);
        assert!(!is_reply(&reply, false, false, 3, mark), "the request itself");
        reply[0] = 0;
        assert!(is_reply(&reply, false, false, 3, mark));
        assert!(!is_reply(&reply, false, false, 4, mark));
        let with_header = [&[0x45; 20][..], &reply].concat();
        assert!(is_reply(&with_header, true, false, 3, mark));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80), header: bool) {
            let _ = is_reply(&bytes, header, false, 0, [0; 8]);
        }
    }
}
