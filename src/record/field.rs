//! The vocabulary: one name for one idea in every family of logs.
//!
//! A format says which fields it supplies, a report which it needs; they meet in these names and nowhere else. The
//! fields below are known to every build. A server's own names (`$http_x_tenant`, a JSON key, an attribute of a slow
//! log) join them at run time through [`Field::custom`]; they come from definitions and from the user, never from the
//! text of a log, so that hostile input cannot grow the table.

use std::fmt;
use std::sync::RwLock;

use crate::error::{Error, Result};

/// A column of a block, by number. Cheap to copy and to compare; ask it for its [`name`](Field::name).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(u16);

/// What the values of a field are, and in which unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Bytes as they stand in the log.
    Text,
    /// One word of a closed vocabulary, such as a class or a kind ([`crate::record::Label`]).
    Label,
    /// A whole number without unit.
    Number,
    /// A size in bytes.
    Bytes,
    /// A duration in microseconds.
    Duration,
    /// An instant: microseconds since 1970 UTC.
    Instant,
}

impl Kind {
    /// The word for it in help and in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Label => "label",
            Self::Number => "number",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Instant => "instant",
        }
    }

    /// True for the kinds whose values are spans of text.
    pub fn is_text(self) -> bool {
        self == Self::Text
    }
}

#[derive(Debug, Clone, Copy)]
struct Known {
    name: &'static str,
    kind: Kind,
    about: &'static str,
}

macro_rules! vocabulary {
    ($($constant:ident $name:literal $kind:ident $about:literal;)*) => {
        #[allow(clippy::upper_case_acronyms, non_camel_case_types)]
        enum Number { $($constant,)* Count }
        impl Field {
            $(#[doc = $about] pub const $constant: Field = Field(Number::$constant as u16);)*
        }
        const KNOWN: [Known; Number::Count as usize] =
            [$(Known { name: $name, kind: Kind::$kind, about: $about },)*];
    };
}

vocabulary! {
    TIME "time" Instant "when it happened, as the server stamped it";
    CLASS "class" Label "ok, warn or error";
    KIND "kind" Label "a stable word for what happened, such as upstream_timeout";
    LEVEL "level" Label "the server's own severity";
    CLIENT "client" Text "the address or name of the one who asked";
    CLIENT_PORT "client_port" Number "the client's port";
    CLIENT_NAME "client_name" Text "the client's host name, where the log has it beside the address";
    USER "user" Text "the authenticated user";
    HOST "host" Text "the virtual host, or the host of a database client";
    LOGHOST "loghost" Text "the host that wrote the line, from the syslog envelope";
    PORT "port" Number "the server's port";
    METHOD "method" Text "the method of the request";
    TARGET "target" Text "the target of the request as sent, with its query";
    PATH "path" Text "the target without its query";
    QUERY "query" Text "what follows the question mark";
    PROTOCOL "protocol" Text "the protocol and its version";
    REQUEST "request" Text "the request line as it was received";
    STATUS "status" Number "the status of the answer";
    BYTES "bytes" Bytes "what was sent to the client";
    BODY_BYTES "body_bytes" Bytes "what was sent to the client without the headers";
    BYTES_IN "bytes_in" Bytes "what the client sent";
    REFERER "referer" Text "the page that led here, as the client says";
    AGENT "agent" Text "the program of the client, as it says";
    DURATION "duration" Duration "how long it took as a whole";
    IDENT "ident" Text "the answer of the client's identd";
    FORWARDED "forwarded" Text "the chain of X-Forwarded-For";
    UPSTREAM "upstream" Text "the server behind that was asked, the last one of several";
    UPSTREAMS "upstreams" Text "all servers behind that were asked, as logged";
    UPSTREAM_STATUS "upstream_status" Text "what the servers behind answered, as logged";
    UPSTREAM_DURATION "upstream_duration" Duration "the time that the servers behind took, summed over the tries";
    UPSTREAM_CONNECT "upstream_connect" Duration "the time to connect to the servers behind, summed over the tries";
    UPSTREAM_HEADER "upstream_header" Duration "the time to the header from the servers behind, summed over the tries";
    UPSTREAM_TRIES "upstream_tries" Number "how many servers behind were asked";
    UPSTREAM_BYTES "upstream_bytes" Bytes "what the servers behind sent, summed over the tries";
    CACHE_STATUS "cache_status" Text "HIT, MISS, BYPASS and so on";
    TLS_VERSION "tls_version" Text "the version of TLS";
    TLS_CIPHER "tls_cipher" Text "the cipher suite";
    SCHEME "scheme" Text "http or https";
    REQUEST_ID "request_id" Text "the identifier of the request";
    CONNECTION "connection" Text "the serial number of the connection";
    CONNECTION_STATE "connection_state" Text "the state of the connection at the end";
    KEEPALIVE "keepalive" Number "how many requests the connection had carried";
    FILE "file" Text "the file that was served";
    HANDLER "handler" Text "the handler that answered";
    MIME "mime" Text "the type of the answer";
    TIME_TO_FIRST_BYTE "first_byte" Duration "the time to the first byte of the answer";
    PID "pid" Number "the process";
    TID "tid" Text "the thread";
    MODULE "module" Text "the part of the server that speaks";
    CODE "code" Text "the server's own number for the message";
    ERRNO "errno" Number "the number of the system's error";
    MESSAGE "message" Text "what the server says";
    ACTION "action" Text "what the server was doing";
    RULE "rule" Text "the rule that matched";
    SERVER_NAME "server_name" Text "the server block that answered";
    FRONTEND "frontend" Text "where the client came in";
    BACKEND "backend" Text "the group of servers behind";
    SERVER "server" Text "the server behind";
    STATE "state" Text "the two characters that say how the session ended";
    COOKIE_STATE "cookie_state" Text "the two characters that say what became of the cookie";
    T_REQUEST "t_request" Duration "waiting for the client's request";
    T_QUEUE "t_queue" Duration "waiting in queues";
    T_CONNECT "t_connect" Duration "connecting to the server behind";
    T_RESPONSE "t_response" Duration "waiting for the server's headers";
    T_DATA "t_data" Duration "transferring the answer";
    T_IDLE "t_idle" Duration "idle before the request";
    T_HANDSHAKE "t_handshake" Duration "the handshake of the connection";
    RETRIES "retries" Number "connection attempts beyond the first";
    REDISPATCHED "redispatched" Number "1 when another server took over";
    SERVER_QUEUE "server_queue" Number "requests before this one in the server's queue";
    BACKEND_QUEUE "backend_queue" Number "requests before this one in the backend's queue";
    ACTIVE_CONNECTIONS "active_connections" Number "connections of the process";
    FRONTEND_CONNECTIONS "frontend_connections" Number "connections of the frontend";
    BACKEND_CONNECTIONS "backend_connections" Number "connections of the backend";
    SERVER_CONNECTIONS "server_connections" Number "connections of the server";
    REQUEST_CAPTURES "request_captures" Text "captured request headers";
    RESPONSE_CAPTURES "response_captures" Text "captured response headers";
    REQUEST_COOKIE "request_cookie" Text "the cookie that was captured in the request, NAME=VALUE";
    RESPONSE_COOKIE "response_cookie" Text "the cookie that was captured in the response, NAME=VALUE";
    PARTIAL "partial" Number "1 when it was logged before the end, so that sizes and durations are lower bounds";
    CUT "cut" Number "1 when the line ends before its record does, because lines have a largest length";
    SNI "sni" Text "the server name that the client gave in the TLS handshake";
    QUEUE_ID "queue_id" Text "the identifier of the message in the queue";
    PROGRAM "program" Text "the program that speaks";
    INSTANCE "instance" Text "the instance or service the program belongs to";
    SENDER "sender" Text "the envelope sender";
    RECIPIENT "recipient" Text "the envelope recipient";
    SENDER_DOMAIN "sender_domain" Text "the domain of the sender";
    RECIPIENT_DOMAIN "recipient_domain" Text "the domain of the recipient";
    ORIGINAL_RECIPIENT "orig_to" Text "the recipient before rewriting";
    RELAY "relay" Text "who took the message or was asked to";
    RELAY_ADDRESS "relay_address" Text "the address of the relay";
    DSN "dsn" Text "the enhanced status code";
    REPLY "reply" Text "the reply code";
    REASON "reason" Text "why";
    STAGE "stage" Text "the stage of the dialogue";
    HELO "helo" Text "how the client introduced itself";
    MESSAGE_ID "message_id" Text "the Message-ID header";
    NEW_QUEUE_ID "new_queue_id" Text "the identifier under which it goes on";
    ORIGINAL_QUEUE_ID "orig_queue_id" Text "the identifier that it had before a filter or a resubmission";
    SASL_METHOD "sasl_method" Text "the mechanism of authentication";
    SASL_USER "sasl_username" Text "the authenticated mail user";
    DELIVERY "delivery" Label "sent, deferred, bounced and so on";
    RECIPIENTS "recipients" Number "how many recipients";
    DELAY_BEFORE "delay_before" Duration "before the queue manager";
    DELAY_QUEUE "delay_queue" Duration "in the active queue";
    DELAY_CONNECT "delay_connect" Duration "setting up the connection";
    DELAY_TRANSMIT "delay_transmit" Duration "transmitting";
    TLS_FEATURES "tls" Text "the TLS features of a delivery";
    TLS_TRUST "tls_trust" Text "Anonymous, Untrusted, Trusted or Verified";
    QNAME "qname" Text "the name asked for, as asked";
    NAME "name" Text "the name asked for, in lower case";
    DOMAIN "domain" Text "the registrable domain of the name, in lower case";
    QTYPE "qtype" Text "the type asked for";
    QCLASS "qclass" Text "the class asked for";
    FLAGS "flags" Text "the flags of the query";
    VIEW "view" Text "the view that answered";
    RCODE "rcode" Text "the response code";
    CATEGORY "category" Text "the log category";
    LOCAL_ADDRESS "local_address" Text "the address that was asked";
    ECS "ecs" Text "the client subnet option";
    KEY "key" Text "the key that signed the request";
    ZONE "zone" Text "the zone";
    ANSWERS "answers" Number "records in the answer section";
    AUTHORITIES "authorities" Number "records in the authority section";
    ADDITIONALS "additionals" Number "records in the additional section";
    FINGERPRINT "fingerprint" Text "the statement without its values";
    STATEMENT "statement" Text "the statement as sent";
    DATABASE "database" Text "the database";
    LOCK_TIME "lock_time" Duration "waiting for locks";
    ROWS_SENT "rows_sent" Number "rows sent to the client";
    ROWS_EXAMINED "rows_examined" Number "rows looked at";
    ROWS_AFFECTED "rows_affected" Number "rows changed";
    THREAD_ID "thread_id" Number "the server's thread";
    RATE_LIMIT "log_slow_rate_limit" Number "one statement or session of so many was logged";
    RATE_TYPE "log_slow_rate_type" Text "of what the log holds a sample: query or session";
    SOURCE_FILE "source" Text "the input that the record stands in";
    OFFSET "offset" Number "the byte at which the record begins in its input";
    RAW "raw" Text "the whole record as it stands in the log";
}

/// The most fields that one run can know: those above and the custom ones.
pub const MOST_FIELDS: usize = 512;

static CUSTOM: RwLock<Vec<Known>> = RwLock::new(Vec::new());

impl Field {
    /// The field of that name, if it is known by now.
    pub fn named(name: &str) -> Option<Self> {
        let known = KNOWN.iter().position(|known| known.name == name);
        known.or_else(|| Self::position_of_custom(name)).map(|at| Self(at as u16))
    }

    /// The field of that name; a name that nobody knows yet becomes a field of that kind.
    ///
    /// # Errors
    /// When [`MOST_FIELDS`] are known already.
    pub fn custom(name: &str, kind: Kind) -> Result<Self> {
        if let Some(field) = Self::named(name) {
            return Ok(field);
        }
        let mut custom = CUSTOM.write().expect("no thread panics while it holds this lock");
        if let Some(at) = custom.iter().position(|known| known.name == name) {
            return Ok(Self((KNOWN.len() + at) as u16));
        }
        let number = KNOWN.len() + custom.len();
        if number >= MOST_FIELDS {
            return Err(Error::usage(format!("'{name}' is one field too many: {MOST_FIELDS} fit")));
        }
        // Leaked on purpose: at most MOST_FIELDS names in the life of the process.
        let name = Box::leak(name.to_owned().into_boxed_str());
        custom.push(Known { name, kind, about: "a field of this log's own definition" });
        Ok(Self(number as u16))
    }

    fn position_of_custom(name: &str) -> Option<usize> {
        let custom = CUSTOM.read().expect("no thread panics while it holds this lock");
        custom.iter().position(|known| known.name == name).map(|at| KNOWN.len() + at)
    }

    fn known(self) -> Known {
        match KNOWN.get(self.index()) {
            Some(known) => *known,
            None => {
                let custom = CUSTOM.read().expect("no thread panics while it holds this lock");
                custom[self.index() - KNOWN.len()]
            }
        }
    }

    /// The name under which formats, reports and users know it.
    pub fn name(self) -> &'static str {
        self.known().name
    }

    /// What its values are.
    pub fn kind(self) -> Kind {
        self.known().kind
    }

    /// One line for help.
    pub fn about(self) -> &'static str {
        self.known().about
    }

    /// Its number: below [`MOST_FIELDS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// All fields that every build knows, in the order of the table.
    pub fn all_known() -> impl Iterator<Item = Self> {
        (0..KNOWN.len() as u16).map(Self)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of fields.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields([u64; MOST_FIELDS / 64]);

impl Fields {
    /// No field.
    pub const NONE: Self = Self([0; MOST_FIELDS / 64]);

    /// These fields.
    pub fn of(fields: &[Field]) -> Self {
        fields.iter().copied().collect()
    }

    /// True when `field` is in the set.
    pub fn has(&self, field: Field) -> bool {
        self.0[field.index() / 64] & (1 << (field.index() % 64)) != 0
    }

    /// Adds one.
    pub fn insert(&mut self, field: Field) {
        self.0[field.index() / 64] |= 1 << (field.index() % 64);
    }

    /// Those in either set.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, more)| *word |= more);
        self
    }

    /// Those in this set that `other` lacks.
    #[must_use]
    pub fn without(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, less)| *word &= !less);
        self
    }

    /// True when `other` has all of these.
    pub fn is_within(&self, other: Self) -> bool {
        self.without(other) == Self::NONE
    }

    /// The fields in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Field> + '_ {
        let words = self.0.iter().zip(0_u16..);
        words.flat_map(|(word, at)| ones(*word).map(move |bit| Field(64 * at + bit)))
    }
}

/// The bits of a word that are set, the lowest first.
fn ones(mut word: u64) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as u16)?;
        word &= word - 1;
        Some(bit)
    })
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut set = Self::NONE;
        fields.into_iter().for_each(|field| set.insert(field));
        set
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_find_their_field() {
        for field in Field::all_known() {
            assert_eq!(Field::named(field.name()), Some(field));
        }
    }

    #[test]
    fn a_custom_field_keeps_its_number() {
        let tenant = Field::custom("http_x_tenant", Kind::Text).unwrap();
        assert_eq!(Field::custom("http_x_tenant", Kind::Text).unwrap(), tenant);
        assert_eq!((tenant.name(), tenant.kind()), ("http_x_tenant", Kind::Text));
        assert_eq!(Field::custom("status", Kind::Text).unwrap(), Field::STATUS);
    }

    #[test]
    fn sets_have_what_was_put_in() {
        let set = Fields::of(&[Field::TIME, Field::RAW]);
        assert!(set.has(Field::RAW) && !set.has(Field::PATH));
        assert!(set.is_within(set.union(Fields::of(&[Field::PATH]))));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::TIME, Field::RAW]);
    }
}
