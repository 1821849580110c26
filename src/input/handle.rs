//! Open files, without running out of descriptors.
//!
//! A file stays open from the moment it is found until it was read, so that a rotation in between loses nothing. Only
//! the first few hundred do: a run over thousands of archives would meet the system's limit (often 1024, or less). The others
//! are closed and opened again when their turn comes, and it is said if the name means another file by then.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use crate::error::{Error, Result};

/// Files kept open at a time, over all feeds of the process, and of the descriptors that the process may have at most a
/// quarter: the rest is for those being read, and for whatever else has some open.
static MOST_OPEN: LazyLock<usize> = LazyLock::new(|| {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    most.map_or(256, |most| 256.min(most as usize / 4))
});

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// What makes two names the same file: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Reads the identity off a file's metadata.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A regular file that is open, or can be opened again.
#[derive(Debug)]
pub(crate) struct Handle {
    path: PathBuf,
    identity: Identity,
    kept: Option<Kept>,
}

/// An open file that is counted.
#[derive(Debug)]
struct Kept(Arc<File>);

impl Drop for Kept {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handle {
    /// Keeps an open file if there is room, and its name otherwise.
    pub(crate) fn new(path: &Path, identity: Identity, file: File) -> Self {
        Self::with_room(path, identity, file, *MOST_OPEN)
    }

    fn with_room(path: &Path, identity: Identity, file: File, most: usize) -> Self {
        let room = OPEN.fetch_add(1, Ordering::Relaxed) < most;
        // A `Kept` that is dropped at once takes the count back.
        let kept = Some(Kept(Arc::new(file))).filter(|_| room);
        Self { path: path.to_path_buf(), identity, kept }
    }

    /// The name of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, opened again if it had to be closed.
    pub(crate) fn file(&self) -> Result<Arc<File>> {
        if let Some(kept) = &self.kept {
            return Ok(kept.0.clone());
        }
        let failed = |error: io::Error| Error::io("open", &self.path, error);
        let file = File::open(&self.path).map_err(failed)?;
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        if identity != self.identity {
            return Err(Error::input("was replaced by another file since it was found")
                .at(&self.path)
                .advise("the log was rotated meanwhile; run again"));
        }
        Ok(Arc::new(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_file_is_found_again_and_a_replaced_one_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\n").unwrap();
        let file = File::open(&path).unwrap();
        let identity = Identity::of(&file.metadata().unwrap());
        let handle = Handle::with_room(&path, identity, file, 0);
        assert!(handle.kept.is_none());
        assert!(handle.file().is_ok());

        let other = folder.path().join("b.log");
        std::fs::write(&other, "two\n").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(handle.file().unwrap_err().to_string().contains("replaced"));
    }
}
