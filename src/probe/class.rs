//! The closed vocabulary of what a probe can find: one name, one meaning, one likely cause, one next command each.
//!
//! Every verdict of every probe carries a class from here, so that machines can count them and people always get the
//! same advice for the same fault. A new kind adds its classes to the table below and nowhere else. In the next
//! command, `{host}`, `{port}`, `{address}` and `{target}` stand for what was probed.

use crate::document::Level;

/// What a class says, apart from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The name for machines: lower case with underscores.
    pub name: &'static str,
    /// How bad it is unless the check says otherwise.
    pub level: Level,
    /// What it means, as half a sentence.
    pub meaning: &'static str,
    /// What is probably behind it.
    pub cause: &'static str,
    /// What to type next, with places to fill in. Empty where there is nothing to do.
    pub next: &'static str,
}

macro_rules! classes {
    ($($variant:ident $name:literal $level:ident $meaning:literal $cause:literal $next:literal;)*) => {
        /// What a probe found, out of a closed set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class {
            $(#[doc = $meaning] $variant,)*
        }

        impl Class {
            /// All classes in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What the class says to people.
            pub const fn words(self) -> Words {
                match self {
                    $(Self::$variant => Words {
                        name: $name,
                        level: Level::$level,
                        meaning: $meaning,
                        cause: $cause,
                        next: $next,
                    },)*
                }
            }
        }
    };
}

classes! {
    // Reaching the service.
    Open "open" Ok
        "the service answers as it should" "" "";
    Refused "refused" Critical
        "the host is up and refuses the connection"
        "nothing listens on that address and port, or a firewall rejects with a reset"
        "ss -ltnp 'sport = :{port}'   # on {host}";
    Timeout "timeout" Critical
        "no answer to the connection request"
        "a firewall drops the packets, the host is down, or its accept queue is full"
        "mtr -rwc 20 -T -P {port} {host}";
    BacklogFull "backlog_full" Critical
        "the listener's accept queue is full"
        "the service does not take connections as fast as they come: workers exhausted or stuck"
        "ss -ltn 'sport = :{port}'; nstat -az TcpExtListenOverflows";
    Unreachable "unreachable" Critical
        "the way to the host ends in an error message"
        "at once: a firewall rejects; after about three seconds: the host is gone from its network"
        "ip route get {address}; ip neigh show {address}";
    NoRoute "no_route" Critical
        "this machine has no route to the address"
        "no default route, or no network of that address family"
        "ip route get {address}";
    NameUnknown "name_unknown" Critical
        "the name does not exist"
        "a misspelt name, a record not created, or the wrong resolver"
        "logmill probe dns {host}";
    NameEmpty "name_empty" Critical
        "the name exists and has no address"
        "the address record is missing, or only the other family (IPv4, IPv6) has one"
        "dig {host} A; dig {host} AAAA";
    NameServfail "name_servfail" Critical
        "the resolver could not find out"
        "the zone is broken, its servers do not answer, or its signatures are wrong"
        "logmill probe dns {host} --authoritative";
    NameTimeout "name_timeout" Critical
        "the resolver did not answer in time"
        "the resolver is down or out of reach"
        "logmill probe dns {host} --tries 5";
    NameFailed "name_failed" Critical
        "the system could not resolve the name, and did not say why"
        "no resolver is configured, or none can be reached"
        "getent ahosts {host}; cat /etc/resolv.conf";
    SocketMissing "socket_missing" Critical
        "there is no such socket file"
        "the service is stopped, or puts its socket elsewhere"
        "ls -l {address}; ss -lxp";
    LocalLimit "local_limit" Unknown
        "this machine has no socket or port left for the probe"
        "too many checks at once, or too few file descriptors allowed"
        "ulimit -n; ss -s";
    NotPermitted "not_permitted" Unknown
        "the system does not permit the probe to ask"
        "the probe runs without the rights that this question needs"
        "id; sysctl net.ipv4.ping_group_range";
    BadTarget "bad_target" Unknown
        "the target cannot be probed in this way"
        "a misspelt target, or a file that is not what it should be"
        "logmill probe --help";
    // The dialogue.
    Silent "silent" Critical
        "connected, and then not one byte in time"
        "all workers are busy or stuck: the system accepted in the service's place"
        "ss -ltn 'sport = :{port}'   # Recv-Q above 0 means connections wait";
    Stalled "stalled" Critical
        "the answer began and did not end in time"
        "the service hangs in the middle, or sends too slowly"
        "logmill probe tcp {host}:{port}";
    ClosedEarly "closed_early" Critical
        "connected, and closed before the answer was complete"
        "the service crashed, turned the client away, or expects TLS"
        "journalctl -n 50   # on {host}, of the service on port {port}";
    Reset "reset" Critical
        "the peer cut the connection with a reset"
        "the application died or aborts connections"
        "journalctl -n 50   # on {host}, of the service on port {port}";
    WrongProtocol "wrong_protocol" Critical
        "something else than the expected protocol answers"
        "the wrong port, or another service has taken it"
        "ss -ltnp 'sport = :{port}'   # on {host}";
    Malformed "malformed" Critical
        "the answer breaks the rules of its protocol"
        "a defective service, or a device in between that changes the bytes"
        "logmill probe tcp {host}:{port}";
    TooLarge "too_large" Critical
        "the answer is larger than any sound one"
        "a defective or hostile service"
        "logmill probe tcp {host}:{port}";
    Unexpected "unexpected" Critical
        "the answer is not the one that was expected"
        "the service runs and gives another answer: changed content, wrong host, error page"
        "logmill probe {kind} {target} --details";
    // Verdicts over measures and tries.
    Threshold "threshold" Warning
        "a measure is outside its range"
        "the service is slower or larger than the check allows"
        "logmill probe {kind} {target} --details";
    Retried "retried" Warning
        "it failed first and succeeded when asked again"
        "an intermittent fault: overload, one bad node of several, packet loss"
        "logmill probe {kind} {target} --retries 0";
    Loss "loss" Warning
        "some of the questions were not answered"
        "packet loss, overload, or a rate limit"
        "mtr -rwc 50 {host}";
    PingSilent "ping_silent" Warning
        "the host answers none of the questions whether it is there"
        "ICMP is filtered, or the host is down: only a service's port can tell"
        "logmill probe tcp {host}:443,80,22";
    Differs "differs" Warning
        "the addresses of one name do not answer alike"
        "one node was not updated or not reloaded"
        "logmill probe {kind} {target} --details";
    // HTTP.
    StatusClient "status_4xx" Warning
        "the server refuses this request"
        "a wrong path or host, or a login is needed"
        "curl -sv -o /dev/null '{target}'";
    StatusServer "status_5xx" Critical
        "the server fails on this request"
        "the application or the service behind the proxy fails"
        "logmill report <error log>   # of {host}";
    RedirectLoop "redirect_loop" Critical
        "the redirects lead in a circle"
        "the proxy does not tell the application that the client came by https"
        "curl -sIL --max-redirs 5 '{target}'";
    RedirectTooMany "redirect_too_many" Critical
        "more redirects than any browser follows"
        "each answer leads to another address"
        "curl -sIL --max-redirs 20 '{target}'";
    RedirectDowngrade "redirect_downgrade" Warning
        "a redirect leads from https to http"
        "the application builds its addresses without knowing of the TLS proxy"
        "curl -sI '{target}'";
    RedirectFound "redirect" Warning
        "the answer is a redirect, and none was wanted"
        "the address has moved"
        "curl -sI '{target}'";
    ProxyRefused "proxy_refused" Critical
        "the proxy does not let this request through"
        "its rules forbid the client, the host or the port (CONNECT is mostly for 443 only)"
        "grep -nE 'Allow|ConnectPort|acl' <configuration of the proxy on {host}>";
    ProxyLogin "proxy_login" Critical
        "the proxy wants a login"
        "credentials are missing or wrong"
        "curl -sv -x {host}:{port} --proxy-user <user> <address>";
    ProxyFailed "proxy_failed" Critical
        "the proxy lets the request through and cannot reach the target"
        "the target is down for the proxy, or the proxy cannot resolve its name"
        "logmill probe tcp <target>   # from {host}";
    BodyTruncated "body_truncated" Critical
        "the body is shorter than announced"
        "the service or a proxy cut the answer: crash, full disk, timeout in the middle"
        "curl -s '{target}' | wc -c";
    Stale "stale" Warning
        "the content is older than allowed"
        "whatever renews it has stopped"
        "curl -sI '{target}'";
    AssetBroken "asset_broken" Warning
        "the page names parts that cannot be loaded"
        "an incomplete deployment, a wrong root, or wrong permissions"
        "curl -sI '{target}'";
    MixedContent "mixed_content" Warning
        "an https page names parts by plain http"
        "fixed http addresses in the page; browsers block them"
        "curl -s '{target}' | grep -n 'http://'";
    // TLS.
    NotTls "not_tls" Critical
        "the port does not speak TLS"
        "plain text on this port, or STARTTLS is needed first"
        "logmill probe tcp {host}:{port}";
    TlsTooOld "tls_too_old" Critical
        "the server offers no TLS version after 1.1"
        "an old library, or a configuration that allows only old versions"
        "openssl s_client -connect {host}:{port} -tls1_1";
    TlsOldOffered "tls_old_offered" Warning
        "the server still accepts TLS 1.0 or 1.1"
        "old versions are not switched off"
        "openssl s_client -connect {host}:{port} -tls1_1";
    TlsHandshake "tls_handshake" Critical
        "the TLS handshake failed"
        "no version or cipher in common, key and certificate of different types, or a client certificate is wanted"
        "openssl s_client -connect {host}:{port} -servername {host}";
    StarttlsMissing "starttls_missing" Critical
        "the server does not offer STARTTLS"
        "TLS is not configured, or a device in between removes the offer"
        "logmill probe tcp {host}:{port}";
    Expired "expired" Critical
        "a certificate is past its last day"
        "it was not renewed, or renewed and the service not reloaded"
        "certbot certificates; openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -dates";
    Expiring "expiring" Warning
        "a certificate nears its last day"
        "the renewal should have run by now"
        "certbot certificates; systemctl list-timers | grep -i certbot";
    NotYetValid "not_yet_valid" Critical
        "a certificate is not valid yet"
        "the clock of this host or of the issuer is wrong, or the certificate was put in service too early"
        "timedatectl; openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -dates";
    SelfSigned "self_signed" Critical
        "the certificate is signed by its own key"
        "the service runs with a default or test certificate"
        "openssl s_client -connect {host}:{port} -servername {host} -showcerts </dev/null";
    IncompleteChain "incomplete_chain" Critical
        "the server does not send the issuer's certificate"
        "cert.pem is configured where fullchain.pem belongs"
        "openssl s_client -connect {host}:{port} -servername {host} -showcerts </dev/null";
    UnknownRoot "unknown_root" Critical
        "the chain ends at a root that is not trusted here"
        "a private CA (give it with --ca-file), or an outdated set of roots"
        "openssl s_client -connect {host}:{port} -servername {host} -showcerts </dev/null";
    Untrusted "untrusted" Critical
        "the chain does not hold for another reason"
        "a certificate breaks a rule: wrong usage, wrong constraints, a bad signature"
        "openssl s_client -connect {host}:{port} -servername {host} -showcerts </dev/null | openssl verify -verbose";
    ChainOrder "chain_order" Warning
        "the certificates are not sent in the order of issue"
        "the chain file was put together in the wrong order; strict clients refuse it"
        "openssl s_client -connect {host}:{port} -showcerts </dev/null | grep -E ' s:| i:'";
    WrongName "wrong_name" Critical
        "the certificate is for other names"
        "the default server answers for this name, or the name was left out of the request"
        "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -ext subjectAltName";
    WildcardTooNarrow "wildcard_too_narrow" Critical
        "the wildcard does not cover this name"
        "a wildcard stands for exactly one label: not for two, and not for the bare domain"
        "certbot certificates   # request {host} beside the wildcard";
    NoSan "no_san" Critical
        "the certificate names its host only in the old way"
        "it has a common name and no alternative names; clients ignore the common name"
        "openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -ext subjectAltName";
    CaAsLeaf "ca_as_leaf" Critical
        "a certificate for an issuer is used for a server"
        "made with 'openssl req -x509', which marks it as a CA"
        "openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -ext basicConstraints";
    WeakKey "weak_key" Warning
        "a key is too short"
        "an RSA key under 2048 bits or an elliptic one under 256"
        "openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -text | grep -A1 'Public Key'";
    WeakSignature "weak_signature" Warning
        "a signature rests on a broken hash"
        "an old issuer that signs with SHA-1 or MD5"
        "openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -text | grep 'Signature Algorithm'";
    NotReloaded "renewed_not_reloaded" Critical
        "the file holds a newer certificate than the one in service"
        "the certificate was renewed and the service not reloaded"
        "systemctl reload nginx   # or the service on port {port}; certbot: --deploy-hook";
    FileDiffers "file_differs" Warning
        "the file holds another certificate than the one in service"
        "another file is configured, or another node answers"
        "openssl x509 -in <file> -noout -subject -dates -fingerprint";
    // DNS.
    DnsTimeout "dns_timeout" Critical
        "the name server did not answer in time"
        "it is down, out of reach, or waits for a dead forwarder"
        "dig @{host} -p {port} . NS +tries=1";
    DnsPortClosed "dns_port_closed" Critical
        "no name server on that port"
        "the name server is stopped, or listens on another address"
        "ss -lunp 'sport = :{port}'   # on {host}";
    Servfail "servfail" Critical
        "the server could not find the answer"
        "a zone that did not load, a forwarder that fails, or wrong signatures"
        "named-checkzone <zone> <file>; journalctl -u named -n 50   # on {host}";
    Nxdomain "nxdomain" Critical
        "the name does not exist"
        "a misspelt name, or a record not created"
        "dig @{host} -p {port} <name> +trace";
    Nodata "nodata" Critical
        "the name exists and has no record of that type"
        "another type is configured, or the record is missing"
        "dig @{host} -p {port} <name> ANY";
    DnsRefused "dns_refused" Critical
        "the server refuses to answer this client"
        "the client is not in allow-query or allow-recursion, or the server is no resolver"
        "named-checkconf -p | grep -A5 allow-   # on {host}";
    DnsError "dns_error" Critical
        "the server answers with an error code"
        "it does not understand or does not support the question"
        "dig @{host} -p {port} <name> +noedns";
    Lame "lame" Critical
        "a server that should have authority does not have it"
        "the zone is not configured there, or the delegation is old"
        "dig @{host} -p {port} <zone> SOA +norecurse";
    DanglingCname "dangling_cname" Critical
        "an alias leads to a name that does not exist"
        "the target was removed and the alias stayed"
        "dig @{host} -p {port} <name> CNAME";
    SerialBehind "serial_behind" Warning
        "a server has an older version of the zone"
        "the zone transfer fails: not permitted, key, TCP port 53, serial not raised"
        "dig @{host} -p {port} <zone> SOA +norecurse; rndc retransfer <zone>";
    StaleAnswer "stale_answer" Warning
        "the resolver still gives an old answer"
        "its cache holds the answer until its time runs out"
        "rndc flushname <name>   # on {host}, or wait";
    Disagree "disagree" Warning
        "servers answer the same question differently"
        "a change that has not reached all, a split view, or two servers on one port"
        "dig @{host} -p {port} <name> +norecurse";
    TruncatedNoTcp "truncated_no_tcp" Critical
        "the answer does not fit a datagram, and TCP does not work"
        "TCP port 53 is closed or filtered"
        "dig @{host} -p {port} <name> +tcp";
    IdMismatch "id_mismatch" Warning
        "an answer to another question came in"
        "a forged answer, or a defective server"
        "dig @{host} -p {port} <name>";
    // Databases.
    TooManyConnections "too_many_connections" Critical
        "the server has no connection left"
        "connections that nobody uses, slow statements that pile up, or a limit too low for the load"
        "mariadb -e \"SHOW GLOBAL STATUS LIKE 'Threads_%'; SHOW FULL PROCESSLIST\"   # as administrator on {host}, by the reserved connection";
    NearConnectionLimit "near_connection_limit" Warning
        "the server has few connections left"
        "connections that nobody uses, slow statements that pile up, or a limit too low for the load"
        "logmill probe mysql {target} --processlist";
    AuthFail "auth_fail" Critical
        "the login is refused"
        "a wrong or changed password, or no such user for this client's address"
        "mariadb -e 'SELECT User, Host, plugin FROM mysql.user'   # as administrator on {host}";
    DatabaseDenied "database_denied" Critical
        "the user may not use the database"
        "the right is missing, or the name is wrong"
        "mariadb -e 'SHOW DATABASES; SHOW GRANTS FOR <user>'   # as administrator on {host}";
    HostBlocked "host_blocked" Critical
        "the server has locked this host out"
        "something here hung up on it too often: a port check that does not log in, or breaks of the network"
        "mariadb-admin flush-hosts   # on {host}; then find who connects without a login";
    HostDenied "host_denied" Critical
        "the server lets no user in from this host"
        "no user is made for this address, or its name resolves to another one"
        "mariadb -e 'SELECT User, Host FROM mysql.user'   # as administrator on {host}";
    UserLimit "user_limit" Critical
        "the user has used up what it is allowed"
        "max_user_connections or another limit of the account"
        "mariadb -e 'SHOW PROCESSLIST; SHOW CREATE USER <user>'   # as administrator on {host}";
    AuthPlugin "auth_plugin" Critical
        "the user logs in by a plugin that is not there"
        "the account was made for another server or client"
        "mariadb -e 'SELECT User, Host, plugin FROM mysql.user'   # as administrator on {host}";
    PasswordExpired "password_expired" Critical
        "the password has expired"
        "a lifetime of passwords is set, or the account was made with an expired one"
        "mariadb -e 'ALTER USER <user> IDENTIFIED BY <new password>'   # as administrator on {host}";
    TlsRequired "tls_required" Critical
        "the server lets nobody in without TLS"
        "require_secure_transport, or REQUIRE SSL of the account"
        "logmill probe {kind} {target} --tls";
    ShuttingDown "shutting_down" Critical
        "the server is shutting down"
        "a restart, or a stop"
        "journalctl -u mariadb -u mysql -n 50   # on {host}";
    ReadOnly "read_only" Critical
        "the server does not write now"
        "it is a replica, or read_only is set"
        "mariadb -e \"SHOW GLOBAL VARIABLES LIKE '%read_only%'\"   # on {host}";
    LockWaits "lock_waits" Warning
        "statements wait for a lock"
        "a long transaction, or a change of a table's definition"
        "mariadb -e 'SHOW FULL PROCESSLIST; SELECT * FROM information_schema.INNODB_TRX'   # on {host}";
    LoginUntested "login_untested" Unknown
        "the server is alive, and the login could not be tried"
        "it wants a proof that the probe does not give"
        "logmill probe {kind} {target} --tls";
    ServerError "server_error" Critical
        "the server answers with an error"
        "see its words"
        "journalctl -n 50   # on {host}, of the service on port {port}";
    // Balancers.
    BackendDown "backend_down" Critical
        "a backend has no server left"
        "all its servers fail their checks or are taken out"
        "logmill probe http http://<server>/<path of the check>   # from {host}";
    ServerDown "server_down" Warning
        "a server fails its checks; the others carry its load"
        "the server is down, or the check asks too much of it"
        "logmill probe http http://<server>/<path of the check>   # from {host}";
    Queueing "queueing" Warning
        "requests wait for a server"
        "the servers are at their maxconn: slow answers, or too few servers"
        "logmill probe haproxy {target} --interval 5s --details";
    NearSessionLimit "near_session_limit" Warning
        "sessions near their limit"
        "slow servers hold the sessions, or maxconn is too low for the load"
        "logmill probe haproxy {target} --details";
    Unbalanced "unbalanced" Warning
        "the servers do not share the load as they should"
        "clients are bound to a server by address or cookie, a server was away, or requests bypass the balancer"
        "logmill probe {kind} {target} --details";
    BackendErrors "backend_errors" Warning
        "connections or answers of servers fail now"
        "a server that is overloaded, restarts, or closes in the middle"
        "logmill report <log of HAProxy> --where 'status>=500'   # of {host}";
    OpenControlPort "open_control_port" Warning
        "anybody who reaches this port can give orders to HAProxy"
        "a statistics socket on TCP with level admin or operator"
        "grep -n 'stats socket' /etc/haproxy/haproxy.cfg   # on {host}: level user, or a Unix socket";
    SessionLost "session_lost" Critical
        "a session does not stay with its server"
        "no affinity is configured, or its cookie is lost"
        "curl -sv -c jar -b jar '{target}' -o /dev/null   # several times";
    IdentityMissing "identity_missing" Unknown
        "the answers do not show which server gave them"
        "no header, cookie or text tells the servers apart"
        "logmill probe balance {target} --by header:NAME   # or cookie:NAME, body:~PATTERN";
    // This machine.
    UnitFailed "unit_failed" Critical
        "the service has failed"
        "it crashed, or did not start: its journal says why"
        "systemctl --failed; journalctl -p err -n 50";
    UnitDown "unit_down" Critical
        "the service is not running"
        "it was stopped, or is not started at boot"
        "systemctl --failed; systemctl list-units --state=inactive";
    UnitRestarting "unit_restarting" Warning
        "the service is starting, or starts again and again"
        "it ends right after its start: its journal says why"
        "journalctl -p err -n 50";
    ProcessMissing "process_missing" Critical
        "no process of that name runs"
        "the service is stopped, crashed, or goes by another name"
        "ps -eo pid,ppid,stat,etime,args";
    Zombies "zombies" Warning
        "processes have ended and nobody has waited for them"
        "a defect of the process that started them"
        "ps -eo pid,ppid,stat,args | awk '$3 ~ /Z/'";
    NearFileLimit "near_file_limit" Warning
        "a process has nearly as many files open as it may"
        "files or connections that are never closed, or a limit too low for the load"
        "ls /proc/<pid>/fd | wc -l; grep 'open files' /proc/<pid>/limits";
    NotListening "not_listening" Critical
        "nothing on this machine listens on the port"
        "the service is stopped, or configured for another port or address"
        "ss -ltunp";
    LoopbackOnly "loopback_only" Warning
        "the service listens for this machine only"
        "it is bound to 127.0.0.1 or ::1; others get 'connection refused'"
        "ss -ltnp";
    AcceptQueue "accept_queue" Warning
        "connections wait to be taken"
        "the service takes them more slowly than they come: workers exhausted or stuck"
        "ss -ltn; nstat -az TcpExtListenOverflows";
    TwoOwners "two_owners" Warning
        "two services share one address and port"
        "an old process was not stopped when the new one started; requests go to one or the other"
        "ss -ltnp";
    FirewallBlocks "firewall_blocks" Critical
        "this machine's firewall lets nobody in to the port"
        "a rule, or the policy behind all rules, drops or rejects it"
        "nft list ruleset; iptables -S; firewall-cmd --list-all";
    ResolverIgnored "resolver_ignored" Warning
        "more name servers are configured than are ever asked"
        "the system asks the first three of /etc/resolv.conf"
        "cat /etc/resolv.conf";
    MailWaits "mail_waits" Warning
        "mail has been waiting to go for hours"
        "its destination does not take it, or its name cannot be resolved: see the reason"
        "postqueue -p; logmill report /var/log/mail.log";
    DiskFull "disk_full" Warning
        "a file system is nearly full"
        "logs, queues or data that grow"
        "df -h";
    InodesFull "inodes_full" Warning
        "a file system has nearly no names left"
        "very many small files: sessions, queues, caches"
        "df -i";
    ReadOnlyFilesystem "read_only_filesystem" Critical
        "a file system cannot be written"
        "the kernel made it read-only after errors, or it is mounted so"
        "findmnt; dmesg | tail";
    MemoryLow "memory_low" Warning
        "nearly no memory is left"
        "too many workers for this machine, or one that grows"
        "ps -eo pid,rss,args --sort=-rss | head; dmesg | grep -i 'out of memory'";
    ConfigInvalid "config_invalid" Critical
        "the service refuses its configuration"
        "a mistake in the place that the checker names; a reload would fail"
        "journalctl -p err -n 50";
    ConfigWarning "config_warning" Warning
        "the service takes its configuration with warnings"
        "something deprecated or doubtful in the place that the checker names"
        "journalctl -p warning -n 50";
    CheckerFailed "checker_failed" Unknown
        "the program that was asked gave no answer"
        "it could not be started, or did not end in time"
        "logmill probe {kind} {target} --timeout 60s";
    NotInstalled "not_installed" Unknown
        "the program that would know is not installed"
        "the service is not on this machine, or its programs are elsewhere"
        "command -v <program>";
    // Mail.
    Busy "busy" Critical
        "the server answers and asks to come back later"
        "a limit of connections or of their rate, a shutdown, or overload"
        "journalctl -n 50   # on {host}, of the service on port {port}";
    TurnedAway "turned_away" Critical
        "the server answers and does not want this client"
        "an access list, a blocklist, or a limit for each client"
        "journalctl -n 50   # on {host}, of the service on port {port}";
    StarttlsRefused "starttls_refused" Critical
        "the server offers STARTTLS and then refuses it"
        "its certificate or its key cannot be read"
        "openssl s_client -connect {host}:{port} -starttls {kind} </dev/null";
    MailDeferred "mail_deferred" Warning
        "the server does not take this mail now"
        "greylisting, a limit, or a fault of the server that may pass"
        "grep -F 'NOQUEUE' /var/log/mail.log | tail   # on {host}";
    MailRejected "mail_rejected" Critical
        "the server does not take this mail"
        "no such mailbox, no relaying for this client, or a policy"
        "grep -F 'NOQUEUE' /var/log/mail.log | tail   # on {host}";
    MailTarget "mail_target" Warning
        "a mail exchanger cannot be used"
        "it has no address, or it is an alias, which mail forbids"
        "dig <name> MX";
}

impl Class {
    /// The name for machines.
    pub const fn name(self) -> &'static str {
        self.words().name
    }

    /// How bad it is unless the check says otherwise.
    pub const fn level(self) -> Level {
        self.words().level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let mut names: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
        for name in &names {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Class::ALL.len());
    }

    #[test]
    fn every_fault_has_a_cause_and_a_next_command() {
        for class in Class::ALL.iter().filter(|class| class.level() != Level::Ok) {
            let words = class.words();
            assert!(!words.cause.is_empty() && !words.next.is_empty(), "{}", words.name);
        }
    }
}
