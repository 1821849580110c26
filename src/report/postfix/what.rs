//! What a record of Postfix is to the reports: the word of its kind as a number that code can match.

use crate::record::{Field, Label, Records, Value};

macro_rules! whats {
    ($($what:ident $word:literal),* $(,)?) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum What {
            $(#[doc = $word] $what,)*
            /// An address was probed: nothing was delivered, and nothing was put off.
            Verified,
            /// Anything else.
            Other,
        }
        const WORDS: &[(&str, What)] = &[$(($word, What::$what),)*];
    };
}

whats! {
    Received "received",
    Active "active",
    Removed "removed",
    Sent "sent",
    Deferred "deferred",
    Bounced "bounced",
    Expired "expired",
    Notification "notification",
    NotificationFailed "notification_failed",
    QueueAdmin "queue_admin",
    RelayTrouble "relay_trouble",
    ConnectFailed "connect_failed",
    RejectTemporary "reject_4xx",
    RejectPermanent "reject_5xx",
    ContentReject "content_reject",
    Policy "policy",
    Greylisted "greylisted",
    PolicyPass "policy_pass",
    PolicyRefused "policy_refused",
    Spf "spf",
    Dkim "dkim",
    Dmarc "dmarc",
    PolicyTrouble "policy_trouble",
    Connect "connect",
    Disconnect "disconnect",
    Session "session",
    AuthFail "auth_fail",
    Screened "screened",
    Listed "dnsbl",
    Tls "tls",
    TlsOffered "tls_offered",
    Statistics "statistics",
    Fatal "fatal",
    Lifecycle "lifecycle",
}

/// Finds what a kind means by the number of its label. Made with the report: numbers of labels hold in a process.
#[derive(Debug)]
pub(super) struct Whats {
    by_kind: Vec<What>,
    /// The words of deliveries that only try whether an address would be taken.
    probes: [i64; PROBES.len()],
}

const PROBES: [&str; 3] = ["deliverable", "undeliverable", "undeliverable-but-not-cached"];

/// The columns by which records are told apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    kinds: &'a [Value],
    deliveries: &'a [Value],
}

impl<'a> Seen<'a> {
    /// Those of a block; `None` when it has no kinds. [`FIELDS`] must be among what the report needs.
    pub(super) fn of(records: &Records<'a>) -> Option<Self> {
        let kinds = records.column(Field::KIND)?;
        Some(Self { kinds, deliveries: records.column(Field::DELIVERY).unwrap_or_default() })
    }
}

/// What a report has to ask for, to tell records apart.
pub(super) const FIELDS: [Field; 2] = [Field::KIND, Field::DELIVERY];

impl Whats {
    pub(super) fn new() -> Self {
        let labels = WORDS.iter().map(|(word, what)| (Label::of(word).number() as usize, *what));
        let labels: Vec<(usize, What)> = labels.collect();
        let most = labels.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut table = vec![What::Other; most + 1];
        labels.into_iter().for_each(|(number, what)| table[number] = what);
        Self { by_kind: table, probes: PROBES.map(|word| Label::of(word).number()) }
    }

    /// What the records of a block are, row by row.
    #[inline]
    pub(super) fn rows<'a>(&'a self, seen: Seen<'a>) -> impl Iterator<Item = (usize, What)> + 'a {
        seen.kinds.iter().enumerate().map(move |(row, kind)| (row, self.of(*kind, seen, row)))
    }

    #[inline]
    fn of(&self, kind: Value, seen: Seen<'_>, row: usize) -> What {
        let number = kind.number_or(0) as usize;
        let what = self.by_kind.get(number).copied().unwrap_or(What::Other);
        match what {
            What::Sent | What::Deferred if self.is_probe(seen, row) => What::Verified,
            what => what,
        }
    }

    #[inline]
    fn is_probe(&self, seen: Seen<'_>, row: usize) -> bool {
        let delivery = seen.deliveries.get(row).map_or(0, |delivery| delivery.number_or(0));
        self.probes.contains(&delivery)
    }
}
