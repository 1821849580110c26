//! The text format of Prometheus, for a node exporter's text file folder.
//!
//! Metrics that mean the same as blackbox_exporter's have its names; the others begin with `logmill_probe_`. Every
//! sample is labelled with kind, target and address. A warning counts as success, as it does there.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::document::{Cell, Level};
use crate::probe::class::Class;
use crate::probe::outcome::Outcome;

/// A sample's own labels (`phase="connect"`, or nothing) and its value.
type Sample = (String, f64);

/// One metric: name, help, and the samples that an outcome gives it.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: fn(&Outcome) -> Vec<Sample>,
}

/// The phases of blackbox_exporter and our steps that are the same.
const PHASES: [(&str, &str); 5] = [
    ("resolve", "resolve"),
    ("connect", "connect"),
    ("tls", "tls"),
    ("processing", "first_byte"),
    ("transfer", "body"),
];

const METRICS: &[Metric] = &[
    Metric {
        name: "probe_success",
        help: "1 if the probe did not fail",
        samples: |o| plain(!matches!(o.level(), Level::Critical | Level::Unknown)),
    },
    Metric {
        name: "probe_duration_seconds",
        help: "How long the probe took",
        samples: |o| one(Some(o.took as f64 / 1e6)),
    },
    Metric {
        name: "probe_dns_lookup_time_seconds",
        help: "How long the name took to resolve",
        samples: |o| one(seconds(o, "resolve")),
    },
    Metric {
        name: "probe_ip_protocol",
        help: "The version of IP that was used",
        samples: |o| one(ip_version(&o.address)),
    },
    Metric {
        name: "probe_http_status_code",
        help: "The status of the answer",
        samples: |o| one(number(o, "status").filter(|_| o.kind == "http")),
    },
    Metric {
        name: "probe_http_redirects",
        help: "How many redirects were followed",
        samples: |o| one(number(o, "redirects").filter(|_| o.kind == "http")),
    },
    Metric {
        name: "probe_http_duration_seconds",
        help: "How long each phase took",
        samples: |o| if o.kind == "http" { phases(o) } else { Vec::new() },
    },
    Metric {
        name: "probe_http_uncompressed_body_length",
        help: "The length of the body after decompression",
        samples: |o| one(o.measure("size").filter(|_| o.kind == "http")),
    },
    Metric {
        name: "probe_ssl_earliest_cert_expiry",
        help: "When the first certificate of the chain ends, in seconds since 1970",
        samples: |o| one(expiry(o)),
    },
    Metric {
        name: "probe_ssl_last_chain_expiry_timestamp_seconds",
        help: "When the verified chain ends, in seconds since 1970",
        samples: |o| one(expiry(o).filter(|_| holds(o))),
    },
    Metric {
        name: "probe_tls_version_info",
        help: "The version of TLS that was agreed",
        samples: |o| info("version", text(o, "tls_version").map(|v| v.replace('v', " "))),
    },
    Metric {
        name: "probe_dns_serial",
        help: "The serial of the zone",
        samples: |o| one(number(o, "serial").filter(|_| o.kind == "dns")),
    },
    Metric {
        name: "logmill_probe_state",
        help: "0 ok, 1 warning, 2 critical, 3 unknown",
        samples: |o| one(Some(f64::from(super::exit_status(std::slice::from_ref(o))))),
    },
    Metric {
        name: "logmill_probe_class_info",
        help: "What was found",
        samples: |o| info("class", Some(o.class().name().to_owned())),
    },
    Metric {
        name: "logmill_probe_tries",
        help: "How often was asked",
        samples: |o| one(Some(f64::from(o.tries))),
    },
    Metric {
        name: "logmill_probe_step_seconds",
        help: "How long each step took; a step that was not reached is absent",
        samples: |o| {
            let steps = o.measures.iter().filter(|m| o.step(m.name).is_some());
            steps.map(|m| (label("step", m.name), m.value)).collect()
        },
    },
    Metric {
        name: "logmill_probe_measure",
        help: "The other numbers of each kind, in the unit named",
        samples: |o| {
            let others = o.measures.iter().filter(|m| m.name != "time" && o.step(m.name).is_none());
            let labels = |m: &&crate::probe::outcome::Measure| {
                format!("{},{}", label("measure", m.name), label("unit", m.unit))
            };
            others.map(|m| (labels(&m), m.value)).collect()
        },
    },
];

fn plain(yes: bool) -> Vec<Sample> {
    one(Some(f64::from(u8::from(yes))))
}

fn one(value: Option<f64>) -> Vec<Sample> {
    value.map(|value| (String::new(), value)).into_iter().collect()
}

fn info(name: &str, value: Option<String>) -> Vec<Sample> {
    value.map(|value| (label(name, &value), 1.0)).into_iter().collect()
}

fn seconds(outcome: &Outcome, step: &str) -> Option<f64> {
    outcome.step(step)?.micros().map(|micros| micros as f64 / 1e6)
}

fn phases(outcome: &Outcome) -> Vec<Sample> {
    let sample =
        |(phase, step): &(&str, &str)| Some((label("phase", phase), seconds(outcome, step)?));
    PHASES.iter().filter_map(sample).collect()
}

fn number(outcome: &Outcome, fact: &str) -> Option<f64> {
    match outcome.fact(fact)? {
        Cell::Number(number) => Some(*number as f64),
        Cell::Count(count) => Some(*count as f64),
        _ => None,
    }
}

fn text(outcome: &Outcome, fact: &str) -> Option<String> {
    match outcome.fact(fact)? {
        Cell::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn expiry(outcome: &Outcome) -> Option<f64> {
    match outcome.fact("chain_not_after")? {
        Cell::Instant(micros) => Some((*micros).div_euclid(1_000_000) as f64),
        _ => None,
    }
}

fn holds(outcome: &Outcome) -> bool {
    let broken = [
        Class::SelfSigned,
        Class::IncompleteChain,
        Class::UnknownRoot,
        Class::Untrusted,
        Class::CaAsLeaf,
    ];
    !broken.iter().any(|class| outcome.has(*class))
}

fn ip_version(address: &str) -> Option<f64> {
    let ip = address.parse().ok().or_else(|| address.parse().ok().map(|at: SocketAddr| at.ip()));
    ip.map(|ip: IpAddr| if ip.is_ipv4() { 4.0 } else { 6.0 })
}

/// `name="value"` with the three characters escaped that the format reserves.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// The whole file.
pub fn prometheus(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let samples: Vec<_> = outcomes
            .iter()
            .flat_map(|outcome| {
                (metric.samples)(outcome).into_iter().map(|sample| written(metric, outcome, sample))
            })
            .collect();
        if samples.is_empty() {
            continue;
        }
        let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help);
        let _ = writeln!(text, "# TYPE {} gauge", metric.name);
        text.extend(samples);
    }
    text
}

fn written(metric: &Metric, outcome: &Outcome, (own, value): Sample) -> String {
    let kind = label("kind", outcome.kind);
    let target = label("target", &outcome.target);
    let address = label("address", &outcome.address);
    let comma = if own.is_empty() { "" } else { "," };
    format!("{}{{{kind},{target},{address}{comma}{own}}} {value}\n", metric.name)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{bad, good};
    use super::*;

    #[test]
    fn names_and_labels() {
        let text = prometheus(&[good(), bad()]);
        let own = "kind=\"http\",target=\"http://www.lab.test/\",address=\"127.0.0.1:80\"";
        for line in [
            format!("probe_success{{{own}}} 1"),
            format!("probe_http_status_code{{{own}}} 200"),
            format!("probe_http_duration_seconds{{{own},phase=\"connect\"}} 0.00025"),
            format!("logmill_probe_class_info{{{own},class=\"open\"}} 1"),
        ] {
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert!(text.contains("version=\"TLS 1.3\"} 1"));
        assert!(text.contains("class=\"wrong_name\"} 1"));
        assert_eq!(text.matches("# TYPE probe_success gauge").count(), 1);
    }
}
