//! One certificate, field by field, in the words that verdicts and tables use.

use std::fmt;
use std::net::IpAddr;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::probe::escape::escaped;

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The subject in one line, escaped.
    pub subject: String,
    /// The issuer in one line, escaped.
    pub issuer: String,
    /// The subject and the issuer as encoded, for comparison.
    raw_subject: Vec<u8>,
    raw_issuer: Vec<u8>,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// The alternative names: DNS names in lower case, addresses in text form. Escaped.
    pub names: Vec<String>,
    /// Marked as a certificate of an issuer.
    pub is_ca: bool,
    /// Its public key.
    pub key: Key,
    /// The signature algorithm by its usual name.
    pub signature: String,
    /// Names where the issuer's certificate can be fetched: a mark of issuers with a hierarchy.
    pub names_issuer_address: bool,
    /// SHA-256 of the whole, in hexadecimal.
    pub fingerprint: String,
}

/// The kind and size of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `RSA`, `EC`, or the name of the algorithm.
    pub algorithm: String,
    /// Its size in bits; 0 if not known.
    pub bits: usize,
}

impl Key {
    /// Shorter than is taken for safe today.
    pub fn is_weak(&self) -> bool {
        match self.algorithm.as_str() {
            "RSA" | "DSA" => self.bits < 2048,
            "EC" => self.bits < 256,
            _ => false,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits {
            0 => f.write_str(&self.algorithm),
            bits => write!(f, "{} {bits}", self.algorithm),
        }
    }
}

impl Certificate {
    /// Reads the DER form; `None` if it is no certificate.
    pub fn read(der: &CertificateDer<'static>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            subject: line(&parsed.subject().to_string()),
            issuer: line(&parsed.issuer().to_string()),
            raw_subject: parsed.subject().as_raw().to_vec(),
            raw_issuer: parsed.issuer().as_raw().to_vec(),
            serial: parsed.raw_serial_as_string().replace(':', ""),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            names: names(&parsed),
            is_ca: parsed.is_ca(),
            key: key(&parsed),
            signature: signature(&parsed),
            names_issuer_address: names_issuer_address(&parsed),
            fingerprint: hexadecimal(digest(&SHA256, der).as_ref()),
        })
    }

    /// Issuer and subject are the same.
    pub fn is_self_issued(&self) -> bool {
        self.raw_subject == self.raw_issuer
    }

    /// The name of its issuer is the other's subject.
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        self.raw_issuer == other.raw_subject
    }

    /// Its lifetime in seconds.
    pub fn lifetime(&self) -> i64 {
        self.not_after.saturating_sub(self.not_before)
    }

    /// True when it is signed with SHA-1 or MD5.
    pub fn has_weak_signature(&self) -> bool {
        self.signature.contains("SHA1") || self.signature.contains("MD")
    }
}

/// True when the first certificate's signature was made with the second's key.
pub(super) fn is_signed_by(
    der: &CertificateDer<'static>,
    issuer: &CertificateDer<'static>,
) -> bool {
    let (Ok((_, one)), Ok((_, other))) =
        (X509Certificate::from_der(der), X509Certificate::from_der(issuer))
    else {
        return false;
    };
    one.verify_signature(Some(other.public_key())).is_ok()
}

fn line(name: &str) -> String {
    escaped(name.as_bytes(), 300)
}

fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn name(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(name) => Some(line(&name.to_ascii_lowercase())),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}

fn key(parsed: &X509Certificate<'_>) -> Key {
    let info = parsed.public_key();
    let (algorithm, bits) = match info.parsed() {
        Ok(PublicKey::RSA(key)) => ("RSA".to_owned(), key.key_size()),
        Ok(PublicKey::EC(point)) => ("EC".to_owned(), point.key_size()),
        Ok(PublicKey::DSA(number)) => ("DSA".to_owned(), number.len().saturating_sub(1) * 8),
        _ => match info.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => ("Ed25519".to_owned(), 0),
            "1.3.101.113" => ("Ed448".to_owned(), 0),
            other => (other.to_owned(), 0),
        },
    };
    Key { algorithm, bits }
}

/// The registered numbers of signature algorithms and their usual names.
const SIGNATURES: [(&str, &str); 13] = [
    ("1.2.840.113549.1.1.4", "MD5 with RSA"),
    ("1.2.840.113549.1.1.5", "SHA1 with RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.113549.1.1.11", "SHA256 with RSA"),
    ("1.2.840.113549.1.1.12", "SHA384 with RSA"),
    ("1.2.840.113549.1.1.13", "SHA512 with RSA"),
    ("1.2.840.10040.4.3", "SHA1 with DSA"),
    ("1.2.840.10045.4.1", "SHA1 with ECDSA"),
    ("1.2.840.10045.4.3.2", "SHA256 with ECDSA"),
    ("1.2.840.10045.4.3.3", "SHA384 with ECDSA"),
    ("1.2.840.10045.4.3.4", "SHA512 with ECDSA"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
];

fn signature(parsed: &X509Certificate<'_>) -> String {
    let number = parsed.signature_algorithm.algorithm.to_id_string();
    let known = SIGNATURES.iter().find(|(id, _)| *id == number);
    known.map_or(number, |(_, name)| (*name).to_owned())
}

fn names_issuer_address(parsed: &X509Certificate<'_>) -> bool {
    parsed.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::AuthorityInfoAccess(_))
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
