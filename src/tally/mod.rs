//! Counters that merge. They know nothing of logs, files or output.
