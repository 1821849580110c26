//! Requests to a web site, as nginx and Apache log them.
//!
//! `203.0.113.9 - - [07/Mar/2024:09:15:02 +0000] "GET /a?b=1 HTTP/2.0" 200 5120 "-" "curl/8.5"`
//!
//! Here a request is drawn: who, what, and how it went. `web_layout` writes it down. See
//! <https://nginx.org/en/docs/http/ngx_http_log_module.html> and <https://httpd.apache.org/docs/2.4/mod/mod_log_config.html>.

use super::clock::Moment;
use super::dice::{Curve, Dice, Weighted};
use super::ink::{Escape, Stamps};
use super::run::{Chunk, Fault, Source};
use super::site::{Client, HOSTS, Kind, POOLS, Page, QUERIES, SECTIONS, Site, USERS};
use super::web_layout::{self as layout, Layout};
use super::{Format, Spec};

const fn format(
    name: &'static str,
    about: &'static str,
    make: fn(&Spec) -> Box<dyn Source>,
) -> Format {
    Format { name, about, rate: 100.0, lift: 1.2, make }
}

pub(super) const NGINX_COMBINED: Format =
    format("nginx-combined", "nginx access log, the built-in combined format", |spec| {
        Web::boxed(spec, Server::Nginx, &layout::COMBINED)
    });
pub(super) const NGINX_MAIN: Format =
    format("nginx-main", "nginx access log, combined and X-Forwarded-For", |spec| {
        Web::boxed(spec, Server::Nginx, &layout::MAIN)
    });
pub(super) const NGINX_TIMED: Format = format(
    "nginx-timed",
    "nginx access log, combined and $request_time $upstream_response_time $upstream_addr $upstream_status",
    |spec| Web::boxed(spec, Server::Nginx, &layout::TIMED),
);
pub(super) const NGINX_VHOST: Format =
    format("nginx-vhost", "nginx access log, $host and combined", |spec| {
        Web::boxed(spec, Server::Nginx, &layout::VHOST)
    });
pub(super) const NGINX_INGRESS: Format =
    format("nginx-ingress", "access log of the Kubernetes ingress controller", |spec| {
        Web::boxed(spec, Server::Nginx, &layout::INGRESS)
    });
pub(super) const NGINX_JSON: Format =
    format("nginx-json", "nginx access log as JSON lines (escape=json)", |spec| {
        Web::boxed(spec, Server::NginxJson, &layout::JSON)
    });
pub(super) const NGINX_LTSV: Format =
    format("nginx-ltsv", "nginx access log as labelled tab-separated values", |spec| {
        Web::boxed(spec, Server::Nginx, &layout::LTSV)
    });
pub(super) const APACHE_COMMON: Format =
    format("apache-common", "Apache access log, common", |spec| {
        Web::boxed(spec, Server::Apache, &layout::APACHE_COMMON)
    });
pub(super) const APACHE_COMBINED: Format =
    format("apache-combined", "Apache access log, combined", |spec| {
        Web::boxed(spec, Server::Apache, &layout::APACHE_COMBINED)
    });
pub(super) const APACHE_COMBINEDIO: Format =
    format("apache-combinedio", "Apache access log, combined and %I %O", |spec| {
        Web::boxed(spec, Server::Apache, &layout::APACHE_COMBINEDIO)
    });
pub(super) const APACHE_VHOST: Format =
    format("apache-vhost", "Apache access log, vhost_combined as on Debian", |spec| {
        Web::boxed(spec, Server::Apache, &layout::APACHE_VHOST)
    });

/// Whose manners hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Nginx,
    NginxJson,
    Apache,
}

impl Server {
    fn escape(self) -> Escape {
        match self {
            Self::Nginx => Escape::Nginx,
            Self::NginxJson => Escape::Json,
            Self::Apache => Escape::Apache,
        }
    }

    /// The size of the server's own page for a status. nginx frames the words of the status, twice, in 127 bytes (with
    /// its version in it); Apache's pages have a text each.
    fn own_page(self, status: u16) -> u32 {
        match (self, status) {
            (_, 304 | 408 | 499) => 0,
            (Self::Apache, 301) => 315,
            (Self::Apache, 302) => 288,
            (Self::Apache, 400) => 226,
            (Self::Apache, 401) => 381,
            (Self::Apache, 403) => 199,
            (Self::Apache, 404) => 196,
            (Self::Apache, 502) => 341,
            (Self::Apache, 503) => 299,
            (Self::Apache, _) => 528,
            (_, _) => 127 + 2 * reason(status).len() as u32,
        }
    }
}

/// The words of a status, as nginx prints them on its pages.
fn reason(status: u16) -> &'static str {
    match status {
        301 => "301 Moved Permanently",
        302 => "302 Found",
        400 => "400 Bad Request",
        401 => "401 Authorization Required",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        413 => "413 Request Entity Too Large",
        429 => "429 Too Many Requests",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        _ => "500 Internal Server Error",
    }
}

/// One request and its fate.
#[derive(Debug)]
pub(super) struct Hit<'s> {
    /// When it ended: microseconds since 1970 UTC.
    pub(super) end: i64,
    pub(super) client: &'s [u8],
    pub(super) user: Option<&'static str>,
    pub(super) host: &'static str,
    pub(super) request: Request<'s>,
    pub(super) status: u16,
    /// Bytes of the body sent.
    pub(super) bytes: u64,
    pub(super) referer: Option<&'s [u8]>,
    pub(super) agent: Option<&'s [u8]>,
    /// An address of a proxy's client, for X-Forwarded-For; the proxy itself comes behind it where `true`.
    pub(super) forwarded: Option<(&'s [u8], bool)>,
    pub(super) micros: u64,
    pub(super) upstream: Option<Upstream>,
    /// Fresh bits for the layout: identifiers, sizes of headers.
    pub(super) bits: u64,
}

/// The first line of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request<'s> {
    /// As it should be.
    Line {
        method: &'static str,
        path: &'s [u8],
        query: &'static str,
        value: u32,
        protocol: &'static str,
    },
    /// Bytes that are none, escaped; may be empty.
    Junk(&'s [u8]),
    /// Nothing came in time.
    Nothing,
}

/// Who was asked for the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upstream {
    /// An index of [`POOLS`].
    pub(super) pool: usize,
    /// A server that failed before the last one was tried.
    pub(super) failed: Option<&'static str>,
    /// The last one.
    pub(super) server: &'static str,
    /// Its status; none where the client left before it answered.
    pub(super) status: Option<u16>,
    pub(super) micros: u64,
}

/// What a burst breaks.
#[derive(Debug, Clone, Copy)]
struct Outage {
    section: usize,
    server: &'static str,
    /// Refuses connections, or else accepts and never answers.
    refuses: bool,
}

/// Of the requests in a burst, how many in 10,000 go to what is broken.
const STRICKEN: u32 = 3000;

/// The source of all web formats.
struct Web {
    site: Site,
    server: Server,
    layout: &'static Layout,
    seed: u64,
    hosts: Weighted,
    protocols: Weighted,
    /// Spreads of times and of sizes around the usual.
    times: Curve,
    sizes: Curve,
}

const PROTOCOLS: [&str; 4] = ["HTTP/2.0", "HTTP/1.1", "HTTP/3.0", "HTTP/1.0"];

impl Web {
    fn boxed(spec: &Spec, server: Server, layout: &'static Layout) -> Box<dyn Source> {
        let site = Site::new(server.escape(), spec.seed, spec.clients, spec.paths, spec.agents);
        // HTTP/3 is nginx's alone.
        let third = if server == Server::Apache { 0.0 } else { 4.0 };
        Box::new(Self {
            site,
            server,
            layout,
            seed: spec.seed,
            hosts: Weighted::zipf(HOSTS.len() as u32, 0.5),
            protocols: Weighted::new(&[58.0, 36.0, third, 1.0]),
            times: Curve::log_normal(0.9),
            sizes: Curve::log_normal(0.2),
        })
    }

    fn outage(&self, burst: usize) -> Outage {
        let mut dice = Dice::new(self.seed, OUTAGES + burst as u64);
        let section = dice.below(SECTIONS.len() as u32) as usize;
        let server = *dice.pick(POOLS[SECTIONS[section].pool].servers);
        Outage { section, server, refuses: burst.is_multiple_of(2) }
    }

    /// A request that ends at that moment, and the burst it is a victim of.
    fn draw(&self, moment: Moment, dice: &mut Dice) -> (Hit<'_>, Option<usize>) {
        if let Some(burst) = moment.burst
            && dice.chance(STRICKEN)
            && let Some(hit) = self.victim(moment.time, self.outage(burst), dice)
        {
            return (hit, Some(burst));
        }
        (self.usual(moment.time, dice), None)
    }

    fn usual(&self, end: i64, dice: &mut Dice) -> Hit<'_> {
        let at = self.site.page_weights.at(dice.bits());
        let page = &self.site.pages[at];
        let mut hit = self.ask(end, at, page, dice);
        let lot = dice.bits();
        if lot >> 48 < 100 {
            self.spoil(&mut hit, lot);
        } else {
            self.answer(&mut hit, page, lot, dice);
        }
        hit
    }

    /// The request itself: who wants what.
    fn ask(&self, end: i64, at: usize, page: &Page, dice: &mut Dice) -> Hit<'_> {
        let (site, bits) = (&self.site, dice.bits());
        let who = site.client_weights.at(dice.bits());
        let client = &site.clients[who];
        let query = if bits & 7 < 5 { 0 } else { page.query };
        Hit {
            end,
            client: site.addresses.get(who),
            user: None,
            host: HOSTS[self.hosts.at(dice.bits())],
            request: Request::Line {
                method: if bits >> 8 & 127 == 0 && page.method == "GET" {
                    "HEAD"
                } else {
                    page.method
                },
                path: site.paths.get(at),
                query: QUERIES[query as usize],
                value: (bits >> 16 & 63) as u32 + 1,
                protocol: PROTOCOLS[self.protocols.at(dice.bits())],
            },
            status: 200,
            bytes: 0,
            referer: self.referer(client, page, dice),
            agent: Some(self.agent(client, bits)),
            forwarded: self.forwarded(bits),
            micros: 0,
            upstream: None,
            bits,
        }
    }

    fn agent(&self, client: &Client, bits: u64) -> &[u8] {
        // One request in sixteen is from another program behind the same address.
        let other = bits >> 24 & 15 == 0;
        let shift = if other { (bits >> 28 & 31) as usize } else { 0 };
        self.site.agents.get((client.agent as usize + shift) % self.site.agents.len())
    }

    fn referer(&self, client: &Client, page: &Page, dice: &mut Dice) -> Option<&[u8]> {
        let bare = match (client.robot, page.kind) {
            (true, _) | (_, Kind::Missing) => 9000,
            (false, Kind::Asset | Kind::Media | Kind::Beacon) => 800,
            (false, _) => 4500,
        };
        let bits = dice.bits();
        if (bits & 8191) * 10_000 < bare << 13 {
            return None;
        }
        Some(self.site.referers.get(self.site.referer_weights.at(dice.bits())))
    }

    fn forwarded(&self, bits: u64) -> Option<(&[u8], bool)> {
        let behind = (bits >> 33 & 15 == 0).then_some(bits >> 37);
        behind.map(|word| {
            (self.site.addresses.get(word as usize % self.site.addresses.len()), word & 3 == 0)
        })
    }

    /// Makes the request one that was none: garbage, or nothing in time.
    fn spoil<'s>(&'s self, hit: &mut Hit<'s>, lot: u64) {
        let silent = lot & 3 == 0;
        (hit.request, hit.status, hit.micros) = if silent {
            (Request::Nothing, 408, 60_000_000 + (lot >> 8 & 0xffff))
        } else {
            let junk = (lot >> 2) as usize % self.site.junk.len();
            (Request::Junk(self.site.junk.get(junk)), 400, lot >> 8 & 0xffff)
        };
        hit.bytes = self.server.own_page(hit.status).into();
        (hit.referer, hit.agent, hit.forwarded) = (None, None, None);
    }

    /// Gives the request its answer: status, size, time, upstream.
    fn answer(&self, hit: &mut Hit<'_>, page: &Page, lot: u64, dice: &mut Dice) {
        let luck = ((lot & 0xffff) as u32 * 10_000) >> 16;
        hit.micros = self.times.scale(page.micros.into(), lot >> 16) + 50;
        (hit.status, hit.user) = fate(page.kind, luck, lot);
        let applied = matches!(page.kind, Kind::Page | Kind::Api | Kind::Beacon | Kind::Private);
        if applied && hit.status != 401 {
            self.apply(hit, page, lot, dice);
        }
        hit.bytes = self.size(hit, page, lot);
    }

    fn size(&self, hit: &Hit<'_>, page: &Page, lot: u64) -> u64 {
        let head = matches!(hit.request, Request::Line { method: "HEAD", .. });
        match hit.status {
            204 | 304 | 408 | 499 => 0,
            _ if head => 0,
            // A file has one size, an application's answer varies.
            200 if page.kind == Kind::Asset => page.bytes.into(),
            200 | 201 | 206 => self.sizes.scale(page.bytes.into(), lot >> 28),
            500 if page.kind == Kind::Api => 87,
            status => self.server.own_page(status).into(),
        }
    }

    /// Has an application answer: through one of its servers, at times after another one failed, at times badly.
    fn apply(&self, hit: &mut Hit<'_>, page: &Page, lot: u64, dice: &mut Dice) {
        let pool = SECTIONS[page.section as usize].pool;
        let server = *dice.pick(POOLS[pool].servers);
        let trouble = dice.below(10_000);
        let mut failed = None;
        match trouble {
            0..8 => hit.status = 500,
            8..11 => (hit.status, hit.micros) = (502, 400 + (lot >> 44)),
            11..13 => hit.status = 503,
            13..15 => (hit.status, hit.micros) = (504, TIMEOUT + (lot >> 44 & 0xfff)),
            15..40 => (hit.status, hit.micros) = (499, hit.micros * 8 + (lot >> 44)),
            40..60 => failed = POOLS[pool].servers.iter().copied().find(|&other| other != server),
            _ => {}
        }
        let status = (hit.status != 499).then_some(hit.status);
        let micros = hit.micros;
        hit.upstream = Some(Upstream { pool, failed, server, status, micros });
        // The server itself needs a moment too, and another for a try that failed.
        hit.micros += (lot >> 40 & 0x3ff) + if failed.is_some() { 1000 } else { 0 };
    }

    /// A request to what is broken.
    fn victim(&self, end: i64, outage: Outage, dice: &mut Dice) -> Option<Hit<'_>> {
        let paths = &self.site.busiest[outage.section];
        if paths.is_empty() {
            return None;
        }
        let at = *dice.pick(paths) as usize;
        let mut hit = self.ask(end, at, &self.site.pages[at], dice);
        // Apache answers 503 where it cannot connect and 502 where it waited in vain.
        let apache = self.server == Server::Apache;
        hit.status = match (outage.refuses, apache) {
            (true, true) => 503,
            (true, false) | (false, true) => 502,
            (false, false) => 504,
        };
        hit.micros = if outage.refuses { 0 } else { TIMEOUT } + u64::from(dice.below(3000));
        hit.bytes = self.server.own_page(hit.status).into();
        let (pool, server) = (SECTIONS[outage.section].pool, outage.server);
        let (micros, status) = (hit.micros, Some(hit.status));
        hit.upstream = Some(Upstream { pool, failed: None, server, status, micros });
        Some(hit)
    }
}

/// Streams of chance for the outages.
const OUTAGES: u64 = 1 << 62;

/// How long the servers wait for an application: nginx's `proxy_read_timeout` and Apache's `Timeout`, both a minute.
const TIMEOUT: u64 = 60_000_000;

/// The status that a request for such a thing has, as a rule, and the user where one is known.
fn fate(kind: Kind, luck: u32, lot: u64) -> (u16, Option<&'static str>) {
    let status = match (kind, luck) {
        (Kind::Asset, 0..1800) => 304,
        (Kind::Asset, 1800..1830) => 404,
        (Kind::Media, 0..7000) => 206,
        (Kind::Page, 0..150) => 302,
        (Kind::Page, 150..250) | (Kind::Api, 0..150) => 404,
        (Kind::Api, 150..300) => 401,
        (Kind::Api, 300..340) => 429,
        (Kind::Api, 340..380) => 400,
        (Kind::Api, 380..600) => 201,
        (Kind::Beacon, _) => 204,
        (Kind::Private, 0..2500) => 401,
        (Kind::Private, 2500..2700) => 403,
        (Kind::Private, _) => return (200, Some(USERS[lot as usize >> 3 & 7])),
        (Kind::Moved, 0..8000) => 301,
        (Kind::Moved, _) => 302,
        (Kind::Missing, 0..9000) => 404,
        (Kind::Missing, _) => 403,
        _ => 200,
    };
    (status, None)
}

impl Source for Web {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut stamps = Stamps::new(self.layout.stamp);
        while let Some(moment) = chunk.moments.next() {
            let (hit, burst) = self.draw(moment, &mut chunk.dice);
            let stamp = if self.layout.starts { hit.end - hit.micros as i64 } else { hit.end };
            (self.layout.write)(&hit, stamp, &mut stamps, chunk.text);
            chunk.end(stamp, burst);
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        let outage = self.outage(nth);
        let kind = if outage.refuses { "upstream_refused" } else { "upstream_timeout" };
        Fault { kind, subject: outage.server.to_owned() }
    }
}
