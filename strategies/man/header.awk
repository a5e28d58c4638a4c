# header.awk: reads public headers: what they declare, and the comment that stands before it.
#
# A header is read as lines at column 0: a comment, a directive, or a declaration up to its ";".
# A comment belongs to the declaration on the next line. The first comment of a file is its head.
# A line  /* ---- words ---- */  begins a section. Nothing here knows a name: what is declared is
# found, and what cannot be read is an error, so that no function is left out in silence.
#
# Leaves:  names[1..n_names]        functions in order, with
#          header_of, section_of, prototype_of, comment_of, place_of [name]
#          types[1..n_types]        "struct twin_x", "enum twin_x" or a typedef's name, with
#          code_of, type_comment_of, type_header_of [type]
#          objects[1..n_objects]    extern variables, with object_code, object_comment, object_header
#          headers[1..n_headers]    twinpool/x.h, with head_of, includes_of, constants_of, sections_of
#          errors[1..n_errors]      names of TWIN_ERRORS without TWIN_, with error_value, error_text

# Says what is wrong, in the form that editors know, and goes on to find more.
function complain(place, text)
{
    print place ": error: " text > "/dev/stderr"
    n_complaints++
}

function here() { return FILENAME ":" FNR }

# The text without its comments; ends in "\001" where a comment is still open.
function without_comments(text,    from, to, left)
{
    left = ""
    while ((from = index(text, "/*")) > 0) {
        left = left substr(text, 1, from - 1)
        text = substr(text, from + 2)
        to = index(text, "*/")
        if (to == 0)
            return left "\001"
        text = substr(text, to + 2)
    }
    return left text
}

function is_whole(bare,    opened, closed)
{
    opened = gsub(/[{(]/, "&", bare)
    closed = gsub(/[})]/, "&", bare)
    return opened == closed && bare ~ /;[ \n]*$/
}

# ---- comments ------------------------------------------------------------------------------------

function take_comment_line(line)
{
    if (line ~ /\*\/[ ]*$/) {
        in_comment = 0
        sub(/[ ]*\*\/[ ]*$/, "", line)
    }
    sub(/^\/\*[ ]?/, "", line)
    sub(/^ \*[ ]?/, "", line)
    comment = comment == "" ? line : comment "\n" line
    if (in_comment)
        return
    sub(/\n+$/, "", comment)
    if (!(header in head_of)) {
        head_of[header] = comment
        head_place[header] = comment_place
        drop_comment()
    } else if (comment ~ /^----.*----$/) {
        section = comment
        gsub(/^-+ | -+$/, "", section)
        sections_of[header] = sections_of[header] section "\n"
        drop_comment()
    }
}

function drop_comment()
{
    comment = ""
    comment_place = ""
}

function nothing_pending()
{
    if (comment != "")
        complain(comment_place, "a comment that stands before no declaration:" \
            " the declaration must follow on the next line")
    drop_comment()
}

# ---- declarations --------------------------------------------------------------------------------

function take_type(key, text)
{
    types[++n_types] = key
    code_of[key] = text
    type_comment_of[key] = comment
    type_header_of[key] = header
}

function take_function(name, text)
{
    if (comment == "")
        complain(declaration_place, name "() has no comment of its own: one before each" \
            " function, with no empty line between")
    if (name in header_of)
        complain(declaration_place, name "() is declared twice")
    names[++n_names] = name
    header_of[name] = header
    section_of[name] = section
    prototype_of[name] = text
    comment_of[name] = comment
    place_of[name] = declaration_place
}

# Takes the declaration that was just completed.
function take_declaration(bare,    name)
{
    gsub(/[ \n]+/, " ", bare)
    name = bare
    if (bare ~ /^(struct|enum) twin_[a-z0-9_]+ ?\{/) {
        sub(/ ?\{.*/, "", name)
        take_type(name, declaration)
    } else if (bare ~ /^typedef [^()]*twin_[a-z0-9_]+\(/) {
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        take_type(name, declaration)
    } else if (bare ~ /^extern [^()]*twin_[a-z0-9_]+; ?$/) {
        sub(/; ?$/, "", name)
        sub(/.*[ *]/, "", name)
        objects[++n_objects] = name
        object_code[name] = declaration
        object_comment[name] = comment
        object_header[name] = header
    } else if (bare ~ /^[a-z][^(]*[ *]twin_[a-z0-9_]+\(.*\); ?$/) {
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        take_function(name, declaration)
    } else if (bare !~ /^struct twin_[a-z0-9_]+; ?$/) {
        complain(declaration_place, "neither a struct, an enum, a typedef of a function, an" \
            " extern nor a function twin_*: " bare)
    }
    drop_comment()
    declaration = ""
}

# ---- directives ----------------------------------------------------------------------------------

# One line of TWIN_ERRORS: X(NAME, value, "text")
function take_error(line,    name)
{
    name = line
    sub(/^[ ]*X\(/, "", name)
    sub(/,.*/, "", name)
    name = "E" name
    errors[++n_errors] = name
    error_value[name] = line
    sub(/^[^,]*,[ ]*/, "", error_value[name])
    sub(/,.*/, "", error_value[name])
    error_text[name] = line
    sub(/^[^"]*"/, "", error_text[name])
    sub(/"[^"]*$/, "", error_text[name])
}

function take_directive(line)
{
    if (line ~ /^#[ ]*include <twinpool\//) {
        sub(/^[^<]*</, "", line)
        sub(/>.*/, "", line)
        includes_of[header] = line
    } else if (line ~ /^#[ ]*define TWIN_ERRORS\(/) {
        in_errors = 1
    } else if (line ~ /^#[ ]*define TWIN_[A-Z0-9_]+[ ]+[^ ]/ && line !~ /\\$/) {
        constants_of[header] = constants_of[header] line "\n"
    }
    in_directive = line ~ /\\$/
}

# ---- the lines -----------------------------------------------------------------------------------

FNR == 1 {
    nothing_pending()
    header = FILENAME
    sub(/^.*\/twinpool\//, "twinpool/", header)
    headers[++n_headers] = header
    section = ""
    declaration = ""
    in_comment = in_directive = in_errors = in_cplusplus = 0
}

/[^\t -~]/ || /\t/ { complain(here(), "a character that is not printable ASCII, or a tab") }

in_cplusplus { in_cplusplus = !/^#[ ]*endif/; next }

in_comment { take_comment_line($0); next }

in_directive {
    if (in_errors && /^[ ]*X\(/)
        take_error($0)
    in_directive = /\\$/
    in_errors = in_errors && in_directive
    next
}

declaration == "" && /^#[ ]*ifdef __cplusplus/ { in_cplusplus = 1; next }

declaration == "" && /^#/ {
    take_directive($0)
    drop_comment()
    next
}

declaration == "" && /^\/\*/ {
    nothing_pending()
    comment_place = here()
    in_comment = 1
    take_comment_line($0)
    next
}

declaration == "" && /^[ ]*$/ { nothing_pending(); next }

{
    if (declaration == "")
        declaration_place = here()
    declaration = declaration == "" ? $0 : declaration "\n" $0
    bare = without_comments(declaration)
    if (is_whole(bare))
        take_declaration(bare)
}
