//! Suites: a thousand checks at once, the cap per host, and what is told on the way.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use logmill::document::Level;
use logmill::probe::suite::{Pace, Suite, run};
use logmill::probe::{Outcome, plan};

use crate::support::peers::serve;

/// A thousand checks of services that take their time; the whole takes little longer than one.
#[test]
fn a_thousand_checks_at_once() {
    let address = serve(|mut stream| {
        thread::sleep(Duration::from_millis(200));
        let _ = stream.write_all(b"220 ready\r\n");
        let _ = stream.read(&mut [0]);
    });
    let words = vec![address.to_string(); 1000];
    let checks = plan("tcp", words.iter().map(String::as_str), [("expect", "220")]).unwrap();
    let heard = AtomicUsize::new(0);
    let began = Instant::now();
    let outcomes = run(&checks, &Pace::default(), &|_, _| {
        heard.fetch_add(1, Ordering::Relaxed);
    });
    let took = began.elapsed();
    let bad: Vec<_> = outcomes.iter().flatten().filter(|o| o.level() != Level::Ok).collect();
    assert!(bad.is_empty(), "{} bad, first {:?}", bad.len(), bad[0]);
    assert_eq!((outcomes.len(), heard.into_inner()), (1000, 1000));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_cap_per_host_holds() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let address = serve(move |mut stream| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(10));
        now.fetch_sub(1, Ordering::SeqCst);
        let _ = stream.write_all(b"220 ready\r\n");
    });
    let text = format!(
        "[run]\nper-host = 2\njitter = \"1ms\"\n[[check]]\nkind = \"tcp\"\nexpect = \"220\"\ntargets = {:?}\n",
        vec![address.to_string(); 12]
    );
    let suite = Suite::parse(&text).unwrap();
    let outcomes = run(&suite.checks, &suite.pace, &|_, _| {});
    assert!(outcomes.iter().flatten().all(|outcome: &Outcome| outcome.level() == Level::Ok));
    assert!(most.load(Ordering::SeqCst) <= 2);
}
