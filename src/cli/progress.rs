//! How far a pass is: a bar on a terminal; elsewhere, where somebody asks for it, a line now and then.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};

use super::args::When;

/// How long it is from one line to the next, in seconds.
const PAUSE: u64 = 2;

/// What is shown on standard error.
#[derive(Debug)]
pub(super) enum Progress {
    Nothing,
    Bar(ProgressBar),
    /// Lines, for a file or a pipe: since when, and the second of the next one.
    Lines(Instant, AtomicU64),
}

impl Progress {
    pub(super) fn new(when: When) -> Self {
        match (when, io::stderr().is_terminal()) {
            (When::Never, _) | (When::Auto, false) => Self::Nothing,
            (When::Always, false) => Self::Lines(Instant::now(), AtomicU64::new(0)),
            (_, true) => Self::Bar(bar()),
        }
    }

    /// So many bytes of so many were read; the second number grows while a pipe is read.
    pub(super) fn show(&self, read: u64, whole: u64) {
        let whole = whole.max(read);
        match self {
            Self::Nothing => {}
            Self::Bar(bar) => {
                bar.set_length(whole);
                bar.set_position(read);
            }
            Self::Lines(start, next) => {
                let elapsed = start.elapsed();
                let due = next.load(Ordering::Relaxed);
                if elapsed.as_secs() >= due {
                    next.store(elapsed.as_secs() + PAUSE, Ordering::Relaxed);
                    // Nobody is there to be told that this failed.
                    let _ = writeln!(io::stderr(), "{}", line(read, whole, elapsed));
                }
            }
        }
    }

    /// The pass is over.
    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{bytes} of {total_bytes}  {wide_bar}  {bytes_per_sec}  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar
}

/// `1.20 GiB of 4.00 GiB  600.00 MiB/s  5 seconds left`.
fn line(read: u64, whole: u64, elapsed: Duration) -> String {
    let pace = read as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = Duration::try_from_secs_f64((whole - read) as f64 / pace.max(1.0));
    let [read, whole, pace] = [read, whole, pace as u64].map(HumanBytes);
    let left = HumanDuration(left.unwrap_or(Duration::MAX));
    format!("{read} of {whole}  {pace}/s  {left} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line = line(1 << 30, 4 << 30, Duration::from_secs(2));
        assert_eq!(line, "1.00 GiB of 4.00 GiB  512.00 MiB/s  6 seconds left");
        assert!(super::line(0, u64::MAX, Duration::ZERO).starts_with("0 B of 16.00 EiB  0 B/s"));
    }
}
