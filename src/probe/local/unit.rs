//! Units of systemd: running, failed, restarting; and what can be said of a service where there is no systemd.

use std::collections::HashMap;
use std::path::Path;

use super::command::{NotDone, run};
use super::process;
use crate::document::Cell;
use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::trace::{Halt, Trace};

/// There when systemd runs this machine.
const RUNNING: &str = "/run/systemd/system";

/// What is asked of a unit.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,ActiveEnterTimestamp,UnitFileState";

/// Looks at one unit.
pub(super) fn check(trace: &mut Trace<'_>, name: &str) -> std::result::Result<(), Halt> {
    if !Path::new(RUNNING).exists() {
        return without_systemd(trace, name);
    }
    let asked = format!("systemctl show {name}");
    let shown = trace.step("unit", asked.as_str(), |deadline| {
        Ok(run("systemctl", &["show", PROPERTIES, "--", name], deadline))
    })?;
    match shown {
        Ok(done) => judge(trace, name, &parse(&done.output)),
        Err(NotDone::Missing) => without_systemd(trace, name),
        Err(NotDone::TooSlow) => {
            Err(trace.halt(Class::CheckerFailed, asked, "it did not end in time"))
        }
        Err(NotDone::NotStarted(why)) => Err(trace.halt(Class::CheckerFailed, asked, why)),
    }
}

/// A container, or another way to start services: the processes have to do.
fn without_systemd(trace: &mut Trace<'_>, name: &str) -> std::result::Result<(), Halt> {
    trace.fact("systemd", Cell::text("not running here; looked at processes instead"));
    let program = name.strip_suffix(".service").unwrap_or(name);
    trace.plan(&["process"]);
    process::check(trace, program)
}

/// `Name=value` lines.
fn parse(output: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(output);
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.to_owned(), escaped(value.as_bytes(), 200)))
    };
    text.lines().filter_map(pair).collect()
}

fn judge(
    trace: &mut Trace<'_>,
    name: &str,
    unit: &HashMap<String, String>,
) -> std::result::Result<(), Halt> {
    let text = |property: &str| unit.get(property).map_or("", String::as_str);
    let kept = [
        ("state", "ActiveState"),
        ("substate", "SubState"),
        ("result", "Result"),
        ("since", "ActiveEnterTimestamp"),
        ("at_boot", "UnitFileState"),
    ];
    for (fact, property) in kept.iter().filter(|(_, property)| !text(property).is_empty()) {
        trace.fact(fact, Cell::text(text(property)));
    }
    let restarts: u64 = text("NRestarts").parse().unwrap_or_default();
    trace.fact("restarts", Cell::Count(restarts));
    trace.measure("restarts", restarts as f64, "c");
    let state = format!("{} ({})", text("ActiveState"), text("SubState"));
    trace.summary(format!("{name} is {state}"));
    let class = match (text("LoadState"), text("ActiveState")) {
        ("not-found", _) => Class::BadTarget,
        (_, "failed") => Class::UnitFailed,
        (_, "active" | "reloading") => return Ok(()),
        (_, "activating") => Class::UnitRestarting,
        _ => Class::UnitDown,
    };
    let came = format!("{state}, result {}, {restarts} restarts", text("Result"));
    let halt = trace.halt(class, format!("{name} active"), came);
    trace.next(&format!("systemctl status {name}; journalctl -u {name} -n 50"));
    Err(halt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_properties() {
        let unit =
            parse(b"ActiveState=failed\nResult=exit-code\nExecStart={ path=/x }\nnonsense\n");
        assert_eq!(unit["Result"], "exit-code");
        assert_eq!(unit["ExecStart"], "{ path=/x }");
    }
}
