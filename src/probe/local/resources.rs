//! The machine as a whole: memory, load, pressure, files and sockets in use, out of `/proc`.

use std::fs;
use std::num::NonZero;

use crate::document::Cell;
use crate::probe::class::Class;
use crate::probe::trace::{Halt, Trace};

/// Per cent of memory that should be left.
const MEMORY_LEFT: f64 = 5.0;

/// Looks at the machine as a whole.
pub(super) fn check(trace: &mut Trace<'_>) -> std::result::Result<(), Halt> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (memory, load) = trace.step("resources", "memory, load and pressure", |_| {
        Ok((read("/proc/meminfo"), read("/proc/loadavg")))
    })?;
    judge_memory(trace, &memory);
    keep_load(trace, &load);
    for (fact, file) in
        [("pressure_cpu", "cpu"), ("pressure_io", "io"), ("pressure_memory", "memory")]
    {
        if let Some(share) = pressure(&read(&format!("/proc/pressure/{file}"))) {
            trace.fact(fact, Cell::Share(share));
        }
    }
    if let Some((open, most)) = two(&read("/proc/sys/fs/file-nr")) {
        trace.fact("open_files", Cell::Count(open));
        trace.measure("open_files", open as f64 * 100.0 / most.max(1) as f64, "%");
    }
    Ok(())
}

fn judge_memory(trace: &mut Trace<'_>, text: &str) {
    let bytes = |name: &str| kibibytes(text, name).map(|kib| kib.saturating_mul(1024));
    let (Some(all), Some(left)) = (bytes("MemTotal"), bytes("MemAvailable")) else { return };
    trace.fact("memory", Cell::Bytes(all));
    trace.fact("memory_available", Cell::Bytes(left));
    let swapped = bytes("SwapTotal")
        .unwrap_or_default()
        .saturating_sub(bytes("SwapFree").unwrap_or_default());
    trace.fact("swap_used", Cell::Bytes(swapped));
    let percent = left as f64 * 100.0 / all.max(1) as f64;
    trace.measure("memory", 100.0 - percent, "%");
    if percent < MEMORY_LEFT {
        let came = format!("{percent:.1} % left");
        trace.fault(Class::MemoryLow, format!("{MEMORY_LEFT} % of memory available"), came);
    }
}

/// `MemTotal:       24686592 kB`
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn keep_load(trace: &mut Trace<'_>, text: &str) {
    let Some(load) = text.split(' ').next().and_then(|word| word.parse::<f64>().ok()) else {
        return;
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    trace.fact("load", Cell::Real(load));
    trace.fact("processors", Cell::Count(processors as u64));
    trace.measure("load", load / processors as f64, "");
    trace.summary(format!("load {load} on {processors} processors"));
}

/// `some avg10=1.53 …`: the part of the last ten seconds in which something had to wait.
fn pressure(text: &str) -> Option<f64> {
    let word = text.lines().find_map(|line| line.strip_prefix("some avg10="))?;
    let percent: f64 = word.split(' ').next()?.parse().ok()?;
    Some(percent / 100.0)
}

/// `1024 0 9223372036854775807`: the first and the last.
fn two(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.last()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_words() {
        assert_eq!(kibibytes("MemTotal:  7 kB\nMemAvailable: 3 kB\n", "MemAvailable"), Some(3));
        assert_eq!(pressure("some avg10=25.00 avg60=0\nfull avg10=0\n"), Some(0.25));
        assert_eq!((pressure(""), two("5 0 9"), two("5")), (None, Some((5, 9)), None));
    }
}
