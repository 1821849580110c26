//! A small CA and certificates with every fault that a probe must name. All dates are around the tests' own now.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a server shows: its chain, the leaf first, and the leaf's key.
#[derive(Debug)]
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Days in the tests' year: `(month, day)` of 2026.
pub type Day = (u8, u8);

/// A root, an intermediate, and what they sign.
pub struct Lab {
    root: Issuer<'static, KeyPair>,
    intermediate: Issuer<'static, KeyPair>,
    pub root_der: CertificateDer<'static>,
    pub intermediate_der: CertificateDer<'static>,
    pub ca_file: PathBuf,
}

fn params(names: &[&str], common_name: &str, from: Day, to: Day) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, from.0, from.1);
    params.not_after = date_time_ymd(2026, to.0, to.1);
    params
}

fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = params(&[], common_name, (1, 1), (12, 31));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

impl Lab {
    /// Makes the authorities and writes the root's PEM file under the target folder.
    pub fn new(name: &str) -> Self {
        let (root_params, root_key) = (ca_params("Lab Root CA"), KeyPair::generate().unwrap());
        let root_cert = root_params.self_signed(&root_key).unwrap();
        let root = Issuer::new(root_params, root_key);
        let (params, key) = (ca_params("Lab Intermediate CA"), KeyPair::generate().unwrap());
        let intermediate_cert = params.signed_by(&key, &root).unwrap();
        let ca_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-root.pem"));
        std::fs::write(&ca_file, root_cert.pem()).unwrap();
        Self {
            root,
            intermediate: Issuer::new(params, key),
            root_der: root_cert.der().clone(),
            intermediate_der: intermediate_cert.der().clone(),
            ca_file,
        }
    }

    /// A server's certificate by the intermediate, sent with the intermediate.
    pub fn leaf(&self, names: &[&str], from: Day, to: Day) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = params(names, "leaf", from, to);
        let cert = params.signed_by(&key, &self.intermediate).unwrap();
        let chain = vec![cert.der().clone(), self.intermediate_der.clone()];
        Identity { chain, key: private(&key) }
    }

    /// A good certificate for `www.lab.test`.
    pub fn good(&self) -> Identity {
        self.leaf(&["www.lab.test"], (5, 1), (8, 1))
    }

    /// A certificate of the root itself, without intermediate.
    pub fn by_root(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let cert = params(names, "leaf", (5, 1), (8, 1)).signed_by(&key, &self.root).unwrap();
        Identity { chain: vec![cert.der().clone()], key: private(&key) }
    }

    /// The CA file as an option's value.
    pub fn ca(&self) -> &str {
        self.ca_file.to_str().unwrap()
    }
}

/// A certificate that signed itself, as `openssl req -x509` makes it (`ca`) or not.
pub fn self_signed(names: &[&str], ca: bool) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = params(names, "self", (5, 1), (8, 1));
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let cert = params.self_signed(&key).unwrap();
    Identity { chain: vec![cert.der().clone()], key: private(&key) }
}

/// DER as PEM, under a label such as `CERTIFICATE`.
pub fn pem(label: &str, der: &[u8]) -> String {
    const SET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, three) in der.chunks(3).enumerate() {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = char::from(SET[(bits >> (18 - 6 * place)) as usize & 63]);
            text.push(if place > three.len() { '=' } else { letter });
        }
        if at % 16 == 15 {
            text.push('\n');
        }
    }
    format!("{}\n-----END {label}-----\n", text.trim_end())
}

impl Identity {
    /// Writes chain and key as `NAME.crt` and `NAME.key` into a folder.
    pub fn write(&self, folder: &std::path::Path, name: &str) {
        let chain: String = self.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        std::fs::write(folder.join(format!("{name}.crt")), chain).unwrap();
        let key = pem("PRIVATE KEY", self.key.secret_der());
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }
}
