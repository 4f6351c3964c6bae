/* What taking a month out and bringing it back have in common: their connection, and questions. */
#ifndef STORE_ARCHIVE_STATE_H
#define STORE_ARCHIVE_STATE_H

#include <libpq-fe.h>
#include <stddef.h>

#include "store/archive.h"
#include "store/archive_manifest.h"

struct archive_state {
    struct archive *archive;
    PGconn *conn;
    char next[48]; /* the month behind, as a date; archive->month's is "2024-01-01" */
    char month[48];
    char path[1100]; /* folder/moolah-2024-01 */
};

/* Connected and alone (an advisory lock), or archive->error. Both are followed by
 * archive_state_end. */
bool archive_state_begin(struct archive_state *state, struct archive *archive);
void archive_state_end(struct archive_state *state);

bool archive_state_fail(struct archive_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* ... with what PostgreSQL said. */
bool archive_state_refuse(struct archive_state *state, PGconn *conn);

/* In the SQL stand $1: the month's first day, $2: the next one's. NULL: archive->error. */
PGresult *archive_state_ask(struct archive_state *state, const char *sql);
/* ... and the one text or number it answers. */
bool archive_state_text(struct archive_state *state, const char *sql, char *text, size_t size);
bool archive_state_number(struct archive_state *state, const char *sql, int64_t *number);
/* Without parameters, put together. */
bool archive_state_run(struct archive_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* $1 and $2 as bounds of ids. */
#define ARCHIVE_FIRST "uuid_floor($1::timestamp at time zone 'UTC')"
#define ARCHIVE_BEHIND "uuid_floor($2::timestamp at time zone 'UTC')"

#endif
