//! Requests to a web site, as nginx and Apache log them.
//!
//! `203.0.113.9 - - [07/Mar/2024:09:15:02 +0000] "GET /a?b=1 HTTP/2.0" 200 5120 "-" "curl/8.5"`
//!
//! Here a request is drawn: who, what, and how it went. `web_layout` writes it down. See
//! <https://nginx.org/en/docs/http/ngx_http_log_module.html> and <https://httpd.apache.org/docs/2.4/mod/mod_log_config.html>.

use super::clock::Moment;
use super::dice::{Curve, Dice};
use super::ink::{Escape, Stamps};
use super::run::{Chunk, Fault, Source};
use super::site::{Kind, POOLS, Page, SECTIONS};
use super::traffic::{Hit, Outage, Request, Traffic, Upstream, fate};
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

/// Of the requests in a burst, how many in 10,000 go to what is broken.
const STRICKEN: u32 = 3000;

/// The source of all web formats.
struct Web {
    traffic: Traffic,
    server: Server,
    layout: &'static Layout,
    /// Spreads of times and of sizes around the usual.
    times: Curve,
    sizes: Curve,
}

impl Web {
    fn boxed(spec: &Spec, server: Server, layout: &'static Layout) -> Box<dyn Source> {
        Box::new(Self {
            traffic: Traffic::new(spec, server.escape(), server != Server::Apache),
            server,
            layout,
            times: Curve::log_normal(0.9),
            sizes: Curve::log_normal(0.2),
        })
    }

    /// A request that ends at that moment, and the burst it is a victim of.
    fn draw(&self, moment: Moment, dice: &mut Dice) -> (Hit<'_>, Option<usize>) {
        if let Some(burst) = moment.burst
            && dice.chance(STRICKEN)
            && let Some(hit) = self.victim(moment.time, self.traffic.outage(burst), dice)
        {
            return (hit, Some(burst));
        }
        (self.usual(moment.time, dice), None)
    }

    fn usual(&self, end: i64, dice: &mut Dice) -> Hit<'_> {
        let (mut hit, page) = self.traffic.any(end, dice);
        let lot = dice.bits();
        if lot >> 48 < 100 {
            self.spoil(&mut hit, lot);
        } else {
            self.answer(&mut hit, page, lot, dice);
        }
        hit
    }

    /// Makes the request one that was none: garbage, or nothing in time.
    fn spoil<'s>(&'s self, hit: &mut Hit<'s>, lot: u64) {
        let silent = lot & 3 == 0;
        (hit.request, hit.status, hit.micros) = if silent {
            // Apache says that there was nothing, nginx says nothing.
            let apache = self.server == Server::Apache;
            let request = if apache { Request::Nothing } else { Request::Junk(b"") };
            (request, 408, TIMEOUT + (lot >> 8 & 0xffff))
        } else {
            let junk = (lot >> 2) as usize % self.traffic.site.junk.len();
            (Request::Junk(self.traffic.site.junk.get(junk)), 400, lot >> 8 & 0xffff)
        };
        (hit.referer, hit.agent, hit.chrome, hit.forwarded) = (None, None, false, None);
        hit.bytes = self.own_page(hit).into();
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

    /// The size of the server's own page. nginx pads its error pages for Chrome, which would show its own instead.
    fn own_page(&self, hit: &Hit<'_>) -> u32 {
        let padded = self.server != Server::Apache && hit.status >= 400 && hit.chrome;
        let size = self.server.own_page(hit.status);
        if padded && size > 0 { size + 402 } else { size }
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
            _ => self.own_page(hit).into(),
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
        let mut hit = self.traffic.victim(end, outage, dice)?;
        // Apache answers 503 where it cannot connect and 502 where it waited in vain.
        let apache = self.server == Server::Apache;
        hit.status = match (outage.refuses, apache) {
            (true, true) => 503,
            (true, false) | (false, true) => 502,
            (false, false) => 504,
        };
        hit.micros = if outage.refuses { 0 } else { TIMEOUT } + u64::from(dice.below(3000));
        hit.bytes = self.own_page(&hit).into();
        let (pool, server) = (SECTIONS[outage.section].pool, outage.server);
        let (micros, status) = (hit.micros, Some(hit.status));
        hit.upstream = Some(Upstream { pool, failed: None, server, status, micros });
        Some(hit)
    }
}

/// How long the servers wait for an application: nginx's `proxy_read_timeout` and Apache's `Timeout`, both a minute.
const TIMEOUT: u64 = 60_000_000;

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
        let outage = self.traffic.outage(nth);
        Fault { kind: outage.kind(), subject: outage.server.to_owned() }
    }
}
