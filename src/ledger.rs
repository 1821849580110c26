//! The account of every record and byte: in = counted + filtered out + skipped + rejected + lost.
//!
//! Parsers say why a record was not counted, the engine says what a filter dropped, the input says what it could not
//! read; here it comes together, for each input. Nothing is decided here.

use serde::{Deserialize, Serialize};

/// Why a record was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// An empty line.
    Blank,
    /// A line that the server or a log daemon writes about the log itself.
    Banner,
    /// A line of another program in a shared log.
    OtherProgram,
    /// It is not written in the format.
    Malformed,
    /// It begins as the format wants and ends too early.
    Truncated,
    /// Its time names no possible date.
    BadTime,
    /// It holds NUL bytes: no line, but a hole or another kind of file.
    Binary,
    /// It continues a record whose beginning is not there.
    Orphan,
    /// It is longer than a record may be.
    TooLong,
    /// It belongs to the part of a stream that broke off.
    Cut,
}

impl Reason {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Truncated,
        Self::BadTime,
        Self::Binary,
        Self::Orphan,
        Self::TooLong,
        Self::Cut,
        Self::OtherProgram,
        Self::Banner,
        Self::Blank,
    ];

    /// True when something was not understood, false when there was nothing to understand.
    fn is_rejection(self) -> bool {
        !matches!(self, Self::Blank | Self::Banner | Self::OtherProgram)
    }

    /// Stable name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Banner => "banner",
            Self::OtherProgram => "other_program",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::BadTime => "bad_time",
            Self::Binary => "binary",
            Self::Orphan => "orphan",
            Self::TooLong => "too_long",
            Self::Cut => "cut",
        }
    }

    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Blank => "empty line",
            Self::Banner => "line about the log itself",
            Self::OtherProgram => "line of another program",
            Self::Malformed => "not written in the format",
            Self::Truncated => "ends too early",
            Self::BadTime => "impossible date or time",
            Self::Binary => "holds NUL bytes",
            Self::Orphan => "continues a record that is not there",
            Self::TooLong => "longer than a record may be",
            Self::Cut => "cut off where the stream broke",
        }
    }
}

/// So many records, with so many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Records: lines, in formats whose records are lines.
    pub records: u64,
    /// Bytes, line ends included.
    pub bytes: u64,
}

impl Amount {
    /// Adds one record of so many bytes.
    #[inline]
    pub fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }

    /// Adds another amount.
    pub fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// A record that was not counted, so that a person can see what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    /// Where it begins in the plain text of the input.
    pub offset: u64,
    /// Its first bytes.
    pub text: Vec<u8>,
}

/// How many samples of a reason are kept, the first ones of each input.
pub const SAMPLES: usize = 3;
/// How many bytes of a sample are kept: enough for nearly all lines, so that they can be recognised.
pub const SAMPLE_BYTES: usize = 1024;

/// What was not counted for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// How much.
    pub amount: Amount,
    /// The first of it.
    pub samples: Vec<Sample>,
}

impl Refused {
    fn merge(&mut self, other: Self) {
        self.amount.merge(other.amount);
        other.samples.into_iter().for_each(|sample| insert_sample(&mut self.samples, sample));
    }
}

/// The account of one input, or of all together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// All that was read.
    pub read: Amount,
    /// What the filters let through, and the reports saw.
    pub counted: Amount,
    /// What the filters dropped.
    pub filtered: Amount,
    /// NUL bytes in front of records: the hole that a truncation leaves under a writer.
    pub hole_bytes: u64,
    /// What was not counted, by reason.
    refused: Vec<(Reason, Refused)>,
    /// The instants of the first and the last record that was parsed, in microseconds.
    pub period: Option<(i64, i64)>,
    /// Where the records stand that were not counted, if somebody asked.
    #[serde(skip)]
    leftovers: Option<Vec<Leftover>>,
}

/// A record that was not counted, and that another format may understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// Why it was not counted.
    pub reason: Reason,
    /// Where it begins in the plain text of the input.
    pub offset: u64,
    /// How long it is, its line end included.
    pub bytes: usize,
}

impl Account {
    /// An empty one that remembers where all records stand that are not counted.
    pub fn with_leftovers() -> Self {
        Self { leftovers: Some(Vec::new()), ..Self::default() }
    }

    /// Gives up the records that were not understood and those of other programs, for another format to look at: they
    /// are in this account no more. Nothing is handed on where nobody asked where they stand.
    pub fn hand_on(&mut self) -> Vec<Leftover> {
        let is_handed_on = |reason: Reason| reason.is_rejection() || reason == Reason::OtherProgram;
        let Some(leftovers) = &mut self.leftovers else { return Vec::new() };
        let mut handed_on = std::mem::take(leftovers);
        handed_on.retain(|leftover| is_handed_on(leftover.reason));
        self.refused.retain(|(reason, _)| !is_handed_on(*reason));
        self.read.records -= handed_on.len() as u64;
        self.read.bytes -= handed_on.iter().map(|leftover| leftover.bytes as u64).sum::<u64>();
        handed_on
    }

    /// What was rejected are lines of other programs: somebody before said so.
    pub fn excuse(&mut self) {
        let excused =
            |reason: Reason| if reason.is_rejection() { Reason::OtherProgram } else { reason };
        let leftovers = self.leftovers.iter_mut().flatten();
        leftovers.for_each(|leftover| leftover.reason = excused(leftover.reason));
        for (reason, refused) in std::mem::take(&mut self.refused) {
            self.refused_mut(excused(reason)).merge(refused);
        }
    }

    /// Moves the samples to where they stand in the input.
    pub fn relocate(&mut self, place: impl Fn(u64) -> u64) {
        let samples = self.refused.iter_mut().flat_map(|(_, refused)| &mut refused.samples);
        samples.for_each(|sample| sample.offset = place(sample.offset));
    }

    /// Notes a record that was not counted.
    #[cold]
    pub fn refuse(&mut self, reason: Reason, offset: u64, text: &[u8], bytes: usize) {
        if let Some(leftovers) = &mut self.leftovers {
            leftovers.push(Leftover { reason, offset, bytes });
        }
        let refused = self.refused_mut(reason);
        refused.amount.add(bytes);
        if refused.samples.len() < SAMPLES
            || refused.samples.last().is_some_and(|last| offset < last.offset)
        {
            let text = text[..text.len().min(SAMPLE_BYTES)].to_vec();
            insert_sample(&mut refused.samples, Sample { offset, text });
        }
    }

    fn refused_mut(&mut self, reason: Reason) -> &mut Refused {
        let at = self.refused.iter().position(|(known, _)| *known == reason).unwrap_or_else(|| {
            self.refused.push((reason, Refused::default()));
            self.refused.len() - 1
        });
        &mut self.refused[at].1
    }

    /// What was not counted for one reason.
    pub fn refused(&self, reason: Reason) -> Option<&Refused> {
        self.refused.iter().find(|(known, _)| *known == reason).map(|(_, refused)| refused)
    }

    /// What was not counted, by reason, in the order of [`Reason::ALL`].
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, &Refused)> {
        Reason::ALL.into_iter().filter_map(|reason| Some((reason, self.refused(reason)?)))
    }

    /// What was not understood.
    pub fn rejected(&self) -> Amount {
        self.sum(Reason::is_rejection)
    }

    /// What there was nothing to understand in: blank lines, banners, other programs.
    pub fn skipped(&self) -> Amount {
        self.sum(|reason| !reason.is_rejection())
    }

    fn sum(&self, wanted: impl Fn(Reason) -> bool) -> Amount {
        let mut sum = Amount::default();
        for (_, refused) in self.refused.iter().filter(|(reason, _)| wanted(*reason)) {
            sum.merge(refused.amount);
        }
        sum
    }

    /// The part of the records that was not understood, of those that there was something to understand in.
    pub fn rejected_share(&self) -> f64 {
        let whole = self.read.records - self.skipped().records;
        if whole == 0 { 0.0 } else { self.rejected().records as f64 / whole as f64 }
    }

    /// True when every record and byte that was read is accounted for.
    pub fn balances(&self) -> bool {
        let mut sum = self.counted;
        [self.filtered, self.rejected(), self.skipped()]
            .into_iter()
            .for_each(|part| sum.merge(part));
        sum.bytes += self.hole_bytes;
        sum == self.read
    }

    /// Widens the period to an instant.
    #[inline]
    pub fn see(&mut self, first: i64, last: i64) {
        let (from, to) = self.period.unwrap_or((first, last));
        self.period = Some((from.min(first), to.max(last)));
    }

    /// Adds the account of another part of the same input, or of another input.
    pub fn merge(&mut self, other: Self) {
        self.read.merge(other.read);
        self.counted.merge(other.counted);
        self.filtered.merge(other.filtered);
        self.hole_bytes += other.hole_bytes;
        if let Some((first, last)) = other.period {
            self.see(first, last);
        }
        for (reason, refused) in other.refused {
            self.refused_mut(reason).merge(refused);
        }
    }
}

fn insert_sample(samples: &mut Vec<Sample>, sample: Sample) {
    let at = samples.partition_point(|known| *known < sample);
    samples.insert(at, sample);
    samples.truncate(SAMPLES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_first_samples_in_whatever_order_they_come() {
        let mut account = Account::default();
        for offset in [50, 10, 40, 20, 30] {
            account.refuse(Reason::Malformed, offset, b"junk", 5);
        }
        let refused = account.refused(Reason::Malformed).unwrap();
        let offsets: Vec<u64> = refused.samples.iter().map(|sample| sample.offset).collect();
        assert_eq!(offsets, [10, 20, 30]);
        assert_eq!(refused.amount, Amount { records: 5, bytes: 25 });
    }

    #[test]
    fn what_is_handed_on_is_in_the_account_no_more() {
        let mut account = Account::with_leftovers();
        account.read = Amount { records: 4, bytes: 46 };
        account.counted.add(20);
        for (offset, reason) in
            [(20, Reason::Blank), (21, Reason::Malformed), (31, Reason::OtherProgram)]
        {
            account.refuse(reason, offset, b"x", if reason == Reason::Blank { 1 } else { 10 });
        }
        account.read.bytes = 41;
        let handed_on = account.hand_on();
        assert_eq!(handed_on.iter().map(|leftover| leftover.offset).collect::<Vec<_>>(), [21, 31]);
        assert!(account.balances() && account.read == Amount { records: 2, bytes: 21 });
    }

    #[test]
    fn what_is_excused_is_skipped() {
        let mut account = Account::default();
        account.refuse(Reason::Malformed, 3, b"x", 1);
        account.refuse(Reason::Blank, 5, b"", 1);
        account.excuse();
        account.relocate(|offset| offset + 100);
        assert_eq!((account.rejected().records, account.skipped().records), (0, 2));
        assert_eq!(account.refused(Reason::OtherProgram).unwrap().samples[0].offset, 103);
    }

    #[test]
    fn balances_when_all_is_accounted_for() {
        let mut account = Account { read: Amount { records: 2, bytes: 30 }, ..Account::default() };
        account.counted.add(20);
        assert!(!account.balances());
        account.refuse(Reason::Blank, 20, b"", 10);
        assert!(account.balances());
        assert_eq!(account.rejected_share(), 0.0);
    }
}
