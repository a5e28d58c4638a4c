#!/usr/bin/env bash
# test_man.sh: the man pages: each function that the libraries export has one, each is clean roff, and
# headers that do not fit the grammar are refused. The last line is  N passed, N failed .
#
#   tests/test_man.sh PAGES AWK LIBRARY...     PAGES: the folder that the build filled
#
# What must have a page is read from the libraries' symbols, not from the headers: the generator reads
# those, and what it overlooks must not be overlooked here too.
set -euo pipefail

if (($# < 3)); then
    printf 'usage: test_man.sh PAGES AWK LIBRARY...\n' >&2
    exit 2
fi
pages=$1 awk=$2
shift 2
generator=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../strategies/man" && pwd)
readonly pages awk generator
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
passed=0 failed=0

say() { printf '%s\n' "$*"; }
# holds NAME COMMAND...: the command succeeds; what it says is shown if it does not.
holds() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        say "ok      $name"
    else
        failed=$((failed + 1))
        say "NOT OK  $name"
        sed 's/^/        | /' -- "$work/said" | head -n 20
    fi
}

# ---- the pages that were built ---------------------------------------------------------------------

# exported TYPES LIBRARY...: names of public symbols of these nm types.
exported() {
    local types=$1
    shift
    nm -g --defined-only -- "$@" | awk -v "types=$types" \
        '$2 ~ "^[" types "]$" && $3 ~ /^twin_[a-z0-9_]+$/ { print $3 }' | sort -u
}

names_of_pages() { find "$pages/man3" -name '*.3' -printf '%f\n' | sed 's/\.3$//' | sort; }

# What diff shows with < has no page; with > is a page of nothing.
each_function_has_a_page() {
    exported T "$@" >"$work/functions"
    test -s "$work/functions" && diff "$work/functions" <(names_of_pages)
}

each_object_is_described() {
    local name
    exported DRB "$@" >"$work/objects"
    test -s "$work/objects" || return
    while read -r name; do
        grep -qx ".SS $name" "$pages"/man7/*.7 || { say "$name is on no page"; return 1; }
    done <"$work/objects"
}

has_sections() {
    local page=$1 section
    for section in NAME SYNOPSIS DESCRIPTION 'SEE ALSO'; do
        grep -qx ".SH $section" -- "$page" || { say "no section $section"; return 1; }
    done
}

# Silent: roff only warns, and ends with 0.
is_silent() {
    "$@" >/dev/null 2>"$work/warnings" || return
    cat -- "$work/warnings"
    test ! -s "$work/warnings"
}

each_page_has_a_name_for_apropos() {
    lexgrog -- "$@" >"$work/names" && (($(grep -c ': "twin' -- "$work/names") == $#))
}

# with TOOL NAME COMMAND...: holds, where the tool is installed.
with() {
    local tool=$1
    shift
    if command -v "$tool" >/dev/null; then
        holds "$@"
    else
        say "[SKIP] $1: $tool is not here"
    fi
}

check_pages() {
    local page
    local -a all=("$pages"/man3/*.3 "$pages"/man7/*.7)
    holds "each function has a page, and each page a function" each_function_has_a_page "$@"
    holds "each object is described" each_object_is_described "$@"
    for page in "$pages"/man3/*.3; do
        holds "${page##*/} has its sections" has_sections "$page"
    done
    with groff "groff has nothing to say of any page" \
        is_silent groff -man -Tutf8 -ww -z -- "${all[@]}" # -wall leaves unknown macros out
    with lexgrog "each page can be found by apropos" each_page_has_a_name_for_apropos "${all[@]}"
}

# ---- the generator ---------------------------------------------------------------------------------

# Makes pages of the header on stdin.
generate() {
    local name
    local -a flags=()
    for name in header comment roff types pages; do
        flags+=(-f "$generator/$name.awk")
    done
    rm -rf -- "$work/made"
    mkdir -p -- "$work/made/man3" "$work/made/man7" "$work/twinpool"
    {
        printf '/* twinpool/pool.h: a test.\n *\n * Rules:\n *   Safety    no: any thread.\n'
        printf ' *   Returns   0, or an error. */\n\n#define TWIN_ERRORS(X) \\\n'
        printf '    X(INVAL, 1, "invalid argument") \\\n    X(TASK, 7, "the task failed")\n\n'
        cat
    } >"$work/twinpool/pool.h"
    "$awk" -v "out=$work/made" -v version=1 "${flags[@]}" "$work/twinpool/pool.h"
}

# refused WORDS < HEADER: not zero, no page, and one line that says where and has these words in it.
refused() {
    local status=0
    generate 2>"$work/errors" || status=$?
    cat -- "$work/errors"
    ((status == 1)) && (($(wc -l <"$work/errors") == 1)) &&
        grep -Eq '^[^ ]*twinpool/pool\.h:[0-9]+: error: ' -- "$work/errors" &&
        grep -qF -e "$1" -- "$work/errors" && [[ -z $(find "$work/made" -type f) ]]
}

check_refusals() {
    holds "refuses a function without a comment" refused "has no comment of its own" <<<'
int twin_a(void);'
    holds "refuses a comment for two functions" refused "twin_b() has no comment of its own" <<<'
/* Opens one. */
int twin_a(void);
int twin_b(void);'
    holds "refuses a comment that is cut off" refused "before no declaration" <<<'
/* Opens one. */

/* Closes one. */
int twin_a(void);'
    holds "refuses a second declaration" refused "declared twice" <<<'
/* Opens one. */
int twin_a(void);
/* Opens one. */
int twin_a(void);'
    holds "refuses an unknown label" refused 'unknown label "Raises:  0."' <<<'
/* Opens one.
 * Raises:  0. */
int twin_a(void);'
    holds "refuses a label that stands twice" refused "Blocks: stands twice" <<<'
/* Opens one.
 * Blocks:     no.
 * Blocks:     yes. */
int twin_a(void);'
    holds "refuses text behind the labels" refused "neither a label nor indented" <<<'
/* Opens one.
 * Returns:    0.
 * More. */
int twin_a(void);'
    holds "refuses a comment without its verb" refused "begins with a verb" <<<'
/* A function. */
int twin_a(void);'
    holds "refuses an error that is none" refused "EPERM is not in TWIN_ERRORS" <<<'
/* Opens one.
 * Returns:    0; EPERM. */
int twin_a(void);'
    holds "refuses a name that nobody declares" refused "twin_b(), which no header declares" <<<'
/* Opens one: see twin_b(). */
int twin_a(void);'
    holds "refuses a declaration that it cannot read" refused "neither a struct" <<<'
/* Opens one. */
int a(void);'
    holds "refuses a declaration without an end" refused "without an end" <<<'
/* Opens one. */
int twin_a(void)'
    holds "refuses what is not ASCII" refused "not printable ASCII" <<<$'
/* Opens one \u2013 or two. */
int twin_a(void);'
}

# The page is compared as a whole: what it must look like is best shown.
check_page_made() {
    generate <<'TEXT' >"$work/said" 2>&1 || true
/* How. */
struct twin_how {
    int depth; /* in -m: 'deep' \ shallow */
    /* called
     * once */
    int (*call)(void *a, int b);
};

/* ---- both ---- */

/* Opens it (now), as f(a (b)): see twin_close().
 * Blocks:     no.
 * Returns:    0 at x_y -1; ETASK, EINVAL: when
 *             bad. On error *how is NULL. */
int twin_open(struct twin_how *how);

/* Closes it. */
void twin_close(void);
TEXT
    cat >"$work/expected" <<'TEXT'
.\" Made from the comments of the headers: change those.
.TH twin_open 3 "" "twinpool 1" "twinpool"
.ad l
.nh
.SH NAME
twin_open \- opens it, as f(a (b))
.SH SYNOPSIS
.nf
.B #include <twinpool/pool.h>
.PP
\fBint twin_open(struct twin_how *how);\fP
.fi
.SH DESCRIPTION
.PP
Opens it (now), as f(a (b)): see \fBtwin_close\fP(3).
.SH BLOCKS
No.
.SH RETURN VALUE
0 at \fIx_y\fP \-1, or one of the errors below, which are negative. On error
\fI*how\fP is NULL.
.SH ERRORS
.TP
\fBTWIN_EINVAL\fP (\-1)
Invalid argument. Here: when bad.
.TP
\fBTWIN_ETASK\fP (\-7)
The task failed. Here: when bad.
.SH SAFETY
no: any thread.
.SH TYPES
.SS struct twin_how
.PP
How.
.PP
.nf
struct twin_how {
    int depth;
    int (*call)(void *a, int b);
};
.fi
.TP
\fIdepth\fP
in -m: \(aqdeep\(aq \e shallow
.TP
\fIcall\fP
called once
.SH SEE ALSO
.BR twin_close (3),
.BR twinpool (7)
TEXT
    holds "makes this page of this header" diff "$work/expected" "$work/made/man3/twin_open.3"
    holds "lists the functions by section" grep -qx '.SS Both' "$work/made/man7/twinpool.7"
    holds "lists each function" grep -qx '.BR twin_close (3)' "$work/made/man7/twinpool.7"
}

check_pages "$@"
check_page_made
check_refusals
say "$passed passed, $failed failed"
((failed == 0))
