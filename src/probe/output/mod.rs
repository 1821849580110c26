//! Outcomes on their way out: as a [`Document`](crate::document::Document) for the renderers, as one line for the
//! monitoring plugins' hosts, as Prometheus text, and as NDJSON.

mod document;
mod nagios;
mod ndjson;
mod prometheus;

pub use document::document;
pub use nagios::{exit_status, nagios};
pub use ndjson::line;
pub use prometheus::prometheus;

#[cfg(test)]
mod sample {
    //! Two outcomes for the tests of the outputs: one good, one with two faults and hostile bytes.

    use crate::document::{Cell, Fact, Level};
    use crate::probe::class::Class;
    use crate::probe::outcome::{End, Fault, Measure, Outcome, Step};
    use crate::probe::range::Range;

    pub(super) fn good() -> Outcome {
        let step = |name, micros| Step {
            name,
            asked: format!("{name} asked"),
            came: String::new(),
            end: End::Done(micros),
        };
        let seconds = |name, value, warn| Measure { name, value, unit: "s", warn, crit: None };
        Outcome {
            kind: "http",
            target: "http://www.lab.test/".to_owned(),
            address: "127.0.0.1:80".to_owned(),
            steps: vec![step("resolve", 100), step("connect", 250)],
            faults: Vec::new(),
            facts: vec![Fact::new("status", Cell::Number(200))],
            measures: vec![
                seconds("time", 0.0025, Range::parse("0.5").ok()),
                seconds("connect", 0.00025, None),
            ],
            sections: Vec::new(),
            evidence: Vec::new(),
            summary: "HTTP/1.1 200 OK, 240 bytes".to_owned(),
            started: 1_781_481_600_000_000,
            took: 2500,
            tries: 1,
        }
    }

    pub(super) fn bad() -> Outcome {
        let fault = |class: Class, level, came: &str| Fault {
            class,
            level,
            step: "tls",
            asked: "a good certificate".to_owned(),
            came: came.to_owned(),
            cause: class.words().cause.to_owned(),
            next: "true".to_owned(),
        };
        Outcome {
            kind: "tls",
            target: "www.lab.test:443".to_owned(),
            faults: vec![
                fault(Class::Expiring, Level::Warning, "ends soon"),
                fault(Class::WrongName, Level::Critical, "for 'a|b'\nand more"),
            ],
            facts: vec![Fact::new("tls_version", Cell::text("TLSv1.3"))],
            evidence: b"\x1b[0m".to_vec(),
            ..good()
        }
    }
}
