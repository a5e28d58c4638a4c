#!/usr/bin/env bash
# compare_builds.sh: one arm of two builds, side by side. --help says the rest.
#
# The two take turns, so that what the machine does meanwhile hits both, and each round gives one ratio;
# the order within a round alternates. The interval is that of the sign test: order statistics of the
# ratios, about 95 %, whatever their distribution.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bench/compare_builds.sh [--rounds=N] BUILD-A BUILD-B [options of twin_arm]

Runs BUILD-x/bench/twin_arm with the options (and --warm-only) in turns, and prints the median ns per
item of each and of the ratios B/A, with its 95 % interval. 31 rounds unless told.

  What do the counters cost a call?
    cmake -B with -DCMAKE_BUILD_TYPE=Release && cmake --build with
    cmake -B without -DCMAKE_BUILD_TYPE=Release -DTWIN_COUNTERS=OFF && cmake --build without
    bench/compare_builds.sh --rounds=201 without with --backend=proc --strategy=apply_async --n=300000 --workers=1
TEXT
}

refuse() {
    printf 'compare_builds.sh: %s\n' "$*" >&2
    exit 2
}

rounds=31
while (($# > 0)); do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --rounds=*) rounds=${1#*=} ;;
    *) break ;;
    esac
    shift
done
[[ $rounds =~ ^([6-9]|[1-9][0-9]{1,5})$ ]] ||
    refuse "--rounds=$rounds: accepted are 6 to 999999; fewer have no such interval"
(($# >= 2)) || refuse "two build directories are wanted; see --help"
for build in "$1" "$2"; do
    [[ -x $build/bench/twin_arm ]] || refuse "$build: no bench/twin_arm in it; build it first"
done
a=$1/bench/twin_arm b=$2/bench/twin_arm
shift 2

# Prints ns per item of the warm pass.
measure() {
    "$@" --warm-only | awk -F= '
        $1 == "phase" { phase = $2 }
        $1 == "outcome" && $2 != "ok" { exit 1 }
        $1 == "n_run" { n = $2 }
        $1 == "elapsed_ns" && phase == "warm" { ns = $2 }
        END { if (!(n > 0 && ns > 0)) exit 1; printf "%.3f\n", ns / n }'
}

pairs=''
for ((round = 0; round < rounds; round++)); do
    if ((round % 2 == 0)); then
        x=$(measure "$a" "$@") && y=$(measure "$b" "$@")
    else
        y=$(measure "$b" "$@") && x=$(measure "$a" "$@")
    fi || refuse "an arm failed with: $*"
    pairs+="$x $y"$'\n'
    [[ ! -t 2 ]] || printf '\r%d/%d ' "$((round + 1))" "$rounds" >&2
done
printf '%s' "$pairs" | awk '
    function sort(values, n,    i, k, value) {
        for (i = 2; i <= n; i++) {
            value = values[i]
            for (k = i - 1; k > 0 && values[k] > value; k--)
                values[k + 1] = values[k]
            values[k + 1] = value
        }
    }
    function median(values, n) { return (values[int((n + 1) / 2)] + values[int(n / 2) + 1]) / 2 }
    { a[NR] = $1; b[NR] = $2; ratio[NR] = $2 / $1 }
    END {
        sort(a, NR); sort(b, NR); sort(ratio, NR)
        low = int((NR - 1.96 * sqrt(NR)) / 2)
        if (low < 1) low = 1 # 6 to 8 rounds: the extremes
        printf "A %.1f ns, B %.1f ns, B/A %.3f [%.3f, %.3f], %d rounds\n", median(a, NR), median(b, NR),
            median(ratio, NR), ratio[low], ratio[NR + 1 - low], NR
    }'
