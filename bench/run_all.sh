#!/usr/bin/env bash
# run_all.sh: the whole study with one command: set up, build, measure, report. --help says the rest.
#
# Shell orchestrates, C measures: twin_launch runs the plan, twin_report turns DIR into the report. The
# launcher runs in the background so that this shell can pass a signal on at once; what was measured by
# then is kept, and the report is made from it.
set -euo pipefail

readonly packages=(gcc libc6-dev cmake make libsqlite3-dev gnuplot-nox)
# Other people's pools: installed for a full run only; what is missing is skipped, and its rows say so.
readonly peer_packages=(pkg-config g++ libglib2.0-dev libuv1-dev libtbb-dev mpich libmpich-dev python3)
readonly modes='smoke, quick, full'
readonly backends='proc, omp, both'

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")
build=$root/build

backend=both mode=quick out='' only='' seed='' install=yes list=no
launcher='' builder='' stopped=no

usage() {
    cat <<'TEXT'
usage: bench/run_all.sh [options]

Builds, measures every strategy with processes and with threads, and writes DIR/REPORT.md.

  --mode=smoke|quick|full     under 2 minutes, 14 minutes (default), 1 hour on 2 CPUs;
                              full installs the other pools that the report compares with (bench/peers/)
  --backend=proc|omp|both     which twin to measure (default both); sequential and bare limits always run
  --out=DIR                   where the results go (default report/latest)
  --only=REGEX                only what matches family/backend/strategy, a POSIX extended expression
  --seed=N                    seed of the values and of the order in which arms run
  --list                      print the plan and end
  --no-install                install nothing; print the line that would
  --help                      this text

Exit status: 0 done, 1 the harness failed, 2 usage, 3 a wrong result was seen, 130 interrupted.
TEXT
}

say() { printf 'run_all.sh: %s\n' "$*" >&2; }
refuse() { say "$*"; exit 2; }
fail() { say "$*"; exit 1; }

# ---- options ---------------------------------------------------------------------------------------

read_options() {
    local option value
    while (($# > 0)); do
        option=$1
        shift
        case $option in
        --help | -h) usage; exit 0 ;;
        --list) list=yes; continue ;;
        --no-install) install=no; continue ;;
        --*=*) value=${option#*=} option=${option%%=*} ;;
        --backend | --mode | --out | --only | --seed)
            (($# > 0)) || refuse "$option: a value is missing; --help shows what is accepted"
            value=$1
            shift
            ;;
        *) refuse "$option: unknown; accepted are --backend, --mode, --out, --only, --seed, --list," \
            "--no-install, --help" ;;
        esac
        case $option in
        --backend) backend=$value ;;
        --mode) mode=$value ;;
        --out) out=$value; [[ -n $out ]] || refuse "--out=: accepted is a directory" ;;
        --only) only=$value; [[ -n $only ]] || refuse "--only=: accepted is a regular expression" ;;
        --seed) seed=$value; [[ -n $seed ]] || refuse "--seed=: accepted is a whole number from 0" ;;
        *) refuse "$option: unknown; accepted are --backend, --mode, --out, --only, --seed, --list," \
            "--no-install, --help" ;;
        esac
    done
}

check_options() {
    case $backend in proc | omp | both) ;; *) refuse "--backend=$backend: accepted are $backends" ;; esac
    case $mode in smoke | quick | full) ;; *) refuse "--mode=$mode: accepted are $modes" ;; esac
    [[ -z $seed || $seed =~ ^[0-9]{1,19}$ ]] ||
        refuse "--seed=$seed: accepted is a whole number from 0 to 9999999999999999999"
    if [[ -n $only ]]; then
        local status=0
        printf '' | grep -E -e "$only" >/dev/null 2>&1 || status=$?
        ((status < 2)) || refuse "--only=$only: not a POSIX extended regular expression;" \
            "accepted is one such as '^strategies/proc/map'"
    fi
}

# The directory is made if only its last part is missing, so that a typo does not make a tree.
check_out() {
    if [[ -z $out ]]; then
        out=$root/report/latest
    elif [[ $out != /* ]]; then
        out=$PWD/$out
    fi
    local parent
    parent=$(dirname -- "$out")
    [[ ! -e $parent || -d $parent ]] ||
        refuse "--out=$out: $parent is not a directory; accepted is a directory, or a new name in one"
    [[ -e $out || -d $parent ]] || refuse "--out=$out: $parent does not exist;" \
        "accepted is a directory, or a new name in one"
    [[ ! -e $out || -d $out ]] || refuse "--out=$out: is not a directory; accepted is a directory"
    if [[ -d $out ]]; then
        [[ -w $out && -x $out ]] || refuse "--out=$out: cannot be written; accepted is a directory that can"
    else
        [[ -w $parent && -x $parent ]] ||
            refuse "--out=$out: $parent cannot be written; accepted is a directory that can"
    fi
}

# ---- packages --------------------------------------------------------------------------------------

# has PACKAGE: what it brings is there.
has() {
    case $1 in
    gcc | g++ | cmake | mpich | python3) command -v "${1/mpich/mpiexec.mpich}" >/dev/null ;;
    pkg-config) command -v pkg-config >/dev/null ;;
    make) command -v make >/dev/null || command -v ninja >/dev/null ;;
    gnuplot-nox) command -v gnuplot >/dev/null ;;
    libc6-dev) [[ -e /usr/include/stdio.h ]] ;;
    libsqlite3-dev) [[ -e /usr/include/sqlite3.h ]] ;;
    libglib2.0-dev) pkg-config --exists glib-2.0 2>/dev/null ;;
    libuv1-dev) pkg-config --exists libuv 2>/dev/null ;;
    libtbb-dev) pkg-config --exists tbb 2>/dev/null ;;
    libmpich-dev) pkg-config --exists mpich 2>/dev/null ;;
    esac
}

# Prints which of the packages are missing, a line each.
missing_of() {
    local package
    for package in "$@"; do
        has "$package" || printf '%s\n' "$package"
    done
}

set_up() {
    local -a missing as_root=() wanted=("${packages[@]}")
    [[ $mode != full ]] || wanted+=("${peer_packages[@]}")
    mapfile -t missing < <(missing_of "${wanted[@]}")
    ((${#missing[@]} > 0)) || return 0
    if ((EUID != 0)); then
        as_root=(sudo -n)
        sudo -n true 2>/dev/null || install=no
    fi
    command -v apt-get >/dev/null || install=no
    if [[ $install == no ]]; then
        say "missing: ${missing[*]}; this line installs it:" \
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
        # Plots and peers are parts that can be missing; a compiler is not.
        mapfile -t missing < <(missing_of "${packages[@]}" | grep -vx gnuplot-nox)
        ((${#missing[@]} == 0)) || exit 1
        return 0
    fi
    say "installing: ${missing[*]}"
    { "${as_root[@]}" apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq \
            --no-install-recommends "${missing[@]}"; } >/dev/null ||
        fail "apt-get could not install: ${missing[*]}"
}

# ---- build -----------------------------------------------------------------------------------------

# shellcheck disable=SC2317  # reached by trap
stop_building() {
    trap - INT TERM HUP
    [[ -z $builder ]] || kill -TERM -- "-$builder" 2>/dev/null || true
    exit 130
}

# In a process group of its own, so that a signal to this script alone ends all of it.
quietly() {
    local log=$1 status=0
    shift
    trap stop_building INT TERM HUP
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    builder=$!
    set +m
    wait "$builder" || status=$?
    builder=''
    trap - INT TERM HUP
    ((status == 0)) || {
        cat -- "$log" >&2
        fail "failed: $*"
    }
}

build_all() {
    say "building in release mode"
    mkdir -p -- "$build" || fail "cannot make $build"
    quietly "$build/configure.log" cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release \
        -DTWIN_BUILD_TESTS=OFF -DTWIN_BUILD_BENCH=ON -DTWIN_SANITIZE=
    quietly "$build/build.log" cmake --build "$build" --parallel "$(nproc)"
}

# ---- run -------------------------------------------------------------------------------------------

# shellcheck disable=SC2317  # reached by trap
stop() {
    stopped=yes
    [[ -z $launcher ]] || kill -TERM "$launcher" 2>/dev/null || true
}

# Waits for the launcher; a signal interrupts wait, so it waits again for the launcher's own end.
await_launcher() {
    local status=0
    wait "$launcher" || status=$?
    while kill -0 "$launcher" 2>/dev/null; do
        status=0
        wait "$launcher" || status=$?
    done
    launcher=''
    return "$status"
}

launch() {
    local -a options=("--mode=$mode" "--backend=$backend" "--peers=$here/peers")
    local command="bench/run_all.sh --mode=$mode --backend=$backend" source=''
    [[ -z $only ]] || { options+=("--only=$only"); command+=" --only='$only'"; }
    [[ -z $seed ]] || { options+=("--seed=$seed"); command+=" --seed=$seed"; }
    if [[ $list == yes ]]; then
        "$build/bench/twin_launch" "${options[@]}" --list
        return
    fi
    source=$(git -C "$root" describe --always --dirty 2>/dev/null) || source=''
    trap stop INT TERM HUP
    "$build/bench/twin_launch" "${options[@]}" "--out=$out" "--git=$source" "--command=$command" &
    launcher=$!
    await_launcher
}

report() {
    [[ -s $out/samples.csv ]] || return 0
    if (($(wc -l <"$out/samples.csv") < 2)); then
        say "nothing was measured: no report"
        return 0
    fi
    "$build/report/twin_report" "$out" || return 1
    say "the report is $out/REPORT.md"
}

main() {
    local status=0 made=no
    read_options "$@"
    check_options
    [[ $list == yes ]] || check_out
    set_up
    build_all
    if [[ $list == no && ! -d $out ]]; then
        mkdir -p -- "$out" || fail "cannot make $out"
        made=yes
    fi
    launch || status=$?
    [[ $list == no ]] || exit "$status"
    if ((status == 2)); then
        [[ $made == no ]] || rmdir -- "$out" 2>/dev/null || true
        exit 2
    fi
    ((status == 0 || status == 3 || status == 130)) || fail "the launcher failed (status $status)"
    [[ $stopped == no ]] || say "interrupted; the report is made from what was measured"
    report || fail "the report could not be made"
    exit "$status"
}

main "$@"
