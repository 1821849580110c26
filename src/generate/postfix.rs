//! Postfix behind syslog: whole lives of messages, interleaved as they are in a real mail log.
//!
//! ```text
//! Mar  7 09:15:02 mx1 postfix/smtpd[2011]: connect from mail.example.org[198.51.100.4]
//! Mar  7 09:15:02 mx1 postfix/smtpd[2011]: 739D7998049: client=mail.example.org[198.51.100.4]
//! Mar  7 09:15:03 mx1 postfix/qmgr[902]: 739D7998049: removed
//! ```
//!
//! A unit is a session or a message with all that follows from it. Its lines go to a script, and the scripts of a chunk
//! are sorted by time. What would come after the end of the chunk is drawn to its end; a retry that would come later
//! than that is not made, as if the message still lay in the queue. See <https://www.postfix.org/OVERVIEW.html>.

use super::clock::{Moment, SECOND};
use super::dice::{Curve, Dice, Weighted};
use super::ink::{self, Stamps};
use super::run::{Chunk, Fault, Source};
use super::script::{Delay, Process, Program, Script};
use super::site;
use super::{Format, Spec};

pub(super) const POSTFIX: Format = Format {
    name: "postfix",
    about: "Postfix mail log, stamps as in RFC 3164",
    rate: 3.0,
    lift: 4.0,
    make: |spec| Box::new(Mail::new(spec, false)),
};

pub(super) const POSTFIX_ISO: Format = Format {
    name: "postfix-iso",
    about: "Postfix mail log, stamps as in RFC 3339",
    rate: 3.0,
    lift: 4.0,
    make: |spec| Box::new(Mail::new(spec, true)),
};

struct Mail {
    iso: bool,
    seed: u64,
    peers: Vec<Peer>,
    peer_weights: Weighted,
    domain_weights: Weighted,
    delays: Curve,
    sizes: Curve,
}

/// A host that connects.
struct Peer {
    /// `mail.example.org[198.51.100.4]`
    name: String,
    address: String,
    helo: String,
}

/// Other people's domains, the busiest first; each has a mail server of its own.
const DOMAINS: u32 = 400;

/// Of the sessions in a burst, how many in 10,000 send to what is broken.
const STRICKEN: u32 = 7000;

/// Ours.
const HOME: &str = "shop.example";

const USERS: [&str; 16] = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "info",
    "sales",
    "support",
    "orders",
    "jo.smith",
    "newsletter",
];

const SMTPD: Program = Program::new("smtpd", 2011, 1000);
const SUBMISSION: Program = Program::new("submission/smtpd", 9011, 1000);
const CLEANUP: Program = Program::new("cleanup", 1201, 8);
const SMTP: Program = Program::new("smtp", 1301, 20);
const LMTP: Program = Program::new("lmtp", 1501, 4);
const BOUNCE: Program = Program::new("bounce", 1601, 2);
const QMGR: Process = Program::new("qmgr", 902, 1).process(0);
const PICKUP: Process = Program::new("pickup", 903, 1).process(0);

/// A message on its way.
#[derive(Debug, Clone)]
struct Message {
    id: String,
    /// When it came.
    born: i64,
    from: String,
    size: u64,
    recipients: Vec<String>,
    /// Chooses processes, so that the lines of a message stay with theirs.
    nth: u32,
}

/// How one delivery went.
struct Delivery<'d> {
    /// Its program and its relay as logged.
    program: Program,
    relay: &'d str,
    /// Microseconds: before the queue manager, in the queue, connecting, sending.
    delays: [i64; 4],
    dsn: &'d str,
    status: &'d str,
    text: &'d str,
}

impl Mail {
    fn new(spec: &Spec, iso: bool) -> Self {
        let mut dice = Dice::new(spec.seed, site::STREAM);
        let addresses = site::addresses(spec.clients.max(1), &mut dice);
        let peers: Vec<Peer> =
            (0..addresses.len()).map(|nth| peer(nth, addresses.get(nth))).collect();
        Self {
            iso,
            seed: spec.seed,
            peer_weights: Weighted::zipf(peers.len() as u32, 10.0),
            peers,
            domain_weights: Weighted::zipf(DOMAINS, 1.5),
            delays: Curve::log_normal(0.9),
            sizes: Curve::log_normal(1.4),
        }
    }

    /// Adds all that follows from one session or message.
    fn unit(&self, moment: Moment, script: &mut Script, dice: &mut Dice) {
        if moment.burst.is_some() && dice.chance(STRICKEN) {
            return self.outgoing(moment, script, dice);
        }
        match dice.below(100) {
            0..42 => self.incoming(moment.time, script, dice),
            42..68 => self.outgoing(Moment { burst: None, ..moment }, script, dice),
            68..88 => self.rejected(moment.time, script, dice),
            88..94 => self.guessed(moment.time, script, dice),
            94..97 => self.lost(moment.time, script, dice),
            _ => self.local(moment.time, script, dice),
        }
    }

    fn peer(&self, dice: &mut Dice) -> &Peer {
        &self.peers[self.peer_weights.at(dice.bits())]
    }

    fn domain(&self, dice: &mut Dice) -> u32 {
        self.domain_weights.at(dice.bits()) as u32
    }

    /// About so many microseconds.
    fn about(&self, micros: u64, dice: &mut Dice) -> i64 {
        self.delays.scale(micros, dice.bits()) as i64
    }

    /// The domain whose server a burst breaks: one of the busiest.
    fn broken(&self, burst: usize) -> u32 {
        Dice::new(self.seed, (1 << 62) + burst as u64).below(6)
    }

    fn message(
        &self,
        born: i64,
        from: String,
        recipients: Vec<String>,
        dice: &mut Dice,
    ) -> Message {
        let size = 600 + self.sizes.scale(9_000, dice.bits());
        Message { id: queue_id(born, dice), born, from, size, recipients, nth: dice.below(1000) }
    }

    /// Mail from outside to one of us.
    fn incoming(&self, time: i64, script: &mut Script, dice: &mut Dice) {
        let (peer, smtpd) = (self.peer(dice), script.open(time, SMTPD));
        script.say(time, smtpd, format_args!("connect from {}", peer.name));
        let tls = dice.chance(8000);
        let mut now = time + self.about(30_000, dice);
        if tls {
            script.say(now, smtpd, format_args!("Anonymous TLS connection established from {}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256", peer.name));
        }
        now += self.about(90_000, dice);
        let from = sender(self.domain(dice), dice);
        let recipients = people(dice);
        let message = self.message(now, from, recipients, dice);
        script.say(now, smtpd, format_args!("{}: client={}", message.id, peer.name));
        let ready = self.accept(&message, now, script, dice);
        let count = message.recipients.len();
        let (hello, commands) =
            if tls { ("ehlo=2 starttls=1", count + 6) } else { ("ehlo=1", count + 4) };
        script.close(
            ready + 4_000,
            smtpd,
            format_args!(
                "disconnect from {} {hello} mail=1 rcpt={count} data=1 quit=1 commands={commands}",
                peer.name
            ),
        );
        self.deliver_home(&message, ready, script, dice);
    }

    /// The message enters the queue; the instant at which it is active.
    fn accept(&self, message: &Message, time: i64, script: &mut Script, dice: &mut Dice) -> i64 {
        let id = &message.id;
        let named = time + self.about(12_000, dice);
        let host = message.from.split_once('@').map_or(HOME, |(_, host)| host);
        let serial = dice.bits() as u32;
        script.say(
            named,
            CLEANUP.process(message.nth),
            format_args!("{id}: message-id=<{serial:08x}.{}@{host}>", time / SECOND),
        );
        let active = named + self.about(40_000, dice);
        activate(message, active, script);
        active
    }

    /// Our own users get their mail over LMTP. A message leaves the queue when all of them have it.
    fn deliver_home(&self, message: &Message, active: i64, script: &mut Script, dice: &mut Dice) {
        let (mut now, mut whole) = (active, true);
        for recipient in &message.recipients {
            let (connecting, sending) = (self.about(4_000, dice), self.about(60_000, dice));
            let delays = [active - message.born, 5_000, connecting, sending];
            let full = dice.chance(30);
            whole &= !full;
            let saved = format!("250 2.0.0 <{recipient}> {:08x} Saved", dice.bits() as u32);
            let (dsn, status, text) = if full {
                (
                    "4.2.2",
                    "deferred",
                    "host mail.shop.example[private/dovecot-lmtp] said: 452 4.2.2 Mailbox is full (in reply to end of DATA command)",
                )
            } else {
                ("2.0.0", "sent", &saved[..])
            };
            let delivery = Delivery {
                program: LMTP,
                relay: "mail.shop.example[private/dovecot-lmtp]",
                delays,
                dsn,
                status,
                text,
            };
            now += 5_000 + connecting + sending;
            deliver(message, recipient, &delivery, now, script);
        }
        if whole {
            removed(message, now + 300, script);
        }
    }

    /// Mail from one of us to the outside.
    fn outgoing(&self, moment: Moment, script: &mut Script, dice: &mut Dice) {
        let (peer, smtpd) = (self.peer(dice), script.open(moment.time, SUBMISSION));
        let user = *dice.pick(&USERS);
        script.say(moment.time, smtpd, format_args!("connect from {}", peer.name));
        let now = moment.time + self.about(150_000, dice);
        let domain = moment.burst.map_or_else(|| self.domain(dice), |burst| self.broken(burst));
        let to = format!("{}@{}", dice.pick(&USERS), domain_name(domain));
        let message = self.message(now, format!("{user}@{HOME}"), vec![to], dice);
        script.say(
            now,
            smtpd,
            format_args!(
                "{}: client={}, sasl_method=PLAIN, sasl_username={user}@{HOME}",
                message.id, peer.name
            ),
        );
        let active = self.accept(&message, now, script, dice);
        script.close(active + 3_000, smtpd, format_args!("disconnect from {} ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8", peer.name));
        match dice.below(100) {
            _ if moment.burst.is_some() => {
                self.refused(&message, domain, active, moment.burst, script, dice)
            }
            0..86 => self.sent(&message, domain, active, script, dice),
            86..94 => self.deferred(&message, domain, active, script, dice),
            _ => self.bounced(&message, domain, active, script, dice),
        }
    }

    /// The delays of an attempt that begins when the message is active.
    fn attempt(&self, message: &Message, active: i64, dice: &mut Dice) -> [i64; 4] {
        [
            active - message.born,
            self.about(8_000, dice),
            self.about(180_000, dice),
            self.about(300_000, dice),
        ]
    }

    fn sent(
        &self,
        message: &Message,
        domain: u32,
        active: i64,
        script: &mut Script,
        dice: &mut Dice,
    ) {
        let delays = self.attempt(message, active, dice);
        let text = format!("250 2.0.0 Ok: queued as {}", queue_id(active, dice));
        let relay = relay(domain);
        let delivery = Delivery {
            program: SMTP,
            relay: &relay,
            delays,
            dsn: "2.0.0",
            status: "sent",
            text: &text,
        };
        let now = active + delays[1] + delays[2] + delays[3];
        deliver(message, &message.recipients[0], &delivery, now, script);
        removed(message, now + 300, script);
    }

    /// Put off, and sent a few minutes later.
    fn deferred(
        &self,
        message: &Message,
        domain: u32,
        active: i64,
        script: &mut Script,
        dice: &mut Dice,
    ) {
        let delays = self.attempt(message, active, dice);
        let (to, relay, host) = (&message.recipients[0], relay(domain), relay_host(domain));
        let domain_name = domain_name(domain);
        let (relay, dsn, text) = match dice.below(4) {
            0 => (
                relay,
                "4.2.0",
                format!(
                    "host {host} said: 450 4.2.0 <{to}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/{domain_name}.html (in reply to RCPT TO command)"
                ),
            ),
            1 => {
                ("none".to_owned(), "4.4.1", format!("connect to {host}:25: Connection timed out"))
            }
            2 => (
                relay,
                "4.4.2",
                format!(
                    "conversation with {host} timed out while receiving the initial server greeting"
                ),
            ),
            _ => (
                "none".to_owned(),
                "4.4.3",
                format!(
                    "Host or domain name not found. Name service error for name={domain_name} type=MX: Host not found, try again"
                ),
            ),
        };
        let now = active + delays[1] + delays[2] + delays[3];
        let delivery =
            Delivery { program: SMTP, relay: &relay, delays, dsn, status: "deferred", text: &text };
        deliver(message, to, &delivery, now, script);
        let again = now + i64::from(dice.between(300, 900)) * SECOND;
        activate(message, again, script);
        self.sent(message, domain, again, script, dice);
    }

    fn refused(
        &self,
        message: &Message,
        domain: u32,
        active: i64,
        burst: Option<usize>,
        script: &mut Script,
        dice: &mut Dice,
    ) {
        let delays = [active - message.born, self.about(8_000, dice), self.about(20_000, dice), 0];
        let host = relay_host(domain);
        let now = active + delays[1] + delays[2];
        script.say(
            now - 200,
            SMTP.process(message.nth),
            format_args!("connect to {host}:25: Connection refused"),
        );
        script.blame(burst);
        let text = format!("connect to {host}:25: Connection refused");
        let delivery = Delivery {
            program: SMTP,
            relay: "none",
            delays,
            dsn: "4.4.1",
            status: "deferred",
            text: &text,
        };
        deliver(message, &message.recipients[0], &delivery, now, script);
        script.blame(burst);
    }

    /// Refused for good; the sender gets a message about it.
    fn bounced(
        &self,
        message: &Message,
        domain: u32,
        active: i64,
        script: &mut Script,
        dice: &mut Dice,
    ) {
        let delays = self.attempt(message, active, dice);
        let (to, relay, host) = (&message.recipients[0], relay(domain), relay_host(domain));
        let text = format!(
            "host {host} said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)"
        );
        let now = active + delays[1] + delays[2] + delays[3];
        let delivery = Delivery {
            program: SMTP,
            relay: &relay,
            delays,
            dsn: "5.1.1",
            status: "bounced",
            text: &text,
        };
        deliver(message, to, &delivery, now, script);
        let notice = self.message(now + 2_000, String::new(), vec![message.from.clone()], dice);
        let active = self.accept(&notice, notice.born, script, dice);
        script.say(
            notice.born + 500,
            BOUNCE.process(message.nth),
            format_args!("{}: sender non-delivery notification: {}", message.id, notice.id),
        );
        removed(message, notice.born + 900, script);
        self.deliver_home(&notice, active, script, dice);
    }

    /// Mail that we do not take.
    fn rejected(&self, time: i64, script: &mut Script, dice: &mut Dice) {
        let (peer, smtpd) = (self.peer(dice), script.open(time, SMTPD));
        let unknown = dice.chance(6000);
        let name = if unknown { format!("unknown[{}]", peer.address) } else { peer.name.clone() };
        script.say(time, smtpd, format_args!("connect from {name}"));
        let from = sender(self.domain(dice), dice);
        let to = format!("{}@{HOME}", dice.pick(&USERS));
        let reason = refusal(&peer.address, &from, &to, dice);
        let now = time + self.about(250_000, dice);
        let helo = &peer.helo;
        script.say(now, smtpd, format_args!("NOQUEUE: reject: RCPT from {name}: {reason}; from=<{from}> to=<{to}> proto=ESMTP helo=<{helo}>"));
        let commands = if dice.chance(2000) {
            script.say(now + 80_000, smtpd, format_args!("lost connection after RCPT from {name}"));
            "ehlo=1 mail=1 rcpt=0/1 commands=2/3"
        } else {
            "ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"
        };
        script.close(now + 80_300, smtpd, format_args!("disconnect from {name} {commands}"));
    }

    /// Someone tries passwords.
    fn guessed(&self, time: i64, script: &mut Script, dice: &mut Dice) {
        let (peer, smtpd) = (self.peer(dice), script.open(time, SUBMISSION));
        let name = format!("unknown[{}]", peer.address);
        script.say(time, smtpd, format_args!("connect from {name}"));
        let (mechanism, reason) = *dice.pick(&[
            ("LOGIN", "UGFzc3dvcmQ6"),
            ("LOGIN", "authentication failure"),
            ("PLAIN", "authentication failure"),
        ]);
        let user = *dice.pick(&["admin", "info", "test", "postmaster", "alice@shop.example"]);
        let now = time + self.about(2_000_000, dice);
        script.say(now, smtpd, format_args!("warning: {name}: SASL {mechanism} authentication failed: {reason}, sasl_username={user}"));
        script.say(now + 40_000, smtpd, format_args!("lost connection after AUTH from {name}"));
        script.close(
            now + 40_200,
            smtpd,
            format_args!("disconnect from {name} ehlo=1 auth=0/1 commands=1/2"),
        );
    }

    fn lost(&self, time: i64, script: &mut Script, dice: &mut Dice) {
        let (peer, smtpd) = (self.peer(dice), script.open(time, SMTPD));
        let name = &peer.name;
        if dice.chance(3000) {
            script.say(time, smtpd, format_args!("warning: hostname {} does not resolve to address {}: Name or service not known", peer.helo, peer.address));
        }
        script.say(time, smtpd, format_args!("connect from {name}"));
        let (before, after, commands) = *dice.pick(&[
            ("lost connection after CONNECT", "", "commands=0/0"),
            ("lost connection after EHLO", "", "ehlo=1 commands=1"),
            ("SSL_accept error", ": -1", "ehlo=1 starttls=0/1 commands=1/2"),
            ("timeout after DATA (0 bytes)", "", "ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4"),
        ]);
        let now = time + self.about(400_000, dice);
        script.say(now, smtpd, format_args!("{before} from {name}{after}"));
        script.close(now + 200, smtpd, format_args!("disconnect from {name} {commands}"));
    }

    /// A program of this host writes to its administrator.
    fn local(&self, time: i64, script: &mut Script, dice: &mut Dice) {
        let message =
            self.message(time, format!("root@mx1.{HOME}"), vec![format!("info@{HOME}")], dice);
        script.say(time, PICKUP, format_args!("{}: uid=0 from=<root>", message.id));
        let active = self.accept(&message, time, script, dice);
        self.deliver_home(&message, active, script, dice);
    }
}

/// Why mail is not taken.
fn refusal(address: &str, from: &str, to: &str, dice: &mut Dice) -> String {
    match dice.below(10) {
        0..4 => format!(
            "554 5.7.1 Service unavailable; Client host [{address}] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/{address}"
        ),
        4 => format!("454 4.7.1 <{to}>: Relay access denied"),
        5 => format!("450 4.7.25 Client host rejected: cannot find your hostname, [{address}]"),
        6 => format!(
            "450 4.2.0 <{to}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/{HOME}.html"
        ),
        7 if !from.is_empty() => {
            format!("450 4.1.8 <{from}>: Sender address rejected: Domain not found")
        }
        _ => format!(
            "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table"
        ),
    }
}

fn activate(message: &Message, time: i64, script: &mut Script) {
    let Message { id, from, size, recipients, .. } = message;
    let count = recipients.len();
    script.say(
        time,
        QMGR,
        format_args!("{id}: from=<{from}>, size={size}, nrcpt={count} (queue active)"),
    );
}

fn removed(message: &Message, time: i64, script: &mut Script) {
    script.say(time, QMGR, format_args!("{}: removed", message.id));
}

fn deliver(message: &Message, to: &str, delivery: &Delivery<'_>, time: i64, script: &mut Script) {
    let Delivery { program, relay, delays, dsn, status, text } = delivery;
    let [before, queued, connecting, sending] = delays.map(Delay);
    let whole = Delay(time - message.born);
    script.say(time, program.process(message.nth), format_args!("{}: to=<{to}>, relay={relay}, delay={whole}, delays={before}/{queued}/{connecting}/{sending}, dsn={dsn}, status={status} ({text})", message.id));
}

/// A short queue id: the microseconds of its birth in five digits, then the number of its file.
fn queue_id(born: i64, dice: &mut Dice) -> String {
    format!("{:05X}{:06X}", born.rem_euclid(SECOND), 0x98_0000 + dice.below(0x4_0000))
}

fn peer(nth: usize, address: &[u8]) -> Peer {
    let address = String::from_utf8_lossy(address).into_owned();
    let kind = ["mail", "mx", "smtp-out", "mta"][nth % 4];
    let helo = format!("{kind}{}.{}", nth % 9 + 1, domain_name(nth as u32 % (4 * DOMAINS)));
    // Every fifth has no name that leads back to it.
    let name = if nth % 5 == 4 { "unknown" } else { &helo };
    Peer { name: format!("{name}[{address}]"), address, helo }
}

fn domain_name(nth: u32) -> String {
    let place = nth as usize;
    let (adjective, noun) = (site::ADJECTIVES[place % 16], site::NOUNS[place / 16 % 24]);
    match place {
        0..384 => format!("{adjective}-{noun}.example"),
        _ => format!("{adjective}-{noun}{}.example", place / 384),
    }
}

/// `mx.blue-shoe.example[203.0.113.7]`
fn relay_host(domain: u32) -> String {
    let net = ["203.0.113", "198.51.100"][domain as usize % 2];
    format!("mx.{}[{net}.{}]", domain_name(domain), domain / 2 % 250 + 2)
}

fn relay(domain: u32) -> String {
    relay_host(domain) + ":25"
}

fn sender(domain: u32, dice: &mut Dice) -> String {
    match dice.below(20) {
        0 => String::new(),
        1 => format!("bounces+{}-{HOME}@{}", dice.below(1_000_000), domain_name(domain)),
        _ => format!("{}@{}", dice.pick(&USERS), domain_name(domain)),
    }
}

/// One to four of us.
fn people(dice: &mut Dice) -> Vec<String> {
    let count = if dice.chance(8500) { 1 } else { dice.between(2, 4) as usize };
    let first = dice.below(USERS.len() as u32) as usize;
    (0..count).map(|nth| format!("{}@{HOME}", USERS[(first + nth) % USERS.len()])).collect()
}

impl Source for Mail {
    /// A chunk has to hold the retries of its own messages, so it is long.
    fn units(&self) -> u32 {
        8192
    }

    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut script = Script::default();
        let mut last = i64::MIN;
        for moment in chunk.moments.by_ref() {
            last = moment.time;
            self.unit(moment, &mut script, &mut chunk.dice);
        }
        let spell = if self.iso { ink::iso_local } else { ink::syslog };
        let mut stamps = Stamps::new(spell);
        for (cue, text) in script.in_order(last) {
            stamps.write(chunk.text, cue.time);
            if self.iso {
                chunk.text.push(b'.');
                ink::micros(chunk.text, cue.time);
                chunk.text.extend_from_slice(b"+00:00");
            }
            chunk.text.extend_from_slice(b" mx1 ");
            chunk.text.extend_from_slice(text);
            chunk.end(cue.time, cue.burst);
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        Fault { kind: "relay_refused", subject: relay(self.broken(nth)) }
    }
}
