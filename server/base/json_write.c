#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"

enum { DEPTH_MAX = 16 };

void json_write_init(struct json_writer *writer, struct bytes *out)
{
    *writer = (struct json_writer){.out = out, .first = 1};
}

/* A comma where one is due. */
static void separate(struct json_writer *writer)
{
    uint32_t bit = UINT32_C(1) << writer->depth;

    if (writer->after_key)
        writer->after_key = false;
    else if ((writer->first & bit) != 0)
        writer->first &= ~bit;
    else
        bytes_add_char(writer->out, ',');
}

static void open_bracket(struct json_writer *writer, char bracket)
{
    assert(writer->depth < DEPTH_MAX);
    separate(writer);
    bytes_add_char(writer->out, bracket);
    writer->depth++;
    writer->first |= UINT32_C(1) << writer->depth;
}

static void close_bracket(struct json_writer *writer, char bracket)
{
    assert(writer->depth > 0 && !writer->after_key);
    writer->depth--;
    bytes_add_char(writer->out, bracket);
}

void json_write_object(struct json_writer *writer)
{
    open_bracket(writer, '{');
}

void json_write_object_end(struct json_writer *writer)
{
    close_bracket(writer, '}');
}

void json_write_array(struct json_writer *writer)
{
    open_bracket(writer, '[');
}

void json_write_array_end(struct json_writer *writer)
{
    close_bracket(writer, ']');
}

void json_write_key(struct json_writer *writer, const char *key)
{
    assert(!writer->after_key);
    separate(writer);
    bytes_add_char(writer->out, '"');
    bytes_add_text(writer->out, key);
    bytes_add(writer->out, "\":", 2);
    writer->after_key = true;
}

/* How many bytes the UTF-8 character at `at` has; 0: it is none (RFC 3629: no surrogates, no
 * overlong forms). */
static size_t character_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char low, high, second_low, second_high, length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].low || at[0] > forms[i].high)
            continue;
        if (forms[i].length == 1)
            return 1;
        if (left < forms[i].length || at[1] < forms[i].second_low || at[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

bool json_write_is_utf8(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    for (size_t i = 0, length; i < text.length; i += length) {
        length = character_length(at + i, text.length - i);
        if (length == 0)
            return false;
    }
    return true;
}

static void escape(struct bytes *out, unsigned char c)
{
    static const char named[] = "\b\t\n\f\r\"\\";
    static const char letters[] = "btnfr\"\\";
    const char *found = c == '\0' ? NULL : strchr(named, c);
    if (found == NULL) {
        bytes_printf(out, "\\u%04x", c);
        return;
    }
    bytes_add_char(out, '\\');
    bytes_add_char(out, letters[found - named]);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void json_write_string(struct json_writer *writer, struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t i = 0;
    separate(writer);
    bytes_add_char(writer->out, '"');
    while (i < text.length) {
        size_t run = i;
        while (run < text.length && is_plain(at[run]))
            run++;
        bytes_add(writer->out, at + i, run - i);
        i = run;
        if (i == text.length)
            break;
        size_t length = character_length(at + i, text.length - i);
        if (length == 0)
            bytes_add(writer->out, "\xef\xbf\xbd", 3);
        else if (length > 1)
            bytes_add(writer->out, at + i, length);
        else
            escape(writer->out, at[i]);
        i += length == 0 ? 1 : length;
    }
    bytes_add_char(writer->out, '"');
}

void json_write_text(struct json_writer *writer, const char *text)
{
    json_write_string(writer, slice_of(text));
}

void json_write_int(struct json_writer *writer, int64_t number)
{
    separate(writer);
    bytes_add_int(writer->out, number);
}

void json_write_bool(struct json_writer *writer, bool value)
{
    separate(writer);
    bytes_add_text(writer->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer)
{
    separate(writer);
    bytes_add_text(writer->out, "null");
}

void json_write_raw(struct json_writer *writer, struct slice json)
{
    separate(writer);
    bytes_add_slice(writer->out, json);
}
