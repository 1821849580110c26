//! The error log of Apache, as 2.4 and as 2.2 write it.
//!
//! `[Thu Mar 07 09:15:02.418123 2024] [authz_core:error] [pid 812:tid 871] [client 203.0.113.9:51004] AH01630: client denied
//! by server configuration: /srv/www/secret, referer: http://shop.example/`
//!
//! `[Thu Mar 07 09:15:02 2024] [error] [client 203.0.113.9] File does not exist: /srv/www/favicon.ico`
//!
//! A message is a row of [`MESSAGES`]; the two versions frame it differently. See
//! <https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat>.

use chrono::{DateTime, Datelike, Utc};

use super::clock::Moment;
use super::dice::{Dice, Weighted};
use super::ink::{self, Escape, Stamps, number};
use super::run::{Chunk, Fault, Source};
use super::site::{Kind, POOLS, SECTIONS, USERS};
use super::traffic::{Hit, Outage, Request, Traffic};
use super::{Format, Spec};

pub(super) const APACHE_ERROR: Format = Format {
    name: "apache-error",
    about: "Apache error log, version 2.4",
    rate: 5.0,
    lift: 25.0,
    make: |spec| Box::new(Errors::new(spec, &MODERN)),
};

pub(super) const APACHE_ERROR_22: Format = Format {
    name: "apache-error-2.2",
    about: "Apache error log, version 2.2",
    rate: 5.0,
    lift: 25.0,
    make: |spec| Box::new(Errors::new(spec, &OLD)),
};

struct Errors {
    traffic: Traffic,
    version: &'static Version,
    weights: Weighted,
}

/// What a version of the server says, and how.
#[derive(Debug)]
struct Version {
    /// Frames its records as 2.4 does, not as 2.2 did.
    modern: bool,
    messages: &'static [Message],
    /// What it says while a server refuses connections.
    refused: &'static [Message],
    /// What it says while a server does not answer.
    timed_out: &'static [Message],
}

static MODERN: Version =
    Version { modern: true, messages: &MESSAGES, refused: &REFUSED, timed_out: &TIMED_OUT };

static OLD: Version = Version {
    modern: false,
    messages: &MESSAGES_22,
    refused: &REFUSED_22,
    timed_out: &TIMED_OUT_22,
};

/// Of the records in a burst, how many in 10,000 tell of what is broken.
const STRICKEN: u32 = 9500;

/// A message of the log.
#[derive(Debug)]
struct Message {
    weight: f64,
    module: &'static str,
    level: &'static str,
    /// The system's or the library's word, without its closing colon.
    cause: &'static str,
    /// Whose doing it is: a client's, or the server's own.
    client: bool,
    /// The number that 2.4 prints, with its colon and blank.
    code: &'static str,
    /// The text: `%p` stands for the path, `%u` for a user, `%s` for a server, `%h` for its host, `%n` for a number.
    text: &'static str,
    kinds: &'static [Kind],
}

const fn client(
    weight: f64,
    module: &'static str,
    level: &'static str,
    code: &'static str,
    text: &'static str,
    kinds: &'static [Kind],
) -> Message {
    Message { weight, module, level, cause: "", client: true, code, text, kinds }
}

const fn server(
    weight: f64,
    module: &'static str,
    level: &'static str,
    code: &'static str,
    text: &'static str,
) -> Message {
    Message { weight, module, level, cause: "", client: false, code, text, kinds: &[Kind::Page] }
}

static MESSAGES: [Message; 16] = [
    client(
        26.0,
        "core",
        "info",
        "AH00128: ",
        "File does not exist: /srv/www/shop%p",
        &[Kind::Missing, Kind::Asset],
    ),
    client(
        12.0,
        "authz_core",
        "error",
        "AH01630: ",
        "client denied by server configuration: /srv/www/shop%p",
        &[Kind::Missing],
    ),
    client(
        5.0,
        "auth_basic",
        "error",
        "AH01617: ",
        "user %u: authentication failure for \"%p\": Password Mismatch",
        &[Kind::Private],
    ),
    client(5.0, "auth_basic", "error", "AH01618: ", "user admin%n not found: %p", &[Kind::Private]),
    client(
        4.0,
        "autoindex",
        "error",
        "AH01276: ",
        "Cannot serve directory /srv/www/shop/images/: No matching DirectoryIndex (index.html) found, and server-generated directory index forbidden by Options directive",
        &[Kind::Asset],
    ),
    client(
        4.0,
        "core",
        "error",
        "AH00135: ",
        "Invalid method in request \\x16\\x03\\x01",
        &[Kind::Page],
    ),
    client(
        3.0,
        "core",
        "error",
        "AH10244: ",
        "invalid URI path (/cgi-bin/.%%32%%65/bin/sh)",
        &[Kind::Missing],
    ),
    client(
        6.0,
        "proxy_fcgi",
        "error",
        "AH01071: ",
        "Got error 'PHP message: PHP Warning:  Undefined variable $price in /srv/shop/item.php on line %n'",
        &[Kind::Page],
    ),
    client(
        1.0,
        "proxy_fcgi",
        "error",
        "AH01071: ",
        "Got error 'PHP message: PHP Fatal error:  Uncaught RuntimeException: stock is empty in /srv/shop/cart.php:17\\nStack trace:\\n#0 /srv/shop/cart.php(42): Cart->take()\\n#1 {main}\\n  thrown in /srv/shop/cart.php on line 17'",
        &[Kind::Page],
    ),
    client(3.0, "reqtimeout", "info", "AH01382: ", "Request header read timeout", &[Kind::Page]),
    client(
        6.0,
        "ssl",
        "info",
        "AH02008: ",
        "SSL library error 1 in handshake (server www.shop.example:443)",
        &[Kind::Page],
    ),
    client(2.0, "cgid", "error", "", "End of script output before headers: report", &[Kind::Page]),
    client(
        1.0,
        "http",
        "info",
        "AH01588: ",
        "Requested content-length of 9%n is larger than the configured limit of 1048576",
        &[Kind::Api],
    ),
    server(
        0.3,
        "mpm_event",
        "error",
        "AH00484: ",
        "server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting",
    ),
    server(0.2, "core", "notice", "AH00052: ", "child pid 1%n exit signal Segmentation fault (11)"),
    server(0.1, "mpm_event", "notice", "AH00493: ", "SIGUSR1 received.  Doing graceful restart"),
];

static REFUSED: [Message; 2] = [
    Message {
        cause: "(111)Connection refused",
        ..server(0.0, "proxy", "error", "AH00957: ", "http: attempt to connect to %s (%s) failed")
    },
    client(
        0.0,
        "proxy_http",
        "error",
        "AH01114: ",
        "HTTP: failed to make connection to backend: %h",
        &[],
    ),
];

static TIMED_OUT: [Message; 2] = [
    Message {
        cause: "(70007)The timeout specified has expired",
        ..client(
            0.0,
            "proxy_http",
            "error",
            "AH01102: ",
            "error reading status line from remote server %s",
            &[],
        )
    },
    client(
        0.0,
        "proxy",
        "error",
        "AH00898: ",
        "Error reading from remote server returned by %p",
        &[],
    ),
];

const fn old(
    weight: f64,
    level: &'static str,
    text: &'static str,
    kinds: &'static [Kind],
) -> Message {
    client(weight, "", level, "", text, kinds)
}

static MESSAGES_22: [Message; 9] = [
    old(30.0, "error", "File does not exist: /srv/www/shop%p", &[Kind::Missing, Kind::Asset]),
    old(10.0, "error", "client denied by server configuration: /srv/www/shop%p", &[Kind::Missing]),
    old(
        4.0,
        "error",
        "user %u: authentication failure for \"%p\": Password Mismatch",
        &[Kind::Private],
    ),
    old(4.0, "error", "user admin%n not found: %p", &[Kind::Private]),
    old(
        4.0,
        "error",
        "Directory index forbidden by Options directive: /srv/www/shop/images/",
        &[Kind::Asset],
    ),
    old(4.0, "error", "Invalid method in request \\x16\\x03\\x01", &[Kind::Page]),
    old(
        6.0,
        "error",
        "PHP Warning:  Undefined variable $price in /srv/shop/item.php on line %n",
        &[Kind::Page],
    ),
    old(2.0, "error", "Premature end of script headers: report.cgi", &[Kind::Page]),
    server(
        0.3,
        "",
        "error",
        "",
        "server reached MaxClients setting, consider raising the MaxClients setting",
    ),
];

static REFUSED_22: [Message; 2] = [
    Message {
        cause: "(111)Connection refused",
        ..server(0.0, "", "error", "", "proxy: HTTP: attempt to connect to %s (%h) failed")
    },
    server(0.0, "", "error", "", "ap_proxy_connect_backend disabling worker for (%h)"),
];

static TIMED_OUT_22: [Message; 2] = [
    Message {
        cause: "(70007)The timeout specified has expired",
        ..old(0.0, "error", "proxy: error reading status line from remote server %h", &[])
    },
    old(0.0, "error", "proxy: Error reading from remote server returned by %p", &[]),
];

/// A record about to be written.
struct Event<'e> {
    message: &'static Message,
    hit: Hit<'e>,
    server: &'static str,
}

impl Errors {
    fn new(spec: &Spec, version: &'static Version) -> Self {
        let weights: Vec<f64> = version.messages.iter().map(|message| message.weight).collect();
        Self {
            traffic: Traffic::new(spec, Escape::ApacheError, false),
            version,
            weights: Weighted::new(&weights),
        }
    }

    fn draw(&self, moment: Moment, dice: &mut Dice) -> (Event<'_>, Option<usize>) {
        if let Some(burst) = moment.burst
            && dice.chance(STRICKEN)
            && let Some(event) = self.broken(moment.time, self.traffic.outage(burst), dice)
        {
            return (event, Some(burst));
        }
        let message = &self.version.messages[self.weights.at(dice.bits())];
        let (hit, page) = self.traffic.of(message.kinds, moment.time, dice);
        let server = *dice.pick(POOLS[SECTIONS[page.section as usize].pool].servers);
        (Event { message, hit, server }, None)
    }

    fn broken(&self, time: i64, outage: Outage, dice: &mut Dice) -> Option<Event<'_>> {
        let messages = if outage.refuses { self.version.refused } else { self.version.timed_out };
        let message = dice.pick(messages);
        let hit = self.traffic.victim(time, outage, dice)?;
        Some(Event { message, hit, server: outage.server })
    }

    /// 2.4: `[date] [module:level] [pid P:tid T] (cause: )[client A:P] (code)text`
    fn modern(event: &Event<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
        let message = event.message;
        for part in ["[", message.module, ":", message.level, "] [pid "] {
            out.extend_from_slice(part.as_bytes());
        }
        let process = 812 + u64::from(dice.below(4));
        number(out, process);
        out.extend_from_slice(b":tid ");
        number(out, process + 10 + u64::from(dice.below(25)));
        out.extend_from_slice(b"] ");
        if !message.cause.is_empty() {
            out.extend_from_slice(message.cause.as_bytes());
            out.extend_from_slice(b": ");
        }
        if message.client {
            out.extend_from_slice(b"[client ");
            out.extend_from_slice(event.hit.client);
            out.push(b':');
            number(out, u64::from(dice.between(32_768, 60_999)));
            out.extend_from_slice(b"] ");
        }
        out.extend_from_slice(message.code.as_bytes());
    }

    /// 2.2: `[date] [level] [client A] (cause: )text`
    fn old(event: &Event<'_>, out: &mut Vec<u8>) {
        let message = event.message;
        for part in ["[", message.level, "] "] {
            out.extend_from_slice(part.as_bytes());
        }
        if message.client {
            out.extend_from_slice(b"[client ");
            out.extend_from_slice(event.hit.client);
            out.extend_from_slice(b"] ");
        }
        if !message.cause.is_empty() {
            out.extend_from_slice(message.cause.as_bytes());
            out.extend_from_slice(b": ");
        }
    }
}

/// Appends the text with its place-holders filled, and the referer of a client.
fn say(event: &Event<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
    let mut text = event.message.text;
    while let Some((before, after)) = text.split_once('%') {
        out.extend_from_slice(before.as_bytes());
        match after.as_bytes().first() {
            Some(b'p') => path(&event.hit, out),
            Some(b'u') => out.extend_from_slice(dice.pick(&USERS).as_bytes()),
            Some(b's') => out.extend_from_slice(event.server.as_bytes()),
            Some(b'h') => out.extend_from_slice(host_of(event.server).as_bytes()),
            Some(b'n') => number(out, u64::from(dice.between(100, 999))),
            _ => out.push(b'%'),
        }
        text = after.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(text.as_bytes());
    if let (true, Some(referer)) = (event.message.client, event.hit.referer) {
        out.extend_from_slice(b", referer: ");
        out.extend_from_slice(referer);
    }
    out.push(b'\n');
}

fn host_of(server: &str) -> &str {
    server.split_once(':').map_or(server, |(host, _)| host)
}

fn path(hit: &Hit<'_>, out: &mut Vec<u8>) {
    if let Request::Line { path, .. } = hit.request {
        out.extend_from_slice(path);
    }
}

/// ` 2024] `
fn year(date: &DateTime<Utc>, out: &mut Vec<u8>) {
    out.push(b' ');
    number(out, date.year().unsigned_abs().into());
    out.extend_from_slice(b"] ");
}

impl Source for Errors {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let (mut seconds, mut years) = (Stamps::new(ink::ctime), Stamps::new(year));
        while let Some(moment) = chunk.moments.next() {
            let (event, burst) = self.draw(moment, &mut chunk.dice);
            let (dice, out) = (&mut chunk.dice, &mut *chunk.text);
            out.push(b'[');
            seconds.write(out, moment.time);
            if self.version.modern {
                out.push(b'.');
                ink::micros(out, moment.time);
            }
            years.write(out, moment.time);
            if self.version.modern {
                Self::modern(&event, dice, out);
            } else {
                Self::old(&event, out);
            }
            say(&event, dice, out);
            chunk.end(moment.time, burst);
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        let outage = self.traffic.outage(nth);
        Fault { kind: outage.kind(), subject: outage.server.to_owned() }
    }
}
