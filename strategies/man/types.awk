# types.awk: which types a page shows, and how: the code without its comments, then each member that
# has a comment, with it.

# ---- which ---------------------------------------------------------------------------------------

# The types that a piece of code names, and those that they name: into shown[1..n_shown].
function show_types_of(text,    bare, word, key)
{
    bare = without_comments(text)
    while (match(bare, /((struct|enum) )?twin_[a-z0-9_]+/)) {
        key = substr(bare, RSTART, RLENGTH)
        bare = substr(bare, RSTART + RLENGTH)
        if (!(key in code_of) || key in is_shown)
            continue
        is_shown[key] = 1
        is_used[key] = 1
        shown[++n_shown] = key
        show_types_of(code_of[key])
    }
}

function forget_shown(    i)
{
    for (i = 1; i <= n_shown; i++)
        delete is_shown[shown[i]]
    n_shown = 0
}

# ---- how -----------------------------------------------------------------------------------------

# The name that a member's or enumerator's declaration declares.
function member_name(text)
{
    sub(/[;,} \n]+$/, "", text)
    sub(/.*[;,{]/, "", text)
    sub(/ *=.*/, "", text)
    if (match(text, /\(\*[a-zA-Z0-9_]+\)/))
        return substr(text, RSTART + 2, RLENGTH - 3)
    sub(/\[.*/, "", text)
    sub(/.*[ *\n]/, "", text)
    return text
}

# Parameters have commas of their own.
function without_parameters(text)
{
    while (match(text, /\)\([^()]*\)/))
        text = substr(text, 1, RSTART) substr(text, RSTART + RLENGTH)
    return text
}

# A comment on a line of its own is the next member's; any other, the one's before it.
function members(text,    from, to, before, after, line, comment_text, result)
{
    result = ""
    before = ""
    while ((from = index(text, "/*")) > 0) {
        before = before substr(text, 1, from - 1)
        to = index(text, "*/")
        comment_text = substr(text, from + 2, to - from - 2)
        text = substr(text, to + 2)
        gsub(/\n[ ]*\*/, " ", comment_text)
        gsub(/[ \n]+/, " ", comment_text)
        gsub(/^ | $/, "", comment_text)
        line = before
        sub(/.*\n/, "", line)
        if (line ~ /^ *$/) {
            after = without_parameters(without_comments(text))
            sub(/[;,}].*/, "", after)
            line = member_name(after)
        } else {
            line = member_name(without_parameters(before))
        }
        result = result ".TP\n" (line ~ /^[A-Z]/ ? bold(line) : italic(line)) "\n" \
            prose(comment_text, "")
    }
    return result
}

function tidy(text,    lines, n, i, result)
{
    n = split(without_comments(text), lines, "\n")
    result = ""
    for (i = 1; i <= n; i++) {
        sub(/ +$/, "", lines[i])
        if (lines[i] != "")
            result = result (result == "" ? "" : "\n") lines[i]
    }
    return result
}

function type_entry(key,    text)
{
    text = ".SS " escape(key, 1) "\n"
    if (type_comment_of[key] != "")
        text = text paragraphs(type_comment_of[key], "")
    if (code_of[key] ~ /\n#/) # made by a macro: its list is the overview's
        return text ".PP\nIts values are listed in\n.BR " overview_of(type_header_of[key]) " (7).\n"
    if (code_of[key] ~ /^typedef/)
        return text ".PP\n" code(prototype(code_of[key]))
    return text ".PP\n" code(tidy(code_of[key])) members(code_of[key])
}

function shown_types(    i, text)
{
    text = ""
    for (i = 1; i <= n_shown; i++)
        text = text type_entry(shown[i])
    return text == "" ? "" : ".SH TYPES\n" text
}
