#include "benchmarks/copy_stream.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/memory.h"
#include "benchmarks/seed_job.h"

/* PostgreSQL counts microseconds from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

enum { FLUSH_AT = 128 * 1024, ROW_MAX = 64 * 1024 };

static void flush(struct copy_stream *stream)
{
    if (PQputCopyData(stream->connection, stream->buffer, (int)stream->length) != 1)
        seed_job_fail("the database broke off: %s", PQerrorMessage(stream->connection));
    stream->length = 0;
}

static void put(struct copy_stream *stream, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    assert(stream->length + length <= FLUSH_AT + ROW_MAX);
    memcpy(stream->buffer + stream->length, bytes, length);
    stream->length += length;
}

/* The low `size` bytes of `value`, big-endian. */
static void put_number(struct copy_stream *stream, uint64_t value, size_t size)
{
    uint64_t swapped = __builtin_bswap64(value);
    put(stream, (const char *)&swapped + 8 - size, size);
}

static void put_field(struct copy_stream *stream, uint64_t value, size_t size)
{
    put_number(stream, size, 4);
    put_number(stream, value, size);
}

void copy_stream_begin(struct copy_stream *stream, struct pg_conn *connection, const char *target,
                       bool frozen)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* signature, flags, extension */
    char sql[512];
    assert(!stream->open);
    stream->connection = connection;
    if (stream->buffer == NULL)
        stream->buffer = memory_alloc(FLUSH_AT + ROW_MAX);
    if (stream->buffer == NULL)
        seed_job_fail("out of memory");
    snprintf(sql, sizeof sql, "copy %s from stdin (format binary%s)", target,
             frozen ? ", freeze" : "");
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COPY_IN)
        seed_job_fail("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    stream->length = 0;
    stream->open = true;
    put(stream, head, sizeof head); /* its NUL is the last byte of the extension's length */
}

void copy_stream_end(struct copy_stream *stream)
{
    if (!stream->open)
        return;
    put_number(stream, UINT16_MAX, 2);
    flush(stream);
    if (PQputCopyEnd(stream->connection, NULL) != 1)
        seed_job_fail("the database broke off: %s", PQerrorMessage(stream->connection));
    for (PGresult *result; (result = PQgetResult(stream->connection)) != NULL; PQclear(result))
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            seed_job_fail("the database refuses what was written: %s",
                          PQresultErrorMessage(result));
    memory_free(stream->buffer);
    *stream = (struct copy_stream){0};
}

void copy_stream_row(struct copy_stream *stream, int fields)
{
    if (stream->length >= FLUSH_AT)
        flush(stream);
    put_number(stream, (uint64_t)fields, 2);
}

void copy_stream_bool(struct copy_stream *stream, bool value)
{
    put_field(stream, value, 1);
}

void copy_stream_smallint(struct copy_stream *stream, int value)
{
    put_field(stream, (uint64_t)value, 2);
}

void copy_stream_integer(struct copy_stream *stream, int64_t value)
{
    put_field(stream, (uint64_t)value, 4);
}

void copy_stream_bigint(struct copy_stream *stream, int64_t value)
{
    put_field(stream, (uint64_t)value, 8);
}

void copy_stream_time(struct copy_stream *stream, int64_t unix_us)
{
    put_field(stream, (uint64_t)(unix_us - EPOCH_2000_US), 8);
}

void copy_stream_text(struct copy_stream *stream, struct slice value)
{
    put_number(stream, value.at == NULL ? UINT32_MAX : value.length, 4);
    put(stream, value.at, value.at == NULL ? 0 : value.length);
}

void copy_stream_uuid(struct copy_stream *stream, const struct uuid *value)
{
    bool null = uuid_is_nil(value);
    copy_stream_text(stream, (struct slice){null ? NULL : (const char *)value->bytes,
                                            null ? 0 : sizeof value->bytes});
}
