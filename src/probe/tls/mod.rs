//! TLS over a connected wire: the handshake, what was agreed, and every certificate that the server sent.
//!
//! The chain is kept whatever the verdict, because the verdict is ours: [`judge()`] looks at each point alone and finds
//! all faults, where a TLS library stops at its first. rustls still checks that the server holds the key of its
//! certificate. `upgrade` serves TLS from the first byte and STARTTLS alike.

mod certificate;
mod judge;
pub(super) mod kind;
mod old;
pub mod starttls;

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};

pub use self::certificate::{Certificate, Key};
pub use self::judge::{Finding, Limits, judge};

use super::class::Class;
use super::escape::quoted;
use super::net::{Answer, Deadline, Failure, Wire};
use super::options::{Knob, Options};
use super::trace::{Halt, Trace};
use crate::document::{Cell, Level};
use crate::error::{Error, Result};

/// The knobs of every kind that can speak TLS.
pub const KNOBS: &[Knob] = &[
    Knob::one("name", "NAME", "ask for this name (SNI) and expect it in the certificate"),
    Knob::one("ca-file", "FILE", "trust the certificates of this PEM file too"),
    Knob::flag("insecure", "do not judge the certificate"),
    Knob::one("cert", "FILE", "show this client certificate (PEM)"),
    Knob::one("key", "FILE", "the key of the client certificate (PEM)"),
    Knob::one("warn-days", "DAYS", "warn below so many days (21, or a third of the lifetime)"),
    Knob::one("crit-days", "DAYS", "critical below so many days (7, or a sixth of the lifetime)"),
];

/// What to ask of a TLS server and how to judge it, decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name given with `--name`.
    name: Option<String>,
    roots: Arc<RootCertStore>,
    insecure: bool,
    client: Option<Arc<ClientCertificate>>,
    limits: Limits,
    /// TLS is taken because it is offered and nobody counts on it: what is wrong with a certificate is a warning.
    pub optional: bool,
    /// The application protocols to offer, the preferred first.
    pub alpn: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Settings {
    /// Decides from the options of [`KNOBS`]; reads the files that they name.
    pub fn parse(options: &Options) -> Result<Self> {
        let client = match (options.text("cert"), options.text("key")) {
            (Some(cert), Some(key)) => Some(Arc::new(client_certificate(cert, key)?)),
            (None, None) => None,
            _ => return Err(Error::usage("--cert and --key belong together")),
        };
        Ok(Self {
            name: options.text("name").map(str::to_owned),
            roots: roots(options.text("ca-file"))?,
            insecure: options.flag("insecure"),
            client,
            limits: Limits {
                warn_days: options.value("warn-days", "a number of days")?,
                crit_days: options.value("crit-days", "a number of days")?,
            },
            optional: false,
            alpn: Vec::new(),
        })
    }

    /// The name to ask for at a host: the one given, or the host itself unless it is an address.
    pub fn name_for<'a>(&'a self, host: Option<&'a str>) -> Option<&'a str> {
        let host = host.filter(|host| host.parse::<std::net::IpAddr>().is_err());
        self.name.as_deref().or(host)
    }

    /// True when certificates are not to be judged.
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// The roots that are trusted.
    pub fn roots(&self) -> &RootCertStore {
        &self.roots
    }

    /// The days at which an end draws near.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

fn client_certificate(cert: &str, key: &str) -> Result<ClientCertificate> {
    let chain = pem_file(cert)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| Error::input(format!("'{key}': no private key in PEM form: {error}")))?;
    Ok(ClientCertificate { chain, key })
}

/// The certificates of a PEM file, at least one.
pub fn pem_file(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(Error::input(format!("'{path}': no certificate in PEM form"))),
        Err(error) => Err(Error::input(format!("'{path}': {error}"))),
    }
}

/// The system's roots, read once, and those of a file beside them.
fn roots(file: Option<&str>) -> Result<Arc<RootCertStore>> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let system = SYSTEM.get_or_init(|| {
        let mut store = RootCertStore::empty();
        // A root that the library cannot read is one that it cannot trust; the others still count.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    let Some(file) = file else { return Ok(Arc::clone(system)) };
    let mut store = RootCertStore::clone(system);
    store.add_parsable_certificates(pem_file(file)?);
    Ok(Arc::new(store))
}

/// What was agreed with a server, and what it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `TLSv1.3`.
    pub version: String,
    /// The cipher suite by its registered name.
    pub suite: String,
    /// The application protocol, if one was agreed.
    pub alpn: Option<String>,
    /// The certificates as sent, in DER form.
    pub chain: Vec<CertificateDer<'static>>,
    /// What is wrong with the server's proof that it holds the key.
    pub bad_proof: Option<String>,
}

/// Encrypts a connected wire. What came in clear before and was not read is a fault: it would count as encrypted.
pub fn upgrade(
    wire: &mut Wire,
    name: Option<&str>,
    settings: &Settings,
    deadline: Deadline,
) -> Answer<Session> {
    if !wire.unread().is_empty() {
        let came = format!("{} before the handshake", quoted(wire.unread()));
        return Err(Failure::new(Class::WrongProtocol, came));
    }
    let recorder = Arc::new(Recorder::default());
    let tls = connection(name, settings, Arc::clone(&recorder))?;
    let mut tls = Box::new(tls);
    wire.shake_hands(&mut tls, deadline)?;
    let session = session(&tls, &recorder);
    wire.encrypt(tls);
    Ok(session)
}

fn connection(
    name: Option<&str>,
    settings: &Settings,
    recorder: Arc<Recorder>,
) -> Answer<ClientConnection> {
    let bad = |error: rustls::Error| Failure::new(Class::TlsHandshake, error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(bad)?
        .dangerous()
        .with_custom_certificate_verifier(recorder);
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some(own) => {
            builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key()).map_err(bad)?
        }
    };
    // A resumed session would show no certificate.
    config.resumption = Resumption::disabled();
    config.alpn_protocols.clone_from(&settings.alpn);
    config.enable_sni = name.is_some();
    // Without a name any will do: none is sent.
    let name = ServerName::try_from(name.unwrap_or("nameless.invalid").to_owned())
        .map_err(|_| Failure::new(Class::BadTarget, "not a name that TLS can ask for"))?;
    ClientConnection::new(Arc::new(config), name).map_err(bad)
}

fn session(tls: &ClientConnection, recorder: &Recorder) -> Session {
    let version = tls.protocol_version().and_then(|version| version.as_str());
    let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let alpn = tls.alpn_protocol();
    Session {
        version: version.unwrap_or_default().replace('_', "."),
        suite: suite.unwrap_or_default().to_owned(),
        alpn: alpn.map(|alpn| super::escape::escaped(alpn, 40)),
        chain: tls.peer_certificates().unwrap_or_default().to_vec(),
        bad_proof: recorder.bad_proof.lock().unwrap_or_else(PoisonError::into_inner).clone(),
    }
}

/// What a TLS error means. `InvalidData` is how rustls hands its own errors through a stream.
pub(super) fn failure(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(inner) = inner else {
        return Failure::new(Class::TlsHandshake, error.to_string());
    };
    let class = match inner {
        rustls::Error::InvalidMessage(_) => Class::NotTls,
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => Class::TlsTooOld,
        rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
            | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Class::TlsTooOld,
        _ => Class::TlsHandshake,
    };
    Failure::new(class, inner.to_string())
}

/// Lets every certificate pass and remembers a proof that does not hold.
#[derive(Debug)]
struct Recorder {
    provider: CryptoProvider,
    bad_proof: Mutex<Option<String>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { provider: ring::default_provider(), bad_proof: Mutex::default() }
    }
}

type Proof = std::result::Result<HandshakeSignatureValid, rustls::Error>;

impl Recorder {
    /// The handshake goes on, so that the chain can be judged; what was wrong is not lost.
    fn note(&self, proof: Proof) -> Proof {
        if let Err(error) = &proof {
            let mut bad = self.bad_proof.lock().unwrap_or_else(PoisonError::into_inner);
            *bad = Some(error.to_string());
        }
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Proof {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.note(verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Proof {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.note(verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Trace<'_> {
    /// Encrypts the wire as the step `tls`, keeps what was agreed as facts, and judges the certificates.
    pub fn upgrade(
        &mut self,
        wire: &mut Wire,
        host: Option<&str>,
        settings: &Settings,
    ) -> std::result::Result<Session, Halt> {
        let name = settings.name_for(host);
        let asked = format!("TLS for {}", name.unwrap_or("no name"));
        let session =
            self.step("tls", asked, |deadline| upgrade(wire, name, settings, deadline))?;
        self.came(format!("{} {}", session.version, session.suite));
        self.fact("tls_version", Cell::text(&session.version));
        self.fact("tls_suite", Cell::text(&session.suite));
        if let Some(alpn) = &session.alpn {
            self.fact("tls_alpn", Cell::text(alpn));
        }
        self.judge_chain(&session.chain, name, settings);
        if let Some(bad) = session.bad_proof.as_deref().filter(|_| self.level() == Level::Ok) {
            self.fault(Class::Untrusted, "proof of the key", bad);
        }
        Ok(session)
    }

    /// Keeps the facts of a chain and records everything that is wrong with it.
    pub(super) fn judge_chain(
        &mut self,
        chain: &[CertificateDer<'static>],
        name: Option<&str>,
        settings: &Settings,
    ) {
        let now = self.run().now.div_euclid(1_000_000);
        if let Some(leaf) = chain.first().and_then(Certificate::read) {
            self.leaf_facts(&leaf, chain, now);
        }
        if settings.insecure {
            return;
        }
        let most = if settings.optional { Level::Warning } else { Level::Critical };
        for finding in judge(chain, name, settings, now) {
            self.fault_at(finding.class, finding.level.min(most), finding.asked, finding.came);
        }
    }

    /// Days until a certificate ends, by the clock of this run; negative after it.
    fn days_left(&self, certificate: &Certificate) -> i64 {
        let now = self.run().now.div_euclid(1_000_000);
        certificate.not_after.saturating_sub(now).div_euclid(86_400)
    }

    fn leaf_facts(&mut self, leaf: &Certificate, chain: &[CertificateDer<'static>], now: i64) {
        let all = || chain.iter().filter_map(Certificate::read);
        let first_end = all().map(|one| one.not_after).min().unwrap_or(leaf.not_after);
        let list = |names: &[String]| Cell::List(names.iter().map(Cell::text).collect());
        self.fact("subject", Cell::text(&leaf.subject));
        self.fact("issuer", Cell::text(&leaf.issuer));
        self.fact("names", list(&leaf.names));
        self.fact("not_before", Cell::Instant(leaf.not_before.saturating_mul(1_000_000)));
        self.fact("not_after", Cell::Instant(leaf.not_after.saturating_mul(1_000_000)));
        self.fact("chain_not_after", Cell::Instant(first_end.saturating_mul(1_000_000)));
        self.fact("chain_length", Cell::Count(chain.len() as u64));
        self.fact("key", Cell::text(leaf.key.to_string()));
        self.fact("fingerprint", Cell::text(&leaf.fingerprint));
        self.measure("days", first_end.saturating_sub(now) as f64 / 86_400.0, "");
    }
}
