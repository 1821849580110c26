//! One outcome as one line of JSON: a contract.
//!
//! ```text
//! {"kind","target","address","level","class","step","result","started":"2026-…Z","took":microseconds,"tries":1,
//!  "steps":[{"step","end":"done|failed|not_reached","class","time":microseconds,"asked","came"}],
//!  "faults":[{"level","class","step","asked","came","cause","next"}],
//!  "facts":{name: value}, "measures":{name: {"value","unit"}}, "first_bytes":"escaped"}
//! ```
//!
//! Levels are `ok`, `warning`, `critical`, `unknown`. Instants among the facts are RFC 3339; durations microseconds;
//! text that is not UTF-8 is escaped. What is absent is `null`.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::document::Cell;
use crate::probe::escape::escaped;
use crate::probe::outcome::{End, Fault, Measure, Outcome, Step};

/// One line, without its line end.
pub fn line(outcome: &Outcome) -> String {
    json!({
        "kind": outcome.kind,
        "target": outcome.target,
        "address": text_or_null(&outcome.address),
        "level": outcome.level().name(),
        "class": outcome.class().name(),
        "step": outcome.failing_step(),
        "result": outcome.line(),
        "started": instant(outcome.started),
        "took": outcome.took,
        "tries": outcome.tries,
        "steps": outcome.steps.iter().map(step).collect::<Vec<_>>(),
        "faults": outcome.faults.iter().map(fault).collect::<Vec<_>>(),
        "facts": outcome.facts.iter().map(|fact| (fact.name.to_owned(), value(&fact.value))).collect::<Map<_, _>>(),
        "measures": outcome.measures.iter().map(measure).collect::<Map<_, _>>(),
        "first_bytes": text_or_null(&escaped(&outcome.evidence, 256)),
    })
    .to_string()
}

fn text_or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn step(step: &Step) -> Value {
    let (end, class, time) = match step.end {
        End::Done(micros) => ("done", None, Some(micros)),
        End::Failed(class, micros) => ("failed", Some(class.name()), Some(micros)),
        End::NotReached => ("not_reached", None, None),
    };
    let (asked, came) = (text_or_null(&step.asked), text_or_null(&step.came));
    json!({"step": step.name, "end": end, "class": class, "time": time, "asked": asked, "came": came})
}

fn fault(fault: &Fault) -> Value {
    json!({
        "level": fault.level.name(),
        "class": fault.class.name(),
        "step": text_or_null(fault.step),
        "asked": fault.asked,
        "came": fault.came,
        "cause": fault.cause,
        "next": fault.next,
    })
}

fn measure(measure: &Measure) -> (String, Value) {
    (measure.name.to_owned(), json!({"value": measure.value, "unit": measure.unit}))
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Count(number) | Cell::Bytes(number) => (*number).into(),
        Cell::Number(number) | Cell::Duration(number) => (*number).into(),
        Cell::Real(real) | Cell::ByteRate(real) | Cell::Rate(real) | Cell::Share(real) => {
            (*real).into()
        }
        Cell::Instant(micros) => instant(*micros),
        Cell::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => escaped(bytes, usize::MAX).into(),
        },
        Cell::Level(level) => level.name().into(),
        Cell::List(cells) => cells.iter().map(value).collect(),
    }
}

fn instant(micros: i64) -> Value {
    let date = DateTime::from_timestamp_micros(micros);
    date.map(|date| date.to_rfc3339_opts(SecondsFormat::AutoSi, true)).into()
}

#[cfg(test)]
mod tests {
    use super::super::sample::bad;
    use super::*;

    #[test]
    fn reads_back() {
        let text = line(&bad());
        assert!(!text.contains('\n') && !text.contains('\x1b'));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["class"], "wrong_name");
        assert_eq!(read["started"], "2026-06-15T00:00:00Z");
        assert_eq!(read["faults"].as_array().unwrap().len(), 2);
        assert_eq!(read["measures"]["time"]["unit"], "s");
        assert_eq!(read["first_bytes"], "\\x1b[0m");
    }
}
