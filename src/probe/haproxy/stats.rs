//! HAProxy's statistics: a table in CSV with a hundred columns, read by the names in its head and never by place.
//!
//! ```text
//! # pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,…
//! web,FRONTEND,,,0,1,2000,12,…
//! app,web1,0,0,0,1,,6,…
//! app,BACKEND,0,0,0,1,200,12,…
//! ```
//!
//! <https://docs.haproxy.org/2.6/management.html#9.1>

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::probe::class::Class;
use crate::probe::escape::{escaped, quoted};
use crate::probe::net::{Answer, Failure};
use crate::probe::spread::{Part, Spread};

/// One line of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The frontend or backend.
    pub proxy: String,
    /// The server; `FRONTEND` and `BACKEND` for sums.
    pub name: String,
    values: HashMap<String, String>,
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Up, or not checked.
    Up,
    /// It takes no new clients: draining, or taken out by hand.
    Out,
    /// Down.
    Down,
}

impl Line {
    /// A value as text; empty where the column is missing or empty.
    pub(super) fn text(&self, column: &str) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }

    /// A value as a number.
    pub(super) fn number(&self, column: &str) -> Option<u64> {
        self.text(column).parse().ok()
    }

    /// A running count; nothing counted is none.
    pub(super) fn count(&self, column: &str) -> u64 {
        self.number(column).unwrap_or_default()
    }

    /// The sum of a frontend or backend, or a socket of a frontend.
    pub(super) fn is_server(&self) -> bool {
        match self.number("type") {
            Some(kind) => kind == 2,
            None => !matches!(self.name.as_str(), "FRONTEND" | "BACKEND"),
        }
    }

    /// True for the sum of a backend.
    pub(super) fn is_backend(&self) -> bool {
        self.name == "BACKEND"
    }

    /// `UP`, `UP 1/3`, `no check`, `DOWN`, `DOWN 1/2`, `MAINT`, `MAINT (via x)`, `DRAIN`, `NOLB`.
    pub(super) fn state(&self) -> State {
        let status = self.text("status");
        match status.split(' ').next().unwrap_or_default() {
            "DOWN" => State::Down,
            "MAINT" | "DRAIN" | "NOLB" => State::Out,
            _ => State::Up,
        }
    }

    /// The last check's result without the mark of one in progress: `* L7TOUT` is `L7TOUT`.
    pub(super) fn check(&self) -> &str {
        self.text("check_status").trim_start_matches("* ")
    }

    /// Where the server is, if that is shown as an address and a port.
    pub(super) fn place(&self) -> Option<SocketAddr> {
        self.text("addr").parse().ok()
    }

    /// Takes its place out of `show servers state`, unless the statistics have told it.
    pub(super) fn stand_at(&mut self, places: &Places) {
        let key = (self.proxy.clone(), self.name.clone());
        if let Some(place) = places.get(&key).filter(|_| self.place().is_none()) {
            self.values.insert("addr".to_owned(), place.to_string());
        }
    }

    /// Sessions in per cent of their limit, where there is one.
    pub(super) fn sessions_percent(&self) -> Option<f64> {
        let most = self.number("slim").filter(|most| *most > 0)?;
        Some(self.number("scur")? as f64 * 100.0 / most as f64)
    }
}

/// What the code of a check means, as a cause; empty for one that is well or unknown.
pub(super) fn check_meaning(code: &str) -> &'static str {
    match code {
        "L4CON" => "nothing listens at the server's address, or it cannot be reached",
        "L4TOUT" => {
            "the server's address does not answer: down, filtered, or its accept queue is full"
        }
        "L6TOUT" => "the TLS handshake with the server does not end in time",
        "L6RSP" => "the server does not speak TLS as the check wants it",
        "L7TOUT" => {
            "the check's page does not answer in time: it is slow, or timeout check is too short"
        }
        "L7RSP" => "the server gives the check an answer that is none",
        "L7STS" => {
            "the check's page answers with another status: a wrong path or host, or the application fails"
        }
        "SOCKERR" | "PROCERR" | "PROCTOUT" => "HAProxy could not run the check itself",
        _ => "",
    }
}

/// Reads the table. Lines that are cut or empty are left out; without the head it is not this table.
pub(super) fn parse(bytes: &[u8]) -> Answer<Vec<Line>> {
    let start = bytes.trim_ascii_start();
    let Some(table) =
        start.strip_prefix(b"# ").filter(|table| table.starts_with(b"pxname,svname,"))
    else {
        let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let came = quoted(&first[..first.len().min(120)]);
        return Err(Failure::new(
            Class::WrongProtocol,
            format!("no statistics of HAProxy: {came}"),
        ));
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(table);
    let head: Vec<String> = match reader.byte_headers() {
        Ok(head) => head.iter().map(|name| escaped(name, 64)).collect(),
        Err(error) => return Err(Failure::new(Class::Malformed, error.to_string())),
    };
    Ok(reader.byte_records().flatten().filter_map(|record| line(&head, &record)).collect())
}

fn line(head: &[String], record: &csv::ByteRecord) -> Option<Line> {
    let values = head.iter().zip(record.iter()).filter(|(name, _)| !name.is_empty());
    let values: HashMap<_, _> =
        values.map(|(name, value)| (name.clone(), escaped(value, 300))).collect();
    let text = |name: &str| values.get(name).filter(|text| !text.is_empty()).cloned();
    Some(Line { proxy: text("pxname")?, name: text("svname")?, values })
}

/// The spread of sessions over those servers of a backend that are up and share its load, if there were enough of
/// them to tell.
pub(super) fn spread(servers: &[&Line]) -> Option<Spread> {
    let active = |line: &&&Line| line.state() == State::Up && line.count("act") > 0;
    let part = |line: &&Line| Part { count: line.count("stot"), weight: line.count("weight") };
    let parts: Vec<_> = servers.iter().filter(active).map(part).collect();
    let enough = parts.iter().map(|part| part.count).sum::<u64>() >= 50 * parts.len() as u64;
    Spread::of(&parts).filter(|_| enough)
}

/// The places of servers, by backend and server.
pub(super) type Places = HashMap<(String, String), SocketAddr>;

/// Reads `show servers state`: a version, a head `# be_id be_name srv_id srv_name srv_addr …`, and a line for each
/// server. Those without an address and a port (a Unix socket, a name that did not resolve) are left out.
pub(super) fn places(bytes: &[u8]) -> Places {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# "));
    let Some(head) = lines.next() else { return Places::new() };
    let head: Vec<_> = head.split(' ').skip(1).collect();
    let place = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let word = |name: &str| words.get(head.iter().position(|column| *column == name)?).copied();
        let key = ["be_name", "srv_name"].map(|name| word(name).unwrap_or_default().as_bytes());
        let ip: IpAddr = word("srv_addr")?.parse().ok()?;
        let port = word("srv_port")?.parse().ok().filter(|port| *port != 0)?;
        Some(((escaped(key[0], 300), escaped(key[1], 300)), SocketAddr::new(ip, port)))
    };
    lines.filter_map(place).collect()
}

/// `Name: value` lines of `show info`.
pub(super) fn info(bytes: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(bytes);
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((escaped(name.as_bytes(), 64), escaped(value.trim().as_bytes(), 200)))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &str = "# pxname,svname,qcur,scur,slim,stot,status,weight,act,type,check_status,last_chk,\n\
        fe,FRONTEND,,1,100,9,OPEN,,,0,,,\n\
        app,web1,0,1,10,300,UP,1,1,2,L7OK,,\n\
        app,web2,0,0,10,20,UP 1/3,1,1,2,* L7TOUT,\"a, \"\"b\"\"\",\n\
        app,web3,0,0,,0,DOWN 1/2,1,1,2,L4CON,,\n\
        app,web4,0,0,,0,MAINT (via app/web1),1,1,2,,,\n\
        app,BACKEND,0,1,200,320,UP,2,2,1,,,\n\n";

    #[test]
    fn reads_by_the_names_of_columns() {
        let lines = parse(TABLE.as_bytes()).unwrap();
        assert_eq!(lines.len(), 6);
        let states: Vec<_> = lines.iter().filter(|l| l.is_server()).map(Line::state).collect();
        assert_eq!(states, [State::Up, State::Up, State::Down, State::Out]);
        assert_eq!(lines[2].check(), "L7TOUT");
        assert_eq!(lines[2].text("last_chk"), "a, \"b\"");
        assert_eq!(lines[0].sessions_percent(), Some(1.0));
        assert!(lines[5].is_backend() && lines[0].text("nonsense").is_empty());
        let servers: Vec<_> = lines.iter().filter(|line| line.is_server()).collect();
        assert!(spread(&servers).unwrap().is_uneven());
    }

    #[test]
    fn other_columns_in_another_order() {
        let lines = parse(b"# pxname,svname,new,status\nb,s,7,no check\n").unwrap();
        assert_eq!((lines[0].state(), lines[0].is_server()), (State::Up, true));
        assert_eq!(lines[0].count("stot"), 0);
    }

    #[test]
    fn refuses_what_is_no_table() {
        for other in ["", "<html>", "Unknown command.\n", "pxname,svname\n"] {
            assert_eq!(parse(other.as_bytes()).unwrap_err().class, Class::WrongProtocol, "{other}");
        }
    }

    #[test]
    fn information() {
        let info = info(b"Name: HAProxy\nVersion: 2.6.12\nIdle_pct: 100\n\n");
        assert_eq!(info["Version"], "2.6.12");
    }

    #[test]
    fn places_by_the_names_of_columns() {
        let shown = b"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_fqdn srv_port srvrecord\n\
            4 app 1 web1 10.0.0.7 2 - 8080 -\n4 app 2 web2 2001:db8::7 0 web2.lab.test 80 -\n\
            4 app 3 sock - 2 - 0 -\nnonsense\n\n";
        let places = places(shown);
        let place = |name: &str| places.get(&("app".to_owned(), name.to_owned())).copied();
        assert_eq!(place("web1"), "10.0.0.7:8080".parse().ok());
        assert_eq!(place("web2"), "[2001:db8::7]:80".parse().ok());
        assert_eq!(places.len(), 2);
        let mut line = parse(b"# pxname,svname,status\napp,web1,UP\n").unwrap().remove(0);
        line.stand_at(&places);
        assert_eq!(line.place(), place("web1"));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&[b"# pxname,svname,status,".as_slice(), &bytes].concat());
            let _ = (parse(&bytes), info(&bytes), places(&bytes));
            let _ = places(&[b"# be_name srv_name srv_addr srv_port\n".as_slice(), &bytes].concat());
        }

        #[test]
        fn values_are_found_under_their_names(stot in any::<u64>(), place in 0_usize..5) {
            let mut head = vec!["a", "b", "c", "d"];
            head.insert(place.min(4), "stot");
            let value = |name: &&str| if *name == "stot" { stot.to_string() } else { "x".into() };
            let row: Vec<_> = head.iter().map(value).collect();
            let text = format!("# pxname,svname,{}\np,s,{}\n", head.join(","), row.join(","));
            prop_assert_eq!(parse(text.as_bytes()).unwrap()[0].number("stot"), Some(stot));
        }
    }
}
