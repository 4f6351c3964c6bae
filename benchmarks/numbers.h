/* Numbers for people, and tables of them for a terminal: thousands separators, as many digits as
 * mean something, a dash for what was not measured. Durations come in microseconds. */
#ifndef BENCHMARKS_NUMBERS_H
#define BENCHMARKS_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct bytes;

#define NUMBERS_TEXT_MAX 48

/* All write into `out` and give it back. */
const char *numbers_text(char out[NUMBERS_TEXT_MAX], double number); /* 12,346   6.1   0.0123 */
const char *numbers_time(char out[NUMBERS_TEXT_MAX], double us);     /* 850 µs   12.3 ms   1.2 s */
const char *numbers_bytes(char out[NUMBERS_TEXT_MAX], double bytes); /* 17.6 GB (10^9) */
const char *numbers_change(char out[NUMBERS_TEXT_MAX], double part); /* +3.1 %   -12.0 % */
const char *numbers_json(char out[NUMBERS_TEXT_MAX], double number); /* null when it is none */

/* A table: the first column stands left, the others right, a line under the head. */
#define NUMBERS_COLUMNS_MAX 12

struct numbers_table {
    struct arena *arena;
    const char **cells; /* rows of `columns` each, the head first */
    size_t columns, rows, room;
    bool failed;
    size_t left; /* one more column that begins at its left, beside the first; 0: none */
};

/* `head` has `columns` texts. What is given to it lies in the arena; running out of memory is told
 * at the end, by numbers_table_write. */
void numbers_table_init(struct numbers_table *table, struct arena *arena, const char *const *head,
                        size_t columns);
void numbers_table_row(struct numbers_table *table, const char *const *cells);
/* Columns that are empty in all rows are left out. False: memory ran out. */
bool numbers_table_write(const struct numbers_table *table, struct bytes *out);

#endif
