# pages.awk: writes the pages: one in section 3 for each function, one in section 7 for each header.
#
# Run with header.awk, comment.awk, roff.awk, types.awk and this, in any order, on headers in the
# order of their includes:  awk -v out=DIR -v version=1.2.3 -f header.awk ... twinpool/pool.h ...
# DIR/man3 and DIR/man7 must be there. Ends with 1 if a header does not fit the grammar; each line on
# stderr says where and why.

# twinpool for twinpool/pool.h, twinpool_x for twinpool/x.h
function overview_of(header,    name)
{
    name = header
    sub(/^twinpool\//, "", name)
    sub(/\.h$/, "", name)
    return name == "pool" ? "twinpool" : "twinpool_" name
}

function title(name, number)
{
    return ".\\\" Made from the comments of the headers: change those.\n.TH " name " " number \
        " \"\" \"twinpool " version "\" \"twinpool\"\n.ad l\n.nh\n.SH NAME\n" name " \\- "
}

function save(name, number, text,    path)
{
    path = out "/man" number "/" name "." number
    printf "%s", text > path
    close(path)
}

# ---- what holds for all functions of a header ----------------------------------------------------

# The text of a rule in the head of the header, or of the header that it includes.
function rule_of(header, label,    lines, n, i, text)
{
    n = split(head_of[header], lines, "\n")
    text = ""
    for (i = 1; i <= n; i++) {
        if (text == "" && index(lines[i], "  " label "  ") == 1)
            text = substr(lines[i], length(label) + 3)
        else if (text != "" && lines[i] ~ /^    /)
            text = text " " lines[i]
        else if (text != "")
            break
    }
    if (text == "" && header in includes_of)
        return rule_of(includes_of[header], label)
    gsub(/ +/, " ", text)
    sub(/^ /, "", text)
    return text
}

# Its own text under this label, else the rule for all, where that says something about it.
function text_under(name, label,    text)
{
    if ((name, label) in label_text)
        return label_text[name, label]
    if (label == "Safety")
        return sentence(rule_of(header_of[name], label))
    if (label == "Units" && (prototype_of[name] ~ /_ns|size|count|chunk/))
        return sentence(rule_of(header_of[name], label))
    return ""
}

function labelled(name, label,    text)
{
    text = text_under(name, label)
    return text == "" ? "" : ".SH " toupper(label) "\n" prose(sentence(text), name)
}

# ---- parts of a function's page ------------------------------------------------------------------

# The prototype in lines that fit on a terminal, broken between parameters.
function prototype(text,    line, part, result)
{
    gsub(/[ \n]+/, " ", text)
    line = substr(text, 1, index(text, "("))
    rest = substr(text, index(text, "(") + 1)
    result = ""
    while (rest != "") {
        text = rest
        part = next_part(text, ", ")
        if (rest != "")
            part = part ", "
        if (length(line part) > 72) {
            sub(/ $/, "", line)
            result = result line "\n"
            line = "        "
        }
        line = line part
    }
    return result line
}

function synopsis(name,    lines, n, i, text)
{
    text = ".SH SYNOPSIS\n.nf\n.B #include <" header_of[name] ">\n.PP\n"
    n = split(prototype(prototype_of[name]), lines, "\n")
    for (i = 1; i <= n; i++)
        text = text bold(escape(lines[i], 1)) "\n"
    return text ".fi\n"
}

function return_value(name,    text)
{
    if (name in returned_text)
        text = returned_text[name]
    else if ((name, "Returns") in label_text)
        text = label_text[name, "Returns"]
    else if (prototype_of[name] ~ /^int / && description_of[name] !~ /(^|[.:;] |\n)Returns? /)
        text = sentence(rule_of(header_of[name], "Returns"))
    else
        return ""
    return ".SH RETURN VALUE\n" prose(sentence(text), name)
}

# The error's own text, and what it means here.
function error_entry(error, note,    text)
{
    text = error_text[error]
    if (note ~ /^\(/)
        text = sentence(text " " note)
    else if (note != "")
        text = sentence(text) " Here: " note (note ~ /\.$/ ? "" : ".")
    else
        text = sentence(text)
    return ".TP\n" bold("TWIN_" error) " (\\-" error_value[error] ")\n" prose(text, "")
}

# Its own errors, and those of the function that it names as its model.
function error_list(name,    i, error, of, hops, note, text)
{
    text = ""
    for (i = 1; i <= n_errors; i++) {
        error = errors[i]
        of = name
        for (hops = 0; of != "" && hops < 8; hops++) {
            if (index(own_errors[of], error " ") > 0) {
                note = of == name ? error_note[of, error] : ""
                text = text error_entry(error, note)
                break
            }
            of = model_of(of)
        }
    }
    return text == "" ? "" : ".SH ERRORS\n" text
}

# What it mentions and what mentions it, by name; then the overview.
function see_also(name,    i, j, n, list, other, text)
{
    n = 0
    for (i = 1; i <= n_names; i++) {
        other = names[i]
        if (index(" " mentions[name], " " other " ") == 0 && \
            index(" " mentions[other], " " name " ") == 0)
            continue
        for (j = n++; j > 0 && list[j] > other; j--)
            list[j + 1] = list[j]
        list[j + 1] = other
    }
    text = ".SH SEE ALSO\n"
    for (i = 1; i <= n; i++)
        text = text ".BR " list[i] " (3),\n"
    return text ".BR " overview_of(header_of[name]) " (7)\n"
}

function write_function(name,    text)
{
    forget_shown()
    show_types_of(prototype_of[name])
    text = title(name, 3) marked(summary_of(name), name) "\n" synopsis(name)
    text = text ".SH DESCRIPTION\n" paragraphs(description_of[name], name)
    text = text labelled(name, "Units") labelled(name, "Ownership") labelled(name, "Visibility")
    text = text labelled(name, "Blocks") return_value(name) error_list(name)
    text = text labelled(name, "Safety") labelled(name, "Progress") labelled(name, "Source")
    save(name, 3, text shown_types() see_also(name))
}

# ---- a header's page -----------------------------------------------------------------------------

function function_list(header,    i, name, last, text)
{
    text = ""
    for (i = 1; i <= n_names; i++) {
        name = names[i]
        if (header_of[name] != header)
            continue
        if (section_of[name] != last)
            text = text ".SS " escape(sentence_case(section_of[name]), 0) "\n"
        last = section_of[name]
        text = text ".TP\n.BR " name " (3)\n" prose(sentence(summary_of(name)), name)
    }
    return text == "" ? "" : ".SH FUNCTIONS\n" text
}

function sentence_case(text) { return toupper(substr(text, 1, 1)) substr(text, 2) }

# The list of errors stands on the first page; the others refer to it.
function all_errors(header,    i, text)
{
    if (header != headers[1])
        return ""
    text = ".SH ERRORS\nEach function returns 0 or the negative value of one of these.\n"
    for (i = 1; i <= n_errors; i++)
        text = text error_entry(errors[i], "")
    return text
}

function object_list(header,    i, name, text)
{
    text = ""
    for (i = 1; i <= n_objects; i++) {
        name = objects[i]
        if (object_header[name] == header)
            text = text ".SS " name "\n.PP\n" code(object_code[name]) \
                paragraphs(object_comment[name], "")
    }
    return text == "" ? "" : ".SH OBJECTS\n" text
}

# Types that no function's page shows.
function other_types(header,    i, key)
{
    forget_shown()
    for (i = 1; i <= n_types; i++) {
        key = types[i]
        if (type_header_of[key] == header && !(key in is_used) && code_of[key] !~ /\n#/)
            shown[++n_shown] = key
    }
    return shown_types()
}

function write_overview(header,    name, head, end, i, text)
{
    name = overview_of(header)
    head = head_of[header]
    if (index(head, header ": ") != 1) {
        complain(head_place[header], "the head must begin with \"" header ": what it is.\"")
        return
    }
    head = substr(head, length(header) + 3)
    end = match(head, /\.( |\n|$)/)
    text = substr(head, 1, end - 1)
    gsub(/\n/, " ", text)
    text = title(name, 7) escape(text, 0) "\n.SH SYNOPSIS\n.B #include <" header ">\n"
    text = text ".SH DESCRIPTION\n" paragraphs(substr(head, end + 2), "")
    text = text function_list(header) all_errors(header) object_list(header) other_types(header)
    if (header in constants_of)
        text = text ".SH CONSTANTS\n" code(constants_of[header])
    text = text ".SH SEE ALSO\n"
    for (i = 1; i <= n_headers; i++)
        if (headers[i] != header)
            text = text ".BR " overview_of(headers[i]) " (7)" (i < last_other(header) ? "," : "") "\n"
    save(name, 7, text)
}

function last_other(header) { return headers[n_headers] == header ? n_headers - 1 : n_headers }

END {
    if (declaration != "")
        complain(declaration_place, "a declaration without an end")
    else
        nothing_pending()
    read_comments()
    if (n_names == 0 && n_complaints == 0)
        complain(FILENAME, "no function was found")
    if (n_complaints == 0) {
        for (i = 1; i <= n_names; i++)
            write_function(names[i])
        for (i = 1; i <= n_headers; i++)
            write_overview(headers[i])
    }
    exit n_complaints > 0
}
