//! The replies of SMTP and LMTP: a code of three digits, perhaps an enhanced code, and words in one or more lines.

use std::fmt;

use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::net::{Answer, Deadline, Failure, Wire};
use crate::probe::tls::starttls;

/// One whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// The words of each line, behind code and hyphen. At least one line.
    pub lines: Vec<Vec<u8>>,
}

/// The code of RFC 3463 at the beginning of the words: `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Enhanced {
    /// 2 success, 4 not now, 5 never.
    pub class: u16,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl Reply {
    /// Reads one reply off the wire.
    pub(super) fn read(wire: &mut Wire, deadline: Deadline) -> Answer<Self> {
        Self::from_lines(&starttls::reply(wire, deadline)?)
    }

    /// Sends a command and reads the reply to it.
    pub(super) fn to(wire: &mut Wire, command: &str, deadline: Deadline) -> Answer<Self> {
        wire.send(format!("{command}\r\n").as_bytes(), deadline)?;
        Self::read(wire, deadline)
    }

    /// Takes lines apart; all must have the same code.
    pub(super) fn from_lines(lines: &[Vec<u8>]) -> Answer<Self> {
        let code = |line: &Vec<u8>| {
            let digits = line.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| digits.parse().ok()).filter(|code| (200..600).contains(code))
        };
        let first = lines.first().and_then(code);
        let Some(first) = first.filter(|first| lines.iter().all(|line| code(line) == Some(*first)))
        else {
            let all = lines.join(&b" / "[..]);
            return Err(Failure::new(Class::Malformed, format!("'{}'", escaped(&all, 200))));
        };
        let words = |line: &Vec<u8>| line.get(4..).unwrap_or_default().to_vec();
        Ok(Self { code: first, lines: lines.iter().map(words).collect() })
    }

    /// Done, or go on.
    pub(super) fn is_good(&self) -> bool {
        self.code < 400
    }

    /// Not now, perhaps later.
    pub(super) fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// The enhanced code, if the first line begins with one.
    pub(super) fn enhanced(&self) -> Option<Enhanced> {
        let word = self.lines[0].split(|byte| *byte == b' ').next()?;
        let mut parts = std::str::from_utf8(word).ok()?.split('.');
        let mut part = || {
            let text = parts.next()?;
            let plain = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| plain)
        };
        let code = Enhanced { class: part()?, subject: part()?, detail: part()? };
        (parts.next().is_none() && matches!(code.class, 2 | 4 | 5)).then_some(code)
    }

    /// The offers of an answer to EHLO: every line but the first.
    pub(super) fn offers(&self) -> Vec<String> {
        self.lines[1..].iter().map(|line| super::offer(line)).collect()
    }

    /// Code and words, as they came.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut all = format!("{} ", self.code).into_bytes();
        all.extend(self.lines.join(&b" / "[..]));
        all
    }
}

/// Code and words, escaped.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.bytes(), 300))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(lines: &[&str]) -> Answer<Reply> {
        Reply::from_lines(&lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn takes_replies_apart() {
        let greeting = reply(&["250-mail", "250-SIZE 1024", "250 AUTH PLAIN"]).unwrap();
        assert_eq!((greeting.code, greeting.is_good()), (250, true));
        assert_eq!(greeting.offers(), ["SIZE 1024", "AUTH PLAIN"]);
        let no = reply(&["550 5.1.1 <x>: unknown"]).unwrap();
        assert_eq!(no.enhanced().unwrap().to_string(), "5.1.1");
        assert_eq!(no.to_string(), "550 5.1.1 <x>: unknown");
        assert!(reply(&["451 4.7"]).unwrap().enhanced().is_none() && !no.is_temporary());
        assert!(reply(&["220"]).unwrap().enhanced().is_none());
    }

    #[test]
    fn refuses_what_is_none() {
        for lines in [&["250-a", "550 b"][..], &["700 a"], &["25"], &[]] {
            assert_eq!(reply(lines).unwrap_err().class, Class::Malformed, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(lines in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..30), 0..4)
        ) {
            if let Ok(reply) = Reply::from_lines(&lines) {
                let _ = (reply.enhanced(), reply.offers(), reply.to_string());
            }
        }

        #[test]
        fn enhanced_codes_print_as_they_parse(class in 4_u16..6, subject in 0_u16..999, detail in 0_u16..999) {
            let code = Enhanced { class, subject, detail };
            let line = format!("{class}50 {code} words");
            prop_assert_eq!(reply(&[&line]).unwrap().enhanced(), Some(code));
        }
    }
}
