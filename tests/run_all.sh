#!/usr/bin/env bash
# run_all.sh: every check of this tree with one command, on a fresh Debian or Ubuntu too. --help says
# the rest.
#
# A stage is a function stage_NAME; its output goes to build-check/log/NAME.log and is shown when it
# fails. Each command of a stage runs in a process group of its own and bears a mark in its environment,
# so that Ctrl-C ends it with all that it started. What is counted: the tests inside the suites, and each
# stage as one more.
set -euo pipefail

readonly stages=(gcc clang tests asan tsan valgrind coverage shellcheck format install smoke input)
readonly extra=(stress) # only when asked for by name
readonly under_valgrind=(memory_proc apply_proc executor_submit_proc)
declare -rA what=(
    [gcc]='gcc builds without a warning'
    [clang]='clang builds without a warning'
    [tests]='units and contract, each strategy on each backend'
    [asan]='the same under AddressSanitizer and UndefinedBehaviorSanitizer'
    [tsan]='the process protocol on threads, under ThreadSanitizer'
    [valgrind]='memory, calls and an executor by processes, under memcheck'
    [coverage]='90 % of the lines of strategies/ are run by the tests, workers included'
    [stress]='the long forms: a minute of random kills, 10 000 pools, 10 s of idleness'
    [shellcheck]='shell scripts'
    [format]='clang-format'
    [install]='install, then build against it with CMake and with pkg-config'
    [smoke]='bench/run_all.sh --mode=smoke for each backend, and interrupted'
    [input]='bad input is refused with one clear line'
)

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
check=$root/build-check
readonly here root check
readonly mark=TWIN_CHECK_RUN=$$.$RANDOM$RANDOM

install=yes
only=()
passed=0 failed=0
job='' log=''

usage() {
    cat <<'TEXT'
usage: tests/run_all.sh [options]

Installs what it needs (Debian, Ubuntu), builds with gcc and clang, runs every test. About 25 minutes
on 2 CPUs. The last line is  N passed, N failed .

  --only STAGE   only this stage; may be given more than once. Stage stress runs only so
  --list         name the stages and end
  --no-install   install nothing; print the line that would
  --help         this text

Exit status: 0 all passed, 1 something failed, 2 usage or a missing package, 130 interrupted.
TEXT
}

say() { printf '%s\n' "$*"; }
refuse() {
    printf 'run_all.sh: %s\n' "$*" >&2
    exit 2
}

# ---- options ---------------------------------------------------------------------------------------

list_stages() {
    local stage
    for stage in "${stages[@]}" "${extra[@]}"; do
        printf '%-12s %s\n' "$stage" "${what[$stage]}"
    done
}

read_options() {
    while (($# > 0)); do
        case $1 in
        --help | -h) usage && exit 0 ;;
        --list) list_stages && exit 0 ;;
        --no-install) install=no ;;
        --only=*) only+=("${1#*=}") ;;
        --only)
            (($# > 1)) || refuse "--only: a stage is missing; accepted are ${stages[*]} ${extra[*]}"
            only+=("$2")
            shift
            ;;
        *) refuse "$1: unknown; accepted are --only, --list, --no-install, --help" ;;
        esac
        shift
    done
    local stage
    for stage in ${only[@]+"${only[@]}"}; do
        [[ -n ${what[$stage]:-} ]] || refuse "--only=$stage: accepted are ${stages[*]} ${extra[*]}"
    done
    ((${#only[@]} > 0)) || only=("${stages[@]}")
}

# ---- packages --------------------------------------------------------------------------------------

# Prints each package whose witness, a command or a file, is not there.
missing_packages() {
    local witness package
    while read -r witness package; do
        if [[ $witness == */* ]]; then
            compgen -G "$witness" >/dev/null || printf '%s\n' "$package"
        else
            command -v "$witness" >/dev/null || printf '%s\n' "$package"
        fi
    done <<'TEXT'
git git
gcc gcc
/usr/include/stdio.h libc6-dev
cmake cmake
ninja ninja-build
pkg-config pkg-config
/usr/include/criterion/criterion.h libcriterion-dev
/usr/include/sqlite3.h libsqlite3-dev
clang clang
/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.tsan-*.a libclang-rt-dev
/usr/lib/llvm-*/lib/libomp.so libomp-dev
clang-format clang-format
shellcheck shellcheck
gnuplot gnuplot-nox
valgrind valgrind
TEXT
}

set_up() {
    local -a missing=() as_root=()
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} > 0)) || return 0
    if ((EUID != 0)); then
        as_root=(sudo -n)
        sudo -n true 2>/dev/null || install=no
    fi
    command -v apt-get >/dev/null || install=no
    [[ $install == yes ]] ||
        refuse "missing: ${missing[*]}; this line installs it:" \
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    say "installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq >/dev/null || refuse "apt-get update failed"
    # Where clang's runtime is a part of clang, it has no package of its own.
    local package
    local -a known=()
    for package in "${missing[@]}"; do
        apt-cache show "$package" >/dev/null 2>&1 && known+=("$package")
    done
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${known[@]}" >/dev/null ||
        refuse "apt-get could not install: ${known[*]}"
}

# ---- running ---------------------------------------------------------------------------------------

# ctest and Criterion put tests into groups and sessions of their own: who bears our mark is ours.
# shellcheck disable=SC2317  # reached by trap
end_marked() {
    local file
    while read -r file; do
        file=${file#/proc/}
        kill -KILL "${file%/environ}" 2>/dev/null || true
    done < <(grep -lazxF -e "$mark" /proc/[0-9]*/environ 2>/dev/null || true)
}

# Ends what runs, with all that it started.
# shellcheck disable=SC2317  # reached by trap
interrupt() {
    trap '' INT TERM HUP
    if [[ -n $job ]]; then
        kill -TERM -- "-$job" 2>/dev/null || true
        sleep 0.3
        kill -KILL -- "-$job" 2>/dev/null || true
        end_marked
    fi
    say ''
    say "interrupted"
    say "$passed passed, $failed failed"
    exit 130
}

# The last thing that a log tells of its progress, as in 12/34 or [12/34].
progress() {
    grep -Eo '^ *\[?[0-9]+/[0-9]+' -- "$log" 2>/dev/null | tail -n 1 | tr -d ' [' || true
}

# Runs a command into the stage's log, in a process group of its own; shows how far it is.
run() {
    local status=0 now=0 next=15
    printf '+ %s\n' "$*" >>"$log"
    setsid --wait env --default-signal=INT,QUIT,TERM "$mark" "$@" </dev/null >>"$log" 2>&1 &
    job=$!
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.2 || true
        now=$((now + 1))
        if [[ -t 1 ]]; then
            ((now % 5 != 0)) || printf '\r    %s s  %s   ' "$((now / 5))" "$(progress)"
        elif ((now / 5 >= next)); then
            printf '    %s s  %s\n' "$((now / 5))" "$(progress)"
            next=$((next + 15))
        fi
    done
    wait "$job" || status=$?
    job=''
    [[ ! -t 1 ]] || printf '\r\033[K'
    return "$status"
}

run_stage() {
    local stage=$1 number=$2 status=0 began=$SECONDS
    log=$check/log/$stage.log
    : >"$log"
    say "[$number/${#only[@]}] $stage: ${what[$stage]}"
    "stage_$stage" || status=$?
    if ((status == 0)); then
        passed=$((passed + 1))
        say "    passed, $((SECONDS - began)) s"
    else
        failed=$((failed + 1))
        tail -n 60 -- "$log" | sed 's/^/    | /'
        say "    FAILED, $((SECONDS - began)) s; all of it is in $log"
    fi
}

# ---- counting --------------------------------------------------------------------------------------

# Adds up what a ctest -V log tells: the tests in each suite, or the suite itself where it tells none.
# A suite that ends badly although none of its tests failed is one failure. The stage passes only if
# ctest, whose exit status is the argument, and the counts agree that it does.
count_suites() {
    local status=$1
    local -a counts
    read -r -a counts < <(awk '
        / Synthesis: Tested: / {
            number = $1; sub(/:$/, "", number)
            gsub(/\|/, " ")
            for (i = 1; i <= NF; i++) {
                if ($i == "Passing:") good[number] += $(i + 1)
                if ($i == "Failing:" || $i == "Crashing:") bad[number] += $(i + 1)
            }
        }
        match($0, /Test +#[0-9]+: /) && / Passed +[0-9]|\*\*\*/ {
            number = substr($0, RSTART, RLENGTH); gsub(/[^0-9]/, "", number)
            ended[number] = / Passed +[0-9]/ ? 1 : 2
        }
        END {
            for (number in ended) {
                if (!(number in good)) { if (ended[number] == 1) p++; else f++; continue }
                p += good[number]; f += bad[number]
                if (ended[number] == 2 && bad[number] == 0) f++
            }
            print p + 0, f + 0
        }' "$log")
    passed=$((passed + counts[0]))
    failed=$((failed + counts[1]))
    say "    ${counts[0]} tests passed, ${counts[1]} failed"
    grep -E '\[SKIP\]' -- "$log" | sed -E 's/^[0-9]+: /    /' || true
    grep -E '[0-9]+/[0-9]+ Test +#.*\*\*\*' -- "$log" | sed 's/^/    /' || true
    ((status == 0 && counts[1] == 0 && counts[0] > 0))
}

# The same for a script whose last line is  N passed, N failed .
count_script() {
    local line
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' -- "$log" | tail -n 1) || return 1
    passed=$((passed + ${line%% *}))
    line=${line#*, }
    failed=$((failed + ${line%% *}))
}

# ---- stages ----------------------------------------------------------------------------------------

# build NAME OPTION...: configures and builds in build-check/NAME.
build() {
    local name=$1
    shift
    run cmake -G Ninja -S "$root" -B "$check/$name" "$@" || return
    run cmake --build "$check/$name" --parallel "$(nproc)"
}

suites() { # suites NAME CTEST-OPTION...
    local name=$1
    shift
    local status=0
    run ctest --test-dir "$check/$name" --verbose --timeout 600 "$@" || status=$?
    count_suites "$status"
}

stage_gcc() {
    build gcc -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DTWIN_WERROR=ON &&
        build gcc-release -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release -DTWIN_WERROR=ON \
            -DTWIN_BUILD_TESTS=OFF
}

stage_clang() {
    build clang -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DTWIN_WERROR=ON
}

stage_tests() {
    stage_gcc || return # a build that is there may be of yesterday
    suites gcc
}

# What a sanitizer says counts wherever it is said: Criterion takes no notice of a leak that is found when
# a test's process ends. One test at a time, because its runner leaks when it runs several.
stage_asan() {
    build asan -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
        -DTWIN_SANITIZE=address,undefined || return
    local status=0
    ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        CRITERION_JOBS=1 suites asan --label-exclude model || status=$?
    sanitizer_is_silent && return "$status"
}

sanitizer_is_silent() {
    ! grep -aE 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error: ' -- "$log" |
        sed 's/^/    /' | grep .
}

# Only the control arm: no sanitizer sees a race between processes. setarch: this clang's TSan does not
# know all the ways in which newer kernels lay out memory.
stage_tsan() {
    build tsan -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DTWIN_SANITIZE=thread \
        -DTWIN_BUILD_BENCH=OFF || return
    local status=0
    local -a plain=()
    setarch "$(uname -m)" -R true 2>/dev/null && plain=(setarch "$(uname -m)" -R)
    export TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1:die_after_fork=0
    run ${plain[@]+"${plain[@]}"} ctest --test-dir "$check/tsan" --verbose --timeout 600 \
        --label-regex '^control$' || status=$?
    unset TSAN_OPTIONS
    count_suites "$status" || status=$?
    sanitizer_is_silent && return "$status"
}

# Every process, workers too. Leaks are AddressSanitizer's: a worker leaves with its caller's memory. No
# suppressions; that valgrind does not know pidfd_open is what the supervisor is made for.
stage_valgrind() {
    stage_gcc || return # a build that is there may be of yesterday
    local suite status=0
    for suite in "${under_valgrind[@]}"; do
        run valgrind --quiet --trace-children=yes --error-exitcode=9 --leak-check=no --fair-sched=yes \
            "$check/gcc/tests/$suite" -j1 --color=never --short-filename || status=$?
    done
    ! grep -aE '^==[0-9]+== +(Invalid|Conditional|Use of|Syscall param|Mismatched|Source and)' \
        -- "$log" | sed 's/^/    /' | grep . && return "$status"
}

# Workers that leave by _exit() count too: coverage_exit.c. What is killed loses its counters.
stage_coverage() {
    build coverage -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DTWIN_COVERAGE=ON \
        -DTWIN_BUILD_BENCH=OFF || return
    find "$check/coverage" -name '*.gcda' -delete
    suites coverage --label-exclude 'stress|model' || return # models run nothing of the library
    run bash "$here/coverage.sh" "$root" "$check/coverage" 90 || return
    grep -aE '^coverage: ' -- "$log" | tail -n 1 | sed 's/^/    /'
}

stage_stress() {
    stage_gcc || return # a build that is there may be of yesterday
    run "$check/gcc/tests/stress_killer" 60 || return
    TWIN_STRESS=1 suites gcc --label-regex '^(hygiene|stress)$'
}

stage_shellcheck() {
    local -a scripts
    mapfile -t scripts < <(git -C "$root" ls-files '*.sh')
    (cd -- "$root" && run shellcheck "${scripts[@]}" .ci/run)
}

stage_format() {
    local -a files
    if ! clang-format --version | grep -q 'version 14\.'; then
        say "    skipped: the tree is formatted by clang-format 14, this is $(clang-format --version)"
        return 0
    fi
    mapfile -t files < <(git -C "$root" ls-files '*.c' '*.h')
    (cd -- "$root" && run clang-format --dry-run -Werror "${files[@]}")
}

# For a static and a shared library: install, then build and run programs that know nothing but the
# prefix.
stage_install() {
    local shared prefix
    for shared in OFF ON; do
        prefix=$check/install-$shared
        rm -rf -- "$prefix" "$prefix".*
        run cmake -G Ninja -S "$root" -B "$prefix.build" -DTWIN_BUILD_TESTS=OFF \
            -DTWIN_BUILD_BENCH=OFF "-DBUILD_SHARED_LIBS=$shared" &&
            run cmake --build "$prefix.build" --parallel "$(nproc)" &&
            run cmake --install "$prefix.build" --prefix "$prefix" &&
            run cmake -G Ninja -S "$here/install" -B "$prefix.user" "-DCMAKE_PREFIX_PATH=$prefix" &&
            run cmake --build "$prefix.user" &&
            run "$prefix.user/square" && run "$prefix.user/lease" &&
            use_pkg_config "$prefix" || return
    done
}

use_pkg_config() {
    local prefix=$1 pc
    local -a flags
    pc=$(find "$prefix" -name twinpool.pc)
    read -r -a flags < <(PKG_CONFIG_PATH=${pc%/*} pkg-config --cflags --libs twinpool)
    printf 'pkg-config: %s\n' "${flags[*]}" >>"$log"
    # Nothing that only this project is built with may leak to its users.
    [[ " ${flags[*]} " != *' -W'* && " ${flags[*]} " != *' -fopenmp '* ]] || return 1
    # The program that the README shows is the one that is built.
    awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$root/README.md" >"$prefix.readme.c"
    run diff <(sed 1d "$root/strategies/examples/square.c") "$prefix.readme.c" &&
        run gcc "$prefix.readme.c" "${flags[@]}" -o "$prefix.square" &&
        LD_LIBRARY_PATH=$(dirname -- "${pc%/*}") run "$prefix.square"
}

stage_smoke() {
    run bash "$here/test_cli.sh" smoke || { count_script; return 1; }
    count_script
}

stage_input() {
    run bash "$here/test_cli.sh" input || { count_script; return 1; }
    count_script
}

main() {
    local stage number=0
    read_options "$@"
    set_up
    mkdir -p -- "$check/log" || refuse "cannot make $check"
    trap interrupt INT TERM HUP
    for stage in "${only[@]}"; do
        number=$((number + 1))
        run_stage "$stage" "$number"
    done
    say "$passed passed, $failed failed"
    ((failed == 0))
}

main "$@"
