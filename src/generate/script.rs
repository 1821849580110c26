//! Lines of a mail log before they are in order: who says what, and when.

use std::fmt;
use std::io::Write;

use super::clock::SECOND;

/// A program of Postfix and the numbers of its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Program {
    name: &'static str,
    first: u32,
    count: u32,
}

/// One of the processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    program: Program,
    nth: u32,
}

impl Program {
    /// A program with so many processes, counted from `first`.
    pub(super) const fn new(name: &'static str, first: u32, count: u32) -> Self {
        Self { name, first, count }
    }

    /// One of its processes; the same for the same number.
    pub(super) const fn process(self, nth: u32) -> Process {
        Process { program: self, nth: nth % self.count }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postfix/{}[{}]", self.program.name, self.program.first + 7 * self.nth)
    }
}

/// The lines of a chunk.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: Vec<u8>,
    lines: Vec<Cue>,
    /// The programs that talk to clients, and until when each of their processes is busy with one.
    busy: Vec<(Program, Vec<i64>)>,
}

/// A line: when, and where its text is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cue {
    /// Microseconds since 1970 UTC.
    pub(super) time: i64,
    /// The burst that it tells of.
    pub(super) burst: Option<usize>,
    start: usize,
    end: usize,
}

impl Script {
    /// Adds a line.
    pub(super) fn say(&mut self, time: i64, process: Process, text: fmt::Arguments<'_>) {
        let start = self.text.len();
        writeln!(self.text, "{process}: {text}").expect("a vector takes all");
        self.lines.push(Cue { time, start, end: self.text.len(), burst: None });
    }

    /// Says that the last line tells of a burst.
    pub(super) fn blame(&mut self, burst: Option<usize>) {
        if let Some(last) = self.lines.last_mut() {
            last.burst = burst;
        }
    }

    /// A process that is free at that time; it is busy until its session is closed.
    pub(super) fn open(&mut self, time: i64, program: Program) -> Process {
        let busy = self.busy_of(program);
        let free = busy.iter().position(|&until| until < time).unwrap_or(busy.len());
        busy.resize(busy.len().max(free + 1), time);
        busy[free] = i64::MAX;
        program.process(free as u32)
    }

    /// Adds the last line of a session.
    pub(super) fn close(&mut self, time: i64, process: Process, text: fmt::Arguments<'_>) {
        self.say(time, process, text);
        self.busy_of(process.program)[process.nth as usize] = time;
    }

    fn busy_of(&mut self, program: Program) -> &mut Vec<i64> {
        let place = self.busy.iter().position(|(known, _)| *known == program);
        let place = place.unwrap_or_else(|| {
            self.busy.push((program, Vec::new()));
            self.busy.len() - 1
        });
        &mut self.busy[place].1
    }

    /// The lines in order of time, the last at `end`: a little later ones are drawn back to it, much later ones are left
    /// out.
    pub(super) fn in_order(&mut self, end: i64) -> impl Iterator<Item = (Cue, &[u8])> {
        self.lines.retain(|cue| cue.time <= end + GRACE);
        // Sorted before they are drawn together, so that a message's lines stay in their order.
        self.lines.sort_by_key(|cue| cue.time);
        let text = &self.text;
        self.lines
            .iter()
            .map(move |cue| (Cue { time: cue.time.min(end), ..*cue }, &text[cue.start..cue.end]))
    }
}

/// How far beyond the end a line may lie to be drawn back to it; what lies further is a retry.
const GRACE: i64 = 240 * SECOND;

/// Microseconds as Postfix prints delays: two digits that count, nothing below a hundredth of a second.
pub(super) struct Delay(pub(super) i64);

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.max(0);
        let (digits, unit) = match micros {
            0..995_000 => (2, 10_000),
            995_000..9_950_000 => (1, 100_000),
            _ => (0, 1_000_000),
        };
        let rounded = (micros + unit / 2) / unit;
        let scale = 10_i64.pow(digits);
        let (whole, part) = (rounded / scale, rounded % scale);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let text = format!("{part:0width$}", width = digits as usize);
        write!(f, "{whole}.{}", text.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_spelt_as_postfix_does() {
        let check = |micros: i64, text: &str| assert_eq!(Delay(micros).to_string(), text);
        check(0, "0");
        check(4_999, "0");
        check(5_000, "0.01");
        check(120_000, "0.12");
        check(700_000, "0.7");
        check(999_000, "1");
        check(1_240_000, "1.2");
        check(12_600_000, "13");
        check(312_400_000, "312");
    }

    #[test]
    fn a_process_serves_one_client_at_a_time() {
        const SMTPD: Program = Program::new("smtpd", 100, 50);
        let mut script = Script::default();
        let (first, second) = (script.open(10, SMTPD), script.open(11, SMTPD));
        script.close(20, first, format_args!("disconnect"));
        let third = script.open(30, SMTPD);
        let names = [first, second, third].map(|process| process.to_string());
        assert_eq!(names, ["postfix/smtpd[100]", "postfix/smtpd[107]", "postfix/smtpd[100]"]);
    }
}
