#!/usr/bin/env bash
# test_cli.sh: the programs as a person meets them: bench/run_all.sh in smoke mode, interrupted, and all
# of them given bad input. The last line is  N passed, N failed .
#
#   tests/test_cli.sh [smoke | input]     without a word: both
#
# A refusal must be one line on stderr that names what was wrong, nothing on stdout, the promised exit
# status (2: what was asked for is wrong, 1: the disk), and nothing left behind. It is asked of the binaries
# that bench/run_all.sh itself built.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
build=$root/build
readonly here root build
work=$(mktemp -d)
small=''
passed=0 failed=0

# shellcheck disable=SC2317  # reached by trap
clean_up() {
    [[ -z $small ]] || umount "$small" 2>/dev/null || true
    rm -rf -- "$work"
}
trap clean_up EXIT

say() { printf '%s\n' "$*"; }
ok() {
    passed=$((passed + 1))
    say "ok      $1"
}
not_ok() {
    failed=$((failed + 1))
    say "NOT OK  $1: $2"
}
# holds NAME COMMAND...: the command succeeds.
holds() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name" "$* failed"; fi
}

# ---- refusals --------------------------------------------------------------------------------------

# What a folder holds, names and sizes, so that nothing half-written goes unseen.
picture() { find "$1" -printf '%P %s\n' | sort; }

# refuses STATUS WORD COMMAND...: ends with that status, one line on stderr that has the word in it,
# nothing on stdout, nothing new in $work/out.
refuses() {
    local status=$1 word=$2 got=0 before reason=''
    shift 2
    before=$(picture "$work/out")
    timeout 120 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
    if ((got != status)); then
        reason="exit status $got instead of $status"
    elif (($(grep -vc '^Try `' -- "$work/stderr") != 1)); then # argp adds where to read more
        reason="$(wc -l <"$work/stderr") lines on stderr instead of 1"
    elif ! grep -qF -e "$word" -- "$work/stderr"; then
        reason="does not say '$word'"
    elif [[ -s $work/stdout ]]; then
        reason="something on stdout"
    elif [[ $(picture "$work/out") != "$before" ]]; then
        reason="something was left in the output directory"
    fi
    local name="${*//$root\//}"
    name="refuses ${name//$work/TMP}"
    if [[ -z $reason ]]; then
        ok "$name"
    else
        not_ok "$name" "$reason"
        sed 's/^/        | /' -- "$work/stderr" | head -n 5
    fi
}

# The same build twice: what comes is a ratio with an interval.
compares_builds() {
    "$root/bench/compare_builds.sh" --rounds=6 "$build" "$build" --backend=omp --strategy=map --n=1000 |
        grep -qE '^A [0-9.]+ ns, B [0-9.]+ ns, B/A [0-9.]+ \[[0-9.]+, [0-9.]+\], 6 rounds$'
}

refuses_options_of_compare_builds() {
    local compare=$root/bench/compare_builds.sh
    holds "compare_builds.sh compares" compares_builds
    refuses 2 "two build directories" "$compare"
    refuses 2 accepted "$compare" --rounds=5 "$build" "$build"
    refuses 2 "no bench/twin_arm" "$compare" "$build" "$work"
}

refuses_options_of_run_all() {
    local run=$root/bench/run_all.sh
    refuses 2 accepted "$run" --backend=mpi
    refuses 2 accepted "$run" --backend=
    refuses 2 accepted "$run" --mode=fast
    refuses 2 accepted "$run" --nonsense
    refuses 2 accepted "$run" word
    refuses 2 missing "$run" --mode
    refuses 2 accepted "$run" --seed=8x
    refuses 2 accepted "$run" --seed=-1
    refuses 2 accepted "$run" --seed=1e6
    refuses 2 accepted "$run" '--only=map(' --out="$work/out/new"
    refuses 2 accepted "$run" --only=
    refuses 2 "does not exist" "$run" --out="$work/out/no/such/place"
    refuses 2 "not a directory" "$run" --out="$work/out/a-file"
    refuses 2 "not a directory" "$run" --out="$work/out/a-file/below"
    if ((EUID == 0)); then # root may write anywhere: ask as somebody else
        refuses 2 "cannot be written" setpriv --reuid=54321 --regid=54321 --clear-groups \
            bash "$run" --out="$work/out"
        refuses 2 "cannot be written" setpriv --reuid=54321 --regid=54321 --clear-groups \
            bash "$run" --out="$work/out/new"
    else
        chmod a-w -- "$work/out"
        refuses 2 "cannot be written" "$run" --out="$work/out"
        refuses 2 "cannot be written" "$run" --out="$work/out/new"
        chmod u+w -- "$work/out"
    fi
}

# The limit is a guard: nobody is to take the memory should the arm not refuse.
refuses_more_than_memory() {
    local kib
    kib=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
    if ((kib > 40000000)); then
        say "skipped: this machine has memory for 4 * 10^9 items"
        return
    fi
    (
        ulimit -v 8388608
        refuses 2 "too large for memory" "$1" --strategy=map --backend=proc --n=4000000000
        refuses 2 "too large for memory" "$1" --strategy=sequential --backend=seq --n=4000000000
        printf '%s %s\n' "$passed" "$failed" >"$work/counts"
    )
    read -r passed failed <"$work/counts"
}

refuses_options_of_programs() {
    local arm=$build/bench/twin_arm launch=$build/bench/twin_launch value
    for value in 0 -1 1e6 8x '' ' 5' 5.5 0x10 99999999999999999999; do
        refuses 2 "--n=" "$arm" --strategy=map --backend=proc "--n=$value"
    done
    for value in -1 8x 1000000 4294967298; do
        refuses 2 "--workers=" "$arm" --strategy=map --backend=omp --n=10 "--workers=$value"
    done
    for value in 0 -1 8x; do
        refuses 2 "--chunk=" "$arm" --strategy=map --backend=proc --n=10 "--chunk=$value"
    done
    refuses_more_than_memory "$arm"
    refuses 2 accepted "$arm" --strategy=sort --backend=proc
    refuses 2 accepted "$arm" --strategy=map --backend=mpi
    refuses 2 missing "$arm" --backend=proc
    refuses 2 accepted "$arm" --strategy=map --backend=proc --form=loop
    refuses 2 accepted "$arm" --strategy=map --backend=proc --memory=disk
    refuses 2 nonsense "$arm" --nonsense
    refuses 2 accepted "$build/bench/twin_life" --strategy=sleep
    refuses 2 "--n=" "$build/bench/twin_life" --strategy=idle --n=0
    if [[ -x $build/bench/peers/peer_glib ]]; then # the others share its command line
        refuses 2 accepted "$build/bench/peers/peer_glib" --strategy=map
        refuses 2 "--workers=" "$build/bench/peers/peer_glib" --strategy=apply --workers=0
    else
        say "skipped: peer_glib was not built"
    fi
    refuses 2 accepted "$launch" --mode=fast
    refuses 2 accepted "$launch" --backend=mpi
    refuses 2 "--only=" "$launch" '--only=map(' "--out=$work/out"
    refuses 2 "--seed=" "$launch" --seed=8x "--out=$work/out"
    refuses 2 "matches nothing" "$launch" --only=nothing_is_called_so "--out=$work/out"
    refuses 2 nonsense "$launch" --nonsense
}

# A real samples.csv, small.
measure_something() {
    mkdir -- "$work/good"
    holds "measures one row" "$build/bench/twin_launch" --mode=smoke '--only=^strategies/seq' \
        "--out=$work/good" >"$work/launch.log" 2>&1
    tail -n 1 -- "$work/launch.log"
}

# refuses_samples NAME: the file that was just written as samples.csv is none.
refuses_samples() {
    refuses 2 samples.csv "$build/report/twin_report" "$work/out"
}

refuses_samples_that_are_none() {
    local good=$work/good/samples.csv samples=$work/out/samples.csv
    refuses 2 usage "$build/report/twin_report"
    refuses 2 samples.csv "$build/report/twin_report" "$work/out/no-such-place"
    refuses 2 samples.csv "$build/report/twin_report" "$work/out"
    : >"$samples" && refuses_samples
    printf 'name,age\nAda,36\n' >"$samples" && refuses_samples
    head -c 4096 /dev/urandom >"$samples" && refuses_samples
    { head -n 3 -- "$good" && printf '1,2,3\n'; } >"$samples" && refuses_samples
    { head -n 1 -- "$good" && sed -n 2p -- "$good" | sed 's/^[0-9]*/first/'; } >"$samples" &&
        refuses_samples
    rm -- "$samples" && mkdir -- "$samples" && refuses_samples
    rmdir -- "$samples"
}

# A disk of a few pages: what cannot be written whole is not there at all.
refuses_a_full_disk() {
    local good=$work/good/samples.csv kib
    if ((EUID != 0)); then
        say "skipped: a full disk needs root"
        return
    fi
    small=$work/small
    mkdir -- "$small"
    kib=$(($(wc -c <"$good") / 1024 + 8))
    if ! mount -t tmpfs -o "size=${kib}k" none "$small" 2>/dev/null; then
        say "skipped: no tmpfs can be mounted here"
        small=''
        return
    fi
    cp -- "$good" "$small/samples.csv"
    refuses 1 "space" "$build/report/twin_report" "$small"
    holds "leaves no half of a report on a full disk" test ! -e "$small/REPORT.md"
    rm -rf -- "${small:?}"/*
    head -c $((kib * 1024)) /dev/zero >"$small/filler" 2>/dev/null || true
    refuses 1 "space" "$build/bench/twin_launch" --mode=smoke '--only=^strategies/seq' \
        "--out=$small"
}

bad_input() {
    mkdir -- "$work/out"
    : >"$work/out/a-file"
    chmod 755 "$work" "$work/out"
    refuses_options_of_run_all
    "$root/bench/run_all.sh" --list >/dev/null || true # builds what is asked next
    refuses_options_of_programs
    refuses_options_of_compare_builds
    measure_something
    refuses_samples_that_are_none
    refuses_a_full_disk
}

# ---- smoke -----------------------------------------------------------------------------------------

has_rows() { # has_rows FILE BACKEND...
    local file=$1 backend
    shift
    for backend in "$@"; do
        grep -q ",$backend," -- "$file" || return 1
    done
}

has_columns() {
    local column header
    header=,$(head -n 1 -- "$1"),
    for column in family backend strategy n workers chunk form memory wait phase outcome rounds \
        median_ns ci_lo_ns ci_hi_ns ratio_vs_seq; do
        [[ $header == *",$column,"* ]] || return 1
    done
}

lacks() { ! grep -q -e "$1" -- "$2"; }

smoke_of() {
    local backend=$1 other=$2 out=$work/smoke-$1 status=0 file
    "$root/bench/run_all.sh" --mode=smoke "--backend=$backend" "--out=$out" \
        >"$work/stdout" 2>"$work/stderr" </dev/null || status=$?
    ((status == 0)) || tail -n 20 -- "$work/stderr" | sed 's/^/        | /'
    holds "smoke $backend ends with 0" test "$status" = 0
    for file in samples.csv environment.txt summary.csv REPORT.md; do
        holds "smoke $backend leaves $file" test -s "$out/$file"
    done
    holds "smoke $backend has its columns" has_columns "$out/summary.csv"
    holds "smoke $backend has rows of seq, bare and $backend" \
        has_rows "$out/samples.csv" seq bare "$backend"
    holds "smoke $backend saw no wrong result" lacks ,wrong_result, "$out/samples.csv"
    holds "smoke $backend has no row of $other in its strategies" \
        lacks ",strategies,$other," "$out/samples.csv"
}

# Pids whose session is this one.
session_of() {
    local stat line
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        line=${line##*) } # state ppid pgrp session
        read -r _ _ _ line _ <<<"$line"
        [[ $line != "$1" ]] || printf '%s ' "${stat//[!0-9]/}"
    done
}

smoke_interrupted() {
    local out=$work/smoke-interrupted status=0 session turn
    setsid env --default-signal=INT,TERM bash "$root/bench/run_all.sh" --mode=smoke \
        "--out=$out" >"$work/stdout" 2>"$work/stderr" </dev/null &
    session=$!
    for ((turn = 0; turn < 1200; turn++)); do
        [[ ! -s $out/samples.csv ]] || (($(wc -l <"$out/samples.csv") < 4)) || break
        kill -0 "$session" 2>/dev/null || break
        sleep 0.1
    done
    kill -INT -- "-$session" || true # as the terminal does: the whole group
    wait "$session" || status=$?
    holds "interrupted: ends with 130" test "$status" = 130
    holds "interrupted: samples are kept" test "$(wc -l <"$out/samples.csv")" -ge 4
    holds "interrupted: the report is made" test -s "$out/REPORT.md"
    holds "interrupted: nobody is left: $(session_of "$session")" \
        test -z "$(session_of "$session")"
}

main() {
    case ${1:-all} in
    smoke) ;;
    input) ;;
    all) ;;
    *)
        printf 'test_cli.sh: %s: accepted are smoke, input\n' "$1" >&2
        exit 2
        ;;
    esac
    [[ ${1:-all} == smoke ]] || bad_input
    if [[ ${1:-all} != input ]]; then
        smoke_of proc omp
        smoke_of omp proc
        smoke_interrupted
    fi
    say "$passed passed, $failed failed"
    ((failed == 0))
}

main "$@"
