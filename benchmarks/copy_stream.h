/* COPY in PostgreSQL's binary format: a table's rows, field by field, on a connection of blocking
 * libpq. Ends the process when the database says no: the command line's way, and what was not
 * committed is undone. */
#ifndef BENCHMARKS_COPY_STREAM_H
#define BENCHMARKS_COPY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"

struct pg_conn; /* libpq's */

struct copy_stream {
    struct pg_conn *connection;
    char *buffer;
    size_t length;
    bool open;
};

/* `target`: "table (column, ...)". Frozen: the table was made in this very transaction, so its rows
 * are born settled, and no vacuum has to look at them. */
void copy_stream_begin(struct copy_stream *stream, struct pg_conn *connection, const char *target,
                       bool frozen);
void copy_stream_end(struct copy_stream *stream);

/* Begin a row of so many fields; then exactly so many of the calls below. */
void copy_stream_row(struct copy_stream *stream, int fields);

void copy_stream_bool(struct copy_stream *stream, bool value);
void copy_stream_smallint(struct copy_stream *stream, int value);
void copy_stream_integer(struct copy_stream *stream, int64_t value);
void copy_stream_bigint(struct copy_stream *stream, int64_t value);
void copy_stream_time(struct copy_stream *stream, int64_t unix_us);
void copy_stream_uuid(struct copy_stream *stream, const struct uuid *value); /* nil: null */
/* text and bytea alike; {NULL,0}: null */
void copy_stream_text(struct copy_stream *stream, struct slice value);

#endif
