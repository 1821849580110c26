//! What the errors of a MySQL or MariaDB server mean: their class, and a cause where the code knows one better.

use crate::probe::class::Class;

/// The class of an error, and its cause where it is known better than the class knows.
pub(super) fn meaning(code: u16) -> (Class, &'static str) {
    match code {
        1040 => (Class::TooManyConnections, ""),
        1041 | 1135 => {
            (Class::ServerError, "the server has no memory or threads left for a connection")
        }
        1042 | 1043 => (Class::ServerError, "the server could not make out who connects"),
        1044 => (Class::DatabaseDenied, "the user has no right on this database"),
        1045 => (Class::AuthFail, ""),
        1049 => (Class::DatabaseDenied, "there is no such database"),
        1053 | 1077 | 1079 => (Class::ShuttingDown, ""),
        1129 => (Class::HostBlocked, ""),
        1130 => (Class::HostDenied, ""),
        1203 | 1226 => (Class::UserLimit, ""),
        1251 => (Class::AuthPlugin, "the user's plugin is newer than the client's protocol"),
        1290 | 1792 | 1836 => (Class::ReadOnly, ""),
        1524 => (Class::AuthPlugin, "the plugin that the user needs is not loaded in the server"),
        1698 => {
            (Class::AuthFail, "the user logs in by its system account, over the Unix socket only")
        }
        1820 | 1862 => (Class::PasswordExpired, ""),
        3118 | 4151 => (Class::AuthFail, "the account is locked"),
        3159 => (Class::TlsRequired, ""),
        _ => (Class::ServerError, ""),
    }
}

/// True for the answers to a made-up user that show a server in good health.
pub(super) fn is_plain_refusal(code: u16) -> bool {
    matches!(code, 1045 | 1251 | 1524 | 1698 | 3118 | 4151)
}
