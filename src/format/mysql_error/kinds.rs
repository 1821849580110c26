//! What a message is about.
//!
//! Messages are told by how they begin, and where that does not do, by words in them. The texts are the server's, over
//! twenty years of versions and three makers; a code, where there is one, says no more than the text.

use memchr::memmem::Finder;

use super::head::{ERROR, WARNING};
use crate::format::envelope;
use crate::format::trouble::Class;
use crate::record::Label;

kind_table! {
    Class:
    TooManyConnections "too_many_connections" Error;
    AuthFail "auth_fail" Warn;
    HostDenied "host_denied" Warn;
    HostBlocked "host_blocked" Error;
    ResolveNoise "resolve_noise" Ok;
    AbortedConnection "aborted_connection" Warn;
    PacketError "packet_error" Warn;
    Deadlock "deadlock" Warn;
    DeadlockVictim "deadlock_victim" Warn;
    DeadlockDump "deadlock_dump" Ok;
    LockWait "lock_wait" Warn;
    SortAbort "sort_abort" Warn;
    Killed "killed" Warn;
    IoStall "io_stall" Warn;
    Semaphore "semaphore" Error;
    LockFile "lock_file" Error;
    Oom "oom" Error;
    Corruption "corruption" Error;
    Disk "disk" Error;
    Bind "bind" Error;
    StartFail "start_fail" Error;
    CrashRecovery "crash_recovery" Warn;
    Crash "crash" Error;
    Replication "replication" ByLevel;
    Galera "galera" Error;
    Plugin "plugin" ByLevel;
    Monitor "monitor" Ok;
    FdLimit "fd_limit" ByLevel;
    ConfigNoise "config_noise" Ok;
    Lifecycle "lifecycle" Ok;
    Entrypoint "entrypoint" ByLevel;
    Other "other" ByLevel;
}

/// How a message begins, and what it then is about.
type Beginning = (&'static [u8], Kind);

/// How messages begin, behind the name of the part that speaks.
const BEGINNINGS: &[Beginning] = &[
    (b"Access denied for user ", Kind::AuthFail),
    (b"Aborted connection ", Kind::AbortedConnection),
    (b"Aborting", Kind::StartFail),
    (b"A long semaphore wait", Kind::Semaphore),
    (b"Aria engine: starting recovery", Kind::CrashRecovery),
    (b"Can't start server: Bind on", Kind::Bind),
    (b"Can't start server", Kind::StartFail),
    (b"Can't lock aria control file", Kind::LockFile),
    (b"Cannot allocate memory", Kind::Oom),
    (b"CA certificate ", Kind::ConfigNoise),
    (b"Changed limits: max_open_files", Kind::FdLimit),
    (b"Check that you do not already have another", Kind::LockFile),
    (b"Connection was killed", Kind::Killed),
    (b"Could not execute ", Kind::Replication),
    (b"Could not increase number of max_open_files", Kind::FdLimit),
    (b"Could not read packet", Kind::PacketError),
    (b"Could not write packet", Kind::PacketError),
    (b"Database page corruption", Kind::Corruption),
    (b"Database was not shut", Kind::CrashRecovery),
    (b"Deadlock found", Kind::Deadlock),
    (b"Disk is full", Kind::Disk),
    (b"Do you already have another", Kind::Bind),
    (b"Error in accept: Too many open files", Kind::FdLimit),
    (b"Error writing file", Kind::Disk),
    (b"Error reading relay log", Kind::Replication),
    (b"Error reading packet from server", Kind::Replication),
    (b"Failed to initialize plugins", Kind::StartFail),
    (b"Error running query, slave SQL thread aborted", Kind::Replication),
    (b"Got a packet bigger than ", Kind::PacketError),
    (b"Got an error reading communication packets", Kind::PacketError),
    (b"Got an error writing communication packets", Kind::PacketError),
    (b"Got fatal error 1236", Kind::Replication),
    (b"Got packets out of order", Kind::PacketError),
    (b"Got timeout reading communication packets", Kind::PacketError),
    (b"Got timeout writing communication packets", Kind::PacketError),
    (b"Host name '", Kind::ResolveNoise),
    (b"Hostname '", Kind::ResolveNoise),
    (b"IP address '", Kind::ResolveNoise),
    (b"Incorrect key file for table", Kind::Corruption),
    (b"Incorrect information in file", Kind::Corruption),
    (b"Index for table ", Kind::Corruption),
    (b"Insecure configuration", Kind::ConfigNoise),
    (b"Lock wait timeout exceeded", Kind::LockWait),
    (b"Normal shutdown", Kind::Lifecycle),
    (b"Operating system error number ", Kind::Disk),
    (b"Out of memory", Kind::Oom),
    (b"Page cleaner took", Kind::IoStall),
    (b"page_cleaner: ", Kind::IoStall),
    (b"preallocating ", Kind::Disk),
    (b"Recovering after a crash using ", Kind::CrashRecovery),
    (b"Received SHUTDOWN", Kind::Lifecycle),
    (b"Received shutdown signal", Kind::Lifecycle),
    (b"Replica I/O", Kind::Replication),
    (b"Replica SQL", Kind::Replication),
    (b"Slave I/O", Kind::Replication),
    (b"Slave SQL", Kind::Replication),
    (b"Slave: ", Kind::Replication),
    (b"The replica coordinator", Kind::Replication),
    (b"The slave coordinator", Kind::Replication),
    (b"Semaphore wait has lasted", Kind::Semaphore),
    (b"Shutdown complete", Kind::Lifecycle),
    (b"Sort aborted", Kind::SortAbort),
    (b"Start binlog_dump to ", Kind::Replication),
    (b"Starting MariaDB", Kind::Lifecycle),
    (b"Starting MySQL", Kind::Lifecycle),
    (b"Starting crash recovery", Kind::CrashRecovery),
    (b"Starting XA crash recovery", Kind::CrashRecovery),
    (b"Starting shutdown", Kind::Lifecycle),
    (b"Storing MySQL user name or password", Kind::ConfigNoise),
    (b"Too many connections", Kind::TooManyConnections),
    (b"Transactions deadlock detected", Kind::Deadlock),
    (b"Transaction was aborted due to Deadlock", Kind::DeadlockVictim),
    (b"transactions deadlock detected", Kind::Deadlock),
    (b"Unable to lock ", Kind::LockFile),
    (b"Unsafe statement written to the binary log", Kind::Replication),
    (b"unknown option '", Kind::StartFail),
    (b"unknown variable '", Kind::StartFail),
    (b"WARNING: a long semaphore wait", Kind::Semaphore),
    (b"Warning: a long semaphore wait", Kind::Semaphore),
    (b"*** (", Kind::DeadlockDump),
    (b"*** WAITING FOR THIS LOCK", Kind::DeadlockDump),
    (b"*** CONFLICTING WITH", Kind::DeadlockDump),
    (b"*** WE ROLL BACK", Kind::DeadlockDump),
    (b"INNODB MONITOR OUTPUT", Kind::Monitor),
    (b"Can't find symbol ", Kind::Plugin),
    (b"Can't open shared library", Kind::Plugin),
    (b"Couldn't load plugin", Kind::Plugin),
    (b"server_audit: ", Kind::Plugin),
    (b"[Entrypoint]", Kind::Entrypoint),
    (b"'CHANGE MASTER TO executed'", Kind::Replication),
];

/// Words that tell a message wherever they stand. Of several the first holds.
const WITHIN: &[(&str, Kind)] = &[
    (" got signal ", Kind::Crash),
    (" got exception ", Kind::Crash),
    ("Assertion failure", Kind::Crash),
    ("is blocked because of many connection errors", Kind::HostBlocked),
    ("is not allowed to connect to this ", Kind::HostDenied),
    ("Too many connections", Kind::TooManyConnections),
    ("ready for connections", Kind::Lifecycle),
    ("starting as process", Kind::Lifecycle),
    ("Shutdown complete", Kind::Lifecycle),
    ("Normal shutdown", Kind::Lifecycle),
    ("Shutting down", Kind::Lifecycle),
    ("mysqld_safe Starting", Kind::Lifecycle),
    ("from pid file", Kind::Lifecycle),
    ("registration as a STORAGE ENGINE failed", Kind::StartFail),
    ("init function returned error", Kind::StartFail),
    ("marked as crashed", Kind::Corruption),
    ("is corrupt", Kind::Corruption),
    ("corrupted page", Kind::Corruption),
    ("Got error 126", Kind::Corruption),
    ("No space left on device", Kind::Disk),
    ("Out of disk space", Kind::Disk),
    ("in a file operation", Kind::Disk),
    ("Address already in use", Kind::Bind),
    ("exclusive lock; file is probably in use", Kind::LockFile),
    ("Out of memory", Kind::Oom),
    ("Cannot allocate", Kind::Oom),
    ("Deadlock found", Kind::Deadlock),
    ("Lock wait timeout exceeded", Kind::LockWait),
    ("non-Primary", Kind::Galera),
    ("SST failed", Kind::Galera),
    ("nconsistency ", Kind::Galera),
    ("was killed", Kind::Killed),
    ("was not shut down properly", Kind::CrashRecovery),
    ("was not shutdown normally", Kind::CrashRecovery),
    ("crash recovery", Kind::CrashRecovery),
    (" is deprecated", Kind::ConfigNoise),
    ("self signed", Kind::ConfigNoise),
    ("self-signed", Kind::ConfigNoise),
    ("error connecting to ", Kind::Replication),
    ("error reconnecting to ", Kind::Replication),
    ("relay log", Kind::Replication),
];

/// Tells kinds; one for each parser.
#[derive(Debug)]
pub(super) struct Kinds {
    labels: Labels,
    within: Vec<(Finder<'static>, Kind)>,
    /// [`BEGINNINGS`] by their first byte, in their order.
    by_first: Box<[Vec<Beginning>]>,
    crowded: Finder<'static>,
}

/// As much of a message as is searched for words; a long one is a statement or a dump.
const SEARCHED: usize = 1024;

impl Kinds {
    pub(super) fn new() -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for (text, kind) in BEGINNINGS {
            by_first[usize::from(text[0])].push((*text, *kind));
        }
        Self {
            labels: Labels::new(),
            within: WITHIN.iter().map(|(text, kind)| (Finder::new(*text), *kind)).collect(),
            by_first: by_first.into(),
            crowded: Finder::new("(Too many connections)"),
        }
    }

    /// The label of a kind.
    pub(super) fn label(&self, kind: Kind) -> Label {
        self.labels.of(kind)
    }

    /// What a message is about.
    #[inline]
    pub(super) fn of(&self, message: &[u8]) -> Kind {
        let said = without_speaker(message);
        if said.first() == Some(&b'\n') && is_dump(said) {
            return Kind::DeadlockDump;
        }
        let first = usize::from(*said.first().unwrap_or(&0));
        for (text, kind) in &self.by_first[first] {
            if said.starts_with(text) {
                let is_crowd =
                    *kind == Kind::AbortedConnection && self.crowded.find(said).is_some();
                return if is_crowd { Kind::TooManyConnections } else { *kind };
            }
        }
        self.by_words(message)
    }

    fn by_words(&self, message: &[u8]) -> Kind {
        let searched = &message[..message.len().min(SEARCHED)];
        let found = self.within.iter().find(|(words, _)| words.find(searched).is_some());
        match found {
            Some((_, kind)) => *kind,
            None if searched.starts_with(b"Plugin ") => Kind::ConfigNoise,
            None => Kind::Other,
        }
    }
}

/// `InnoDB: …`, `mysqld: …`, `mariadbd: …`, `WSREP: …` without the name.
fn without_speaker(message: &[u8]) -> &[u8] {
    let names = [&b"InnoDB: "[..], b"mysqld: ", b"mariadbd: ", b"WSREP: "];
    let name = names.iter().find_map(|name| message.strip_prefix(*name));
    name.unwrap_or(message)
}

/// True for a message with nothing in its first line and a transaction of a dump in its second, which may have an envelope.
fn is_dump(said: &[u8]) -> bool {
    let second = said[1..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    second.starts_with(b"*** (") || envelope::peel(second).message.starts_with(b"*** (")
}

/// The class of a message. Without a level the words say how bad it is.
pub(super) fn class(kind: Kind, level: Option<u8>, message: &[u8]) -> Label {
    CLASSES[kind as usize].label(|| match level {
        Some(ERROR) => Label::ERROR,
        Some(WARNING) => Label::WARN,
        Some(_) => Label::OK,
        None if message.starts_with(b"InnoDB: Error") => Label::ERROR,
        None if message.starts_with(b"InnoDB: Warning") => Label::WARN,
        None => Label::OK,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_matter() {
        let kinds = Kinds::new();
        for (message, expected) in [
            ("Too many connections", "too_many_connections"),
            (
                "Aborted connection 0 to db: 'unconnected' user: 'unauthenticated' host: 'connecting host' (Too many connections)",
                "too_many_connections",
            ),
            ("Access denied for user 'a'@'b' (using password: YES)", "auth_fail"),
            ("Host '192.0.2.1' is not allowed to connect to this MariaDB server", "host_denied"),
            (
                "Host 'app1' is blocked because of many connection errors; unblock with 'mysqladmin flush-hosts'",
                "host_blocked",
            ),
            ("Hostname 'x' does not resolve to '192.0.2.1'.", "resolve_noise"),
            (
                "Aborted connection 9 to db: 'shop' user: 'app' host: 'h' (Got packets out of order)",
                "aborted_connection",
            ),
            (
                "InnoDB: page_cleaner: 1000ms intended loop took 4711ms. The settings might not be optimal.",
                "io_stall",
            ),
            (
                "InnoDB: Semaphore wait has lasted > 600 seconds. We intentionally crash the server",
                "semaphore",
            ),
            ("InnoDB: Unable to lock ./ibdata1 error: 11", "lock_file"),
            ("InnoDB: Cannot allocate memory for the buffer pool", "oom"),
            ("mysqld: Out of memory (Needed 128 bytes)", "oom"),
            ("mysqld: Table './d/t' is marked as crashed and should be repaired", "corruption"),
            ("InnoDB: Database page corruption on disk or a failed file read", "corruption"),
            (
                "mysqld: Disk is full writing '/tmp/x' (Errcode: 28 - No space left on device)",
                "disk",
            ),
            ("Can't start server: Bind on TCP/IP port: Address already in use", "bind"),
            ("InnoDB: Database was not shutdown normally!", "crash_recovery"),
            ("mysqld got signal 11 ;", "crash"),
            ("mysqld got exception 0xc0000005 ;", "crash"),
            ("Slave I/O: error connecting to master 'r@h:3306' - retry-time: 60", "replication"),
            (
                "Replica SQL for channel '': Could not execute Write_rows event on table shop.t",
                "replication",
            ),
            ("WSREP: New cluster view: global state: a:1, view# 2: non-Primary", "galera"),
            ("Plugin 'FEEDBACK' is disabled.", "config_noise"),
            ("Plugin 'InnoDB' registration as a STORAGE ENGINE failed.", "start_fail"),
            ("/usr/sbin/mysqld: ready for connections. Version: '8.0.36'", "lifecycle"),
            ("mysqld: Shutdown complete", "lifecycle"),
            ("Changed limits: max_open_files: 1024", "fd_limit"),
            ("Error in accept: Too many open files", "fd_limit"),
            ("Sort aborted: Query execution was interrupted", "sort_abort"),
            ("mariadbd: Got an error writing communication packets", "packet_error"),
            ("Could not write packet: fd: 60  state: 1  errno: 104", "packet_error"),
            ("InnoDB: \n*** (2) TRANSACTION:\n\nTRANSACTION 42, ACTIVE 0 sec", "deadlock_dump"),
            (
                "InnoDB: \n2024-03-07T08:15:02.418123456Z stderr F *** (2) TRANSACTION:\n",
                "deadlock_dump",
            ),
            ("mariadbd: Got a packet bigger than 'max_allowed_packet' bytes", "packet_error"),
            ("InnoDB: preallocating 4194304 bytes for file ./s/t.ibd failed with error 28", "disk"),
            ("[FATAL] InnoDB: Error (Out of disk space) in rollback.", "disk"),
            ("Recovering after a crash using /var/lib/mysql/bin", "crash_recovery"),
            (
                "Error running query, slave SQL thread aborted. Fix the problem, and restart",
                "replication",
            ),
            ("Unsafe statement written to the binary log using statement format", "replication"),
            ("'CHANGE MASTER TO executed'. Previous state master_host=''", "replication"),
            ("InnoDB: Completed initialization of buffer pool", "other"),
            ("", "other"),
        ] {
            assert_eq!(kinds.label(kinds.of(message.as_bytes())).word(), expected, "{message}");
        }
    }
}
