//! What the variables of a `log-format` mean: `%ci`, `%[ssl_fc_sni]` and so on. The list is in the manual's section on
//! custom log formats.
//!
//! A sample expression that is not here is no error: it becomes a text field of that name.

use crate::error::{Error, Result};
use crate::record::{Field, Fields, Kind, Layout, Slot};

/// What a variable says. `F` is [`Field`] in a definition and [`Slot`] in a parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What<F = Field> {
    /// Nothing that has a name.
    Ignore,
    /// A number that has none.
    IgnoredNumber,
    Client,
    ClientPort,
    /// `07/Mar/2024:09:15:02.418`, the wall clock.
    Stamp,
    /// `07/Mar/2024:09:15:02 +0100`.
    StampWithZone,
    /// The milliseconds that the stamp lacks.
    Millis,
    /// Seconds since 1970.
    Epoch,
    Frontend,
    Backend,
    Server,
    /// A timer of sessions.
    Timer(Timer),
    Status,
    Bytes,
    RequestCookie,
    ResponseCookie,
    /// Two characters, or four.
    State,
    /// Connections of the process, the frontend, the backend, the server, and the retries: by place.
    Connections(u8),
    /// The server's queue and the backend's.
    Queue(u8),
    /// Captured headers in braces, or nothing at all.
    RequestCaptures,
    ResponseCaptures,
    Request,
    /// A question mark and the query, or nothing.
    Question,
    /// Path and query.
    Target,
    /// A number under its own name.
    Number(F),
    /// A duration in milliseconds under its own name.
    Duration(F),
    /// A text under its own name.
    Text(F),
    /// The same, with characters that were escaped.
    Escaped(F, Escapes),
}

/// How characters of a text were escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `%{+E}`: a backslash before quotes, brackets and itself.
    Backslash,
    /// `json(…)`
    Json,
}

/// The timers that every session line shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    Request,
    Queue,
    Connect,
    Response,
    Total,
}

/// How far a variable goes in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Digits with their sign, or a dash.
    Number,
    /// Anything without a space.
    Word,
    /// Anything.
    Any,
    /// Something in braces, or nothing.
    Braces,
}

impl<F> What<F> {
    /// How far it goes.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::ClientPort | Self::Millis | Self::Epoch | Self::Timer(_) => Shape::Number,
            Self::Status | Self::Bytes | Self::Connections(_) | Self::Queue(_) => Shape::Number,
            Self::Number(_) | Self::Duration(_) | Self::IgnoredNumber => Shape::Number,
            Self::RequestCaptures | Self::ResponseCaptures => Shape::Braces,
            Self::StampWithZone | Self::Request | Self::RequestCookie | Self::ResponseCookie => {
                Shape::Any
            }
            Self::Ignore | Self::Text(_) | Self::Escaped(..) | Self::Target => Shape::Any,
            _ => Shape::Word,
        }
    }
}

impl<F> What<F> {
    /// True where a backslash may stand before a quote of the value's own.
    pub(super) fn is_escaped(&self) -> bool {
        matches!(self, Self::Escaped(..))
    }
}

impl What<Field> {
    /// The same of a value whose characters were escaped.
    pub(super) fn escaped(self, escapes: Option<Escapes>) -> Self {
        match (self, escapes) {
            (Self::Text(field), Some(escapes)) => Self::Escaped(field, escapes),
            (what, _) => what,
        }
    }

    /// The field of its own name, where it has one.
    pub(super) fn field(&self) -> Option<Field> {
        match self {
            Self::Number(field) | Self::Duration(field) | Self::Text(field) => Some(*field),
            Self::Escaped(field, _) => Some(*field),
            Self::Question => Some(Field::QUERY),
            _ => None,
        }
    }

    /// The same for a parser.
    pub(super) fn bind(self, layout: &Layout) -> What<Slot> {
        use What as W;
        match self {
            W::Number(field) => W::Number(layout.slot(field)),
            W::Duration(field) => W::Duration(layout.slot(field)),
            W::Text(field) => W::Text(layout.slot(field)),
            W::Escaped(field, escapes) => W::Escaped(layout.slot(field), escapes),
            W::Ignore => W::Ignore,
            W::IgnoredNumber => W::IgnoredNumber,
            W::Client => W::Client,
            W::ClientPort => W::ClientPort,
            W::Stamp => W::Stamp,
            W::StampWithZone => W::StampWithZone,
            W::Millis => W::Millis,
            W::Epoch => W::Epoch,
            W::Frontend => W::Frontend,
            W::Backend => W::Backend,
            W::Server => W::Server,
            W::Timer(timer) => W::Timer(timer),
            W::Status => W::Status,
            W::Bytes => W::Bytes,
            W::RequestCookie => W::RequestCookie,
            W::ResponseCookie => W::ResponseCookie,
            W::State => W::State,
            W::Connections(place) => W::Connections(place),
            W::Queue(place) => W::Queue(place),
            W::RequestCaptures => W::RequestCaptures,
            W::ResponseCaptures => W::ResponseCaptures,
            W::Request => W::Request,
            W::Question => W::Question,
            W::Target => W::Target,
        }
    }
}

/// The fields of those variables that have one of their own.
pub(super) fn fields<'w>(variables: impl Iterator<Item = &'w What>) -> Fields {
    variables.filter_map(What::field).collect()
}

/// The variable of an alias, named without its per cent sign. `None` for `%o`, which only sets flags.
pub(super) fn alias(name: &str) -> Result<Option<What>> {
    use What as W;
    let custom = |name: &str, kind| Field::custom(name, kind);
    Ok(Some(match name {
        "o" => return Ok(None),
        "ci" => W::Client,
        "cp" => W::ClientPort,
        "t" | "tr" => W::Stamp,
        "T" | "Tl" | "trg" | "trl" => W::StampWithZone,
        "ms" => W::Millis,
        "Ts" => W::Epoch,
        "f" | "ft" => W::Frontend,
        "b" => W::Backend,
        "s" => W::Server,
        "TR" | "Tq" => W::Timer(Timer::Request),
        "Tw" => W::Timer(Timer::Queue),
        "Tc" => W::Timer(Timer::Connect),
        "Tr" => W::Timer(Timer::Response),
        "Ta" | "Tt" => W::Timer(Timer::Total),
        "Td" => W::Duration(Field::T_DATA),
        "Th" => W::Duration(Field::T_HANDSHAKE),
        "Ti" => W::Duration(Field::T_IDLE),
        "Tu" => W::Duration(custom("t_user", Kind::Duration)?),
        "ST" => W::Status,
        "B" => W::Bytes,
        "U" => W::Number(Field::BYTES_IN),
        "CC" => W::RequestCookie,
        "CS" => W::ResponseCookie,
        "ts" | "tsc" => W::State,
        "ac" => W::Connections(0),
        "fc" => W::Connections(1),
        "bc" => W::Connections(2),
        "sc" => W::Connections(3),
        "rc" => W::Connections(4),
        "sq" => W::Queue(0),
        "bq" => W::Queue(1),
        "hr" => W::RequestCaptures,
        "hs" => W::ResponseCaptures,
        "hrl" => W::Text(Field::REQUEST_CAPTURES),
        "hsl" => W::Text(Field::RESPONSE_CAPTURES),
        "r" => W::Request,
        "HM" => W::Text(Field::METHOD),
        "HP" | "HPO" => W::Text(Field::PATH),
        "HU" => W::Target,
        "HQ" => W::Question,
        "HV" => W::Text(Field::PROTOCOL),
        "ID" => W::Text(Field::REQUEST_ID),
        "H" => W::Text(Field::LOGHOST),
        "pid" => W::Number(Field::PID),
        "fp" => W::Number(Field::PORT),
        "fi" => W::Text(Field::LOCAL_ADDRESS),
        "si" => W::Text(Field::UPSTREAM),
        "sslv" => W::Text(Field::TLS_VERSION),
        "sslc" => W::Text(Field::TLS_CIPHER),
        "bp" | "sp" | "rt" | "lc" => W::IgnoredNumber,
        "bi" | "E" | "OG" => W::Ignore,
        _ => {
            let what = format!("'%{name}' is no variable of HAProxy's log-format");
            return Err(
                Error::usage(what).advise("its manual lists them under 'custom log format'")
            );
        }
    }))
}

/// The variable of a sample expression, the text in the brackets. `name` is what the definition calls it, if it does.
pub(super) fn expression(name: Option<&str>, expression: &str) -> Result<What> {
    use What as W;
    if let Some(name) = name {
        return Ok(W::Text(Field::custom(&plain(name), Kind::Text)?));
    }
    let fetch = expression.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match fetch.as_str() {
        "src" => W::Client,
        "src_port" => W::ClientPort,
        "method" => W::Text(Field::METHOD),
        "path" => W::Text(Field::PATH),
        "query" => W::Text(Field::QUERY),
        "url" | "pathq" => W::Target,
        "status" => W::Status,
        "unique-id" => W::Text(Field::REQUEST_ID),
        "fe_name" => W::Frontend,
        "be_name" => W::Backend,
        "srv_name" => W::Server,
        "ssl_fc_sni" | "req.ssl_sni" => W::Text(Field::SNI),
        "ssl_fc_protocol" => W::Text(Field::TLS_VERSION),
        "ssl_fc_cipher" => W::Text(Field::TLS_CIPHER),
        "ssl_fc_err" => W::Text(Field::CODE),
        _ => match variable(&fetch) {
            Some(what) => what,
            None => W::Text(header(&fetch, expression)?),
        },
    })
}

/// What a variable keeps by its name: requests are gone when lines are written, so that their parts are kept in
/// `var(txn.path)` and the like.
fn variable(fetch: &str) -> Option<What> {
    let name = fetch.strip_prefix("var(")?.trim_end_matches(')');
    Some(match name.rsplit('.').next()? {
        "method" => What::Text(Field::METHOD),
        "path" => What::Text(Field::PATH),
        "query" => What::Text(Field::QUERY),
        "uri" | "url" | "pathq" => What::Target,
        "host" => What::Text(Field::HOST),
        "sni" => What::Text(Field::SNI),
        "referer" => What::Text(Field::REFERER),
        "user_agent" | "useragent" | "ua" => What::Text(Field::AGENT),
        _ => return None,
    })
}

/// The field of a header in an expression such as `req.hdr(user-agent)`, or one of the expression's own name.
fn header(fetch: &str, expression: &str) -> Result<Field> {
    let inner = fetch.split_once('(').map(|(_, inner)| inner.trim_end_matches(')'));
    match inner {
        Some("user-agent") => Ok(Field::AGENT),
        Some("referer") => Ok(Field::REFERER),
        Some("host") => Ok(Field::HOST),
        Some("x-forwarded-for") => Ok(Field::FORWARDED),
        _ => Field::custom(&plain(expression.split(',').next().unwrap_or_default()), Kind::Text),
    }
}

/// An expression as the name of a field: `capture.req.hdr(0)` becomes `capture_req_hdr_0`.
fn plain(text: &str) -> String {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_ascii_lowercase()
}
