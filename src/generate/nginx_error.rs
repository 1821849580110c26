//! The error log of nginx, at level info.
//!
//! `2024/03/07 09:15:02 [error] 812#812: *90210 connect() failed (111: Connection refused) while connecting to upstream,
//! client: 203.0.113.9, server: shop.example, request: "GET /cart HTTP/1.1", upstream: "http://192.0.2.20:8080/cart",
//! host: "shop.example"`
//!
//! One function a message; the table [`MESSAGES`] says how often each comes. See
//! <https://nginx.org/en/docs/ngx_core_module.html#error_log>.

use super::clock::Moment;
use super::dice::{Dice, Weighted};
use super::ink::{self, Escape, Stamps, number};
use super::run::{Chunk, Fault, Source};
use super::site::{Kind, POOLS, Page, SECTIONS, USERS};
use super::traffic::{Hit, Outage, Request, Traffic};
use super::{Format, Spec};

pub(super) const NGINX_ERROR: Format = Format {
    name: "nginx-error",
    about: "nginx error log",
    rate: 5.0,
    lift: 25.0,
    make: |spec| Box::new(Errors::new(spec)),
};

struct Errors {
    traffic: Traffic,
    start: i64,
    weights: Weighted,
}

/// Of the records in a burst, how many in 10,000 tell of what is broken.
const STRICKEN: u32 = 9500;

/// A message, how often it comes, and what is asked for where it comes.
type Message = (f64, &'static [Kind], fn(&mut Line<'_>));

static MESSAGES: [Message; 19] = [
    (30.0, &[Kind::Missing, Kind::Asset], not_found),
    (6.0, &[Kind::Missing], forbidden_by_rule),
    (3.0, &[Kind::Media, Kind::Asset], no_index),
    (5.0, &[Kind::Private], wrong_password),
    (3.0, &[Kind::Private], unknown_user),
    (12.0, &[Kind::Api], limited),
    (5.0, &[Kind::Api], delayed),
    (8.0, &[Kind::Page], buffered),
    (4.0, &[Kind::Page, Kind::Api], timed_out),
    (2.0, &[Kind::Page, Kind::Api], refused),
    (3.0, &[Kind::Page, Kind::Api], closed_early),
    (1.0, &[Kind::Page, Kind::Api], reset),
    (4.0, &[Kind::Page], php_warning),
    (1.0, &[Kind::Page], php_fatal),
    (1.0, &[Kind::Api], too_large),
    (8.0, &[Kind::Page, Kind::Api], client_left),
    (7.0, &[Kind::Page], handshake),
    (4.0, &[Kind::Page], invalid_request),
    (0.2, &[Kind::Page], worker_died),
];

impl Errors {
    fn new(spec: &Spec) -> Self {
        let weights: Vec<f64> = MESSAGES.iter().map(|message| message.0).collect();
        Self {
            traffic: Traffic::new(spec, Escape::Raw, true),
            start: spec.start,
            weights: Weighted::new(&weights),
        }
    }

    /// Appends a record; the burst it belongs to.
    fn record(
        &self,
        moment: Moment,
        stamps: &mut Stamps,
        dice: &mut Dice,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let victim = moment.burst.filter(|_| dice.chance(STRICKEN)).and_then(|burst| {
            let outage = self.traffic.outage(burst);
            Some((burst, outage, self.traffic.victim(moment.time, outage, dice)?))
        });
        // nginx counts connections; a hundred a second will do.
        let connection = (moment.time - self.start).unsigned_abs() / 10_000 + 1;
        if let Some((burst, outage, hit)) = victim {
            let server = outage.server;
            let mut line = Line { hit, server, connection, time: moment.time, stamps, dice, out };
            broken(&mut line, outage);
            return Some(burst);
        }
        let (_, kinds, write) = MESSAGES[self.weights.at(dice.bits())];
        let (hit, page) = self.traffic.of(kinds, moment.time, dice);
        let server = server_of(page, dice);
        write(&mut Line { hit, server, connection, time: moment.time, stamps, dice, out });
        None
    }
}

fn server_of(page: &Page, dice: &mut Dice) -> &'static str {
    dice.pick::<&'static str>(POOLS[SECTIONS[page.section as usize].pool].servers)
}

/// A record while it is written.
struct Line<'l> {
    hit: Hit<'l>,
    /// The application server that would answer.
    server: &'static str,
    connection: u64,
    time: i64,
    stamps: &'l mut Stamps,
    dice: &'l mut Dice,
    out: &'l mut Vec<u8>,
}

/// The process ids of the workers; the master's is one below.
const WORKERS: [u64; 4] = [812, 813, 814, 815];

impl Line<'_> {
    /// Date, level and process.
    fn head(&mut self, level: &str, process: u64) {
        self.stamps.write(self.out, self.time);
        self.text(" [");
        self.text(level);
        self.text("] ");
        number(self.out, process);
        self.text("#");
        number(self.out, process);
        self.text(": ");
    }

    /// The head and the connection's number.
    fn open(&mut self, level: &str) {
        self.head(level, WORKERS[self.connection as usize % WORKERS.len()]);
        self.text("*");
        number(self.out, self.connection);
        self.text(" ");
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, value: u32) {
        number(self.out, value.into());
    }

    /// The path without its query.
    fn path(&mut self) {
        if let Request::Line { path, .. } = self.hit.request {
            self.out.extend_from_slice(path);
        }
    }

    /// The path with its query.
    fn target(&mut self) {
        self.path();
        if let Request::Line { query, value, .. } = self.hit.request
            && !query.is_empty()
        {
            self.text(query);
            self.number(value);
        }
    }

    /// `, client: …` and what else nginx knows of the request; `upstream` appends the peer where one is meant.
    fn context(&mut self, upstream: fn(&mut Self)) {
        self.client();
        self.text(", server: ");
        self.text(self.hit.host);
        if let Request::Line { method, protocol, .. } = self.hit.request {
            self.text(", request: \"");
            self.text(method);
            self.text(" ");
            self.target();
            self.text(" ");
            self.text(protocol);
            self.text("\"");
        }
        upstream(self);
        self.text(", host: \"");
        self.text(self.hit.host);
        self.text("\"");
        if let Some(referer) = self.hit.referer {
            self.text(", referrer: \"");
            self.out.extend_from_slice(referer);
            self.text("\"");
        }
        self.text("\n");
    }

    fn client(&mut self) {
        self.text(", client: ");
        self.out.extend_from_slice(self.hit.client);
    }
}

fn nobody(_: &mut Line<'_>) {}

fn http_peer(line: &mut Line<'_>) {
    line.text(", upstream: \"http://");
    line.text(line.server);
    line.target();
    line.text("\"");
}

fn php_peer(line: &mut Line<'_>) {
    line.text(", upstream: \"fastcgi://");
    line.text(line.server);
    line.text("\"");
}

/// What is logged while a server is down: that it refuses or never answers, and in between that nobody is left to ask.
fn broken(line: &mut Line<'_>, outage: Outage) {
    match (line.dice.below(12), outage.refuses) {
        (0, _) => no_live_upstreams(line, POOLS[SECTIONS[outage.section].pool].name),
        (1, true) => disabled(line),
        (_, true) => refused(line),
        (_, false) => timed_out(line),
    }
}

fn no_live_upstreams(line: &mut Line<'_>, pool: &'static str) {
    line.open("error");
    line.text("no live upstreams while connecting to upstream");
    line.server = pool;
    line.context(http_peer);
}

fn disabled(line: &mut Line<'_>) {
    line.open("warn");
    line.text("upstream server temporarily disabled while connecting to upstream");
    line.context(http_peer);
}

fn refused(line: &mut Line<'_>) {
    line.open("error");
    line.text("connect() failed (111: Connection refused) while connecting to upstream");
    line.context(http_peer);
}

fn timed_out(line: &mut Line<'_>) {
    line.open("error");
    line.text(
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
    );
    line.context(http_peer);
}

fn closed_early(line: &mut Line<'_>) {
    line.open("error");
    line.text("upstream prematurely closed connection while reading response header from upstream");
    line.context(http_peer);
}

fn reset(line: &mut Line<'_>) {
    line.open("error");
    line.text(
        "recv() failed (104: Connection reset by peer) while reading response header from upstream",
    );
    line.context(http_peer);
}

fn buffered(line: &mut Line<'_>) {
    line.open("warn");
    line.text("an upstream response is buffered to a temporary file /var/cache/nginx/proxy_temp/");
    let serial = line.connection;
    number(line.out, serial % 10);
    line.text("/");
    ink::padded(line.out, serial / 10 % 100, 2);
    line.text("/");
    ink::padded(line.out, serial, 10);
    line.text(" while reading upstream");
    line.context(http_peer);
}

fn not_found(line: &mut Line<'_>) {
    line.open("error");
    line.text("open() \"/srv/www/shop");
    line.path();
    line.text("\" failed (2: No such file or directory)");
    line.context(nobody);
}

fn forbidden_by_rule(line: &mut Line<'_>) {
    line.open("error");
    line.text("access forbidden by rule");
    line.context(nobody);
}

fn no_index(line: &mut Line<'_>) {
    line.open("error");
    line.text("directory index of \"/srv/www/shop/images/\" is forbidden");
    line.context(nobody);
}

fn wrong_password(line: &mut Line<'_>) {
    line.open("error");
    line.text("user \"");
    let user = *line.dice.pick(&USERS);
    line.text(user);
    line.text("\": password mismatch");
    line.context(nobody);
}

fn unknown_user(line: &mut Line<'_>) {
    line.open("error");
    line.text("user \"");
    let user =
        *line.dice.pick(&["admin", "root", "test", "x, client: 127.0.0.1, server: y", "oracle"]);
    line.text(user);
    line.text("\" was not found in \"/etc/nginx/users\"");
    line.context(nobody);
}

fn limited(line: &mut Line<'_>) {
    line.open("error");
    line.text("limiting requests, excess: ");
    excess(line, 20);
    line.text(" by zone \"perclient\"");
    line.context(nobody);
}

fn delayed(line: &mut Line<'_>) {
    line.open("warn");
    line.text("delaying request, excess: ");
    excess(line, 0);
    line.text(", by zone \"perclient\"");
    line.context(nobody);
}

fn excess(line: &mut Line<'_>, base: u32) {
    line.number(base);
    line.text(".");
    let part = line.dice.below(1000);
    ink::thousandths(line.out, part);
}

fn php_warning(line: &mut Line<'_>) {
    line.open("error");
    line.text("FastCGI sent in stderr: \"PHP message: PHP Warning:  Undefined variable $price in /srv/shop/item.php on line ");
    let number = line.dice.between(1, 400);
    line.number(number);
    line.text("\" while reading response header from upstream");
    line.context(php_peer);
}

/// A record of four lines: nginx passes on what PHP says as it comes.
fn php_fatal(line: &mut Line<'_>) {
    line.open("error");
    line.text("FastCGI sent in stderr: \"PHP message: PHP Fatal error:  Uncaught RuntimeException: stock is empty in /srv/shop/cart.php:17\nStack trace:\n#0 /srv/shop/cart.php(42): Cart->take()\n#1 {main}\n  thrown in /srv/shop/cart.php on line 17\" while reading response header from upstream");
    line.context(php_peer);
}

fn too_large(line: &mut Line<'_>) {
    line.open("error");
    line.text("client intended to send too large body: ");
    let size = line.dice.between(1_048_577, 90_000_000);
    line.number(size);
    line.text(" bytes");
    line.context(nobody);
}

fn client_left(line: &mut Line<'_>) {
    line.open("info");
    line.text("epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while sending request to upstream");
    line.context(http_peer);
}

fn handshake(line: &mut Line<'_>) {
    line.open("info");
    let cause = *line.dice.pick(&[
        "SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)",
        "SSL_do_handshake() failed (SSL: error:0A000415:SSL routines::sslv3 alert certificate expired:SSL alert number 45)",
        "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol)",
        "SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher)",
        "peer closed connection in SSL handshake",
    ]);
    line.text(cause);
    line.text(" while SSL handshaking");
    line.client();
    line.text(", server: 0.0.0.0:443\n");
}

fn invalid_request(line: &mut Line<'_>) {
    line.open("info");
    line.text("client sent invalid method while reading client request line");
    line.client();
    line.text(", server: ");
    line.text(line.hit.host);
    line.text(", request: \"\x16\x03\x01\x02\"\n");
}

fn worker_died(line: &mut Line<'_>) {
    line.head("alert", WORKERS[0] - 1);
    line.text("worker process ");
    let worker = *line.dice.pick(&WORKERS);
    number(line.out, worker);
    line.text(" exited on signal 11 (core dumped)\n");
}

impl Source for Errors {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut stamps = Stamps::new(ink::nginx_error);
        while let Some(moment) = chunk.moments.next() {
            let burst = self.record(moment, &mut stamps, &mut chunk.dice, chunk.text);
            chunk.end(moment.time, burst);
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        let outage = self.traffic.outage(nth);
        Fault { kind: outage.kind(), subject: outage.server.to_owned() }
    }
}
