#!/usr/bin/env bash
# test_examples.sh: the examples as a person meets them: what they print, what they refuse, and that
# Ctrl-C leaves nobody behind. The last line is  N passed, N failed .
#
#   tests/test_examples.sh NAME PROGRAM     NAME: course, course_threads, untrusted, deadline, stream
set -euo pipefail

if (($# != 2)); then
    printf 'usage: test_examples.sh NAME PROGRAM\n' >&2
    exit 2
fi
name=$1 program=$2
readonly name program
work=$(mktemp -d)
# shellcheck disable=SC2317  # reached by trap
clean_up() {
    local -a left
    mapfile -t left < <(jobs -p) # a writer whose reader never came
    ((${#left[@]} == 0)) || kill "${left[@]}" 2>/dev/null || true
    rm -rf -- "$work"
}
trap clean_up EXIT
passed=0 failed=0
# The crashes here are meant: a sanitizer must neither report them nor turn them into an exit.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0
ulimit -c 0

say() { printf '%s\n' "$*"; }
# holds NAME COMMAND...: the command succeeds; what it says is shown if it does not.
holds() {
    local what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        say "ok      $what"
    else
        failed=$((failed + 1))
        say "NOT OK  $what"
        sed 's/^/        | /' -- "$work/said" | head -n 20
    fi
}

# runs STATUS ARGUMENT...: ends with that status. Its output is left in $work/stdout and stderr.
runs() {
    local expected=$1 got=0
    shift
    timeout 500 "$program" "$@" >"$work/stdout" 2>"$work/stderr" || got=$?
    ((got == expected)) || { say "exit status $got instead of $expected"; head -n 5 -- "$work/stderr"; return 1; }
}

# prints STATUS FILE ARGUMENT...: ends so and prints exactly this; prints_sorted: in any order.
prints() {
    local status=$1 file=$2
    shift 2
    runs "$status" "$@" && diff "$file" "$work/stdout"
}

prints_sorted() {
    local status=$1 file=$2
    shift 2
    runs "$status" "$@" && diff <(sort -- "$file") <(sort -- "$work/stdout")
}

helps() { runs 0 --help && grep -q '^usage: ' -- "$work/stdout" && test ! -s "$work/stderr"; }

# refuses WORD ARGUMENT...: one line on stderr with the word and with what is accepted.
refuses() {
    local word=$1
    shift
    runs 2 "$@" </dev/null && test ! -s "$work/stdout" && (($(wc -l <"$work/stderr") == 1)) &&
        grep -F -e "$word" -- "$work/stderr" | grep -q accepted
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

# until COMMAND...: asks again until it succeeds; 60 s is a guard, not a promise.
until_true() {
    local turn
    for ((turn = 0; turn < 600; turn++)); do
        ! "$@" || return 0
        sleep 0.1
    done
    return 1
}

has_workers() { (($(session_of "$1" | wc -w) >= 3)); } # the program, its supervisor, a worker
is_gone() { [[ -z $(session_of "$1") ]]; }

# interrupted ARGUMENT...: SIGINT to the whole group, as the terminal sends it, ends the program by that
# signal, and all of its processes. Standard input is $work/input.
interrupted() {
    local session status=0
    setsid env --default-signal=INT "$program" "$@" <"$work/input" >"$work/stdout" 2>"$work/stderr" &
    session=$!
    until_true has_workers "$session" || { say "no workers"; return 1; }
    kill -INT -- "-$session"
    wait "$session" || status=$?
    ((status == 130)) || { say "exit status $status"; return 1; }
    until_true is_gone "$session" || { say "left: $(session_of "$session")"; return 1; }
}

# ---- course ----------------------------------------------------------------------------------------

# The times are taken away: only that there are some is promised.
squares() {
    local way
    runs 0 || { cat -- "$work/stdout"; return 1; }
    sed -E 's/ +[0-9]+\.[0-9]{3} s / /; s/ +/ /g' -- "$work/stdout" >"$work/table"
    for way in loop map executor; do say "$way all right"; done | diff - "$work/table"
}

test_course() { holds "course: squares with processes" squares; }
test_course_threads() { holds "course: squares with threads" squares; }

# ---- untrusted -------------------------------------------------------------------------------------

# number N: four bytes, the lowest first.
number() {
    local hex
    printf -v hex '%08x' "$1"
    printf '%b' "\\x${hex:6:2}\\x${hex:4:2}\\x${hex:2:2}\\x${hex:0:2}"
}

# box COUNT LENGTH...: fields of these lengths, filled with the letter x.
box() {
    printf BOX1
    number "$1"
    shift
    local length
    for length in "$@"; do
        number "$length"
        printf '%*s' "$length" '' | tr ' ' x
    done
}

# Fifty files: each seventh lies about a length, two are no box, one is not there.
make_boxes() {
    local i
    mkdir -- "$work/box"
    for ((i = 0; i < 50; i++)); do
        local file=$work/box/$i
        if ((i == 10)); then
            printf 'BOX2 and more\n' >"$file"
            say "$file: refused: not a box file"
        elif ((i == 11)); then
            : >"$file"
            say "$file: refused: not a box file"
        elif ((i == 12)); then
            say "$file: refused: No such file or directory"
        elif ((i % 7 == 0)); then
            { box $((i + 3)) 3; number 4294967280; } >"$file"
            say "$file: crashed: signal 11 (Segmentation fault)"
        else
            box 3 "$i" $((100 * i)) 0 >"$file"
            say "$file: 3 fields, $((101 * i)) bytes"
        fi
    done
    say "50 files, 11 of them lost"
}

test_untrusted() {
    make_boxes >"$work/expected"
    box 2 5 6 >"$work/good"
    say "$work/good: 2 fields, 11 bytes
1 files, 0 of them lost" >"$work/expected-good"
    holds "untrusted: loses exactly the files that crash it" \
        prints_sorted 1 "$work/expected" "$work"/box/{0..49}
    holds "untrusted: ends with 0 when nothing is lost" prints 0 "$work/expected-good" "$work/good"
    holds "untrusted: helps" helps
    holds "untrusted: refuses an option" refuses --nonsense --nonsense
    holds "untrusted: refuses to read nothing" refuses nothing
    mkfifo -- "$work/endless"
    : >"$work/input"
    holds "untrusted: Ctrl-C leaves nobody" interrupted "$work/endless"
}

# ---- deadline --------------------------------------------------------------------------------------

# repeat N TEXT
repeat() {
    local i
    for ((i = 0; i < $1; i++)); do printf '%s' "$2"; done
}

# Of 300 lines, each fiftieth would take the matcher longer than the earth will last.
make_lines() {
    local i
    for ((i = 1; i <= 300; i++)); do
        case $((i % 50)) in
        0) repeat 60 a ;;
        7) printf 'none' ;;
        *) printf '%sb%s' "$(repeat 30 a)" "$i" ;;
        esac
        printf '\n'
    done
}

stops_exactly() {
    local i
    prints 1 "$@" || return
    for ((i = 50; i <= 300; i += 50)); do
        say "deadline: line $i: timed out: the task was stopped"
    done | diff - "$work/stderr"
}

test_deadline() {
    local stars
    stars=$(repeat 25 '*a')'*b*'
    make_lines >"$work/lines"
    grep b "$work/lines" >"$work/expected"
    holds "deadline: stops exactly the lines that take for ever" \
        stops_exactly "$work/expected" --milliseconds=1000 "$stars" <"$work/lines"
    printf 'none\nnine\n' >"$work/expected"
    printf 'none\nnine\n\nnon\nnonee' >"$work/lines"
    holds "deadline: ends with 0 when nothing is stopped" prints 0 "$work/expected" 'n?ne' \
        <"$work/lines"
    : >"$work/expected"
    holds "deadline: takes an empty input" prints 0 "$work/expected" x </dev/null
    holds "deadline: helps" helps
    local time
    for time in 0 -1 5x '' 1e3 3600001 99999999999999999999; do
        holds "deadline: refuses $time ms" refuses "--milliseconds=$time" "--milliseconds=$time" x
    done
    holds "deadline: refuses an option" refuses --nonsense --nonsense x
    holds "deadline: refuses a second pattern" refuses second x second
    holds "deadline: asks for a pattern" refuses "no pattern"
    repeat 60 a >"$work/input"
    holds "deadline: Ctrl-C leaves nobody" interrupted --milliseconds=3600000 "$stars"
}

# ---- stream ----------------------------------------------------------------------------------------

# fnv1a TEXT: the hash of FNV-1a, 64 bits: bash's numbers wrap as the hash asks.
fnv1a() {
    local i code hash=$((0xcbf29ce484222325))
    for ((i = 0; i < ${#1}; i++)); do
        printf -v code %d "'${1:i:1}"
        hash=$(((hash ^ code) * 0x100000001b3))
    done
    printf '%016x\n' "$hash"
}

hashes_in_order() {
    local i
    for ((i = 1; i <= 2000; i++)); do fnv1a "line $i"; done >"$work/expected"
    for ((i = 1; i <= 2000; i++)); do say "line $i"; done >"$work/lines"
    prints 0 "$work/expected" "$@" <"$work/lines" && tells 2000
}

# tells N: N lines as the last of its progress, and no word of a terminal's control.
tells() {
    cat -- "$work/stderr"
    tail -n 1 -- "$work/stderr" | grep -Eqx "$1 lines, [0-9]+ a second" &&
        ! grep -q $'[\r\033]' "$work/stderr"
}

# The line before is hashed, then it says what is wrong with this one.
refuses_long_line() {
    { say good; repeat 509 x; say ''; say good; } >"$work/lines"
    fnv1a good >"$work/expected"
    prints 2 "$work/expected" <"$work/lines" &&
        grep -qx 'stream: line 2: Message too long (accepted: 508 bytes)' "$work/stderr"
}

megabytes() { awk '$1 == "VmHWM:" { print int($2 / 1024) }' "/proc/$1/status"; }
has_printed() { (($(wc -c <"$work/stdout") > 17 * $1)); }

# Were each line kept, half a million of them would take 256 MB in the program alone.
stays_small() {
    local session small=1 mark
    mkfifo -- "$work/lines-without-end"
    yes >"$work/lines-without-end" &
    setsid "$program" <"$work/lines-without-end" >"$work/stdout" 2>"$work/stderr" &
    session=$!
    until_true has_printed 50000 && mark=$(megabytes "$session") &&
        until_true has_printed 550000 && say "$mark MB, then $(megabytes "$session") MB" &&
        (($(megabytes "$session") < mark + 100)) || small=0
    kill -KILL "$session"
    wait "$session" || true
    until_true is_gone "$session" || return
    ((small == 1))
}

# head goes when it has enough: the program ends with it, and nobody else stays.
ends_with_its_reader() {
    local count
    count=$(yes | setsid --wait "$program" 2>"$work/stderr" | head -n 100000 | sort | uniq -c)
    say "$count"
    [[ $count =~ ^\ *100000\ $(fnv1a y)$ ]]
}

test_stream() {
    local ahead
    export LC_ALL=C
    for ahead in 1 6 7 1024 65536; do
        holds "stream: hashes in order, $ahead ahead" hashes_in_order "--ahead=$ahead"
    done
    printf '\na\nfoobar' >"$work/lines" # the last without an end, as published with the hash
    printf '%s\n' cbf29ce484222325 af63dc4c8601ec8c 85944171f73967e8 >"$work/expected"
    holds "stream: hashes as published" prints 0 "$work/expected" <"$work/lines"
    : >"$work/expected"
    holds "stream: takes an empty input" prints 0 "$work/expected" </dev/null
    holds "stream: refuses a line that is too long" refuses_long_line
    holds "stream: takes memory for what is ahead only" stays_small
    holds "stream: an endless input ends with its reader" ends_with_its_reader
    holds "stream: helps" helps
    for ahead in 0 -1 5x '' 65537; do
        holds "stream: refuses $ahead ahead" refuses "--ahead=$ahead" "--ahead=$ahead"
    done
    holds "stream: refuses a word" refuses word word
    holds "stream: refuses a second word" refuses second --ahead=1 second
    rm -f -- "$work/input"
    mkfifo -- "$work/input"
    yes >"$work/input" &
    holds "stream: Ctrl-C leaves nobody" interrupted
}

case $name in
course | course_threads | untrusted | deadline | stream) "test_$name" ;;
*)
    printf 'test_examples.sh: %s: accepted are course, course_threads, untrusted, deadline, stream\n' "$name" >&2
    exit 2
    ;;
esac
say "$passed passed, $failed failed"
((failed == 0))
