#!/usr/bin/env bash
# The test command: installs what the tests talk to, where it can, and runs all of them.
#
# On Debian and Ubuntu, as root, it installs the servers whose logs and answers are tested (nothing is started by that, and
# the tests start their own on loopback with temporary configurations). Elsewhere it says what is missing; the tests
# that need it are skipped and say so. With CI=true nothing may be skipped.
#
# Needs cargo and the package registry. Arguments go to cargo test: tests/run.sh --test laws

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the crates' C parts are built with, and the servers and tools.
TOOLS=(gcc libc6-dev openssl mawk python3 pflogsumm)
SERVERS=(nginx apache2 bind9 bind9-utils haproxy mariadb-server postfix dovecot-imapd dovecot-pop3d)

say() { printf 'tests/run.sh: %s\n' "$*" >&2; }

# What only probes are tested with: more servers, and networks of a test's own.
SERVERS+=(dovecot-lmtpd php-fpm tinyproxy iproute2 iptables nftables util-linux)

# missing PACKAGE…: those that are not installed.
missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || echo "$package"
    done
}

# install PACKAGE…: no questions, and no server is started: that is what policy-rc.d is asked for. In a shell of its own,
# so that the policy goes with it.
install() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod 755 $policy
    fi
    export DEBIAN_FRONTEND=noninteractive
    case " $* " in
        # Postfix asks what kind of mail server this is; none.
        *' postfix '*) echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections ;;
    esac
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" > /dev/null
)

# furnish: installs what is missing, or says it.
furnish() {
    if ! command -v dpkg-query > /dev/null; then
        say "this is neither Debian nor Ubuntu: tests against servers that are not installed are skipped"
        return
    fi
    local needed
    mapfile -t needed < <(missing "${TOOLS[@]}" "${SERVERS[@]}")
    [ ${#needed[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        say "installing ${needed[*]}"
        install "${needed[@]}" || say "they could not be installed; the tests that need them are skipped"
    else
        say "not root, so these are not installed, and the tests that need them are skipped: ${needed[*]}"
    fi
}

furnish
command -v cargo > /dev/null || {
    say "cargo is missing: https://rustup.rs says how to get it (or apt-get install rustup)"
    exit 2
}
cargo test --locked --all-features "$@"
# The engine alone, without the probes, must build too.
cargo check --locked --no-default-features
