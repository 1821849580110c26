//! Files mapped into memory, and what happens when one becomes shorter meanwhile. The only `unsafe` of this folder.
//!
//! # The danger
//!
//! A mapping of a file that is truncated (logrotate's `copytruncate`, an editor, `> access.log`) keeps its length, but
//! the pages behind the file's new end are gone: touching one raises SIGBUS, and that kills the process. Private
//! mappings die the same way. Checking the length before every look does not help, because the file may shrink between
//! the check and the look.
//!
//! # What is done about it
//!
//! 1. Mapping is not the default; a mapping is made where the user asks for one. It is not clearly faster: counting the
//!    newlines of 500 MB took 22 to 65 ms of CPU over a mapping and 29 to 51 ms over positional reads, as the memory was
//!    idle or busy with others, where a report takes 200 ms and more. And a mapping's pages count as the process's
//!    memory: 492 MB at the peak instead of 4.
//! 2. The file's length is asked again for each piece, so that a file which shrank a while ago is cut where it ends now,
//!    as a reader would cut it.
//! 3. For the moment between that question and the last look at the piece there is a SIGBUS handler. It looks the
//!    address up among the mappings registered here. If it lies in one, the handler puts a page of zeros over the hole
//!    and marks the mapping; the look then reads zeros, the parser rejects a line of NULs, and the account says that the
//!    file shrank. If it lies in none, or the signal has another cause, the handler that was there before gets
//!    it: a genuine fault still ends the process as it would have.
//!
//! The handler is installed when the first mapping is made and stays. It allocates nothing and takes no lock: it reads
//! atomics and calls `mmap`, which is a bare system call on the systems we run on although POSIX does not list it as safe
//! in a handler.
//!
//! # What remains
//!
//! Bytes of a mapping may change under a `&[u8]` when another process writes to the file. Parsers here look at bytes and
//! compute offsets with bounds checks, so a change costs a wrong or rejected line and nothing else; formally it is
//! outside of what Rust promises, as it is for every program that maps files. That is the third reason for the default.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use libc::{c_int, c_void, siginfo_t};
use memmap2::Mmap;

use crate::input::window::Window;

/// Mappings that can be registered at a time. With more, files are read instead.
const SLOTS: usize = 64;

/// A mapping that the handler knows.
///
/// `start` is 0 for a free slot and [`CLAIMED`] while it is being written.
struct Slot {
    start: AtomicUsize,
    len: AtomicUsize,
    holed: AtomicBool,
}

/// No mapping starts here, since mappings start at page borders.
const CLAIMED: usize = 1;

static REGISTRY: [Slot; SLOTS] = [const { Slot::free() }; SLOTS];

/// What is needed to answer a signal, settled before the first mapping is made.
struct Handler {
    page: usize,
    previous: libc::sigaction,
}

static HANDLER: OnceLock<Result<Handler, i32>> = OnceLock::new();

impl Slot {
    const fn free() -> Self {
        Self { start: AtomicUsize::new(0), len: AtomicUsize::new(0), holed: AtomicBool::new(false) }
    }

    /// Writes a mapping into the first free slot.
    fn register(start: usize, len: usize) -> Option<&'static Self> {
        let slot = REGISTRY.iter().find(|slot| {
            let free = slot.start.compare_exchange(0, CLAIMED, Ordering::AcqRel, Ordering::Relaxed);
            free.is_ok()
        })?;
        slot.len.store(len, Ordering::Relaxed);
        slot.holed.store(false, Ordering::Relaxed);
        slot.start.store(start, Ordering::Release);
        Some(slot)
    }

    /// Whether the address lies in this slot's mapping. Reads the start twice, so that a slot that changes hands
    /// meanwhile never counts with the start of one mapping and the length of another.
    fn covers(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::Acquire);
        let len = self.len.load(Ordering::Acquire);
        start > CLAIMED
            && (start..start + len).contains(&address)
            && self.start.load(Ordering::Acquire) == start
    }
}

/// A whole file in memory, known to the handler.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: Mmap,
    file: Arc<File>,
    slot: &'static Slot,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("holed", &self.holed).finish_non_exhaustive()
    }
}

impl Mapping {
    /// Maps the first `len` bytes of a file; an error when it cannot be mapped and should be read.
    pub(crate) fn new(file: Arc<File>, len: usize) -> io::Result<Self> {
        install()?;
        // SAFETY: the mapping is for reading, and private to this module, which answers a shrinking file as the module's
        // documentation says. What remains (bytes that change while they are looked at) is argued there.
        let map = unsafe { memmap2::MmapOptions::new().len(len).map(&*file)? };
        let slot = Slot::register(map.as_ptr() as usize, map.len())
            .ok_or_else(|| io::Error::other("too many mappings"))?;
        Ok(Self { map, file, slot })
    }

    /// The whole mapping; bytes behind a shrunk file's end read as zeros.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// True when the file lost bytes while they were looked at.
    pub(crate) fn is_holed(&self) -> bool {
        self.slot.holed.load(Ordering::Relaxed)
    }

    /// The mapped bytes that the file still has.
    fn len_now(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len().min(self.map.len() as u64))
    }
}

impl Drop for Mapping {
    /// Leaves the registry before the memory goes: the handler must never cover foreign memory with zeros.
    fn drop(&mut self) {
        self.slot.start.store(0, Ordering::Release);
    }
}

/// A window over a mapping. Widening and sliding move two numbers.
#[derive(Debug)]
pub(crate) struct View {
    mapping: Arc<Mapping>,
    base: u64,
    len: usize,
    limit: u64,
}

impl View {
    /// A window at `base`, which ends where the file ends now.
    pub(crate) fn new(mapping: Arc<Mapping>, base: u64) -> io::Result<Self> {
        let limit = mapping.len_now()?.max(base);
        Ok(Self { mapping, base, len: 0, limit })
    }

    /// The same mapping from another place on.
    pub(crate) fn elsewhere(&self, base: u64) -> Self {
        Self { mapping: self.mapping.clone(), base, len: 0, limit: self.limit.max(base) }
    }
}

impl Window for View {
    fn base(&self) -> u64 {
        self.base
    }

    fn bytes(&self) -> &[u8] {
        let base = self.base as usize;
        self.mapping.bytes().get(base..base + self.len).unwrap_or_default()
    }

    fn reach(&mut self, len: usize) -> io::Result<bool> {
        let left = (self.limit - self.base) as usize;
        self.len = self.len.max(len.min(left));
        Ok(self.len == left)
    }

    fn slide(&mut self, len: usize) {
        self.base += len as u64;
        self.len -= len;
    }
}

/// Installs the handler, once for the life of the process.
fn install() -> io::Result<()> {
    let installed = HANDLER.get_or_init(|| {
        // SAFETY: `sysconf` has no preconditions. `sigaction` gets a zeroed structure (a valid value: plain integers
        // and a null handler) whose fields are set, and a place to write the former one. `on_sigbus` has the
        // signature that SA_SIGINFO demands. SA_ONSTACK keeps the standard library's stack guard working, whose
        // handler is called from ours.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_sigbus as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            let mut previous: libc::sigaction = mem::zeroed();
            match libc::sigaction(libc::SIGBUS, &action, &mut previous) {
                0 => Ok(Handler { page, previous }),
                _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
            }
        }
    });
    installed.as_ref().map(|_| ()).map_err(|&code| io::Error::from_raw_os_error(code))
}

/// Answers SIGBUS: a hole in one of our mappings is covered with zeros, all else is passed on.
extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(Ok(handler)) = HANDLER.get() else { return };
    // SAFETY: the system hands a valid `siginfo_t` to a handler installed with SA_SIGINFO.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let slot = (code == libc::BUS_ADRERR)
        .then(|| REGISTRY.iter().find(|slot| slot.covers(address)))
        .flatten();
    match slot {
        // SAFETY: `covers` says that the address lies in a registered mapping, which is made for reading, cannot be
        // unmapped while the thread that faulted looks at it, and starts at a page border.
        Some(slot) if unsafe { cover(address, handler.page) } => {
            slot.holed.store(true, Ordering::Relaxed);
        }
        // SAFETY: the arguments are those that the system gave for this very signal.
        _ => unsafe { pass_on(&handler.previous, signal, info, context) },
    }
}

/// Puts a page of zeros where the address lies.
///
/// # Safety
///
/// * The page that holds `address` belongs to a mapping of ours, and `page` is the system's page size.
/// * Nobody relies on that page's present content.
unsafe fn cover(address: usize, page: usize) -> bool {
    let start = (address & !(page - 1)) as *mut c_void;
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the caller grants that the page may be replaced.
    let covered = unsafe { libc::mmap(start, page, libc::PROT_READ, flags, -1, 0) };
    covered == start
}

/// Gives the signal to whoever had it before us; without one the process ends, as it would have.
///
/// # Safety
///
/// * `previous` is what `sigaction` returned for this signal.
/// * `signal`, `info` and `context` are a handler's arguments.
unsafe fn pass_on(
    previous: &libc::sigaction,
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    // SAFETY: a former handler that is neither SIG_DFL nor SIG_IGN is a function of the signature its flag tells. For
    // the others the default is restored and the signal raised again; both calls are safe in a handler.
    unsafe {
        match previous.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => {
                let mut default: libc::sigaction = mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &default, ptr::null_mut());
                libc::raise(signal);
            }
            handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                    mem::transmute(handler);
                handler(signal, info, context);
            }
            handler => {
                let handler: extern "C" fn(c_int) = mem::transmute(handler);
                handler(signal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    fn file_of(len: usize) -> (tempfile::NamedTempFile, Arc<File>) {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&path, vec![b'x'; len]).unwrap();
        let file = Arc::new(File::options().read(true).write(true).open(&path).unwrap());
        (path, file)
    }

    #[test]
    fn a_hole_reads_as_zeros_and_is_marked() {
        let (_path, file) = file_of(100_000);
        let mapping = Mapping::new(file.clone(), 100_000).unwrap();
        assert!(mapping.bytes().iter().all(|&byte| byte == b'x'));
        assert!(!mapping.is_holed());
        file.set_len(10).unwrap();
        assert_eq!(mapping.bytes()[99_999], 0);
        assert!(mapping.is_holed());
        assert!(mapping.bytes()[10..].iter().all(|&byte| byte == 0));
    }

    /// The child's part: a mapping that is not registered shrinks. Does nothing unless asked by the test below.
    #[test]
    fn touch_a_foreign_hole() {
        if std::env::var_os("LOGMILL_TEST_FOREIGN_HOLE").is_none() {
            return;
        }
        let (_path, file) = file_of(100_000);
        let _ours = Mapping::new(file.clone(), 100_000).unwrap();
        // SAFETY: that the file shrinks under the mapping is the point; the fault ends this process.
        let foreign = unsafe { Mmap::map(&*file).unwrap() };
        file.set_len(0).unwrap();
        std::process::exit(i32::from(foreign[50_000]));
    }

    #[test]
    fn a_foreign_hole_still_ends_the_process() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "input::map::tests::touch_a_foreign_hole"])
            .env("LOGMILL_TEST_FOREIGN_HOLE", "1")
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(libc::SIGBUS));
    }

    #[test]
    fn a_registry_that_is_full_refuses_and_recovers() {
        let (_path, file) = file_of(1);
        let mut mappings = Vec::new();
        while let Ok(mapping) = Mapping::new(file.clone(), 1) {
            mappings.push(mapping);
            assert!(mappings.len() <= SLOTS);
        }
        mappings.pop();
        assert!(Mapping::new(file, 1).is_ok());
    }
}
