//! The names of fields as a person types them, and what was probably meant when there is no such field.
//!
//! Filters, `top` and `records` look names up here, so that a slip gets the same answer everywhere.

use crate::error::{Error, Result};
use crate::record::{Field, Fields};

/// What other programs and the servers' own definitions call a field. Tried before spelling is compared.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ip", "client"),
    ("addr", "client"),
    ("remote_addr", "client"),
    ("remote_user", "user"),
    ("time_local", "time"),
    ("timestamp", "time"),
    ("date", "time"),
    ("verb", "method"),
    ("url", "path"),
    ("uri", "path"),
    ("request_uri", "target"),
    ("args", "query"),
    ("size", "bytes"),
    ("bytes_sent", "bytes"),
    ("body_bytes_sent", "body_bytes"),
    ("http_referer", "referer"),
    ("http_user_agent", "agent"),
    ("user_agent", "agent"),
    ("ua", "agent"),
    ("vhost", "host"),
    ("request_time", "duration"),
    ("latency", "duration"),
    ("query_time", "duration"),
    ("upstream_addr", "upstream"),
    ("upstream_response_time", "upstream_duration"),
    ("severity", "level"),
    ("status", "delivery"),
    ("status", "rcode"),
    ("state", "delivery"),
    ("type", "qtype"),
    ("type", "kind"),
    ("server", "relay"),
    ("from", "sender"),
    ("to", "recipient"),
    ("db", "database"),
    ("sql", "statement"),
    ("line", "raw"),
];

/// The fields that every record has, whatever its format: they are known from where it stands.
pub fn of_every_record() -> Fields {
    Fields::of(&[Field::RAW, Field::OFFSET, Field::SOURCE_FILE])
}

/// The field of that name among those that the logs at hand supply, or that [every record
/// has](of_every_record).
///
/// # Errors
/// A usage error that says what was probably meant, or what there is.
pub fn field(name: &str, supplied: Fields) -> Result<Field> {
    let there = supplied.union(of_every_record());
    match Field::named(name) {
        Some(field) if there.has(field) => Ok(field),
        known => Err(unknown(name, known.is_some(), supplied)),
    }
}

#[cold]
fn unknown(name: &str, is_known: bool, supplied: Fields) -> Error {
    let name = name.escape_debug();
    let what = match is_known {
        true => format!("these logs do not carry the field '{name}'"),
        false => format!("there is no field '{name}'"),
    };
    let error = Error::usage(what);
    match near_miss(&name.to_string(), supplied) {
        Some(near) => error.advise(format!("did you mean '{near}'?")),
        None => error.advise(format!("the fields are: {}", list(supplied))),
    }
}

/// The supplied field that was probably meant.
fn near_miss(name: &str, supplied: Fields) -> Option<Field> {
    let name = name.to_lowercase();
    let elsewhere = ELSEWHERE.iter().filter(|(other, _)| *other == name);
    let mut meant = elsewhere.filter_map(|(_, ours)| Field::named(ours));
    meant.find(|field| supplied.has(*field)).or_else(|| alike(&name, supplied))
}

/// The field whose name is spelt most alike, if at least three of five letters agree.
fn alike(name: &str, supplied: Fields) -> Option<Field> {
    let score = |field: Field| strsim::normalized_damerau_levenshtein(name, field.name());
    let best = supplied.iter().max_by(|a, b| score(*a).total_cmp(&score(*b)))?;
    (score(best) >= 0.6).then_some(best)
}

fn list(fields: Fields) -> String {
    let names: Vec<&str> = fields.iter().map(Field::name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(name: &str) -> String {
        let supplied = Fields::of(&[Field::STATUS, Field::CLIENT, Field::REFERER, Field::TIME]);
        let error = field(name, supplied).unwrap_err();
        format!("{error}; {}", error.advice().unwrap())
    }

    #[test]
    fn finds_what_there_is() {
        let supplied = Fields::of(&[Field::STATUS]);
        assert_eq!(field("status", supplied).ok(), Some(Field::STATUS));
        assert_eq!(field("raw", supplied).ok(), Some(Field::RAW));
    }

    #[test]
    fn says_what_was_meant() {
        assert_eq!(advice("staus"), "there is no field 'staus'; did you mean 'status'?");
        assert_eq!(advice("Referrer"), "there is no field 'Referrer'; did you mean 'referer'?");
        assert_eq!(advice("ip"), "there is no field 'ip'; did you mean 'client'?");
        let mail = Fields::of(&[Field::DELIVERY]);
        let wrong = field("status", mail).unwrap_err();
        assert_eq!(wrong.advice(), Some("did you mean 'delivery'?"));
        assert_eq!(
            advice("queue_id"),
            "these logs do not carry the field 'queue_id'; the fields are: time, client, status, referer"
        );
    }
}
