//! Names, connections and bounded reading: every wait has a deadline, every answer a limit.
//!
//! A [`Wire`] is one connection, plain or, after [`super::tls::upgrade`], encrypted; the dialogue code above does not
//! see the difference. Whatever goes wrong becomes a [`Failure`] with a class of the closed vocabulary.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::class::Class;
use super::escape::quoted;
use super::options::{Common, Family};
use super::{listeners, resolver, tls};

/// The most addresses of one name that are probed.
const MOST_ADDRESSES: usize = 16;

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class of the fault.
    pub class: Class,
    /// What came, escaped; or what the system said.
    pub came: String,
}

/// What a step gives.
pub type Answer<T> = Result<T, Failure>;

impl Failure {
    /// A failure from its parts. Foreign bytes in `came` must be escaped already.
    pub fn new(class: Class, came: impl Into<String>) -> Self {
        Self { class, came: came.into() }
    }
}

/// The instant at which a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// What is left; `None` once it has passed.
    pub fn remaining(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// The same as an error of the system's kind.
    fn left(self) -> io::Result<Duration> {
        self.remaining().ok_or_else(|| ErrorKind::TimedOut.into())
    }
}

/// One place to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Some questions go to a host and to no port of it.
            Self::Tcp(address) if address.port() == 0 => address.ip().fmt(f),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => {
                f.write_str(&super::escape::escaped(path.as_os_str().as_encoded_bytes(), 200))
            }
        }
    }
}

/// The addresses of a host: an override, a literal, or what the system says. In the system's order, without doubles.
pub fn resolve(
    host: &str,
    port: u16,
    common: &Common,
    deadline: Deadline,
) -> Answer<Vec<SocketAddr>> {
    let given = common.resolve.iter().find(|(name, _)| name == host).map(|(_, address)| *address);
    let mut found = match given.or_else(|| host.parse::<IpAddr>().ok()) {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => ask_system(host, port, deadline)?,
    };
    found.retain(|address| wanted(address, common.family));
    found.truncate(MOST_ADDRESSES);
    match found.is_empty() {
        true => Err(Failure::new(Class::NameEmpty, "no address of the wanted family")),
        false => Ok(found),
    }
}

fn wanted(address: &SocketAddr, family: Family) -> bool {
    match family {
        Family::Both => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    }
}

/// The system's resolver. It cannot be interrupted, so it runs beside us and is left alone at the deadline.
fn ask_system(host: &str, port: u16, deadline: Deadline) -> Answer<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    let spawned = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // The receiver is gone when the deadline passed first.
        let _ = sender.send(found);
    });
    spawned.map_err(|error| Failure::new(Class::LocalLimit, plain(&error)))?;
    let left = deadline.remaining().unwrap_or_default();
    match receiver.recv_timeout(left) {
        Ok(Ok(found)) => Ok(without_doubles(found)),
        Ok(Err(error)) => Err(resolver::why_no_address(host, &plain(&error), deadline)),
        Err(_) => Err(Failure::new(Class::NameTimeout, format!("no answer about {host}"))),
    }
}

fn without_doubles(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut once = Vec::new();
    for address in found {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    once
}

/// The system's words without the number at their end.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Connects within the deadline, from `source` if one is given.
pub fn connect(peer: &Peer, source: Option<IpAddr>, deadline: Deadline) -> Answer<Wire> {
    let socket = match peer {
        Peer::Tcp(address) => connect_tcp(*address, source, deadline).map(Socket::Tcp),
        Peer::Unix(path) => connect_unix(path, deadline).map(Socket::Unix),
    };
    socket.map(Wire::new).map_err(|error| connect_failure(&error, peer))
}

fn connect_tcp(
    address: SocketAddr,
    source: Option<IpAddr>,
    deadline: Deadline,
) -> io::Result<TcpStream> {
    let left = deadline.left()?;
    let stream = match source {
        None => TcpStream::connect_timeout(&address, left)?,
        Some(source) => {
            let socket = socket2::Socket::new(
                socket2::Domain::for_address(address),
                socket2::Type::STREAM,
                None,
            )?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
            socket.connect_timeout(&address.into(), left)?;
            socket.into()
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// How long to wait before a full queue is tried again.
const ROOM: Duration = Duration::from_millis(5);

/// Waits for room in the listener's queue until the deadline. The system would wait for ever, or, told not to wait, say
/// at once that there is none.
fn connect_unix(path: &Path, deadline: Deadline) -> io::Result<UnixStream> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    let address = socket2::SockAddr::unix(path)?;
    socket.set_nonblocking(true)?;
    loop {
        match socket.connect(&address) {
            Ok(()) => break,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(error) => match deadline.remaining() {
                Some(left) => thread::sleep(left.min(ROOM)),
                None => return Err(error),
            },
        }
    }
    socket.set_nonblocking(false)?;
    Ok(socket.into())
}

/// What the system says about a connection, and what it means.
fn connect_failure(error: &io::Error, peer: &Peer) -> Failure {
    use ErrorKind as K;
    let class = match error.kind() {
        K::ConnectionRefused => Class::Refused,
        K::TimedOut => return timed_out(peer),
        K::HostUnreachable => Class::Unreachable,
        K::NetworkUnreachable => Class::NoRoute,
        K::PermissionDenied => Class::NotPermitted,
        K::ConnectionReset => Class::Reset,
        K::NotFound => Class::SocketMissing,
        K::WouldBlock => Class::BacklogFull,
        _ => Class::LocalLimit,
    };
    Failure::new(class, plain(error))
}

/// No answer from a listener of this machine means a full accept queue, unless a firewall drops its own packets.
fn timed_out(peer: &Peer) -> Failure {
    if let Peer::Tcp(address) = peer
        && let Some(waiting) = listeners::waiting_at(*address)
    {
        let came = format!("no answer in time; {waiting} connections wait in the accept queue");
        return Failure::new(Class::BacklogFull, came);
    }
    Failure::new(Class::Timeout, "no answer in time")
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn read(&mut self, space: &mut [u8], left: Duration) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(left)).and(stream.read(space)),
            Self::Unix(stream) => stream.set_read_timeout(Some(left)).and(stream.read(space)),
        }
    }

    fn write(&mut self, bytes: &[u8], left: Duration) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(left)).and(stream.write(bytes)),
            Self::Unix(stream) => stream.set_write_timeout(Some(left)).and(stream.write(bytes)),
        }
    }

    fn finish(&self) {
        // A peer that is gone already needs no farewell.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

/// A socket for the time of one deadline; what rustls reads from and writes to.
pub(super) struct Timed<'w> {
    socket: &'w mut Socket,
    deadline: Deadline,
    /// The first bytes that came through it.
    head: Vec<u8>,
}

impl<'w> Timed<'w> {
    fn new(socket: &'w mut Socket, deadline: Deadline) -> Self {
        Self { socket, deadline, head: Vec::new() }
    }
}

/// How many of the first bytes are kept to show what spoke instead of TLS.
const HEAD: usize = 64;

impl Read for Timed<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.left()?;
        let got = self.socket.read(space, left).map_err(timeouts_alike)?;
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend_from_slice(&space[..got.min(room)]);
        Ok(got)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.deadline.left()?;
        self.socket.write(bytes, left).map_err(timeouts_alike)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket's own timeout shows as "would block"; ours as "timed out". Make one of the two.
fn timeouts_alike(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// How many bytes one read takes at most. It lies on the stack of each of up to a thousand threads; at 8 KiB a thousand
/// waiting checks took 36 MB.
const PIECE: usize = 2 * 1024;

/// One connection to a peer: what came and was not yet read, and TLS once it is agreed.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    tls: Option<Box<rustls::ClientConnection>>,
    unread: Vec<u8>,
    received: u64,
}

impl Wire {
    fn new(socket: Socket) -> Self {
        Self { socket, tls: None, unread: Vec::new(), received: 0 }
    }

    /// The bytes of the dialogue received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// True once the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What came and was not read yet.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// The socket under a deadline, and the place of its TLS session.
    pub(super) fn parts(
        &mut self,
        deadline: Deadline,
    ) -> (Timed<'_>, &mut Option<Box<rustls::ClientConnection>>) {
        (Timed::new(&mut self.socket, deadline), &mut self.tls)
    }

    /// Holds the handshake of a session that is not yet the wire's own.
    pub(super) fn shake_hands(
        &mut self,
        tls: &mut rustls::ClientConnection,
        deadline: Deadline,
    ) -> Answer<()> {
        let mut timed = Timed::new(&mut self.socket, deadline);
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut timed) {
                let head = std::mem::take(&mut timed.head);
                return Err(self.handshake_failure(&error, &head));
            }
        }
        Ok(())
    }

    /// An error of the handshake, with what came instead when that is not TLS.
    fn handshake_failure(&self, error: &io::Error, head: &[u8]) -> Failure {
        let mut failure = match (error.kind(), head.is_empty()) {
            (ErrorKind::TimedOut, true) => Failure::new(Class::Silent, "nothing in time"),
            (ErrorKind::TimedOut, false) => Failure::new(Class::Stalled, "no more in time"),
            _ => self.failure(error),
        };
        if failure.class == Class::NotTls {
            failure.came = format!("{} instead of TLS", quoted(head));
        }
        failure
    }

    /// From now on everything is encrypted. The bytes count anew.
    pub(super) fn encrypt(&mut self, tls: Box<rustls::ClientConnection>) {
        self.tls = Some(tls);
        self.received = 0;
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8], deadline: Deadline) -> Answer<()> {
        self.write_all(bytes, deadline).map_err(|error| self.failure(&error))
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        let (mut timed, tls) = self.parts(deadline);
        match tls {
            None => timed.write_all(bytes),
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut timed);
                stream.write_all(bytes).and_then(|()| stream.flush())
            }
        }
    }

    /// Reads once. Returns how many bytes came; none means that the peer is done.
    pub fn fill(&mut self, deadline: Deadline) -> Answer<usize> {
        self.read_once(deadline).map_err(|error| self.failure(&error))
    }

    fn read_once(&mut self, deadline: Deadline) -> io::Result<usize> {
        let mut piece = [0; PIECE];
        let (mut timed, tls) = self.parts(deadline);
        let got = match tls {
            None => timed.read(&mut piece)?,
            Some(tls) => {
                rustls::Stream::new(&mut **tls, &mut timed).read(&mut piece).or_else(unclean_end)?
            }
        };
        self.unread.extend_from_slice(&piece[..got]);
        self.received += got as u64;
        Ok(got)
    }

    /// Whatever comes next, or nothing at the end.
    pub fn some(&mut self, deadline: Deadline) -> Answer<Vec<u8>> {
        if self.unread.is_empty() {
            self.fill(deadline)?;
        }
        Ok(std::mem::take(&mut self.unread))
    }

    /// One line without its line end. A line over `limit` bytes is a fault, and so is the end before it.
    pub fn line(&mut self, limit: usize, deadline: Deadline) -> Answer<Vec<u8>> {
        let mut searched = 0;
        loop {
            let place = self.unread[searched..].iter().position(|b| *b == b'\n');
            if let Some(place) = place.map(|place| place + searched).filter(|place| *place <= limit)
            {
                return Ok(self.take_line(place));
            }
            searched = self.unread.len();
            if searched > limit {
                return Err(Failure::new(Class::TooLarge, format!("a line of over {limit} bytes")));
            }
            self.more(deadline)?;
        }
    }

    fn take_line(&mut self, place: usize) -> Vec<u8> {
        let mut line: Vec<u8> = self.unread.drain(..=place).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        line
    }

    /// Exactly `count` bytes, which the caller has bounded.
    pub fn exact(&mut self, count: usize, deadline: Deadline) -> Answer<Vec<u8>> {
        while self.unread.len() < count {
            self.more(deadline)?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// At most `count` bytes: fewer when the peer closes before, or cuts the connection in the middle.
    pub fn up_to(&mut self, count: usize, deadline: Deadline) -> Answer<Vec<u8>> {
        while self.unread.len() < count {
            match self.fill(deadline) {
                Ok(0) => break,
                Ok(_) => {}
                Err(failure) if failure.class == Class::Reset => break,
                Err(failure) => return Err(failure),
            }
        }
        let count = count.min(self.unread.len());
        Ok(self.unread.drain(..count).collect())
    }

    /// Reads at least one byte more, or says that the peer closed.
    pub fn more(&mut self, deadline: Deadline) -> Answer<()> {
        match self.fill(deadline)? {
            0 => Err(Failure::new(Class::ClosedEarly, self.so_far("closed"))),
            _ => Ok(()),
        }
    }

    /// Everything up to the end, at most `limit` bytes; true with it when the limit cut it.
    pub fn rest(&mut self, limit: usize, deadline: Deadline) -> Answer<(Vec<u8>, bool)> {
        while self.unread.len() <= limit {
            if self.fill(deadline)? == 0 {
                return Ok((std::mem::take(&mut self.unread), false));
            }
        }
        self.unread.truncate(limit);
        Ok((std::mem::take(&mut self.unread), true))
    }

    /// What an error of this connection means.
    fn failure(&self, error: &io::Error) -> Failure {
        let class = match error.kind() {
            ErrorKind::TimedOut if self.received == 0 => Class::Silent,
            ErrorKind::TimedOut => Class::Stalled,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Class::Reset,
            ErrorKind::UnexpectedEof => Class::ClosedEarly,
            ErrorKind::InvalidData => return tls::failure(error),
            _ => Class::LocalLimit,
        };
        let what = match class {
            Class::Silent | Class::Stalled => "no more in time".to_owned(),
            Class::Reset => "reset".to_owned(),
            Class::ClosedEarly => "closed".to_owned(),
            _ => plain(error),
        };
        Failure::new(class, self.so_far(&what))
    }

    fn so_far(&self, what: &str) -> String {
        match (self.received, self.unread.is_empty()) {
            (0, _) => format!("{what}, not one byte before"),
            (count, true) => format!("{what} after {count} bytes"),
            (count, false) => {
                format!("{what} after {count} bytes, the last {}", quoted(&self.unread))
            }
        }
    }

    /// Says goodbye as the protocol wants and closes: the words, TLS's own farewell, the end of our side, and what
    /// the peer still sends is read, so that it does not see a reset. Never takes longer than a moment.
    pub fn leave(mut self, words: &[u8]) {
        let deadline = Deadline::after(Duration::from_millis(150));
        if let Some(tls) = &mut self.tls
            && words.is_empty()
        {
            tls.send_close_notify();
        }
        // The check has its verdict already; a peer that does not listen to the farewell changes nothing.
        let _ = self.write_all(words, deadline);
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let mut timed = Timed::new(&mut self.socket, deadline);
            let _ = tls.write_tls(&mut timed);
        }
        self.socket.finish();
        self.drain(deadline);
    }

    fn drain(&mut self, deadline: Deadline) {
        let mut space = [0; PIECE];
        let mut timed = Timed::new(&mut self.socket, deadline);
        for _ in 0..16 {
            match timed.read(&mut space) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// Many servers close without TLS's farewell; for a dialogue that knows its own length this is an end like any other.
fn unclean_end(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        ErrorKind::UnexpectedEof => Ok(0),
        _ => Err(error),
    }
}
