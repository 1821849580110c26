//! What a record of BIND is to the reports about queries: the lane in which its kind counts.

use crate::record::{Label, Value};

/// Where the records of a kind count. The same failure may be told by several categories, hence lanes for each of
/// them: [`Lanes`] counts it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Answered,
    Nxdomain,
    AnsweredServfail,
    Failed,
    AnsweredRefused,
    FailedRefused,
    Denied,
    Limited,
    /// A query, which has a counter of its own.
    Query,
    /// Would be limited, were it not for `log-only`.
    LimitedLogOnly,
    /// An answer with another code.
    AnsweredOtherwise,
    /// Anything else.
    Other,
}

/// How many lanes are counted for each name and client.
pub(super) const LANES: usize = Lane::Limited as usize + 1;

const KINDS: [(&str, Lane); 13] = [
    ("query", Lane::Query),
    ("response", Lane::Answered),
    ("response_nxdomain", Lane::Nxdomain),
    ("response_servfail", Lane::AnsweredServfail),
    ("response_refused", Lane::AnsweredRefused),
    ("response_failed", Lane::AnsweredOtherwise),
    ("servfail", Lane::Failed),
    ("quota", Lane::Other),
    ("refused", Lane::FailedRefused),
    ("formerr", Lane::Other),
    ("denied", Lane::Denied),
    ("rrl", Lane::Limited),
    ("rrl_log_only", Lane::LimitedLogOnly),
];

/// Finds the lane of a kind by the number of its label. Made with the report: numbers of labels hold in a process.
#[derive(Debug)]
pub(super) struct Kinds(Vec<Lane>);

impl Kinds {
    pub(super) fn new() -> Self {
        let labels = KINDS.map(|(word, lane)| (Label::of(word).number() as usize, lane));
        let most = labels.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut table = vec![Lane::Other; most + 1];
        labels.into_iter().for_each(|(number, lane)| table[number] = lane);
        Self(table)
    }

    /// The lane of a value of the kind's column.
    #[inline]
    pub(super) fn of(&self, kind: Value) -> Lane {
        let number = kind.number_or(0) as usize;
        self.0.get(number).copied().unwrap_or(Lane::Other)
    }
}

/// The lanes of one name or client. The numbers stay at the largest that fits.
pub(super) type Lanes = [u32; LANES];

/// A way for a query to end badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Nxdomain,
    Servfail,
    Refused,
    Limited,
}

/// All of them: name, words, trouble; the gravest first.
pub(super) const TROUBLES: [(&str, &str, Trouble); 4] = [
    ("servfail", "SERVFAIL", Trouble::Servfail),
    ("nxdomain", "NXDOMAIN", Trouble::Nxdomain),
    ("refused", "REFUSED", Trouble::Refused),
    ("limited", "rate limits", Trouble::Limited),
];

/// How often a trouble came, by lanes. Where several categories tell of the same failures, the one that tells of most
/// counts.
pub(super) fn troubled(lanes: &Lanes, trouble: Trouble) -> u64 {
    let of = |lane: Lane| u64::from(lanes[lane as usize]);
    match trouble {
        Trouble::Nxdomain => of(Lane::Nxdomain),
        Trouble::Servfail => of(Lane::AnsweredServfail).max(of(Lane::Failed)),
        Trouble::Refused => {
            of(Lane::AnsweredRefused).max(of(Lane::FailedRefused)).max(of(Lane::Denied))
        }
        Trouble::Limited => of(Lane::Limited),
    }
}

/// Adds the lanes of another.
pub(super) fn add(own: &mut Lanes, more: Lanes) {
    own.iter_mut().zip(more).for_each(|(own, more)| *own = own.saturating_add(more));
}
