# Times commands and says whether they hold a bar; sourced by peers.sh, not run.
#
# A contender is a name with a command line in COMMAND, timed by the shell's own clock and without a further shell around
# it. Contenders of one race take turns (A B A B …), so that a machine that grows slower meanwhile is unfair to none, and
# the median of their runs counts. Each runs once unmeasured first, which fills the page cache.

declare -A COMMAND MICROS
HELD=() MISSED=() SKIPPED=()

say() { printf '%s\n' "$@"; }

die() {
    printf 'peers.sh: %s\n' "$*" >&2
    exit 1
}

# skip WHAT WHY
skip() {
    SKIPPED+=("$1")
    say "  skipped  $1: $2"
}

# have PROGRAM PACKAGE: whether a peer is installed; says so if not.
have() {
    command -v "$1" > /dev/null && return
    skip "$1" "not installed (Debian: apt-get install $2)"
    return 1
}

# once NAME: runs a contender and adds its time.
once() {
    local start=${EPOCHREALTIME/./}
    eval "${COMMAND[$1]}" > /dev/null 2> "$LAB/stderr" ||
        die "this failed: ${COMMAND[$1]}: $(head -c 300 "$LAB/stderr")"
    MICROS[$1]+="$((${EPOCHREALTIME/./} - start)) "
}

# race RUNS NAME…: one unmeasured run each, then so many measured ones in turn.
race() {
    local runs=$1 name run
    shift
    for name in "$@"; do
        [ "$runs" -lt 3 ] || once "$name" # Slow peers read for minutes: their first read warms nothing that counts.
        MICROS[$name]=
    done
    for ((run = 0; run < runs; run++)); do
        for name in "$@"; do once "$name"; done
    done
    for name in "$@"; do tell "$name"; done
}

# times NAME: in microseconds, ascending.
times() { printf '%s\n' ${MICROS[$1]} | sort -n; }

# median NAME: in microseconds; of an even number the faster of the middle ones.
median() { times "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# seconds NAME
seconds() { awk -v micros="$(median "$1")" 'BEGIN { printf "%.3f", micros / 1e6 }'; }

# tell NAME: its median, its spread and its command.
tell() {
    local spread
    spread=$(times "$1" |
        awk '{ v[NR] = $1 } END { printf "%.3f to %.3f in %d", v[1] / 1e6, v[NR] / 1e6, NR }')
    printf '  %9s s  %-16s %s   (%s)\n' "$(seconds "$1")" "$1" "${COMMAND[$1]}" "$spread"
}

# judge WHAT VALUE OP BAR: one line of the result, with VALUE in the place of the % of WHAT; OP is >= or <=.
judge() {
    local text=${1/\%/$2} verdict=MISSED words='at most'
    [ "$3" = '<=' ] || words='at least'
    awk -v value="$2" -v bar="$4" "BEGIN { exit !(value $3 bar) }" && verdict=holds
    text+=" (bar: $words $4)"
    if [ $verdict = holds ]; then HELD+=("$text"); else MISSED+=("$text"); fi
    say "  $verdict   $text"
}

# ratio SLOW FAST: how many times the time of FAST the other takes.
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a / b }'; }

# faster OURS THEIRS BAR: ours is at least so many times as fast.
faster() { judge "$1: % times as fast as $2, $(seconds "$1") s against $(seconds "$2") s" "$(ratio "$2" "$1")" '>=' "$3"; }

# within OURS THEIRS BAR: ours takes at most so many times the time.
within() { judge "$1: % times the time of $2, $(seconds "$1") s against $(seconds "$2") s" "$(ratio "$1" "$2")" '<=' "$3"; }

# pace NAME BYTES BAR: at least so many megabytes (of 10^6) a second.
pace() {
    judge "$1: % MB/s" "$(awk -v micros="$(median "$1")" -v bytes="$2" 'BEGIN { printf "%.0f", bytes / micros }')" '>=' "$3"
}

# peak COMMAND…: the most memory that a command had in use, in KiB, as the kernel counts it.
peak() {
    command time -f '%M' -o "$LAB/peak" "$@" > /dev/null || die "this failed: $*"
    cat "$LAB/peak"
}

# sum_up: which bars hold.
sum_up() {
    say "" "${#HELD[@]} of $((${#HELD[@]} + ${#MISSED[@]})) bars hold"
    [ ${#MISSED[@]} -eq 0 ] || printf '  missed: %s\n' "${MISSED[@]}"
    [ ${#SKIPPED[@]} -eq 0 ] || printf '  skipped: %s\n' "${SKIPPED[@]}"
}
