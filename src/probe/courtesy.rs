//! What a greeting tells about the protocol behind it, and how to leave such a service politely.
//!
//! Hanging up after a greeting is not harmless everywhere: MySQL counts it as a broken connection and, after a
//! hundred in a row, locks the host out. So whoever meets a greeting leaves as its protocol wants.

use super::net::{Deadline, Wire};

/// A protocol that shows in its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `SSH-2.0-…`
    Ssh,
    /// `HTTP/1.1 …`
    Http,
    /// `220 …` or `220-…`, `421 …`, `554 …`: mail, or FTP.
    Smtp,
    /// `* OK …`
    Imap,
    /// `+OK …`
    Pop3,
    /// A greeting or an error packet of MySQL or MariaDB.
    Mysql,
    /// A TLS record.
    Tls,
}

impl Protocol {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ssh => "SSH",
            Self::Http => "HTTP",
            Self::Smtp => "SMTP or FTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Mysql => "MySQL",
            Self::Tls => "TLS",
        }
    }
}

/// The protocol that these first bytes belong to, if it is one of the known.
pub fn recognise(bytes: &[u8]) -> Option<Protocol> {
    let begins = |text: &str| bytes.starts_with(text.as_bytes());
    match () {
        () if begins("SSH-") => Some(Protocol::Ssh),
        () if begins("HTTP/") => Some(Protocol::Http),
        () if begins("* OK") || begins("* BYE") || begins("* PREAUTH") => Some(Protocol::Imap),
        () if begins("+OK") || begins("-ERR") => Some(Protocol::Pop3),
        () if ["220", "421", "554"].iter().any(|code| begins(code)) => Some(Protocol::Smtp),
        () if is_mysql(bytes) => Some(Protocol::Mysql),
        () if matches!(bytes, [0x14..=0x17, 3, 0..=4, ..]) => Some(Protocol::Tls),
        () => None,
    }
}

/// Three bytes of length, number 0, then version 10 or 9, or an error.
fn is_mysql(bytes: &[u8]) -> bool {
    matches!(bytes, [low, high, 0, 0, 9 | 10 | 0xff, ..] if *low > 2 || *high > 0)
}

/// Leaves as the protocol of this greeting wants. What could not be recognised is closed without a word.
pub fn leave(mut wire: Wire, greeting: &[u8], deadline: Deadline) {
    match recognise(greeting) {
        Some(Protocol::Smtp | Protocol::Pop3) => wire.leave(b"QUIT\r\n"),
        Some(Protocol::Imap) => wire.leave(b"a LOGOUT\r\n"),
        Some(Protocol::Mysql) if greeting.get(4) == Some(&10) => {
            // Any answer will do, a refusal too: the login counts as one.
            let _ = wire.send(&mysql_login(false), deadline).and_then(|()| wire.some(deadline));
            wire.leave(MYSQL_QUIT);
        }
        _ => wire.leave(b""),
    }
}

/// The packet that ends a MySQL session.
pub const MYSQL_QUIT: &[u8] = &[1, 0, 0, 0, 1];

/// Answers of 4.1, secure connection, plug-ins.
const MYSQL_ABILITIES: u32 = 0x0000_0200 | 0x0000_8000 | 0x0008_0000;

/// The request to go on in TLS, in the place of the first login packet.
pub const MYSQL_TLS_REQUEST: [u8; 36] = {
    let abilities = (MYSQL_ABILITIES | 0x0800).to_le_bytes();
    let mut packet = [0; 36];
    packet[0] = 32;
    packet[3] = 1;
    let mut at = 0;
    while at < 4 {
        packet[4 + at] = abilities[at];
        at += 1;
    }
    packet[11] = 1;
    packet[12] = 45;
    packet
};

/// A login as `logmill` without a password: the server says no, and does not count a broken connection. `in_tls` when
/// it follows [`MYSQL_TLS_REQUEST`].
pub fn mysql_login(in_tls: bool) -> Vec<u8> {
    let abilities = MYSQL_ABILITIES | if in_tls { 0x0800 } else { 0 };
    let mut body = abilities.to_le_bytes().to_vec();
    body.extend([0, 0, 0, 1, 45]);
    body.extend([0; 23]);
    body.extend(b"logmill\0\0mysql_native_password\0");
    let length = u8::try_from(body.len()).unwrap_or_default();
    let mut packet = vec![length, 0, 0, if in_tls { 2 } else { 1 }];
    packet.extend(body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn recognises_greetings() {
        let name = |bytes: &[u8]| recognise(bytes).map_or("", Protocol::name);
        assert_eq!(name(b"SSH-2.0-x\r\n"), "SSH");
        assert_eq!(name(b"220 mail ESMTP\r\n"), "SMTP or FTP");
        assert_eq!(name(b"\x4a\0\0\0\x0a5.5.5-10.11"), "MySQL");
        assert_eq!(name(b"\x15\x03\x01\0\x02"), "TLS");
        assert_eq!(name(b"\x45\0\0\0\xff\x69\x04Host"), "MySQL");
        assert_eq!(name(b"hello"), "");
    }

    #[test]
    fn the_login_has_its_own_length() {
        for in_tls in [false, true] {
            let packet = mysql_login(in_tls);
            assert_eq!(usize::from(packet[0]), packet.len() - 4);
        }
        assert_eq!(usize::from(MYSQL_TLS_REQUEST[0]), MYSQL_TLS_REQUEST.len() - 4);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = recognise(&bytes);
        }
    }
}
