# roff.awk: text of comments as man(7) source.
#
# Marks found in prose: f() of ours is a reference to its page; TWIN_X and errors are bold; names with
# an underscore and *out parameters are italic. An error may be written without its TWIN_.

# Text in which no character means anything to roff. In code, all hyphens are the ASCII one.
function escape(text, is_code,    i, c, next_c, result)
{
    result = ""
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        next_c = substr(text, i + 1, 1)
        if (c == "\\")
            c = "\\e"
        else if (c == "-" && (is_code || next_c ~ /[0-9>]/))
            c = "\\-"
        else if (c == "'")
            c = "\\(aq"
        else if (c == "`")
            c = "\\(ga"
        else if (c == "^")
            c = "\\(ha"
        else if (c == "~")
            c = "\\(ti"
        result = result c
    }
    return result
}

# A line that begins with . or ' would be a request.
function guarded(line) { return line ~ /^[.']/ ? "\\&" line : line }

function bold(text) { return "\\fB" text "\\fP" }
function italic(text) { return "\\fI" text "\\fP" }

function marked_word(word, self,    name)
{
    name = word
    sub(/\(\)$/, "", name)
    if (word ~ /\(\)$/)
        return bold(name) (name in header_of && name != self ? "(3)" : "()")
    if (word in error_text && (self == "" || prototype_of[self] ~ /^int /)) # else it is an errno
        return bold("TWIN_" word)
    if (word ~ /^TWIN_/)
        return bold(word)
    if (word ~ /^\*/ || word ~ /^[a-z0-9]+(_[a-z0-9]+)+$/)
        return italic(word)
    return escape(word, 0)
}

# Prose with its marks; self is the function whose page it stands on.
function marked(text, self,    result)
{
    result = ""
    while (match(text, /\*?[A-Za-z_][A-Za-z0-9_]*(\(\))?/)) {
        result = result escape(substr(text, 1, RSTART - 1), 0) \
            marked_word(substr(text, RSTART, RLENGTH), self)
        text = substr(text, RSTART + RLENGTH)
    }
    return result escape(text, 0)
}

# Lines of at most 80 characters.
function filled(text,    words, n, i, line, result)
{
    n = split(text, words, " ")
    line = words[1]
    result = ""
    for (i = 2; i <= n; i++) {
        if (length(line) + 1 + length(words[i]) > 80) {
            result = result guarded(line) "\n"
            line = words[i]
        } else {
            line = line " " words[i]
        }
    }
    return result guarded(line) "\n"
}

function prose(text, self) { return filled(marked(text, self)) }

# With a capital, unless the first word is a key, as in "proc: any thread".
function sentence(text)
{
    if (text !~ /^[a-z]+:/)
        text = toupper(substr(text, 1, 1)) substr(text, 2)
    return text (text ~ /[.]$/ ? "" : ".")
}

function code(text,    lines, n, i, result)
{
    n = split(text, lines, "\n")
    result = ".nf\n"
    for (i = 1; i <= n; i++)
        result = result guarded(escape(lines[i], 1)) "\n"
    return result ".fi\n"
}

# ---- paragraphs ----------------------------------------------------------------------------------

# Lines as in comments: text; "  term  text" with deeper lines that continue it; "    code".
function paragraphs(text, self,    lines, n, i, line)
{
    made = ""
    open_text = open_code = open_term = ""
    n = split(text, lines, "\n")
    for (i = 1; i <= n; i++) {
        line = lines[i]
        if (line == "") {
            end_paragraph(self)
        } else if (line ~ /^  [^ ]/ && line ~ /^  [^ ]+( [^ ]+)*   *[^ ]/) {
            end_paragraph(self)
            match(line, /^  [^ ]+( [^ ]+)*   */)
            open_term = substr(line, 3, RLENGTH - 2)
            sub(/ +$/, "", open_term)
            open_text = substr(line, RLENGTH + 1)
        } else if (line ~ /^  [^ ]/ && open_term != "") {
            end_paragraph(self)
            open_text = line
        } else if (line ~ /^    / && open_text == "") {
            open_code = open_code (open_code == "" ? "" : "\n") line
        } else {
            if (line ~ /^[^ ]/ && (open_term != "" || open_code != ""))
                end_paragraph(self)
            open_text = open_text " " line
        }
    }
    end_paragraph(self)
    return made
}

function end_paragraph(self)
{
    if (open_term != "")
        made = made ".TP\n" bold(escape(open_term, 0)) "\n" prose(open_text, self)
    else if (open_text != "")
        made = made ".PP\n" prose(open_text, self)
    else if (open_code != "")
        made = made ".PP\n" code(open_code)
    open_text = open_code = open_term = ""
}
