#include "benchmarks/numbers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"

#define HUGE_FROM 1e15
#define TINY_BELOW 1e-4

/* A comma between the thousands of what stands in `digits` before its point. */
static void separate(char out[NUMBERS_TEXT_MAX], const char *digits)
{
    size_t whole = strcspn(digits, ".");
    size_t at = 0;
    for (size_t i = 0; digits[i] != '\0' && at + 2 < NUMBERS_TEXT_MAX; i++) {
        bool sign = i == 0 || (i == 1 && digits[0] == '-');
        if (i < whole && !sign && (whole - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

/* Without the zeros that end a fraction. */
static void trim(char *text)
{
    if (strchr(text, '.') == NULL)
        return;
    size_t length = strlen(text);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    text[length] = '\0';
}

const char *numbers_text(char out[NUMBERS_TEXT_MAX], double number)
{
    char digits[NUMBERS_TEXT_MAX];
    double size = fabs(number);
    if (!isfinite(number)) {
        snprintf(out, NUMBERS_TEXT_MAX, "-");
    } else if (size >= HUGE_FROM || (size > 0 && size < TINY_BELOW)) {
        snprintf(out, NUMBERS_TEXT_MAX, "%.3g", number);
    } else {
        /* four digits that mean something */
        int decimals = size >= 1000 || size == 0 ? 0 : 3 - (int)floor(log10(size));
        snprintf(digits, sizeof digits, "%.*f", decimals, number);
        trim(digits);
        separate(out, strcmp(digits, "-0") == 0 ? "0" : digits);
    }
    return out;
}

/* Three digits that mean something, in the largest unit that keeps the number from 1. */
static const char *scaled(char out[NUMBERS_TEXT_MAX], double number, const char *unit)
{
    char digits[NUMBERS_TEXT_MAX];
    char text[NUMBERS_TEXT_MAX];
    double size = fabs(number);
    if (size >= HUGE_FROM) {
        snprintf(out, NUMBERS_TEXT_MAX, "%.3g %s", number, unit);
        return out;
    }
    snprintf(digits, sizeof digits, "%.*f", size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2, number);
    trim(digits);
    separate(text, digits);
    snprintf(out, NUMBERS_TEXT_MAX, "%.30s %s", text, unit);
    return out;
}

const char *numbers_time(char out[NUMBERS_TEXT_MAX], double us)
{
    if (!isfinite(us))
        return numbers_text(out, us);
    if (fabs(us) < 1e3)
        return scaled(out, us, "µs");
    return fabs(us) < 1e6 ? scaled(out, us / 1e3, "ms") : scaled(out, us / 1e6, "s");
}

const char *numbers_bytes(char out[NUMBERS_TEXT_MAX], double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    if (!isfinite(bytes))
        return numbers_text(out, bytes);
    while (fabs(bytes) >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        unit++;
    }
    return scaled(out, bytes, units[unit]);
}

const char *numbers_change(char out[NUMBERS_TEXT_MAX], double part)
{
    if (!isfinite(part))
        return numbers_text(out, part);
    if (fabs(part) < 100)
        snprintf(out, NUMBERS_TEXT_MAX, "%+.1f %%", part * 100);
    else
        snprintf(out, NUMBERS_TEXT_MAX, "%+.2e %%", part * 100);
    return out;
}

const char *numbers_json(char out[NUMBERS_TEXT_MAX], double number)
{
    if (isfinite(number))
        snprintf(out, NUMBERS_TEXT_MAX, "%.12g", number);
    else
        snprintf(out, NUMBERS_TEXT_MAX, "null");
    return out;
}

void numbers_table_init(struct numbers_table *table, struct arena *arena, const char *const *head,
                        size_t columns)
{
    *table = (struct numbers_table){.arena = arena, .columns = columns};
    numbers_table_row(table, head);
}

static bool make_room(struct numbers_table *table)
{
    if (table->rows < table->room)
        return true;
    size_t room = table->room == 0 ? 32 : table->room * 2;
    const char **cells = arena_array(table->arena, room * table->columns, sizeof cells[0]);
    if (cells == NULL)
        return false;
    if (table->rows > 0)
        memcpy(cells, table->cells, table->rows * table->columns * sizeof cells[0]);
    table->cells = cells;
    table->room = room;
    return true;
}

void numbers_table_row(struct numbers_table *table, const char *const *cells)
{
    if (table->failed || !make_room(table)) {
        table->failed = true;
        return;
    }
    const char **row = table->cells + table->rows++ * table->columns;
    for (size_t i = 0; i < table->columns; i++) {
        row[i] = arena_copy(table->arena, slice_of(cells[i])).at;
        if (row[i] == NULL)
            table->failed = true;
    }
}

/* Characters, not bytes: a terminal shows those. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void measure(const struct numbers_table *table, size_t widths[NUMBERS_COLUMNS_MAX])
{
    bool used[NUMBERS_COLUMNS_MAX] = {false};
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t column = i % table->columns;
        size_t width = width_of(table->cells[i]);
        if (width > widths[column])
            widths[column] = width;
        if (i >= table->columns && width > 0 && strcmp(table->cells[i], "-") != 0)
            used[column] = true;
    }
    for (size_t column = 1; column < table->columns; column++)
        if (!used[column])
            widths[column] = 0;
}

/* Control characters of a name don't reach the terminal. */
static void add_cell(struct bytes *out, const char *text, size_t width, bool left)
{
    size_t gap = width - width_of(text);
    for (size_t i = 0; !left && i < gap; i++)
        bytes_add_char(out, ' ');
    for (const char *c = text; *c != '\0'; c++)
        bytes_add_char(out, (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c);
    for (size_t i = 0; left && i < gap; i++)
        bytes_add_char(out, ' ');
}

static void add_rule(struct bytes *out, const struct numbers_table *table,
                     const size_t widths[NUMBERS_COLUMNS_MAX])
{
    size_t total = widths[0];
    for (size_t i = 1; i < table->columns; i++)
        total += widths[i] == 0 ? 0 : widths[i] + 2;
    for (size_t i = 0; i < total; i++)
        bytes_add_char(out, '-');
    bytes_add_char(out, '\n');
}

bool numbers_table_write(const struct numbers_table *table, struct bytes *out)
{
    size_t widths[NUMBERS_COLUMNS_MAX] = {0};
    if (table->failed || table->columns > NUMBERS_COLUMNS_MAX)
        return false;
    measure(table, widths);
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t column = i % table->columns;
        if (column == 0 || widths[column] > 0) {
            if (column > 0)
                bytes_add_text(out, "  ");
            bool left = column == 0 || column == table->left;
            bool last = column + 1 == table->columns;
            add_cell(out, table->cells[i],
                     left && last ? width_of(table->cells[i]) : widths[column], left);
        }
        if (column + 1 == table->columns)
            bytes_add_char(out, '\n');
        if (i + 1 == table->columns)
            add_rule(out, table, widths);
    }
    return !out->failed;
}
