//! What the sections of reasons are about: a topic each, by number.

/// What a section is about.
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// The columns that keys have.
    pub(super) columns: &'static [&'static str],
    pub(super) extra: Extra,
}

/// What a section shows beside its key and how often it was met.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Extra {
    Nothing,
    /// What the reason in the last column is about.
    Category,
    /// What a refusal is about, by its stage and reason.
    Refusal,
    /// The largest number that was told.
    Most,
}

macro_rules! topics {
    ($($constant:ident $name:literal $title:literal [$($column:literal),*] $extra:ident;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Number { $($constant,)* }
        $(pub(super) const $constant: u8 = Number::$constant as u8;)*
        /// All of them, by number and in the order in which they are shown.
        pub(super) const TOPICS: &[Topic] =
            &[$(Topic {
                name: $name,
                title: $title,
                columns: &[$($column),*],
                extra: Extra::$extra,
            },)*];
    };
}

topics! {
    DEFERRALS "deferrals" "Deferrals" ["program", "reason"] Category;
    SUSPENDED "suspended" "Destinations that were left alone for a while" ["recipient_domain", "reason"] Nothing;
    BOUNCES "bounces" "Bounces" ["relay", "reason"] Category;
    RELAY_TROUBLES "relay_troubles" "Attempts that failed" ["program", "reason"] Category;
    CONNECT_FAILURES "connect_failures" "Servers that could not be reached" ["relay", "reason"] Nothing;
    REJECTS "rejects" "Rejects" ["stage", "reply", "reason"] Refusal;
    REFUSED "refused" "Addresses and names that rejects were about" ["what", "who"] Nothing;
    LISTS "lists" "Blocked by list" ["rule"] Nothing;
    POLICIES "policies" "Held, discarded, warned and other rules" ["action", "stage", "reason"] Nothing;
    SERVICES "policy_services" "Verdicts of services beside Postfix" ["program", "about", "action", "reason"] Nothing;
    SERVICE_TROUBLES "policy_troubles" "Trouble of services beside Postfix" ["program", "message"] Nothing;
    FATALS "fatals" "Errors, fatal errors and panics" ["level", "program", "message"] Nothing;
    WARNINGS "warnings" "Warnings" ["program", "message"] Nothing;
    BROKEN "broken_sessions" "Sessions that broke off" ["action", "stage"] Nothing;
    BROKEN_CLIENTS "broken_clients" "Clients whose sessions broke off" ["action", "client"] Nothing;
    LOGIN_CLIENTS "login_clients" "Failed logins by client" ["sasl_method", "client"] Nothing;
    LOGIN_USERS "login_users" "Failed logins by user" ["sasl_username", "reason"] Nothing;
    LOGGED_IN "logged_in" "Mail of users who logged in" ["sasl_username", "sasl_method"] Nothing;
    LOGGED_IN_FROM "logged_in_from" "Where users logged in from" ["sasl_username", "client"] Nothing;
    POSTSCREEN "postscreen" "postscreen" ["action"] Nothing;
    DNSBL "dnsbl" "Listed clients by list" ["rule"] Nothing;
    RATES "rates" "The highest rates of clients" ["statistic", "client"] Most;
    VERIFICATIONS "verifications" "Addresses that were tried" ["delivery", "reason"] Nothing;
    TLS "tls" "TLS connections" ["direction", "trust", "tls_version", "tls_cipher"] Nothing;
    TLS_FEATURES "tls_features" "TLS features of deliveries" ["tls"] Nothing;
    TLS_OFFERED "tls_offered" "Servers that offered TLS and were not asked for it" ["relay"] Nothing;
    MASTER "master" "Starts, stops and reloads" ["program", "message"] Nothing;
}
