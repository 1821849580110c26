//! A thing that bytes can come from, found and not yet opened.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::input::handle::Identity;

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, a named pipe or a device.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

/// A thing that bytes can come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where its bytes come from.
    pub origin: Origin,
    /// The name for people.
    pub name: String,
    /// Bytes on disk; `None` for pipes and devices.
    pub size: Option<u64>,
    /// When it was last written to; `None` where that is not known.
    pub modified: Option<SystemTime>,
    pub(crate) identity: Option<Identity>,
}

impl Source {
    /// Standard input.
    pub fn stdin() -> Self {
        Self {
            origin: Origin::Stdin,
            name: "standard input".to_string(),
            size: None,
            modified: None,
            identity: None,
        }
    }

    /// A path that must exist. Links are followed.
    pub fn path(path: &Path) -> Result<Self> {
        let metadata = path.metadata().map_err(|error| open_error(path, error))?;
        Ok(Self::found(path, &metadata))
    }

    pub(crate) fn found(path: &Path, metadata: &Metadata) -> Self {
        Self {
            origin: Origin::Path(path.to_path_buf()),
            name: path.display().to_string(),
            size: metadata.is_file().then_some(metadata.len()),
            modified: metadata.modified().ok(),
            identity: Some(Identity::of(metadata)),
        }
    }
}

/// The error for a path that cannot be opened, with what the user can do about it.
pub(crate) fn open_error(path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => {
            "check the name; a directory or a pattern such as 'access.log*' may be given too"
        }
        io::ErrorKind::PermissionDenied => {
            "run as a user who may read it; Debian's logs are open to the group adm"
        }
        _ => return Error::io("open", path, error),
    };
    Error::io("open", path, error).advise(advice)
}
