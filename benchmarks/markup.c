#include "benchmarks/markup.h"

#include "base/bytes.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* U+FFFE and U+FFFF, which are UTF-8 but no characters of XML. */
static bool is_noncharacter(const unsigned char *at)
{
    return at[0] == 0xef && at[1] == 0xbf && (at[2] == 0xbe || at[2] == 0xbf);
}

static void add_character(struct bytes *out, unsigned char c)
{
    if (c == '&')
        bytes_add_text(out, "&amp;");
    else if (c == '<')
        bytes_add_text(out, "&lt;");
    else if (c == '>')
        bytes_add_text(out, "&gt;");
    else if (c == '"')
        bytes_add_text(out, "&quot;");
    else if (c == '\'')
        bytes_add_text(out, "&#39;");
    else if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
        bytes_add_text(out, REPLACEMENT);
    else
        bytes_add_char(out, (char)c);
}

void markup_text(struct bytes *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        if (is_noncharacter(at)) {
            bytes_add_text(out, REPLACEMENT);
            at += 3;
        } else {
            add_character(out, *at++);
        }
    }
}

void markup_element(struct bytes *out, const char *tag, const char *attributes, const char *text)
{
    bytes_printf(out, "<%s%s>", tag, attributes);
    markup_text(out, text);
    bytes_printf(out, "</%s>\n", tag);
}

void markup_table(struct bytes *out, const char *caption, const char *const *head, size_t columns)
{
    bytes_add_text(out, "<div class=\"wide\"><table>\n");
    markup_element(out, "caption", "", caption);
    bytes_add_text(out, "<thead><tr>");
    for (size_t i = 0; i < columns; i++)
        markup_element(out, "th", " scope=\"col\"", head[i]);
    bytes_add_text(out, "</tr></thead>\n<tbody>\n");
}

void markup_table_row(struct bytes *out, const char *const *cells, size_t columns)
{
    bytes_add_text(out, "<tr>");
    for (size_t i = 0; i < columns; i++)
        markup_element(out, i == 0 ? "th" : "td", i == 0 ? " scope=\"row\"" : "",
                       cells[i] == NULL ? "" : cells[i]);
    bytes_add_text(out, "</tr>\n");
}

void markup_table_end(struct bytes *out)
{
    bytes_add_text(out, "</tbody></table></div>\n");
}
