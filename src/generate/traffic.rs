//! The requests that reach a web site, before anyone answers: who asks, for what, with which words around it. The web
//! servers' access logs, their error logs and HAProxy's log all begin here.

use super::Spec;
use super::dice::{Dice, Weighted};
use super::ink::Escape;
use super::site::{Client, HOSTS, Kind, POOLS, Page, QUERIES, SECTIONS, Site, USERS};

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
    /// The agent is Chrome or says so.
    pub(super) chrome: bool,
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

/// Something of the site that is broken for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    /// An index of [`SECTIONS`].
    pub(super) section: usize,
    /// One of the servers behind that section.
    pub(super) server: &'static str,
    /// It refuses connections, or else accepts and never answers.
    pub(super) refuses: bool,
}

impl Outage {
    /// A short label.
    pub(super) fn kind(self) -> &'static str {
        if self.refuses { "upstream_refused" } else { "upstream_timeout" }
    }
}

/// A source of requests.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) site: Site,
    seed: u64,
    hosts: Weighted,
    protocols: Weighted,
}

const PROTOCOLS: [&str; 4] = ["HTTP/2.0", "HTTP/1.1", "HTTP/3.0", "HTTP/1.0"];

/// Streams of chance for the outages; chunks count up from 0.
const OUTAGES: u64 = 1 << 62;

impl Traffic {
    /// The traffic of a site as large as `spec` wants it. Not every server speaks HTTP/3.
    pub(super) fn new(spec: &Spec, escape: Escape, third: bool) -> Self {
        Self {
            site: Site::new(escape, spec.seed, spec.clients, spec.paths, spec.agents),
            seed: spec.seed,
            hosts: Weighted::zipf(HOSTS.len() as u32, 0.5),
            protocols: Weighted::new(&[58.0, 36.0, if third { 4.0 } else { 0.0 }, 1.0]),
        }
    }

    /// What is broken in the burst of that number.
    pub(super) fn outage(&self, burst: usize) -> Outage {
        let mut dice = Dice::new(self.seed, OUTAGES + burst as u64);
        let section = dice.below(SECTIONS.len() as u32) as usize;
        let server = *dice.pick(POOLS[SECTIONS[section].pool].servers);
        Outage { section, server, refuses: burst.is_multiple_of(2) }
    }

    /// Any request that ends at that instant, and what it is for.
    pub(super) fn any(&self, end: i64, dice: &mut Dice) -> (Hit<'_>, &Page) {
        let at = self.site.page_weights.at(dice.bits());
        let page = &self.site.pages[at];
        (self.ask(end, at, page, dice), page)
    }

    /// A request for one of these kinds of things, as a rule: a site without any gets another.
    pub(super) fn of(&self, kinds: &[Kind], end: i64, dice: &mut Dice) -> (Hit<'_>, &Page) {
        let mut at = 0;
        for _ in 0..64 {
            at = self.site.page_weights.at(dice.bits());
            if kinds.contains(&self.site.pages[at].kind) {
                break;
            }
        }
        let page = &self.site.pages[at];
        (self.ask(end, at, page, dice), page)
    }

    /// A request to what is broken; none where the site is too small to have such a section.
    pub(super) fn victim(&self, end: i64, outage: Outage, dice: &mut Dice) -> Option<Hit<'_>> {
        let paths = &self.site.busiest[outage.section];
        if paths.is_empty() {
            return None;
        }
        let at = *dice.pick(paths) as usize;
        Some(self.ask(end, at, &self.site.pages[at], dice))
    }

    /// The request itself: who wants what.
    fn ask(&self, end: i64, at: usize, page: &Page, dice: &mut Dice) -> Hit<'_> {
        let (site, bits) = (&self.site, dice.bits());
        let who = site.client_weights.at(dice.bits());
        let client = &site.clients[who];
        let agent = self.agent(client, bits);
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
            agent: Some(site.agents.get(agent)),
            chrome: site.chrome[agent],
            forwarded: self.forwarded(bits),
            micros: 0,
            upstream: None,
            bits,
        }
    }

    fn agent(&self, client: &Client, bits: u64) -> usize {
        // One request in sixteen is from another program behind the same address.
        let other = bits >> 24 & 15 == 0;
        let shift = if other { (bits >> 28 & 31) as usize } else { 0 };
        (client.agent as usize + shift) % self.site.agents.len()
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
}

/// The status that a request for such a thing has, as a rule, and the user where one is known.
pub(super) fn fate(kind: Kind, luck: u32, lot: u64) -> (u16, Option<&'static str>) {
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
