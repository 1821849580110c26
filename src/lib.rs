//! Answers from the logs of Nginx, Apache, Postfix, HAProxy, BIND and MySQL, every line accounted for.
//!
//! Everything that the program does can be called from here. A [`Request`](plan::Request) is what is asked, a
//! [`Plan`](plan::Plan) what will be done, an [`Answer`](answer::Answer) what was counted, and a
//! [`Document`](document::Document) what a reader sees:
//!
//! ```
//! use logmill::document::Cell;
//! use logmill::plan::{Plan, Question, Request};
//!
//! # fn main() -> logmill::Result<()> {
//! let mut request = Request::new(Question::Report, ["fixtures/nginx/combined.log"]);
//! request.asked.filters = vec!["status>=400".into()];
//! let answer = Plan::new(request)?.run(&|_read, _whole| {})?;
//! assert!(answer.is_whole() && answer.account().balances());
//!
//! let document = answer.document();
//! let totals = document.section("totals").expect("a report begins with its totals");
//! assert_eq!(totals.fact("records"), Some(&Cell::Count(70)));
//! # Ok(())
//! # }
//! ```
//!
//! A table is read by the names of its columns:
//!
//! ```
//! use logmill::document::Cell;
//! use logmill::plan::{Plan, Question, Request};
//!
//! # fn main() -> logmill::Result<()> {
//! let question = Question::Top { keys: "client".into(), by: None };
//! let request = Request::new(question, ["fixtures/nginx/rotated/access.log.2.gz"]);
//! let document = Plan::new(request)?.run(&|_, _| {})?.document();
//! let table = document.section("top").and_then(|top| top.as_table()).expect("top is a table");
//! let (client, records) = (table.column("client").unwrap(), table.column("records").unwrap());
//! assert_eq!(table.rows[0][client], Cell::text("203.0.113.24"));
//! assert_eq!(table.rows[0][records], Cell::Count(8));
//! # Ok(())
//! # }
//! ```
//!
//! [`Plan::new`](plan::Plan::new) goes on without an input that it cannot read: ask
//! [`problems`](plan::Plan::problems), or [`is_whole`](answer::Answer::is_whole) in the end. [`records`] shows how
//! records are handed out themselves, [`state`] how answers are kept and joined, and [`render`] how they become text,
//! JSON or a page.
//!
//! The way of the data, folder by folder, is told in `ARCHITECTURE.md`.

pub mod answer;
pub mod cli;
pub mod document;
pub mod engine;
pub mod error;
mod escape;
pub mod filter;
pub mod format;
pub mod generate;
pub mod input;
pub mod ledger;
pub mod names;
pub mod plan;
#[cfg(feature = "probe")]
pub mod probe;
pub mod record;
pub mod records;
pub mod render;
pub mod report;
pub mod scan;
pub mod state;
pub mod tally;
pub mod units;

/// The crate whose type stands in what is public here: the zone of a [`Request`](plan::Request) and of a
/// [`Look`](render::Look).
pub use chrono_tz;

pub use error::{Error, Result};
