//! Who may know whom: the table of the architecture, held against the `use crate::…` lines of each module.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate with the others that it may import. What is absent is absent on purpose.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Knows nothing of ours.
    ("error", &[]),
    ("document", &[]),
    ("scan", &[]),
    ("escape", &[]),
    ("units", &["error"]),
    // What a record is, and counters that know nothing of logs.
    ("record", &["error", "escape"]),
    ("names", &["error", "record"]),
    ("ledger", &[]),
    ("tally", &["record"]),
    // The four that meet only in the engine.
    ("input", &["error", "escape"]),
    ("format", &["error", "escape", "record", "scan", "ledger", "input"]),
    ("filter", &["error", "record", "names", "units"]),
    ("report", &["error", "record", "tally", "document", "format", "names", "units"]),
    ("engine", &["error", "input", "format", "filter", "report", "record", "ledger", "document"]),
    // Questions and answers.
    (
        "plan",
        &[
            "error", "answer", "engine", "input", "format", "filter", "ledger", "report", "record",
            "records", "document", "units",
        ],
    ),
    (
        "answer",
        &["error", "document", "engine", "format", "input", "ledger", "plan", "record", "units"],
    ),
    (
        "state",
        &[
            "error", "answer", "document", "engine", "filter", "format", "plan", "record",
            "report", "tally",
        ],
    ),
    ("records", &["error", "document", "names", "record", "render"]),
    // Looks, logs made to order, and the live services.
    ("render", &["error", "document", "units"]),
    ("generate", &["error"]),
    ("probe", &["error", "document", "render", "units"]),
];

fn sources(at: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a file imports or names by their path.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    for part in code.flat_map(|line| line.split("crate::").skip(1)) {
        match part.strip_prefix('{') {
            Some(list) => found.extend(list.split([',', '}']).filter_map(first_word)),
            None => found.extend(first_word(part)),
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn nothing_points_upward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        let mut files = Vec::new();
        let (file, folder) = (root.join(format!("{module}.rs")), root.join(module));
        if folder.is_dir() {
            sources(&folder, &mut files);
        } else {
            files.push(file);
        }
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Tests may look around: what they prove is often how parts fit together.
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for import in imports(code) {
                let known = MAY_IMPORT.iter().any(|(name, _)| *name == import) || import == "cli";
                if known && import != *module && !allowed.contains(&import.as_str()) {
                    let file = file.strip_prefix(&root).unwrap().display().to_string();
                    wrong.push(format!("{file} imports crate::{import}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "not in the table of tests/layers.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_stands_in_the_table() {
    let front =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let modules = front.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules.filter(|module| *module != "cli" && *module != "diagnose") {
        assert!(
            MAY_IMPORT.iter().any(|(name, _)| *name == module),
            "'{module}' is not in the table"
        );
    }
}
