//! Logging in: two plugins' proofs of a password, and what the server makes of them.
//!
//! A greeting is always answered with a login, be it with a made-up user: a server counts who hangs up after its
//! greeting, and locks the host out after a hundred. A login that it refuses is not counted.

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::packet::{Greeting, Packet, Reply, ServerError, ability, login, reply};
use crate::probe::net::{Answer, Deadline, Wire};

/// The most bytes of a packet of the login.
const LIMIT: usize = 64 * 1024;

/// The most packets of one login.
const ROUNDS: usize = 8;

/// Who asks, and for what.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    pub user: String,
    pub password: String,
    pub database: String,
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// The session is open.
    In,
    /// The server said no.
    Refused(ServerError),
    /// The server wants a proof that was not given; why not.
    Untested(String),
}

/// The abilities that we claim, as far as the server has them.
fn abilities(greeting: &Greeting, database: bool, in_tls: bool) -> u32 {
    let basic = ability::LONG_PASSWORD | ability::PROTOCOL_41 | ability::TRANSACTIONS;
    let wanted = basic | ability::SECURE | ability::PLUGINS;
    let database = if database { ability::WITH_DATABASE } else { 0 };
    (wanted | database) & greeting.abilities | if in_tls { ability::TLS } else { 0 }
}

/// Asks to go on in TLS. After it the wire is ready for the handshake, and the login has number 2.
pub(super) fn ask_for_tls(wire: &mut Wire, greeting: &Greeting, deadline: Deadline) -> Answer<()> {
    let body = super::packet::tls_request(abilities(greeting, false, true));
    wire.send(&Packet { number: 1, body }.bytes(), deadline)
}

/// Logs in. `is_private` when nobody can listen: inside TLS, or over a Unix socket.
pub(super) fn log_in(
    wire: &mut Wire,
    greeting: &Greeting,
    who: &Credentials,
    is_private: bool,
    deadline: Deadline,
) -> Answer<Login> {
    let mut talk = Talk { who, is_private, untested: None };
    let number = if wire.is_encrypted() { 2 } else { 1 };
    let body = talk.first(greeting, wire.is_encrypted());
    wire.send(&Packet { number, body }.bytes(), deadline)?;
    for _ in 0..ROUNDS {
        let packet = Packet::read(wire, LIMIT, deadline)?;
        match talk.turn(reply(&packet.body)?) {
            Turn::End(login) => return Ok(login),
            Turn::Wait => {}
            Turn::Send(body) => {
                let number = packet.number.wrapping_add(1);
                wire.send(&Packet { number, body }.bytes(), deadline)?;
            }
        }
    }
    Ok(Login::Untested("the login did not come to an end".to_owned()))
}

/// A login while it goes on.
struct Talk<'c> {
    who: &'c Credentials,
    is_private: bool,
    /// Why a proof that the server wanted was not given.
    untested: Option<String>,
}

/// What to do next.
enum Turn {
    End(Login),
    Wait,
    Send(Vec<u8>),
}

impl Talk<'_> {
    /// The login by the plugin that the greeting names, or by the oldest where that is not known here.
    fn first(&self, greeting: &Greeting, in_tls: bool) -> Vec<u8> {
        let Credentials { user, password, database } = self.who;
        let (plugin, proof) = match proof(&greeting.plugin, password, &greeting.salt) {
            Some(proof) => (greeting.plugin.as_str(), proof),
            None => (NATIVE, proof(NATIVE, password, &greeting.salt).unwrap_or_default()),
        };
        let abilities = abilities(greeting, !database.is_empty(), in_tls);
        login(abilities, user, &proof, database, plugin)
    }

    fn turn(&mut self, reply: Reply) -> Turn {
        match reply {
            Reply::Ok => Turn::End(Login::In),
            Reply::Error(error) => Turn::End(match self.untested.take() {
                Some(why) => Login::Untested(why),
                None => Login::Refused(error),
            }),
            Reply::Switch(plugin, salt) => match proof(&plugin, &self.who.password, &salt) {
                Some(proof) => Turn::Send(proof),
                None => self.give_up(format!("the server wants to log this user in by {plugin}")),
            },
            Reply::More(word) if word == [FAST_OK] => Turn::Wait,
            Reply::More(word) if word == [WHOLE_PASSWORD] && self.is_private => {
                Turn::Send([self.who.password.as_bytes(), &[0]].concat())
            }
            Reply::More(_) => {
                self.give_up("it wants the password itself, which goes only through TLS: --tls")
            }
            Reply::SwitchToOld | Reply::Other(_) => {
                self.give_up("it wants a login that is not known here")
            }
        }
    }

    /// An empty answer is refused, and counts as a login.
    fn give_up(&mut self, why: impl Into<String>) -> Turn {
        self.untested = Some(why.into());
        Turn::Send(Vec::new())
    }
}

/// SHA-1, the default up to MySQL 5.7 and of MariaDB.
const NATIVE: &str = "mysql_native_password";

/// SHA-256, the default from MySQL 8.
const SHA2: &str = "caching_sha2_password";

/// The words of that plugin: the server knows the proof, or must see the password itself.
const FAST_OK: u8 = 3;
const WHOLE_PASSWORD: u8 = 4;

/// The proof that a plugin wants; `None` for a plugin that is not known here.
fn proof(plugin: &str, password: &str, salt: &[u8]) -> Option<Vec<u8>> {
    let (algorithm, salt_first) = match plugin {
        NATIVE => (&SHA1_FOR_LEGACY_USE_ONLY, true),
        SHA2 => (&SHA256, false),
        _ => return None,
    };
    Some(match password {
        "" => Vec::new(),
        password => mixed(algorithm, password.as_bytes(), salt, salt_first),
    })
}

/// Digest of the password, mixed by XOR with a digest of the salt and the digest's own digest; the two plugins differ
/// in which of the latter comes first.
fn mixed(algorithm: &'static Algorithm, password: &[u8], salt: &[u8], salt_first: bool) -> Vec<u8> {
    let once = digest(algorithm, password);
    let twice = digest(algorithm, once.as_ref());
    let joined = match salt_first {
        true => [salt, twice.as_ref()].concat(),
        false => [twice.as_ref(), salt].concat(),
    };
    let mask = digest(algorithm, &joined);
    once.as_ref().iter().zip(mask.as_ref()).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A server that holds SHA1(SHA1(password)) takes the proof back to SHA1(password) and digests it once more.
    #[test]
    fn the_server_can_check_the_native_proof() {
        let (password, salt) = (b"secret".as_slice(), b"abcdefghijklmnopqrst");
        let proof = proof(NATIVE, "secret", salt).unwrap();
        let sha1 = |bytes: &[u8]| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec();
        let stored = sha1(&sha1(password));
        let mask = sha1(&[&salt[..], &stored].concat());
        let once: Vec<u8> = proof.iter().zip(&mask).map(|(a, b)| a ^ b).collect();
        assert_eq!(sha1(&once), stored);
        assert_eq!(proof.len(), 20);
    }

    #[test]
    fn proofs_are_stable() {
        assert_eq!(proof(NATIVE, "", b"x"), Some(Vec::new()));
        assert_eq!(proof("dialog", "", b"x"), None);
        // A pair of salt and proof that the tests of other clients of MySQL 8 hold too.
        let salt = [10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21];
        let sha2 = proof(SHA2, "secret", &salt).unwrap();
        let known = "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c";
        assert_eq!(hex(&sha2), known);
    }
}
