//! The listening sockets of this machine, out of `/proc/net/tcp` and its kin.
//!
//! Their receive queue tells what no connection attempt can: that a listener is there and does not accept.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One socket that waits for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The address it is bound to; unspecified for all.
    pub address: SocketAddr,
    /// Connections that are complete and wait to be accepted; of a datagram socket the bytes that wait.
    pub waiting: u32,
    /// The inode of the socket, by which its process is found.
    pub inode: u64,
}

/// All listeners of this network namespace; none where `/proc` cannot be read.
pub fn all() -> Vec<Listener> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut found = parse(&read("/proc/net/tcp"));
    found.extend(parse(&read("/proc/net/tcp6")));
    found
}

/// All datagram sockets that are bound and not connected: where UDP is served.
pub fn udp() -> Vec<Listener> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut found = in_state(&read("/proc/net/udp"), "07");
    found.extend(in_state(&read("/proc/net/udp6"), "07"));
    found
}

/// How often since the start of the machine a connection was dropped because an accept queue was full.
pub fn overflows() -> Option<u64> {
    counter(&fs::read_to_string("/proc/net/netstat").ok()?, "ListenOverflows")
}

/// Pairs of lines: the names behind `TcpExt:`, and under them the values.
fn counter(table: &str, name: &str) -> Option<u64> {
    let mut lines = table.lines().filter(|line| line.starts_with("TcpExt:"));
    let place = lines.next()?.split_ascii_whitespace().position(|word| word == name)?;
    lines.next()?.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// How many connections wait at the listener that serves this address, if this machine has one and any wait.
pub fn waiting_at(address: SocketAddr) -> Option<u32> {
    let serves = |listener: &Listener| {
        let at = listener.address;
        at.port() == address.port() && (at.ip() == address.ip() || at.ip().is_unspecified())
    };
    let local = address.ip().is_loopback() || is_ours(address.ip());
    let queue = || all().iter().filter(|l| serves(l)).map(|l| l.waiting).max();
    local.then(queue).flatten().filter(|waiting| *waiting > 0)
}

/// True when a socket can be bound to the address: then it is one of this machine.
fn is_ours(ip: IpAddr) -> bool {
    std::net::UdpSocket::bind((ip, 0)).is_ok()
}

/// Reads the kernel's table; lines that are no listeners, or are not understood, are left out.
pub fn parse(table: &str) -> Vec<Listener> {
    in_state(table, "0A")
}

fn in_state(table: &str, state: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(|line| listener(line, state)).collect()
}

/// `0: 0100007F:1F90 00000000:0000 0A 00000000:00000001 …`: state 0A listens (07 for UDP), the second queue is what waits.
fn listener(line: &str, wanted: &str) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let address = socket_address(words.next()?)?;
    let state = words.nth(1)?;
    let waiting = u32::from_str_radix(words.next()?.split_once(':')?.1, 16).ok()?;
    let inode = words.nth(4)?.parse().ok()?;
    (state == wanted).then_some(Listener { address, waiting, inode })
}

/// Words of 32 bits in the machine's own order, then the port.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn reads_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:46A0 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 16383 1\n\
            \x20  1: 0100007F:46A1 00000000:0000 01 00000000:00000003 00:00000000 00000000     0        0 16384 1\n\
            nonsense\n";
        let address = "127.0.0.1:18080".parse().unwrap();
        assert_eq!(parse(table), [Listener { address, waiting: 3, inode: 16383 }]);
    }

    #[test]
    fn reads_the_kernels_counters() {
        let table = "IpExt: A\nIpExt: 1\nTcpExt: SyncookiesSent ListenOverflows\nTcpExt: 3 6\n";
        assert_eq!(counter(table, "ListenOverflows"), Some(6));
        assert_eq!((counter(table, "Nothing"), counter("", "x")), (None, None));
    }

    #[test]
    fn finds_a_listener_of_ours() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        assert!(all().iter().any(|listener| listener.address == address));
        assert_eq!(waiting_at(address), None);
    }
}
