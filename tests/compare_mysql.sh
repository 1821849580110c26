#!/usr/bin/env bash
# Holds our numbers about slow logs against those of pt-query-digest (percona-toolkit) and mariadb-dumpslow, where they
# are installed, on logs where they are right; and shows where they are wrong. Usage: compare_mysql.sh LOGMILL
set -euo pipefail
logmill=${1:-target/release/logmill}
pt=${PT_QUERY_DIGEST:-pt-query-digest}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
failures=0

same() { # what, ours, theirs
    if [ "$2" = "$3" ]; then
        echo "ok   $1: $2"
    else
        echo "DIFF $1: ours $2, theirs $3"
        failures=$((failures + 1))
    fi
}

ours() { # log, jq filter
    "$logmill" report --limit 0 --output json --pt-checksums "$1" 2> /dev/null | jq -r "$2"
}

QUERIES='.sections[] | select(.name == "query_summary") | .values.queries'

# --- what both count right ------------------------------------------------------------------------------------------
for format in mysql-slow mariadb-slow; do
    log=$folder/$format.log
    "$logmill" generate "$format" --records 20000 > "$log"
    if command -v "$pt" > /dev/null; then
        "$pt" --limit 100% --report-format header,profile "$log" > "$folder/pt" 2> /dev/null
        theirs=$(sed -n 's/^# Overall: \([0-9.]*[kM]*\) total.*/\1/p' "$folder/pt")
        count=$(ours "$log" "$QUERIES")
        same "$format: queries" "$(numfmt --to=si --format=%.2f "$count" | tr K k)" "$theirs"
        # Each class by its checksum: the calls of all that have it. pt-query-digest takes the mark off a comment that begins
        # a statement, and its words for code; that class is left out.
        awk '/^# +[0-9]+ 0x/ && !/ cron / { print substr($3, length($3) - 15), $6 }' "$folder/pt" | sort > "$folder/theirs"
        ours "$log" '.sections[] | select(.name == "statements") | .rows[] | select(.id != "") | "\(.id) \(.calls)"' |
            awk '{ calls[$1] += $2 } END { for (id in calls) print id, calls[id] }' | sort > "$folder/ours"
        same "$format: classes of pt-query-digest found with as many calls" \
            "$(comm -12 "$folder/ours" "$folder/theirs" | wc -l)" "$(wc -l < "$folder/theirs")"
    fi
    # mariadb-dumpslow takes a comment at the beginning of a statement for a header, so that such are left out.
    if command -v mariadb-dumpslow > /dev/null && [ "$format" = mariadb-slow ]; then
        counted=$(mariadb-dumpslow -s c "$log" 2> /dev/null | sed -n 's/^Count: \([0-9]*\).*/\1/p' | awk '{ sum += $1 } END { print sum }')
        extra=$(grep -cE '^# (Query from cron|administrator command)' "$log" || true)
        same "$format: queries of mariadb-dumpslow less those that it counts twice" "$(ours "$log" "$QUERIES")" "$((counted - extra))"
    fi
done

# --- where they are wrong: shown, not compared ----------------------------------------------------------------------
log=fixtures/mysql/slow_plain.log
echo "forged headers inside strings ($log holds 27 statements):"
echo "  ours             $(ours "$log" "$QUERIES")"
if command -v "$pt" > /dev/null; then
    echo "  pt-query-digest  $("$pt" --report-format header "$log" 2> /dev/null | sed -n 's/^# Overall: \([0-9]*\) total.*/\1/p')"
fi
if command -v mariadb-dumpslow > /dev/null; then
    echo "  mariadb-dumpslow $(mariadb-dumpslow "$log" 2> /dev/null | sed -n 's/^Count: \([0-9]*\).*/\1/p' | awk '{ sum += $1 } END { print sum }')"
fi
exit $((failures > 0))
