//! Who a line is about: `client @0x7f91 192.0.2.7#51004/key KEY (NAME): view VIEW: `, of which versions and cases
//! leave out this and that.

use super::sheet::Sheet;
use super::words::Words;

/// The parts that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Client<'a> {
    /// Absent for a client object without a peer.
    pub(super) address: Option<&'a [u8]>,
    pub(super) port: &'a [u8],
    pub(super) key: Option<&'a [u8]>,
    /// The name that was asked for first; aliases may have led on since.
    pub(super) name: Option<&'a [u8]>,
    pub(super) view: Option<&'a [u8]>,
}

/// Reads on behind `client `. The words are then those of the message.
#[inline]
pub(super) fn read<'a>(words: &mut Words<'a>) -> Option<Client<'a>> {
    let mut client = Client::default();
    let mut word = words.next();
    if word.starts_with(b"@0x") {
        word = words.next();
    }
    let (peer, mut has_ended) = match word {
        [peer @ .., b':'] => (peer, true),
        peer => (peer, false),
    };
    if peer != b"(no-peer)" {
        let hash = peer.iter().rposition(|byte| *byte == b'#')?;
        let digits = peer[hash + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (port, behind) = peer[hash + 1..].split_at(digits);
        if hash == 0 || digits == 0 {
            return None;
        }
        (client.address, client.port) = (Some(&peer[..hash]), port);
        match behind {
            b"" => {}
            b"/key" if !has_ended => {
                let key = words.next();
                has_ended = key.ends_with(b":");
                client.key = Some(key.strip_suffix(b":").unwrap_or(key));
            }
            _ => return None,
        }
    }
    if !has_ended {
        let [b'(', name @ .., b')', b':'] = words.next() else { return None };
        client.name = Some(name);
    }
    if words.rest().starts_with(b"view ") {
        client.view = Some(view(words)?);
    }
    Some(client)
}

/// The name of a view may hold spaces, but no colon in front of one.
#[inline]
fn view<'a>(words: &mut Words<'a>) -> Option<&'a [u8]> {
    words.next();
    let all = words.rest();
    loop {
        let word = words.next();
        if word.ends_with(b":") {
            let behind = all.len() - words.rest().len();
            return all[..behind].trim_ascii_end().strip_suffix(b":");
        }
        if words.rest().is_empty() {
            return None;
        }
    }
}

impl Client<'_> {
    /// Writes all but the name.
    #[inline]
    pub(super) fn write(&self, sheet: &mut Sheet<'_, '_>) {
        let slots = sheet.slots;
        if let Some(address) = self.address {
            sheet.text(slots.client, address);
            sheet.digits(slots.client_port, self.port);
        }
        sheet.some(slots.key, self.key);
        sheet.some(slots.view, self.view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads what stands behind `client `, and says what is left.
    fn check(text: &str, expected: Option<(Client<'_>, &str)>) {
        let spaces: Vec<u32> =
            memchr::memchr_iter(b' ', text.as_bytes()).map(|at| at as u32).collect();
        let mut words = Words::new(text.as_bytes(), &spaces, 0, text.as_bytes());
        let found = read(&mut words);
        assert_eq!(found, expected.map(|(client, _)| client), "{text}");
        if let Some((_, rest)) = expected {
            assert_eq!(words.rest(), rest.as_bytes(), "{text}");
        }
    }

    fn client<'a>(address: &'a str, port: &'a str) -> Client<'a> {
        Client { address: Some(address.as_bytes()), port: port.as_bytes(), ..Client::default() }
    }

    #[test]
    fn trap_27_four_generations() {
        let plain = client("192.0.2.7", "5100");
        let named = Client { name: Some(b"a.b"), ..plain };
        let viewed = |client| Client { view: Some(b"inside"), ..client };
        let keyed = |client| Client { key: Some(b"xfer.key"), ..client };
        check("192.0.2.7#5100: x y", Some((plain, "x y")));
        check("192.0.2.7#5100: view inside: x", Some((viewed(plain), "x")));
        check("192.0.2.7#5100 (a.b): x", Some((named, "x")));
        check(
            "192.0.2.7#5100/key xfer.key (a.b): view inside: x",
            Some((keyed(viewed(named)), "x")),
        );
        check("192.0.2.7#5100/key xfer.key: view inside: x", Some((keyed(viewed(plain)), "x")));
        check("@0x7f91 192.0.2.7#5100 (a.b): x", Some((named, "x")));
        check("@0x7f918631409812 192.0.2.7#5100 (a.b): view inside: x", Some((viewed(named), "x")));
        check("@0x7f91 (no-peer): x", Some((Client::default(), "x")));
        check(
            "2001:db8::7%eth0#53 (.): x",
            Some((Client { name: Some(b"."), ..client("2001:db8::7%eth0", "53") }, "x")),
        );
    }

    #[test]
    fn trap_27_names_that_try_to_end_early() {
        let name = Client { name: Some(b"x\\):\\032query:\\032y"), ..client("192.0.2.7", "1") };
        check("192.0.2.7#1 (x\\):\\032query:\\032y): z", Some((name, "z")));
    }

    #[test]
    fn a_view_may_hold_spaces() {
        let viewed = Client { view: Some(b"in side"), ..client("192.0.2.7", "1") };
        check("192.0.2.7#1: view in side: z", Some((viewed, "z")));
    }

    #[test]
    fn what_is_no_client() {
        for text in [
            "",
            "x",
            "#1: x",
            "192.0.2.7: x",
            "192.0.2.7#: x",
            "192.0.2.7#1 x",
            "192.0.2.7#1 (a",
            "1#1: view x",
            "1#1/kex: x",
        ] {
            check(text, None);
        }
    }
}
