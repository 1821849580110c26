//! Redirects: taken as they are, followed to their end, or not wanted.

use std::collections::HashSet;
use std::str::FromStr;

use super::client::Head;
use super::url::Url;
use super::{Http, Page};
use crate::document::{Cell, Column, Level, Role, Section, Table};
use crate::probe::class::Class;
use crate::probe::escape::escaped;
use crate::probe::trace::{Halt, Trace};

/// More than any browser follows in good faith.
const MOST: usize = 10;

/// What a redirect means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// An answer like any other.
    Ok,
    /// Only the page at the end counts.
    Follow,
    /// A warning.
    Warn,
    /// Critical.
    Stop,
}

impl FromStr for Policy {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "ok" => Ok(Self::Ok),
            "follow" => Ok(Self::Follow),
            "warn" => Ok(Self::Warn),
            "stop" => Ok(Self::Stop),
            _ => Err(()),
        }
    }
}

fn location(head: &Head) -> Option<String> {
    let redirects = matches!(head.status, 301 | 302 | 303 | 307 | 308);
    redirects.then(|| head.header("location")).flatten()
}

/// A redirect that is not followed.
pub(super) fn judge(trace: &mut Trace<'_>, policy: Policy, head: &Head) {
    let Some(location) = location(head) else { return };
    let came = format!("{} to {}", head.line(), escaped(location.as_bytes(), 200));
    let level = match policy {
        Policy::Ok | Policy::Follow => return,
        Policy::Warn => Level::Warning,
        Policy::Stop => Level::Critical,
    };
    trace.fault_at(Class::RedirectFound, level, "a page, no redirect", came);
}

/// Goes on until a page answers. Loops, too many hops and the step back from https to http are faults of their own.
pub(super) fn follow(
    http: &Http,
    trace: &mut Trace<'_>,
    start: &Url,
    first: Page,
) -> Result<(Page, Url), Halt> {
    let (mut url, mut page) = (start.clone(), first);
    let mut seen = HashSet::from([url.clone()]);
    let mut hops = Vec::new();
    while let Some(location) = location(&page.head) {
        hops.push(vec![
            Cell::text(url.to_string()),
            Cell::Number(i64::from(page.head.status)),
            Cell::text(&location),
        ]);
        let next = hop(trace, &url, &location, &mut seen, hops.len());
        let next = next.inspect_err(|_| show(trace, &mut hops))?;
        let run = trace.run();
        page = trace
            .step("redirect", format!("GET {next}"), |deadline| http.fetch(run, &next, deadline))?;
        trace.came(page.head.line());
        url = next;
    }
    trace.measure("redirects", hops.len() as f64, "");
    trace.fact("redirects", Cell::Count(hops.len() as u64));
    if !hops.is_empty() {
        trace.fact("final_status", Cell::Number(i64::from(page.head.status)));
        trace.summary(format!("{} at {url} after {} redirects", page.head.line(), hops.len()));
        show(trace, &mut hops);
    }
    Ok((page, url))
}

fn hop(
    trace: &mut Trace<'_>,
    from: &Url,
    location: &str,
    seen: &mut HashSet<Url>,
    hops: usize,
) -> Result<Url, Halt> {
    let asked = format!("a page behind {from}");
    let Some(next) = from.join(location) else {
        let came = format!("a redirect to {}", escaped(location.as_bytes(), 200));
        return Err(trace.halt(Class::Malformed, asked, came));
    };
    if from.secure && !next.secure {
        trace.fault(Class::RedirectDowngrade, asked.clone(), format!("a redirect to {next}"));
    }
    if !seen.insert(next.clone()) {
        return Err(trace.halt(Class::RedirectLoop, asked, format!("back to {next}")));
    }
    if hops > MOST {
        return Err(trace.halt(Class::RedirectTooMany, asked, format!("{hops} redirects")));
    }
    Ok(next)
}

fn show(trace: &mut Trace<'_>, hops: &mut Vec<Vec<Cell>>) {
    let columns = vec![
        Column::new("address", Role::Key),
        Column::new("status", Role::Value),
        Column::new("location", Role::Detail),
    ];
    let rows = std::mem::take(hops);
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    trace.section(Section::table("redirects", "Redirects", table));
}
