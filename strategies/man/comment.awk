# comment.awk: the grammar of a function's comment.
#
#     Verbs a thing: a sentence that begins with its verb. More sentences.
#     Label:      text that begins at column 12, once for each label, after the sentences;
#                 its further lines are indented.
#
# Of Returns, the parts between semicolons that begin with errors of TWIN_ERRORS (without TWIN_) are
# its list of errors:  0; ENOMEM; ETASK, EWORKER: what that means here. Further sentences.
#
# Leaves, of each function:  description_of[name], label_text[name, label], returned_text[name],
#                            own_errors[name] ("ENOMEM ETASK "), error_note[name, error],
#                            mentions[name] ("twin_a twin_b ")

function complain_of(name, text) { complain(place_of[name], name "(): " text) }

# ---- description and labels ----------------------------------------------------------------------

function read_comment(name,    lines, n, i, line, label)
{
    n = split(comment_of[name], lines, "\n")
    label = ""
    for (i = 1; i <= n; i++) {
        line = lines[i]
        if (line ~ /^[A-Z][a-z]+:( |$)/ && is_label(substr(line, 1, index(line, ":") - 1))) {
            label = substr(line, 1, index(line, ":") - 1)
            if ((name, label) in label_text)
                complain_of(name, "the label " label ": stands twice")
            sub(/^[^:]*:[ ]*/, "", line)
            label_text[name, label] = line
        } else if (line ~ /^[A-Z][a-z]+:(  |$)/) {
            complain_of(name, "unknown label \"" line "\"; accepted are " label_list)
        } else if (label == "") {
            description_of[name] = description_of[name] line "\n"
        } else if (line ~ /^ /) {
            sub(/^ +/, "", line)
            label_text[name, label] = label_text[name, label] " " line
        } else if (line != "") {
            complain_of(name, "\"" line "\" follows the label " label \
                ": and is neither a label nor indented")
        }
    }
    if (description_of[name] !~ /^[A-Z][a-z]*s[ ,;]/)
        complain_of(name, "its comment must begin with a sentence that begins with a verb, as in" \
            " \"Opens a pool\"")
}

function is_label(word) { return index(" " label_list " ", " " word " ") > 0 }

# The first sentence, for the NAME section: up to its end or to a colon, without what is in brackets.
function summary_of(name,    text, end)
{
    text = description_of[name]
    gsub(/\n/, " ", text)
    text = without_brackets(text) " "
    end = match(text, /[.:;] /)
    text = substr(text, 1, end > 0 ? end - 1 : length(text) - 1)
    return tolower(substr(text, 1, 1)) substr(text, 2)
}

# The text without what is said in brackets; those of a call, f(x), stay.
function without_brackets(text,    i, c, depth, dropped_at, result)
{
    result = ""
    depth = dropped_at = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "(" && ++depth == 1 && substr(text, i - 1, 1) == " ") {
            dropped_at = depth
            sub(/ $/, "", result)
        }
        if (dropped_at == 0)
            result = result c
        if (c == ")" && depth-- == dropped_at)
            dropped_at = 0
    }
    return result
}

# ---- what it returns -----------------------------------------------------------------------------

# The next part of a text, up to a mark outside brackets; what is left stays in rest.
function next_part(text, mark,    i, c, depth)
{
    depth = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "(")
            depth++
        else if (c == ")")
            depth--
        else if (depth == 0 && substr(text, i, length(mark)) == mark)
            break
    }
    rest = substr(text, i + length(mark))
    return substr(text, 1, i - 1)
}

# Reads one part of Returns. True if it begins with errors, which are then noted.
function read_errors(name, part,    list, note, n, i, error)
{
    sub(/^ +/, "", part)
    if (!match(part, /^E[A-Z]+(, E[A-Z]+)*/))
        return 0
    n = split(substr(part, 1, RLENGTH), list, /, /)
    note = substr(part, RLENGTH + 1)
    sub(/^:? +/, "", note)
    for (i = 1; i <= n; i++) {
        error = list[i]
        if (!(error in error_text)) {
            complain_of(name, "Returns: " error " is not in TWIN_ERRORS")
        } else if (index(own_errors[name], error " ") > 0) {
            complain_of(name, "Returns: " error " stands twice")
        } else {
            own_errors[name] = own_errors[name] error " "
            error_note[name, error] = note
        }
    }
    return 1
}

function read_returns(name,    text, tail, part, result)
{
    if (!((name, "Returns") in label_text) || prototype_of[name] !~ /^int /)
        return
    tail = ""
    result = ""
    text = label_text[name, "Returns"]
    while (text != "") {
        part = next_part(text, ";")
        text = rest
        # A part ends with its sentence; what follows is said of the whole.
        part = next_part(part, ". ")
        tail = tail (rest == "" ? "" : " " rest)
        sub(/\.$/, "", part)
        if (!read_errors(name, part)) {
            sub(/^ +/, "", part)
            result = result (result == "" ? "" : "; ") part
        }
    }
    if (own_errors[name] != "")
        result = result (result == "" ? "One" : ", or one") \
            " of the errors below, which are negative"
    returned_text[name] = result "." tail
}

# The function whose errors it shares:  Returns: as twin_x() ...
function model_of(name,    text)
{
    text = label_text[name, "Returns"]
    sub(/^0; /, "", text)
    if (text !~ /^as twin_[a-z0-9_]+\(\)/)
        return ""
    sub(/^as /, "", text)
    sub(/\(\).*/, "", text)
    return text
}

# ---- what it mentions ----------------------------------------------------------------------------

function read_mentions(name,    text, other)
{
    text = comment_of[name]
    while (match(text, /twin_[a-z0-9_]+\(\)/)) {
        other = substr(text, RSTART, RLENGTH - 2)
        text = substr(text, RSTART + RLENGTH)
        if (!(other in header_of))
            complain_of(name, "mentions " other "(), which no header declares")
        else if (other != name && index(mentions[name], other " ") == 0)
            mentions[name] = mentions[name] other " "
    }
}

function read_comments(    i)
{
    label_list = "Units Ownership Visibility Blocks Returns Safety Progress Source"
    for (i = 1; i <= n_names; i++) {
        if (comment_of[names[i]] == "")
            continue
        read_comment(names[i])
        read_returns(names[i])
        read_mentions(names[i])
    }
}
