//! Class and kind of a session, from the two characters of its state, the status and the retries.
//!
//! The class agrees with what HAProxy itself calls abnormal (what `option dontlog-normal` keeps): errors, timeouts,
//! retries, redispatches and 5xx. What the characters mean stands in the manual's section on session states at
//! disconnection.

use crate::record::Label;

/// Who ended the session.
const WHO: &[u8] = b"-CcSsPLRIDUK";
/// In which phase.
const PHASE: &[u8] = b"-RQCHDLT";

/// What a session line says about its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The two characters; dashes where the line does not say.
    pub(super) state: [u8; 2],
    /// The status, where there is HTTP: not above 0 when nothing was sent.
    pub(super) status: Option<i64>,
    /// A connection was tried more than once.
    pub(super) is_retried: bool,
}

/// The labels, looked up once for each parser.
#[derive(Debug)]
pub(super) struct Verdicts {
    pairs: Box<[Label]>,
    /// By the first digit of the status.
    statuses: [Label; 6],
    session: Label,
    retry: Label,
    no_response: Label,
    other_state: Label,
}

impl Verdicts {
    pub(super) fn new() -> Self {
        let pairs = WHO.iter().flat_map(|who| PHASE.iter().map(move |phase| [*who, *phase]));
        let word = |pair: [u8; 2]| Label::of(&String::from_utf8_lossy(&pair));
        let statuses = ["http_other", "http_1xx", "http_2xx", "http_3xx", "http_4xx", "http_5xx"];
        Self {
            pairs: pairs.map(word).collect(),
            statuses: statuses.map(Label::of),
            session: Label::of("session"),
            retry: Label::of("retry"),
            no_response: Label::of("no_response"),
            other_state: Label::of("other_state"),
        }
    }

    /// The class and the kind.
    #[inline]
    pub(super) fn of(&self, end: End) -> (Label, Label) {
        if end.state[0] == b'-'
            && !end.is_retried
            && let Some(status @ 200..=399) = end.status
        {
            return (Label::OK, self.statuses[status as usize / 100]);
        }
        self.of_unusual(end)
    }

    fn of_unusual(&self, end: End) -> (Label, Label) {
        let is_5xx = end.status.is_some_and(|status| status >= 500);
        match end.state[0] {
            b'-' | b'L' => self.of_orderly(end),
            b'S' | b's' | b'R' | b'I' | b'D' => (Label::ERROR, self.pair(end.state)),
            _ if is_5xx => (Label::ERROR, self.pair(end.state)),
            _ => (Label::WARN, self.pair(end.state)),
        }
    }

    /// Nobody broke the session off, so that the status decides.
    fn of_orderly(&self, end: End) -> (Label, Label) {
        match end.status {
            Some(500..) => (Label::ERROR, self.statuses[5]),
            Some(400..=499) => (Label::WARN, self.statuses[4]),
            Some(..=0) => (Label::WARN, self.no_response),
            _ if end.is_retried => (Label::WARN, self.retry),
            Some(status) => (Label::OK, self.statuses[status as usize / 100]),
            None => (Label::OK, self.session),
        }
    }

    fn pair(&self, [who, phase]: [u8; 2]) -> Label {
        let at = |known: &[u8], byte| known.iter().position(|known| *known == byte);
        match (at(WHO, who), at(PHASE, phase)) {
            (Some(who), Some(phase)) => self.pairs[who * PHASE.len() + phase],
            _ => self.other_state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &[u8; 2], status: Option<i64>, is_retried: bool, class: Label, kind: &str) {
        let verdict = Verdicts::new().of(End { state: *state, status, is_retried });
        assert_eq!((verdict.0, verdict.1.word()), (class, kind), "{state:?} {status:?}");
    }

    #[test]
    fn ends_of_sessions() {
        check(b"--", Some(200), false, Label::OK, "http_2xx");
        check(b"--", Some(101), false, Label::OK, "http_1xx");
        check(b"LR", Some(302), false, Label::OK, "http_3xx");
        check(b"--", Some(404), false, Label::WARN, "http_4xx");
        check(b"--", Some(500), false, Label::ERROR, "http_5xx");
        check(b"LR", Some(503), false, Label::ERROR, "http_5xx");
        check(b"--", Some(200), true, Label::WARN, "retry");
        check(b"--", None, true, Label::WARN, "retry");
        check(b"--", None, false, Label::OK, "session");
        check(b"PR", Some(403), false, Label::WARN, "PR");
        check(b"PT", Some(500), false, Label::ERROR, "PT");
        check(b"PH", Some(502), false, Label::ERROR, "PH");
        check(b"SC", Some(503), false, Label::ERROR, "SC");
        check(b"sD", None, false, Label::ERROR, "sD");
        check(b"DD", Some(200), false, Label::ERROR, "DD");
        check(b"CD", Some(200), true, Label::WARN, "CD");
        check(b"KD", Some(200), false, Label::WARN, "KD");
        check(b"PR", Some(-1), false, Label::WARN, "PR");
        check(b"--", Some(0), false, Label::WARN, "no_response");
        check(b"x?", Some(200), false, Label::WARN, "other_state");
    }
}
