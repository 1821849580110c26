//! File systems: how full, how many names are left, and whether they can be written.

use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

use crate::document::{Cell, Column, Level, Role, Section, Table};
use crate::probe::class::Class;
use crate::probe::net::Failure;
use crate::probe::trace::{Halt, Trace};

/// Per cent in use from which a file system is nearly full: a warning, and critical.
const NEAR: (f64, f64) = (85.0, 95.0);

/// Looks at the file system that holds a path.
pub(super) fn check(trace: &mut Trace<'_>, path: &Path) -> std::result::Result<(), Halt> {
    let shown = path.display();
    let asked = format!("the file system of {shown}");
    let found = trace.step("filesystem", asked, |_| {
        statvfs(path).map_err(|error| {
            let class = match error {
                rustix::io::Errno::ACCESS => Class::NotPermitted,
                _ => Class::BadTarget,
            };
            Failure::new(class, std::io::Error::from(error).to_string())
        })
    })?;
    trace.fact("size", Cell::Bytes(found.f_blocks.saturating_mul(found.f_frsize)));
    trace.fact("free", Cell::Bytes(found.f_bavail.saturating_mul(found.f_frsize)));
    let space = Use::of(&found).space;
    trace.summary(format!("{shown}: {:.0} % in use", space.unwrap_or_default()));
    measure(trace, &[Use::of(&found)]);
    judge(trace, &shown.to_string(), &found);
    Ok(())
}

/// Per cent of a file system in use, where it counts.
#[derive(Debug, Clone, Copy)]
struct Use {
    space: Option<f64>,
    names: Option<f64>,
}

impl Use {
    fn of(found: &StatVfs) -> Self {
        Self {
            space: percent(found.f_blocks, found.f_bfree, found.f_bavail),
            names: percent(found.f_files, found.f_ffree, found.f_favail),
        }
    }
}

/// Measures the fullest of several.
fn measure(trace: &mut Trace<'_>, all: &[Use]) {
    let fullest = |of: fn(&Use) -> Option<f64>| all.iter().filter_map(of).max_by(f64::total_cmp);
    for (name, value) in [("space", fullest(|one| one.space)), ("names", fullest(|one| one.names))]
    {
        if let Some(value) = value {
            trace.measure(name, value, "%");
        }
    }
}

/// What is wrong with one file system.
fn judge(trace: &mut Trace<'_>, path: &str, found: &StatVfs) {
    let Use { space, names } = Use::of(found);
    for (what, class, percent) in
        [("space", Class::DiskFull, space), ("names", Class::InodesFull, names)]
    {
        let Some(percent) = percent.filter(|percent| *percent >= NEAR.0) else { continue };
        let level = if percent >= NEAR.1 { Level::Critical } else { Level::Warning };
        let asked = format!("{path} under {} %", NEAR.0);
        trace.fault_at(class, level, asked, format!("{percent:.1} % of its {what} in use"));
        trace.next(&format!("df -h {path}; df -i {path}; du -xhd1 {path} | sort -h | tail"));
    }
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        trace.fault(Class::ReadOnlyFilesystem, format!("{path} to be writable"), "read-only");
        trace.next(&format!("findmnt -T {path}; dmesg | tail"));
    }
}

/// What is used of what users may use, as `df` counts; nothing for a file system that counts nothing.
fn percent(all: u64, free: u64, available: u64) -> Option<f64> {
    let used = all.checked_sub(free)?;
    let whole = used.saturating_add(available);
    (whole > 0).then(|| used as f64 * 100.0 / whole as f64)
}

/// The file systems that a machine's services write to, each once, as a table.
pub(super) fn overview(trace: &mut Trace<'_>) {
    let (mut seen, mut used, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for path in ["/", "/var", "/var/log", "/var/lib", "/var/spool", "/tmp"] {
        let Ok(found) = statvfs(path) else { continue };
        if seen.contains(&found.f_fsid) {
            continue;
        }
        seen.push(found.f_fsid);
        used.push(Use::of(&found));
        rows.push(row(path, &found));
        judge(trace, path, &found);
    }
    measure(trace, &used);
    let columns = [
        ("path", Role::Key),
        ("size", Role::Value),
        ("free", Role::Value),
        ("space", Role::Main),
        ("names", Role::Value),
    ];
    let columns = columns.into_iter().map(|(name, role)| Column::new(name, role)).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    trace.section(Section::table("filesystems", "File systems", table));
}

fn row(path: &str, found: &StatVfs) -> Vec<Cell> {
    let Use { space, names } = Use::of(found);
    let share =
        |percent: Option<f64>| percent.map_or(Cell::Empty, |percent| Cell::Share(percent / 100.0));
    vec![
        Cell::text(path),
        Cell::Bytes(found.f_blocks.saturating_mul(found.f_frsize)),
        Cell::Bytes(found.f_bavail.saturating_mul(found.f_frsize)),
        share(space),
        share(names),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_df_does() {
        assert_eq!(percent(100, 50, 40), Some(50.0 * 100.0 / 90.0));
        assert_eq!(percent(100, 0, 0), Some(100.0));
        assert_eq!((percent(0, 0, 0), percent(1, 2, 3)), (None, None));
    }
}
