//! The slow query log, as MySQL 8.0 and as MariaDB write it: records of several lines, or rows of a table.
//!
//! ```text
//! # Time: 2024-03-07T08:15:02.418123Z
//! # User@Host: app[app] @ web1.shop.example [10.20.1.11]  Id: 90210
//! # Query_time: 1.234567  Lock_time: 0.000004 Rows_sent: 20  Rows_examined: 120345
//! SET timestamp=1709799301;
//! SELECT * FROM orders WHERE customer_id = 4711;
//! ```
//!
//! As a table: the file of MariaDB's CSV engine, in which a stamp is when the statement began.
//!
//! ```text
//! "2026-01-05 00:00:02.418123","app[app] @ web1.shop.example [10.20.1.11]","00:00:01.234567","00:00:00.000004",20,120345,"shop",0,0,1,"SELECT …",90210,0
//! ```
//!
//! The statements come from [`STATEMENTS`], filled with numbers, names and one of many tables, so that there are some
//! two thousand shapes of them. See <https://dev.mysql.com/doc/refman/8.0/en/slow-query-log.html>
//! and <https://mariadb.com/docs/server/server-management/server-monitoring-logs/slow-query-log>.

use std::io::Write;

use super::clock::{Moment, SECOND};
use super::dice::{Curve, Dice, Weighted};
use super::ink::{self, Stamps, number};
use super::run::{Chunk, Fault, Source};
use super::{Format, Spec};

pub(super) const MYSQL_SLOW: Format = Format {
    name: "mysql-slow",
    about: "slow query log of MySQL 8.0",
    rate: 2.0,
    lift: 10.0,
    make: |spec| Box::new(Queries::new(spec, Spelling::Mysql)),
};

pub(super) const MARIADB_SLOW: Format = Format {
    name: "mariadb-slow",
    about: "slow query log of MariaDB, with the query plan",
    rate: 2.0,
    lift: 10.0,
    make: |spec| Box::new(Queries::new(spec, Spelling::Mariadb)),
};

pub(super) const MYSQL_SLOW_TABLE: Format = Format {
    name: "mysql-slow-table",
    about: "slow query log of MariaDB as a table, the file of the CSV engine",
    rate: 2.0,
    lift: 10.0,
    make: |spec| Box::new(Queries::new(spec, Spelling::Table)),
};

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Mysql,
    Mariadb,
    Table,
}

struct Queries {
    spelling: Spelling,
    seed: u64,
    start: i64,
    shapes: Weighted,
    tables: u32,
    table_weights: Weighted,
    times: Curve,
    rows: Curve,
}

/// Of the records in a burst, how many in 10,000 wait for the lock.
const STRICKEN: u32 = 8000;

/// A statement: `%n` stands for a number, `%s` for a word, `%t` for the number of a table.
struct Statement {
    weight: f64,
    database: &'static str,
    /// The usual number of rows examined and sent.
    examined: u64,
    sent: u64,
    /// No index helps.
    scans: bool,
    text: &'static str,
}

const fn statement(
    weight: f64,
    database: &'static str,
    (examined, sent): (u64, u64),
    text: &'static str,
) -> Statement {
    Statement { weight, database, examined, sent, scans: examined > 100_000, text }
}

static STATEMENTS: [Statement; 20] = [
    statement(
        20.0,
        "shop",
        (1_200, 20),
        "SELECT * FROM orders_%t WHERE customer_id = %n ORDER BY created_at DESC LIMIT 20",
    ),
    statement(
        12.0,
        "shop",
        (450_000, 50),
        "SELECT p.id, p.name, p.price FROM products_%t p JOIN stock s ON s.product_id = p.id WHERE p.name LIKE '%%s%' AND s.quantity > %n LIMIT 50",
    ),
    statement(
        10.0,
        "shop",
        (1, 0),
        "UPDATE stock_%t SET quantity = quantity - 1 WHERE product_id = %n",
    ),
    statement(
        8.0,
        "shop",
        (0, 0),
        "INSERT INTO events_%t (session, kind, payload, created_at) VALUES ('%s', 'view', '{\"item\": %n}', NOW()), ('%s', 'click', '{\"item\": %n}', NOW())",
    ),
    statement(
        8.0,
        "stats",
        (2_400_000, 24),
        "SELECT HOUR(created_at) AS h, COUNT(*) FROM events_%t WHERE created_at >= '2026-01-05' GROUP BY h",
    ),
    statement(
        7.0,
        "shop",
        (300, 12),
        "SELECT id, total FROM orders_%t WHERE id IN (%n, %n, %n, %n, %n)",
    ),
    statement(6.0, "shop", (80_000, 1), "SELECT COUNT(*) FROM sessions_%t WHERE expires_at < %n"),
    statement(5.0, "shop", (5_000, 0), "DELETE FROM sessions_%t WHERE expires_at < %n LIMIT 5000"),
    statement(
        4.0,
        "blog",
        (9_000, 10),
        "SELECT SQL_CALC_FOUND_ROWS wp_posts.ID FROM wp_posts_%t AS wp_posts WHERE 1=1 AND wp_posts.post_status = 'publish' ORDER BY wp_posts.post_date DESC LIMIT 0, 10",
    ),
    statement(
        3.0,
        "blog",
        (600, 600),
        "SELECT option_name, option_value FROM wp_options_%t WHERE autoload = 'yes'",
    ),
    statement(
        3.0,
        "shop",
        (700_000, 700_000),
        "SELECT /*!40001 SQL_NO_CACHE */ * FROM `orders_%t`",
    ),
    statement(
        3.0,
        "shop",
        (20_000, 100),
        "SELECT c.id,\n       c.name,\n       SUM(o.total) AS spent\nFROM customers_%t c\nJOIN orders o ON o.customer_id = c.id\n-- the last quarter only\nWHERE o.created_at > '2025-10-01'\nGROUP BY c.id, c.name\nHAVING spent > %n",
    ),
    statement(
        2.0,
        "shop",
        (40, 1),
        "SELECT * FROM users_%t WHERE email = '%s@it''s.example' # from the login form",
    ),
    statement(
        2.0,
        "shop",
        (0, 0),
        "# Query from cron: nightly\nREPLACE INTO totals_%t SELECT customer_id, SUM(total) FROM orders GROUP BY customer_id",
    ),
    statement(
        2.0,
        "stats",
        (150_000, 0),
        "CREATE TEMPORARY TABLE tmp_%t AS SELECT path, COUNT(*) AS hits FROM hits WHERE day = '2026-01-0%t' GROUP BY path",
    ),
    statement(1.0, "shop", (0, 0), "COMMIT"),
    statement(1.0, "shop", (12, 1), "CALL settle_order_%t(%n, '%s')"),
    statement(
        1.0,
        "shop",
        (90_000, 0),
        "ALTER TABLE events_%t ADD INDEX by_kind (kind, created_at)",
    ),
    statement(0.6, "shop", (0, 0), "# administrator command: Quit"),
    statement(0.4, "shop", (0, 0), "# administrator command: Ping"),
];

/// The account, its host and its address; as `User@Host` prints them.
const ACCOUNTS: [(f64, &str); 7] = [
    (40.0, "app[app] @ web1.shop.example [10.20.1.11]"),
    (35.0, "app[app] @  [10.20.1.12]"),
    (10.0, "api[api] @  [10.20.2.11]"),
    (6.0, "report[report] @ localhost []"),
    (4.0, "blog[blog] @  [2001:db8:20::31]"),
    (3.0, "backup[backup] @ localhost [127.0.0.1]"),
    (2.0, "root[root] @ localhost []"),
];

/// An entry about to be written.
struct Entry {
    time: i64,
    statement: &'static Statement,
    table: u32,
    account: &'static str,
    connection: u64,
    /// Microseconds.
    took: u64,
    locked: u64,
    sent: u64,
    examined: u64,
}

impl Queries {
    fn new(spec: &Spec, spelling: Spelling) -> Self {
        let weights: Vec<f64> = STATEMENTS.iter().map(|statement| statement.weight).collect();
        let tables = (spec.paths / 500).max(1);
        Self {
            spelling,
            seed: spec.seed,
            start: spec.start,
            shapes: Weighted::new(&weights),
            tables,
            table_weights: Weighted::zipf(tables, 1.0),
            times: Curve::log_normal(1.2),
            rows: Curve::log_normal(0.8),
        }
    }

    fn draw(&self, moment: Moment, accounts: &Weighted, dice: &mut Dice) -> (Entry, Option<usize>) {
        let victim = moment.burst.filter(|_| dice.chance(STRICKEN));
        let statement =
            if victim.is_some() { &LOCKED } else { &STATEMENTS[self.shapes.at(dice.bits())] };
        let free = self.table_weights.at(dice.bits()) as u32;
        // A lock wait ends when its lock is free or `innodb_lock_wait_timeout` has passed.
        let waited = u64::from(dice.between(2_000_000, 50_000_000));
        let took = 100_000 + self.times.scale(350_000, dice.bits());
        let entry = Entry {
            time: moment.time,
            statement,
            table: victim.map_or(free, |burst| self.locked_table(burst)),
            account: ACCOUNTS[accounts.at(dice.bits())].1,
            connection: 90
                + (moment.time - self.start).unsigned_abs() / 2_000_000
                + u64::from(dice.below(60)),
            took: if victim.is_some() { waited } else { took },
            // MariaDB does not count the wait for a row as lock time.
            locked: if victim.is_some() && self.spelling == Spelling::Mysql {
                waited - 900
            } else {
                dice.between(0, 9).into()
            },
            sent: self.rows.scale(statement.sent, dice.bits()),
            examined: self.rows.scale(statement.examined, dice.bits()),
        };
        (entry, victim)
    }

    /// The table that a burst locks.
    fn locked_table(&self, burst: usize) -> u32 {
        Dice::new(self.seed, (1 << 62) + burst as u64).below(self.tables.min(5))
    }
}

/// What waits in a burst.
static LOCKED: Statement = statement(
    0.0,
    "shop",
    (1, 0),
    "UPDATE stock_%t SET quantity = quantity - 1 WHERE product_id = %n",
);

/// Writes the entries of a chunk, and knows what the ones before have told.
struct Pen {
    stamps: Stamps,
    /// The second of the last `# Time:` line.
    told: i64,
    /// The database of the last `use` line.
    database: &'static str,
}

impl Pen {
    fn new(spelling: Spelling) -> Self {
        let spell = match spelling {
            Spelling::Mysql => ink::iso_local,
            Spelling::Mariadb => ink::mariadb,
            Spelling::Table => ink::sql,
        };
        Self { stamps: Stamps::new(spell), told: i64::MIN, database: "" }
    }

    fn mysql(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        out.extend_from_slice(b"# Time: ");
        self.stamps.write(out, entry.time);
        out.push(b'.');
        ink::micros(out, entry.time);
        line(out, format_args!("Z\n# User@Host: {}  Id: {:>5}", entry.account, entry.connection));
        out.extend_from_slice(b"# Query_time: ");
        decimal(out, entry.took);
        out.extend_from_slice(b"  Lock_time: ");
        decimal(out, entry.locked);
        line(out, format_args!(" Rows_sent: {}  Rows_examined: {}", entry.sent, entry.examined));
        self.select(entry, out);
        // Since 8.0.14 this is when the statement began.
        set_timestamp(entry.time - entry.took as i64, out);
    }

    fn mariadb(&mut self, entry: &Entry, dice: &mut Dice, out: &mut Vec<u8>) {
        let second = entry.time.div_euclid(SECOND);
        if second != self.told {
            self.told = second;
            out.extend_from_slice(b"# Time: ");
            self.stamps.write(out, entry.time);
            out.push(b'\n');
        }
        let database = entry.statement.database;
        line(out, format_args!("# User@Host: {}", entry.account));
        line(
            out,
            format_args!("# Thread_id: {}  Schema: {database}  QC_hit: No", entry.connection),
        );
        out.extend_from_slice(b"# Query_time: ");
        decimal(out, entry.took);
        out.extend_from_slice(b"  Lock_time: ");
        decimal(out, entry.locked);
        line(out, format_args!("  Rows_sent: {}  Rows_examined: {}", entry.sent, entry.examined));
        let affected = u64::from(entry.sent == 0);
        line(
            out,
            format_args!("# Rows_affected: {affected}  Bytes_sent: {}", 11 + entry.sent * 61),
        );
        let (scan, disk) =
            (yes(entry.statement.scans), yes(entry.statement.scans && dice.chance(2000)));
        line(
            out,
            format_args!(
                "# Full_scan: {scan}  Full_join: No  Tmp_table: {scan}  Tmp_table_on_disk: {disk}"
            ),
        );
        line(
            out,
            format_args!(
                "# Filesort: {scan}  Filesort_on_disk: No  Merge_passes: 0  Priority_queue: No"
            ),
        );
        self.select(entry, out);
        set_timestamp(entry.time, out);
    }

    fn row(&mut self, entry: &Entry, dice: &mut Dice, out: &mut Vec<u8>) {
        out.push(b'"');
        self.stamps.write(out, entry.time);
        out.push(b'.');
        ink::micros(out, entry.time);
        out.extend_from_slice(format!("\",\"{}\",\"", entry.account).as_bytes());
        span(out, entry.took);
        out.extend_from_slice(b"\",\"");
        span(out, entry.locked);
        let database = entry.statement.database;
        let text = format!("\",{},{},\"{database}\",0,0,1,\"", entry.sent, entry.examined);
        out.extend_from_slice(text.as_bytes());
        let mut statement = Vec::new();
        body(entry, dice, &mut statement);
        let statement = statement.strip_suffix(b";\n").unwrap_or(&statement);
        escaped(statement.strip_prefix(b"# administrator command: ").unwrap_or(statement), out);
        line(out, format_args!("\",{},{}", entry.connection, u64::from(entry.sent == 0)));
    }

    /// `use …;` where the database is not that of the entry before.
    fn select(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        if self.database != entry.statement.database {
            self.database = entry.statement.database;
            line(out, format_args!("use {};", self.database));
        }
    }
}

fn yes(fact: bool) -> &'static str {
    if fact { "Yes" } else { "No" }
}

fn set_timestamp(time: i64, out: &mut Vec<u8>) {
    line(out, format_args!("SET timestamp={};", time.div_euclid(SECOND)));
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a vector takes all");
}

/// Seconds with six decimals.
fn decimal(out: &mut Vec<u8>, micros: u64) {
    number(out, micros / 1_000_000);
    out.push(b'.');
    ink::padded(out, micros % 1_000_000, 6);
}

/// `00:00:01.234567`
fn span(out: &mut Vec<u8>, micros: u64) {
    let seconds = micros / 1_000_000;
    for (part, end) in [(seconds / 3600, b':'), (seconds / 60 % 60, b':'), (seconds % 60, b'.')] {
        ink::padded(out, part, 2);
        out.push(end);
    }
    ink::padded(out, micros % 1_000_000, 6);
}

/// A text as the CSV engine writes it between quotes.
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
}

/// Appends the statement, filled, with its semicolon.
fn body(entry: &Entry, dice: &mut Dice, out: &mut Vec<u8>) {
    let mut text = entry.statement.text;
    while let Some((before, after)) = text.split_once('%') {
        out.extend_from_slice(before.as_bytes());
        let known = match after.as_bytes().first() {
            Some(b'n') => Some(u64::from(dice.between(1, 99_999))),
            Some(b't') => Some(u64::from(entry.table)),
            _ => None,
        };
        match (known, after.as_bytes().first()) {
            (Some(value), _) => number(out, value),
            (None, Some(b's')) => out.extend_from_slice(dice.pick(&WORDS).as_bytes()),
            (None, _) => out.push(b'%'),
        }
        let taken = usize::from(known.is_some() || after.starts_with('s'));
        text = &after[taken..];
    }
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b";\n");
}

const WORDS: [&str; 6] = ["canvas", "wool", "a\\'b", "summer; sale", "lamp", "caf\u{e9}"];

/// What the server writes when it opens the file.
const MYSQL_BANNER: &[u8] = b"/usr/sbin/mysqld, Version: 8.0.40 (MySQL Community Server - GPL). started with:\nTcp port: 3306  Unix socket: /var/run/mysqld/mysqld.sock\nTime                 Id Command    Argument\n";
const MARIADB_BANNER: &[u8] = b"/usr/sbin/mariadbd, Version: 10.11.6-MariaDB-0+deb12u1-log (Debian 12). started with:\nTcp port: 3306  Unix socket: /run/mysqld/mysqld.sock\nTime\t\t    Id Command\tArgument\n";

impl Source for Queries {
    fn fill(&self, chunk: &mut Chunk<'_>) {
        let mut pen = Pen::new(self.spelling);
        let accounts = Weighted::new(&ACCOUNTS.map(|row| row.0));
        if chunk.first == 0 {
            chunk.text.extend_from_slice(match self.spelling {
                Spelling::Mysql => MYSQL_BANNER,
                Spelling::Mariadb => MARIADB_BANNER,
                Spelling::Table => b"",
            });
        }
        while let Some(moment) = chunk.moments.next() {
            let (entry, burst) = self.draw(moment, &accounts, &mut chunk.dice);
            match self.spelling {
                Spelling::Mysql => pen.mysql(&entry, chunk.text),
                Spelling::Mariadb => pen.mariadb(&entry, &mut chunk.dice, chunk.text),
                Spelling::Table => pen.row(&entry, &mut chunk.dice, chunk.text),
            }
            if self.spelling != Spelling::Table {
                body(&entry, &mut chunk.dice, chunk.text);
            }
            chunk.end(moment.time, burst);
        }
    }

    fn fault(&self, nth: usize) -> Fault {
        Fault { kind: "lock_wait", subject: format!("stock_{}", self.locked_table(nth)) }
    }
}
