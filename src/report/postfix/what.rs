//! What a record of Postfix is to the reports: the word of its kind as a number that code can match.

use crate::record::{Label, Value};

macro_rules! whats {
    ($($what:ident $word:literal),* $(,)?) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum What { $(#[doc = $word] $what,)* /** Anything else. */ Other }
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
    QueueAdmin "queue_admin",
    ConnectFailed "connect_failed",
    RejectTemporary "reject_4xx",
    RejectPermanent "reject_5xx",
    ContentReject "content_reject",
    Policy "policy",
    Connect "connect",
    Disconnect "disconnect",
    Session "session",
    AuthFail "auth_fail",
    Tls "tls",
    Fatal "fatal",
    Lifecycle "lifecycle",
}

/// Finds what a kind means by the number of its label. Made with the report: numbers of labels hold in a process.
#[derive(Debug)]
pub(super) struct Whats(Vec<What>);

impl Whats {
    pub(super) fn new() -> Self {
        let labels = WORDS.iter().map(|(word, what)| (Label::of(word).number() as usize, *what));
        let labels: Vec<(usize, What)> = labels.collect();
        let most = labels.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut table = vec![What::Other; most + 1];
        labels.into_iter().for_each(|(number, what)| table[number] = what);
        Self(table)
    }

    /// What a value of the kind's column means.
    #[inline]
    pub(super) fn of(&self, kind: Value) -> What {
        let number = kind.number_or(0) as usize;
        self.0.get(number).copied().unwrap_or(What::Other)
    }
}
