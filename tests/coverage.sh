#!/usr/bin/env bash
# coverage.sh ROOT BUILD LEAST: the share of lines of strategies/*.c that ran, from the counters in
# BUILD; a line for each file, and one for all. Exit status 1 if it is less than LEAST percent.
set -euo pipefail

readonly root=$1 build=$2 least=$3
objects=$build/strategies/CMakeFiles/twinpool.dir
mapfile -t counters < <(find "$objects" -name '*.gcda')
((${#counters[@]} > 0)) || { echo "coverage.sh: no counters in $objects" >&2; exit 1; }

gcov --no-output "${counters[@]}" | awk -v root="$root/strategies/" -v least="$least" '
    /^File / {
        name = substr($0, 7, length($0) - 7)
        ours = index(name, root) == 1 && name ~ /\.c$/
        name = substr(name, length(root) + 1)
    }
    /^Lines executed:/ && ours {
        sub(/^Lines executed:/, "")
        split($0, part, "% of ")
        ran = part[1] * part[2] / 100
        printf "%6.1f %% of %4d  %s\n", part[1], part[2], name
        all += part[2]; some += ran; ours = 0
    }
    END {
        if (!all) { print "coverage.sh: nothing of strategies/ was counted"; exit 1 }
        printf "coverage: %.1f %% of %d lines of strategies/, at least %s %% wanted\n",
            100 * some / all, all, least
        exit 100 * some / all < least
    }'
