//! The table of reports, and what each breakdown is about.

use super::bind;
use super::breakdown::{Fold, Subject};
use super::bursts::Bursts;
use super::endpoints::Endpoints;
use super::errors::Words;
use super::haproxy;
use super::haproxy::urls::Urls;
use super::latency::Latency;
use super::mysql;
use super::outcome::Scale;
use super::postfix;
use super::status::Status;
use super::totals::Totals;
use super::traffic::Traffic;
use super::visitors::Visitors;
use super::{Entry, Make, Setting, agents, clients, paths, referers};
use crate::format::Family;
use crate::record::{Field, Fields};

const WEB: &[Family] = &[Family::Web];
const HAPROXY: &[Family] = &[Family::Haproxy];
const WEB_AND_PROXY: &[Family] = &[Family::Web, Family::Haproxy];
/// Web servers tell of the same requests in their error logs, and proxies of those that they pass on.
const WEB_AND_ERRORS: &[Family] =
    &[Family::Web, Family::NginxError, Family::ApacheError, Family::Haproxy];
const ERRORS: &[Family] = &[Family::NginxError, Family::ApacheError, Family::MysqlError];
const WEB_AND_ERROR_LOGS: &[Family] = &[Family::Web, Family::NginxError, Family::ApacheError];
const WITH_CLIENTS: &[Family] =
    &[Family::Web, Family::NginxError, Family::ApacheError, Family::Postfix, Family::Bind];
const WITH_SERVERS: &[Family] =
    &[Family::Web, Family::NginxError, Family::ApacheError, Family::MysqlError];
const SLOW: &[Family] = &[Family::MysqlSlow];
const MAIL: &[Family] = &[Family::Postfix];
const DNS: &[Family] = &[Family::Bind];
/// Logs whose records are events, each of some kind.
const EVENTS: &[Family] = &[
    Family::NginxError,
    Family::ApacheError,
    Family::Haproxy,
    Family::Postfix,
    Family::Bind,
    Family::MysqlSlow,
    Family::MysqlError,
];

pub(super) const REPORTS: &[Entry] = &[
    Entry {
        name: "totals",
        about: "how many records, over which time, how many bytes, from how many clients",
        families: &[],
        make: Make::Report(|setting| Box::new(Totals::new(summable(setting), path_field(setting)))),
    },
    Entry {
        name: "sampling",
        about: "whether the server logged a sample of the statements, and for how many it stands",
        families: SLOW,
        make: Make::Report(|_| Box::new(mysql::sampling::Sampling)),
    },
    Entry {
        name: "bursts",
        about: "bursts of errors and of warnings: onset, end, strength, and what carried them",
        families: &[],
        make: Make::Report(|setting| Box::new(Bursts::new(setting.family, carrying(setting)))),
    },
    Entry {
        name: "status",
        about: "status classes and statuses, with first and last time",
        families: WEB_AND_PROXY,
        make: Make::Report(|setting| Box::new(Status::new(setting.supplied))),
    },
    Entry {
        name: "mail",
        about: "mail received, delivered, deferred, bounced, rejected; by day and by hour",
        families: MAIL,
        make: Make::Report(|setting| {
            Box::new(postfix::flow::Flow::new(setting.options.zone.clone()))
        }),
    },
    Entry {
        name: "queue",
        about: "the lives of messages: the queue over time, what is left in it; senders, recipients",
        families: MAIL,
        make: Make::Report(|_| Box::new(postfix::queue::Queue::new())),
    },
    Entry {
        name: "sessions",
        about: "sessions of clients: how many and how long, by day, hour and client",
        families: MAIL,
        make: Make::Report(|_| Box::new(postfix::sessions::Sessions::new())),
    },
    Entry {
        name: "mail_reasons",
        about: "why mail was deferred, bounced, refused; warnings, logins, TLS, broken sessions",
        families: MAIL,
        make: Make::Report(|_| Box::new(postfix::reasons::Reasons::new())),
    },
    Entry {
        name: "delays",
        about: "how long deliveries took, by stage, destination and relay",
        families: MAIL,
        make: Make::Report(|_| Box::new(postfix::delays::Delays::new())),
    },
    Entry {
        name: "queries",
        about: "DNS queries and answers: rates, response codes, types, flags, minutes of the hour",
        families: DNS,
        make: Make::Report(|setting| {
            Box::new(bind::queries::Queries::new(setting.options.zone.clone()))
        }),
    },
    Entry {
        name: "names",
        about: "names and domains asked for, by whom, how it ended, and what looks like an attack",
        families: DNS,
        make: Make::Report(|_| Box::new(bind::names::Names::new())),
    },
    Entry {
        name: "dns_events",
        about: "failures by reason, denials, zones, transfers, notifies, lame servers, policies, limits",
        families: DNS,
        make: Make::Report(|_| Box::new(bind::events::Events::new())),
    },
    Entry {
        name: "pile_ups",
        about: "when statements ran on top of each other, which began it and which waited",
        families: SLOW,
        make: Make::Report(|_| Box::new(mysql::pileups::PileUps)),
    },
    Entry {
        name: "statements",
        about: "slow statements by shape: time, calls, percentiles of every figure, users, the worst",
        families: SLOW,
        make: Make::Report(|setting| Box::new(mysql::profile::Profile::new(setting.supplied))),
    },
    Entry {
        name: "clients_in_trouble",
        about: "who was denied, whose connections broke off, too many connections, starts and crashes",
        families: &[Family::MysqlError],
        make: Make::Report(|_| Box::new(mysql::trouble::Trouble::new())),
    },
    Entry {
        name: "kinds",
        about: "what happened, by kind, with first and last time and an example; failures first",
        families: EVENTS,
        make: Make::Report(|_| {
            let kinds = Words::new("kinds", "Kinds", Field::KIND);
            Box::new(kinds.with_failures("Failures by kind"))
        }),
    },
    Entry {
        name: "traffic",
        about: "records over time, by hour, weekday and day; classes over time",
        families: &[],
        make: Make::Report(|setting| {
            let zone = setting.options.zone.clone();
            Box::new(Traffic::new(scale(setting), summable(setting), zone))
        }),
    },
    Entry {
        name: "codes",
        about: "the server's numbers of messages, with first and last time and an example",
        families: &[Family::ApacheError, Family::MysqlError],
        make: Make::Report(|_| {
            let codes = Words::new("codes", "Numbers of messages", Field::CODE);
            Box::new(codes.with_failures("Failures by number of message"))
        }),
    },
    Entry {
        name: "levels",
        about: "the server's own severities, with first and last time and an example",
        families: EVENTS,
        make: Make::Report(|_| Box::new(Words::new("levels", "Levels", Field::LEVEL))),
    },
    Entry {
        name: "latency",
        about: "percentiles of request time, upstream time, the client's side and cache hits",
        families: WEB,
        make: Make::Report(|setting| Box::new(Latency::new(setting.supplied))),
    },
    Entry {
        name: "endpoints",
        about: "methods with paths by time spent: statuses, percentiles, sizes",
        families: WEB,
        make: Make::Report(|setting| {
            Box::new(Endpoints::new(path_field(setting), setting.supplied))
        }),
    },
    Entry {
        name: "programs",
        about: "the programs that speak",
        families: MAIL,
        make: Make::Breakdown(|setting| of(setting, "programs", "Programs", Field::PROGRAM)),
    },
    Entry {
        name: "instances",
        about: "instances and services",
        families: MAIL,
        make: Make::Breakdown(|setting| of(setting, "instances", "Instances", Field::INSTANCE)),
    },
    Entry {
        name: "dsn",
        about: "enhanced status codes",
        families: MAIL,
        make: Make::Breakdown(|setting| of(setting, "dsn", "Enhanced status codes", Field::DSN)),
    },
    Entry {
        name: "states",
        about: "how sessions ended, in words, with the setting to look at; cookies of persistence",
        families: HAPROXY,
        make: Make::Report(|_| Box::new(haproxy::states::States::new())),
    },
    Entry {
        name: "server_availability",
        about: "servers going up and down: how often, how long, flapping, failed checks",
        families: HAPROXY,
        make: Make::Report(|_| Box::new(haproxy::changes::Changes::new())),
    },
    Entry {
        name: "servers",
        about: "frontends, backends and servers: sessions, time by stage, timers, balance, retries",
        families: HAPROXY,
        make: Make::Report(|_| Box::new(haproxy::routes::Routes::new())),
    },
    Entry {
        name: "queues",
        about: "who waited in the queues of backends and servers, and when it was worst",
        families: HAPROXY,
        make: Make::Report(|_| Box::new(haproxy::queues::Queues::new())),
    },
    Entry {
        name: "persistence",
        about: "whether sessions stay with the server that their cookie names",
        families: HAPROXY,
        make: Make::Report(|_| Box::new(haproxy::sticky::Sticky)),
    },
    Entry {
        name: "accept_holes",
        about: "stretches of time in which no session came, and how many came right after",
        families: HAPROXY,
        make: Make::Report(|_| Box::new(haproxy::holes::Holes)),
    },
    Entry {
        name: "urls",
        about: "paths of a proxy by number, errors, time, time of what was ok, bytes; files, not found",
        families: HAPROXY,
        make: Make::Report(|setting| {
            let field = path_field(setting);
            let fold = setting.options.group_paths.then_some(paths::fold as Fold);
            let (name, section, title) = ("urls", "paths", "Paths");
            Box::new(Urls { name, section, title, field, are_paths: true, fold })
        }),
    },
    Entry {
        name: "sources",
        about: "clients of a proxy by number, errors, time, bytes; networks",
        families: HAPROXY,
        make: Make::Report(|_| {
            let (name, section, title) = ("sources", "clients", "Clients");
            let field = Field::CLIENT;
            Box::new(Urls { name, section, title, field, are_paths: false, fold: None })
        }),
    },
    Entry {
        name: "schemes",
        about: "connections with TLS and without",
        families: HAPROXY,
        make: Make::Breakdown(|setting| of(setting, "schemes", "Schemes", Field::SCHEME)),
    },
    Entry {
        name: "paths",
        about: "paths: the most asked for, those behind 4xx and 5xx, the slow, static files, not found",
        families: WEB_AND_ERROR_LOGS,
        make: Make::Breakdown(paths_subject),
    },
    Entry {
        name: "clients",
        about: "clients: the busiest, those behind 4xx and 5xx, networks",
        families: WITH_CLIENTS,
        make: Make::Breakdown(|setting| {
            let subject = of(setting, "clients", "Clients", Field::CLIENT);
            Subject { blame: true, more: clients::sections, ..subject }
        }),
    },
    Entry {
        name: "upstreams",
        about: "the servers behind: requests, statuses, response times",
        families: WEB_AND_ERRORS,
        make: Make::Breakdown(|setting| {
            let subject = of(setting, "upstreams", "Upstreams", Field::UPSTREAM);
            Subject { blame: true, duration: Some(Field::UPSTREAM_DURATION), ..subject }
        }),
    },
    Entry {
        name: "upstream_tries",
        about: "how many servers behind were asked for a request",
        families: WEB,
        make: Make::Breakdown(|setting| {
            of(setting, "upstream_tries", "Upstream tries", Field::UPSTREAM_TRIES)
        }),
    },
    Entry {
        name: "upstream_statuses",
        about: "what the servers behind answered, try by try",
        families: WEB,
        make: Make::Breakdown(|setting| {
            of(setting, "upstream_statuses", "Upstream statuses", Field::UPSTREAM_STATUS)
        }),
    },
    Entry {
        name: "hosts",
        about: "virtual hosts",
        families: WEB_AND_ERRORS,
        make: Make::Breakdown(|setting| {
            let subject = timed(setting, "hosts", "Virtual hosts", Field::HOST);
            Subject { blame: true, ..subject }
        }),
    },
    Entry {
        name: "server_names",
        about: "server blocks",
        families: WITH_SERVERS,
        make: Make::Breakdown(|setting| {
            let subject = of(setting, "server_names", "Server blocks", Field::SERVER_NAME);
            Subject { blame: true, ..subject }
        }),
    },
    Entry {
        name: "modules",
        about: "parts of the server",
        families: ERRORS,
        make: Make::Breakdown(|setting| of(setting, "modules", "Modules", Field::MODULE)),
    },
    Entry {
        name: "unserved_files",
        about: "files that could not be served",
        families: ERRORS,
        make: Make::Breakdown(|setting| {
            of(setting, "unserved_files", "Files that could not be served", Field::FILE)
        }),
    },
    Entry {
        name: "reasons",
        about: "the words of systems, libraries and programs for what went wrong",
        families: ERRORS,
        make: Make::Breakdown(|setting| of(setting, "reasons", "Reasons", Field::REASON)),
    },
    Entry {
        name: "zones",
        about: "zones of limits",
        families: &[Family::NginxError],
        make: Make::Breakdown(|setting| of(setting, "zones", "Zones of limits", Field::ZONE)),
    },
    Entry {
        name: "views",
        about: "views that answered",
        families: DNS,
        make: Make::Breakdown(|setting| of(setting, "views", "Views", Field::VIEW)),
    },
    Entry {
        name: "categories",
        about: "categories of messages",
        families: DNS,
        make: Make::Breakdown(|setting| of(setting, "categories", "Categories", Field::CATEGORY)),
    },
    Entry {
        name: "local_addresses",
        about: "addresses of the server that were asked",
        families: DNS,
        make: Make::Breakdown(|setting| {
            of(setting, "local_addresses", "Addresses asked", Field::LOCAL_ADDRESS)
        }),
    },
    Entry {
        name: "methods",
        about: "methods",
        families: WEB_AND_PROXY,
        make: Make::Breakdown(|setting| of(setting, "methods", "Methods", Field::METHOD)),
    },
    Entry {
        name: "cache",
        about: "what the cache did, and how long requests then took",
        families: WEB,
        make: Make::Breakdown(|setting| timed(setting, "cache", "Cache", Field::CACHE_STATUS)),
    },
    Entry {
        name: "referers",
        about: "referring pages and sites",
        families: WEB_AND_ERRORS,
        make: Make::Breakdown(|setting| {
            let subject = of(setting, "referers", "Referring pages", Field::REFERER);
            Subject { more: referers::sections, ..subject }
        }),
    },
    Entry {
        name: "agents",
        about: "agents; browsers, operating systems, bots, programs",
        families: WEB_AND_PROXY,
        make: Make::Breakdown(|setting| {
            let subject = of(setting, "agents", "Agents", Field::AGENT);
            Subject { more: agents::sections, ..subject }
        }),
    },
    Entry {
        name: "users",
        about: "authenticated users",
        families: WEB_AND_ERRORS,
        make: Make::Breakdown(|setting| of(setting, "users", "Users", Field::USER)),
    },
    Entry {
        name: "protocols",
        about: "protocols",
        families: WEB_AND_PROXY,
        make: Make::Breakdown(|setting| of(setting, "protocols", "Protocols", Field::PROTOCOL)),
    },
    Entry {
        name: "tls_versions",
        about: "versions of TLS",
        families: WEB_AND_PROXY,
        make: Make::Breakdown(|setting| {
            of(setting, "tls_versions", "TLS versions", Field::TLS_VERSION)
        }),
    },
    Entry {
        name: "tls_ciphers",
        about: "cipher suites of TLS",
        families: WEB_AND_PROXY,
        make: Make::Breakdown(|setting| {
            of(setting, "tls_ciphers", "TLS ciphers", Field::TLS_CIPHER)
        }),
    },
    Entry {
        name: "mime",
        about: "types of the answers",
        families: WEB,
        make: Make::Breakdown(|setting| of(setting, "mime", "Types", Field::MIME)),
    },
    Entry {
        name: "visitors",
        about: "different clients and agents, day by day",
        families: WEB,
        make: Make::Report(|setting| {
            Box::new(Visitors::new(setting.supplied, setting.options.zone.clone()))
        }),
    },
];

/// The fields that may be summed up record by record. Postfix repeats the size of a message at every attempt to deliver
/// it; the report `queue` counts it once. Few records of BIND have a size: those of transfers, which have a report.
pub(super) fn summable(setting: &Setting<'_>) -> Fields {
    match setting.family {
        Family::Postfix | Family::Bind => setting.supplied.without(Fields::of(&[Field::BYTES])),
        _ => setting.supplied,
    }
}

/// The fields that may carry a burst. With HAProxy the kind of an unusual session is its state, and all lines are of one
/// program: to number these as well would tell nothing more.
fn carrying(setting: &Setting<'_>) -> Fields {
    match setting.family {
        Family::Haproxy => {
            setting.supplied.without(Fields::of(&[Field::STATE, Field::PROGRAM, Field::CODE]))
        }
        // Reasons hold addresses and ids, and are different each time; the status code in them is not.
        Family::Postfix => setting.supplied.without(Fields::of(&[Field::REASON])),
        _ => setting.supplied,
    }
}

/// Web logs have a status in every record; in the other families the class tells more.
fn scale(setting: &Setting<'_>) -> Scale {
    match setting.family {
        Family::Web => Scale::Status,
        _ => Scale::Class,
    }
}

/// The field by which paths are counted.
fn path_field(setting: &Setting<'_>) -> Field {
    let whole = setting.options.keep_query && setting.supplied.has(Field::TARGET);
    if whole { Field::TARGET } else { Field::PATH }
}

fn of(setting: &Setting<'_>, name: &'static str, title: &'static str, field: Field) -> Subject {
    Subject::new(name, title, field, scale(setting))
}

fn timed(setting: &Setting<'_>, name: &'static str, title: &'static str, field: Field) -> Subject {
    Subject { duration: Some(Field::DURATION), ..of(setting, name, title, field) }
}

fn paths_subject(setting: &Setting<'_>) -> Subject {
    let subject = timed(setting, "paths", "Paths", path_field(setting));
    let fold = setting.options.group_paths.then_some(paths::fold as Fold);
    Subject { blame: true, fold, more: paths::sections, ..subject }
}
