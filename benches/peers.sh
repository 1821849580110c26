#!/usr/bin/env bash
# Times logmill beside the programs that people use for the same questions: whole commands, the same log, the same machine.
#
#   benches/peers.sh                     all of it on logs of 500 MB: about half an hour, most of it the peers'
#   benches/peers.sh web gzip            some of it: web gzip memory generate records haproxy postfix mysql bind
#   SIZE=20MB RUNS=3 benches/peers.sh    a quick try; times this short say little
#
# SIZE is that of the logs; RUNS how often each command is timed (5), SLOW_RUNS how often one is that takes minutes (1);
# LARGE the larger log of the memory section (2GB; 10GB needs the room in TMPDIR). LOGMILL and INFLATE name
# binaries that are built already.
#
# Answers are compared before anything is timed. The logs are generated, seeded and in the page cache, so this measures no
# disk. What it does not show: logs of other shapes (more distinct keys cost more), and machines with more cores.
#
# The exit status is 1 when a command fails or an answer differs, not when a bar is missed: that is said.

set -euo pipefail
export LC_ALL=C TZ=UTC
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. benches/support/timing.sh

SIZE=${SIZE:-500MB} RUNS=${RUNS:-5} SLOW_RUNS=${SLOW_RUNS:-1} LARGE=${LARGE:-2GB}
LAB=$(mktemp -d -t logmill-peers.XXXXXX)
trap 'rm -rf "$LAB"' EXIT

# build: the release binaries, unless others are named.
build() {
    [ -n "${LOGMILL:-}" ] && [ -n "${INFLATE:-}" ] && return
    cargo build --release --quiet --bin logmill --example inflate
    LOGMILL=${LOGMILL:-target/release/logmill} INFLATE=${INFLATE:-target/release/examples/inflate}
}

# make_log FORMAT [SIZE [FLAG…]]: sets LOG.
make_log() {
    LOG=$LAB/$1.log
    "$LOGMILL" generate "$1" --size "${2:-$SIZE}" "${@:3}" > "$LOG"
    sync -d "$LOG" # What is written back later would be written back while something is timed.
}

# ledger WHAT UNIT: of the full report of LOG; UNIT 2 is records and 4 is bytes.
ledger() { "$LOGMILL" report --output csv --section ledger "$LOG" | awk -F, -v what="$1" -v unit="$2" '$1 == what { print $unit }'; }

# same WHAT OURS THEIRS
same() {
    [ "$2" = "$3" ] || die "the answers differ: $1: $2 against $3"
    say "  equal    $1: $2"
}

# whole: logmill saw all of LOG and understood it.
whole() {
    same "bytes of the log" "$(ledger read 4)" "$(stat -c %s "$LOG")"
    same "records not understood" "$(ledger rejected 2)" 0
}

# reports: the contenders that every family has.
reports() {
    COMMAND[report]='$LOGMILL report --threads 2 $LOG'
    COMMAND[report-1]='$LOGMILL report --threads 1 $LOG'
}

section_web() {
    make_log nginx-combined
    same_clients
    whole
    same "records and lines" "$(ledger read 2)" "$(wc -l < "$LOG")"
    reports
    COMMAND[lines]='wc -l < $LOG'
    COMMAND[top]='$LOGMILL top client --threads 2 $LOG'
    COMMAND[top-1]='$LOGMILL top client --threads 1 $LOG'
    COMMAND[pipeline]="mawk '{print \$1}' \$LOG | sort | uniq -c | sort -rn"
    COMMAND[hash]="mawk '{n[\$1]++} END {for (k in n) print n[k], k}' \$LOG | sort -rn"
    race "$RUNS" lines top top-1 report report-1
    faster top top-1 1.8
    within top lines 3
    faster report report-1 1.8
    within report lines 8
    if have mawk mawk; then
        race "$RUNS" top pipeline hash
        faster top pipeline 15
        faster top hash 12
    fi
    goaccess_race
}

same_clients() {
    local ours theirs
    ours=$("$LOGMILL" top client --limit 0 --output uniq "$LOG" | awk '{print $1, $2}' | sort | md5sum)
    theirs=$(awk '{print $1}' "$LOG" | sort | uniq -c | awk '{print $1, $2}' | sort | md5sum)
    same "requests of each client, as a checksum" "${ours%% *}" "${theirs%% *}"
}

same_names() {
    local ours theirs
    ours=$("$LOGMILL" top name --where kind=query --limit 0 --output uniq "$LOG" | awk '{print $1, $2}' | sort | md5sum)
    theirs=$(awk '$3 == "queries:" {print tolower($10)}' "$LOG" | sort | uniq -c | awk '{print $1, $2}' | sort | md5sum)
    same "queries for each name, as a checksum" "${ours%% *}" "${theirs%% *}"
}

goaccess_race() {
    have goaccess goaccess || return 0
    COMMAND[goaccess]='goaccess $LOG --log-format=COMBINED --no-global-config --no-progress -o $LAB/goaccess.json < /dev/null'
    race "$SLOW_RUNS" goaccess
    same "requests of goaccess" "$(ledger read 2)" \
        "$(grep -o -m 1 '"total_requests": *[0-9]*' "$LAB/goaccess.json" | grep -o '[0-9]*$')"
    race "$RUNS" report
    faster report goaccess 150
}

section_gzip() {
    make_log nginx-combined
    gzip --keep "$LOG"
    GZ=$LOG.gz
    same "inflated bytes" "$("$INFLATE" "$GZ")" "$(stat -c %s "$LOG")"
    COMMAND[inflate]='$INFLATE $GZ'
    COMMAND[zcat]='zcat $GZ'
    COMMAND[report-gzip]='$LOGMILL report --threads 2 $GZ'
    COMMAND[report-gzip-1]='$LOGMILL report --threads 1 $GZ'
    race "$RUNS" inflate report-gzip report-gzip-1 zcat
    within report-gzip inflate 1.25
}

# Few keys and one day, all of them seen in the smaller log already: what grows is the log alone.
section_memory() {
    local small large few=(--clients 2000 --paths 500 --span 1d)
    type -P time > /dev/null || { skip "memory" "needs GNU time (Debian: apt-get install time)"; return 0; }
    make_log nginx-combined 100MB "${few[@]}"
    small=$(peak "$LOGMILL" report --threads 2 "$LOG")
    make_log nginx-combined "$LARGE" "${few[@]}"
    large=$(peak "$LOGMILL" report --threads 2 "$LOG")
    judge "report: % MiB at its peak on 100MB with few keys" $((small / 1024)) '<=' 64
    judge "report: % MiB at its peak on $LARGE with few keys" $((large / 1024)) '<=' 64
    judge "report: % times the peak of 100MB on $LARGE" "$(awk "BEGIN { printf \"%.2f\", $large / $small }")" '<=' 1.1
    make_log nginx-combined
    large=$(peak "$LOGMILL" report --threads 2 "$LOG")
    say "          report: $((large / 1024)) MiB at its peak on $SIZE with up to 200,000 clients and 50,000 paths"
}

section_generate() {
    COMMAND[generate]='$LOGMILL generate nginx-combined --size $SIZE'
    race "$RUNS" generate
    pace generate "$("$LOGMILL" generate nginx-combined --size "$SIZE" | wc -c)" 500
}

section_records() {
    make_log nginx-combined
    same "records and lines written" "$("$LOGMILL" records --fields time,client,status,path "$LOG" | wc -l)" "$(wc -l < "$LOG")"
    COMMAND[records]='$LOGMILL records --fields time,client,status,path $LOG'
    COMMAND[records-all]='$LOGMILL records $LOG'
    race "$RUNS" records records-all
    pace records "$(stat -c %s "$LOG")" 300
    pace records-all "$(stat -c %s "$LOG")" 300
}

# reads FAMILY FORMAT: whether this build reads a family; makes its log and compares two threads with one.
reads() {
    "$LOGMILL" formats | awk -v family="$1" '$2 == family { found = 1 } END { exit !found }' ||
        { skip "$1" "this build has no format of the family"; return 1; }
    make_log "$2"
    whole
    reports
    race "$RUNS" report report-1
    faster report report-1 1.7
}

section_haproxy() {
    reads haproxy haproxy-http || return 0
    same "records and lines" "$(ledger read 2)" "$(wc -l < "$LOG")"
    have halog haproxy || return 0
    COMMAND[halog-srv]='halog -srv -q < $LOG'
    COMMAND[halog-all]='for mode in -srv -st -tc -cc -pct -gt -uc -ue -ua -ut -uao -uto -uba -ubt -ic; do halog $mode -q < $LOG; done'
    race "$RUNS" report halog-srv
    within report halog-srv 1.5
    race "$SLOW_RUNS" halog-all
    faster report halog-all 10
}

section_postfix() {
    reads postfix postfix || return 0
    same "records and lines" "$(ledger read 2)" "$(wc -l < "$LOG")"
    have pflogsumm pflogsumm || return 0
    COMMAND[pflogsumm]='pflogsumm $LOG'
    race "$SLOW_RUNS" pflogsumm
    faster report pflogsumm 40
}

section_mysql() {
    reads mysql_slow mysql-slow || return 0
    have pt-query-digest percona-toolkit || return 0
    COMMAND[pt-query-digest]='pt-query-digest --no-version-check $LOG'
    race "$SLOW_RUNS" pt-query-digest
    faster report pt-query-digest 100
}

section_bind() {
    reads bind bind || return 0
    same "records and lines" "$(ledger read 2)" "$(wc -l < "$LOG")"
    same_names
    have mawk mawk || return 0
    COMMAND[names]="mawk '\$3 == \"queries:\" {split(\$7, a, \"#\"); c[a[1]]++; n[\$10]++} END {for (k in c) print c[k], k; for (k in n) print n[k], k}' \$LOG"
    race "$RUNS" report names
    faster report names 20
}

ALL=(web gzip memory generate records haproxy postfix mysql bind)
sections=("$@")
[ $# -gt 0 ] || sections=("${ALL[@]}")
for section in "${sections[@]}"; do
    [[ " ${ALL[*]} " == *" $section "* ]] || die "there is no section '$section'; sections: ${ALL[*]}"
done

build
say "$("$LOGMILL" --version), $(nproc) cores, $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), logs of $SIZE"
for section in "${sections[@]}"; do
    say "" "$section"
    "section_$section"
    rm -f "$LAB"/*.log "$LAB"/*.gz
done
sum_up
