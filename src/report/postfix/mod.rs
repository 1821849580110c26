//! Reports for mail: what pflogsumm and postfix-logwatch print, and the life of every message in the queue.
//!
//! * [`flow`]: what came, went, waited and was refused, in sums, by day and by hour;
//! * [`queue`]: lives of messages, joined by queue id; sizes, which are counted once a message;
//! * [`delays`]: how long deliveries took, by stage and destination;
//! * [`sessions`]: how many clients connected, and for how long;
//! * [`reasons`]: why mail was deferred, bounced, refused; warnings; logins that failed; TLS.

pub(super) mod delays;
pub(super) mod flow;
mod hosts;
pub(super) mod queue;
mod reason;
pub(super) mod reasons;
pub(super) mod sessions;
mod what;
