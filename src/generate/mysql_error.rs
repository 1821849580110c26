//! The error log of MySQL 8.0.
//!
//! `2024-03-07T08:15:02.418123Z 90210 [Note] [MY-010914] [Server] Aborted connection 90210 to db: 'shop' user: 'app' host:
//! '10.20.1.11' (Got an error reading communication packets).`
//!
//! See <https://dev.mysql.com/doc/refman/8.0/en/error-log-format.html>.

use std::io::Write;

use super::clock::Moment;
use super::dice::{Dice, Weighted};
use super::ink::{self, Stamps};
use super::run::{Chunk, Fault, Source};
use super::site::{self, Texts};
use super::{Format, Spec};

pub(super) const MYSQL_ERROR: Format = Format {
    name: "mysql-error",
    about: "error log of MySQL 8.0",
    rate: 0.5,
    lift: 60.0,
    make: |spec| Box::new(Errors::new(spec)),
};

struct Errors {
    start: i64,
    weights: Weighted,
    clients: Texts,
}

/// Of the records in a burst, how many in 10,000 tell of it.
const STRICKEN: u32 = 9500;

/// A message: how often, level, code, subsystem, text. In the text `%c` stands for the connection, `%a` for an
/// address, `%u` for a user, `%d` for a database, `%n` for a number.
type Message = (f64, &'static str, &'static str, &'static str, &'static str);

static MESSAGES: [Message; 16] = [
    (20.0, "Note", "MY-010926", "Server", "Access denied for user '%u'@'%a' (using password: YES)"),
    (4.0, "Note", "MY-010926", "Server", "Access denied for user 'root'@'%a' (using password: NO)"),
    (
        20.0,
        "Note",
        "MY-010914",
        "Server",
        "Aborted connection %c to db: '%d' user: '%u' host: '%a' (Got an error reading communication packets).",
    ),
    (
        10.0,
        "Note",
        "MY-010914",
        "Server",
        "Aborted connection %c to db: '%d' user: '%u' host: '%a' (Got timeout reading communication packets).",
    ),
    (
        5.0,
        "Note",
        "MY-010914",
        "Server",
        "Aborted connection %c to db: 'unconnected' user: 'unauthenticated' host: '%a' (This connection closed normally without authentication).",
    ),
    (
        8.0,
        "Warning",
        "MY-010055",
        "Server",
        "IP address '%a' could not be resolved: Name or service not known",
    ),
    (
        6.0,
        "Warning",
        "MY-013360",
        "Server",
        "Plugin mysql_native_password reported: ''mysql_native_password' is deprecated and will be removed in a future release. Please use caching_sha2_password instead'",
    ),
    (5.0, "Note", "MY-011953", "InnoDB", "Page cleaner took %nms to flush %n and evict 0 pages"),
    (
        2.0,
        "Note",
        "MY-012468",
        "InnoDB",
        "Transactions deadlock detected, dumping detailed information.",
    ),
    (
        2.0,
        "Warning",
        "MY-010897",
        "Repl",
        "Storing MySQL user name or password information in the connection metadata repository is not secure and is therefore not recommended. Please consider using the USER and PASSWORD connection options for START REPLICA; see the 'START REPLICA Syntax' in the MySQL Manual for more information.",
    ),
    (
        1.0,
        "ERROR",
        "MY-010584",
        "Repl",
        "Replica I/O for channel '': error reconnecting to source 'repl@10.20.4.1:3306' - retry-time: 60 retries: %n message: Can't connect to MySQL server on '10.20.4.1:3306' (111), Error_code: MY-002003",
    ),
    (0.5, "ERROR", "MY-012574", "InnoDB", "Unable to lock ./ibdata1 error: 11"),
    (0.5, "ERROR", "MY-010283", "Server", "Error in accept: Too many open files"),
    (
        0.3,
        "System",
        "MY-013172",
        "Server",
        "Received SHUTDOWN from user <via user signal>. Shutting down mysqld (Version: 8.0.40).",
    ),
    (
        0.3,
        "System",
        "MY-010116",
        "Server",
        "/usr/sbin/mysqld (mysqld 8.0.40) starting as process %n",
    ),
    (
        0.3,
        "System",
        "MY-010931",
        "Server",
        "/usr/sbin/mysqld: ready for connections. Version: '8.0.40'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL.",
    ),
];

/// What fills the log in a burst.
static TOO_MANY: Message = (0.0, "Warning", "MY-000000", "Server", "Too many connections");

const USERS: [&str; 6] = ["app", "api", "report", "root", "admin", "backup"];
const DATABASES: [&str; 4] = ["shop", "blog", "stats", "unconnected"];

impl Errors {
    fn new(spec: &Spec) -> Self {
        let mut dice = Dice::new(spec.seed, site::STREAM);
        let weights: Vec<f64> = MESSAGES.iter().map(|message| message.0).collect();
        Self {
            start: spec.start,
            weights: Weighted::new(&weights),
            // The clients of a database are few: the same hundredth as of a web site's paths.
            clients: site::addresses(spec.clients.div_ceil(100).max(1), &mut dice),
        }
    }

    fn record(&self, moment: Moment, victim: bool, dice: &mut Dice, out: &mut Vec<u8>) {
        let message = if victim { &TOO_MANY } else { &MESSAGES[self.weights.at(dice.bits())] };
        let (_, level, code, subsystem, text) = message;
        let passed = (moment.time - self.start).unsigned_abs() / 2_000_000;
        // The server's own threads have number 0.
        let own = matches!(*subsystem, "InnoDB") || matches!(*level, "System");
        let connection = if own || victim { 0 } else { 90 + passed + u64::from(dice.below(60)) };
        write!(out, "{connection} [{level}] [{code}] [{subsystem}] ").expect("a vector takes all");
        self.say(text, connection, dice, out);
    }

    fn say(&self, mut text: &str, connection: u64, dice: &mut Dice, out: &mut Vec<u8>) {
        while let Some((before, after)) = text.split_once('%') {
            out.extend_from_slice(before.as_bytes());
            match after.as_bytes().first() {
                Some(b'c') => ink::number(out, connection),
                Some(b'a') => {
                    let client = dice.below(self.clients.len() as u32);
                    out.extend_from_slice(self.clients.get(client as usize));
                }
                Some(b'u') => out.extend_from_slice(dice.pick(&USERS).as_bytes()),
                Some(b'd') => out.extend_from_slice(dice.pick(&DATABASES).as_bytes()),
                _ => ink::number(out, dice.between(1000, 9999).into()),
            }
            text = after.get(1..).unwrap_or_default();
        }
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    }
}

impl Source for Errors {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut stamps = Stamps::new(ink::iso_local);
        while let Some(moment) = chunk.moments.next() {
            let victim = moment.burst.filter(|_| chunk.dice.chance(STRICKEN));
            stamps.write(chunk.text, moment.time);
            chunk.text.push(b'.');
            ink::micros(chunk.text, moment.time);
            chunk.text.extend_from_slice(b"Z ");
            self.record(moment, victim.is_some(), &mut chunk.dice, chunk.text);
            chunk.end(moment.time, victim);
        }
    }

    fn fault(&self, _: usize) -> Fault {
        Fault { kind: "too_many_connections", subject: "mysqld".to_owned() }
    }
}
