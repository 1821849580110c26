//! Apache httpd: exhausted workers, back ends in their faults, plain HTTP on the TLS port.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use logmill::document::Cell;
use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::peers::{check, classes, read_head, serve};
use crate::support::servers::{Server, folder, free_port, installed};

const APACHE: &str = "/usr/sbin/apache2";

fn there() -> bool {
    installed("apache2", &[APACHE, "/usr/lib/apache2/modules/mod_ssl.so"], false)
}

fn start(name: &str, more: &str, port: u16, prepare: impl Fn(&std::path::Path)) -> Server {
    let folder = folder(name);
    prepare(&folder);
    fs::create_dir_all(folder.join("www")).unwrap();
    fs::write(folder.join("www/index.html"), "<p>hello</p>").unwrap();
    let here = folder.display();
    let modules: String =
        ["mpm_event", "authz_core", "dir", "proxy", "proxy_http", "ssl", "socache_shmcb"]
            .iter()
            .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
            .collect();
    let configuration = format!(
        "ServerRoot {here}\nDefaultRuntimeDir {here}\nPidFile {here}/apache.pid\n{modules}\
         User nobody\nGroup nogroup\nServerName www.lab.test\nDocumentRoot {here}/www\n\
         ErrorLog {here}/error.log\nLogLevel info\nMutex file:{here}\nListen 127.0.0.1:{port}\n{more}\n"
    );
    fs::write(folder.join("apache.conf"), configuration).unwrap();
    let file = folder.join("apache.conf");
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Server::start(&folder, APACHE, &["-f", file.to_str().unwrap(), "-DFOREGROUND"], &[ready])
}

fn ask(port: u16, path: &str, options: &[(&str, &str)]) -> Outcome {
    check("http", &format!("http://127.0.0.1:{port}{path}"), options)
}

#[test]
fn back_ends_and_tls() {
    if !there() {
        return;
    }
    let slow = serve(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_millis(1500));
    });
    let closes = serve(|mut stream| drop(read_head(&mut stream)));
    let (port, tls, dead) = (free_port(), free_port(), free_port());
    let lab = Lab::new("apache-tls");
    let more = format!(
        "Listen 127.0.0.1:{tls}\n\
         ProxyPass /dead http://127.0.0.1:{dead}/ retry=0\n\
         ProxyPass /slow http://{slow}/ timeout=1\n\
         ProxyPass /closes http://{closes}/\n\
         <VirtualHost 127.0.0.1:{tls}>\nSSLEngine on\nSSLCertificateFile good.crt\n\
         SSLCertificateKeyFile good.key\n</VirtualHost>"
    );
    let server = start("apache-backends", &more, port, |folder| lab.good().write(folder, "good"));
    assert_eq!(ask(port, "/", &[("expect-body", "hello")]).class(), Class::Open);
    assert_eq!(ask(port, "/none", &[]).class(), Class::StatusClient);
    for (path, status, line) in [
        ("/dead", 503, "AH00957"),
        ("/slow", 502, "(70007)The timeout specified has expired"),
        ("/closes", 502, "AH01102"),
    ] {
        let outcome = ask(port, path, &[]);
        assert_eq!(outcome.class(), Class::StatusServer, "{path}");
        assert_eq!(outcome.fact("status"), Some(&Cell::Number(status)), "{path}");
        assert_eq!(outcome.fact("answered_by"), Some(&Cell::text("Apache itself")), "{path}");
        assert!(server.text("error.log").contains(line), "{path} {}", server.text("error.log"));
    }
    let options = [("resolve", "www.lab.test=127.0.0.1"), ("ca-file", lab.ca())];
    assert_eq!(classes(&check("tls", &format!("www.lab.test:{tls}"), &options)), [""; 0]);
    let page = check("http", &format!("https://www.lab.test:{tls}/"), &options);
    assert_eq!(page.class(), Class::Open, "{page:?}");
    assert_eq!(ask(tls, "/", &[]).class(), Class::WrongProtocol);
}

/// The signature of exhausted workers: TCP connects at once, HTTP hears nothing, and one line in the error log.
#[test]
fn exhausted_workers() {
    if !there() {
        return;
    }
    let slow = serve(|mut stream| {
        read_head(&mut stream);
        thread::sleep(Duration::from_millis(1500));
    });
    let port = free_port();
    let more = format!(
        "ServerLimit 1\nStartServers 1\nThreadsPerChild 2\nMaxRequestWorkers 2\n\
         MinSpareThreads 1\nMaxSpareThreads 2\nProxyPass /slow http://{slow}/"
    );
    let mut server = start("apache-workers", &more, port, |_| {});
    let busy: Vec<_> =
        (0..6).map(|_| thread::spawn(move || ask(port, "/slow", &[("timeout", "4s")]))).collect();
    thread::sleep(Duration::from_millis(300));
    let outcome = ask(port, "/", &[("timeout", "400ms")]);
    assert_eq!((outcome.class(), outcome.failing_step()), (Class::Silent, Some("first_byte")));
    assert_eq!(check("tcp", &format!("127.0.0.1:{port}"), &[]).class(), Class::Open);
    busy.into_iter().for_each(|one| drop(one.join()));
    let log = server.folder.join("error.log");
    server.wait_until(|| fs::read_to_string(&log).is_ok_and(|text| text.contains("AH00484")));
}
