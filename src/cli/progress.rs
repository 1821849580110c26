//! How far a run is: a bar on a terminal; elsewhere, where somebody asks for it, a line now and then.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};

use super::args::When;

/// How long it is from one line to the next, in seconds.
const PAUSE: u64 = 2;

/// What a run is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Checks,
}

/// What is shown on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    unit: Unit,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Nothing,
    Bar(ProgressBar),
    /// Lines, for a file or a pipe: since when, and the second of the next one.
    Lines(Instant, AtomicU64),
}

impl Progress {
    pub(super) fn new(when: When, unit: Unit) -> Self {
        let shape = match (when, io::stderr().is_terminal()) {
            (When::Never, _) | (When::Auto, false) => Shape::Nothing,
            (When::Always, false) => Shape::Lines(Instant::now(), AtomicU64::new(0)),
            (_, true) => Shape::Bar(bar(unit)),
        };
        Self { unit, shape }
    }

    /// So much of so much is done; the second number grows while a pipe is read.
    pub(super) fn show(&self, done: u64, whole: u64) {
        let whole = whole.max(done);
        match &self.shape {
            Shape::Nothing => {}
            Shape::Bar(bar) => {
                bar.set_length(whole);
                bar.set_position(done);
            }
            Shape::Lines(start, next) => {
                let elapsed = start.elapsed();
                let due = next.load(Ordering::Relaxed);
                if elapsed.as_secs() >= due {
                    next.store(elapsed.as_secs() + PAUSE, Ordering::Relaxed);
                    // Nobody is there to be told that this failed.
                    let _ = writeln!(io::stderr(), "{}", self.unit.line(done, whole, elapsed));
                }
            }
        }
    }

    /// The run is over.
    pub(super) fn end(&self) {
        if let Shape::Bar(bar) = &self.shape {
            bar.finish_and_clear();
        }
    }
}

fn bar(unit: Unit) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = match unit {
        Unit::Bytes => "{bytes} of {total_bytes}  {wide_bar}  {bytes_per_sec}  {eta} left",
        Unit::Checks => "{pos} of {len} checks  {wide_bar}  {elapsed}",
    };
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar
}

impl Unit {
    /// `1.20 GiB of 4.00 GiB  600.00 MiB/s  5 seconds left`; `12 of 40 checks  3 seconds`, as checks differ too much to
    /// foretell an end.
    fn line(self, done: u64, whole: u64, elapsed: Duration) -> String {
        if self == Self::Checks {
            return format!("{done} of {whole} checks  {}", HumanDuration(elapsed));
        }
        let pace = done as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = Duration::try_from_secs_f64((whole - done) as f64 / pace.max(1.0));
        let [done, whole, pace] = [done, whole, pace as u64].map(HumanBytes);
        let left = HumanDuration(left.unwrap_or(Duration::MAX));
        format!("{done} of {whole}  {pace}/s  {left} left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line =
            |done, whole, seconds| Unit::Bytes.line(done, whole, Duration::from_secs(seconds));
        assert_eq!(line(1 << 30, 4 << 30, 2), "1.00 GiB of 4.00 GiB  512.00 MiB/s  6 seconds left");
        assert!(line(0, u64::MAX, 0).starts_with("0 B of 16.00 EiB  0 B/s"));
        let line = Unit::Checks.line(12, 40, Duration::from_secs(3));
        assert_eq!(line, "12 of 40 checks  3 seconds");
    }
}
