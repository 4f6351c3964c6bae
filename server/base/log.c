#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define BUFFER_MAX (256 * 1024)
#define LINE_MAX_BYTES 8192

static struct {
    int fd;
    bool is_socket; /* can't be reopened: MSG_DONTWAIT instead */
    enum log_level level;
    int slot;
    struct bytes buffer; /* lines that wait to leave */
    struct bytes line;   /* the one being written */
    struct json_writer writer;
    uint64_t dropped;      /* in all */
    uint64_t dropped_said; /* of these, the reader knows */
} journal = {.fd = -1};

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
    return names[level];
}

/* O_NONBLOCK belongs to the open file, which others (a shell, the master) share: so open it anew. */
static int reopen(int fd, bool *is_socket)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int fresh = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    *is_socket = fresh < 0;
    return fresh < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fresh;
}

void log_start(int fd, enum log_level level, int slot)
{
    if (journal.fd >= 0)
        close(journal.fd);
    journal.fd = reopen(fd, &journal.is_socket);
    journal.level = level;
    journal.slot = slot;
    bytes_release(&journal.buffer);
    journal.buffer.limit = BUFFER_MAX;
    journal.line.limit = LINE_MAX_BYTES;
}

static void begin_line(enum log_level level, const char *event)
{
    char now[CLOCK_TEXT_MAX];
    struct json_writer *writer = &journal.writer;
    clock_format(clock_now(), now);
    bytes_clear(&journal.line);
    json_write_init(writer, &journal.line);
    json_write_object(writer);
    json_write_key(writer, "time");
    json_write_text(writer, now);
    json_write_key(writer, "level");
    json_write_text(writer, level_name(level));
    json_write_key(writer, "event");
    json_write_text(writer, event);
    json_write_key(writer, "slot");
    json_write_int(writer, journal.slot);
}

/* Into the buffer whole, or not at all. */
static bool keep_line(void)
{
    if (journal.line.failed || journal.buffer.length + journal.line.length > BUFFER_MAX)
        return false;
    bytes_add_slice(&journal.buffer, bytes_view(&journal.line));
    bool kept = !journal.buffer.failed;
    journal.buffer.failed = false;
    return kept;
}

static void finish_line(void)
{
    json_write_object_end(&journal.writer);
    bytes_add_char(&journal.line, '\n');
}

struct json_writer *log_begin(enum log_level level, const char *event)
{
    if (level < journal.level || journal.fd < 0)
        return NULL;
    begin_line(level, event);
    return &journal.writer;
}

void log_end(struct json_writer *writer)
{
    if (writer == NULL)
        return;
    assert(writer == &journal.writer);
    finish_line();
    if (!keep_line())
        journal.dropped++;
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    struct json_writer *writer = log_begin(level, event);
    if (writer == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_write_key(writer, "message");
    json_write_text(writer, text);
    log_end(writer);
}

/* Once it flows again, say how much is missing. */
static void confess(void)
{
    uint64_t missing = journal.dropped - journal.dropped_said;
    if (missing == 0)
        return;
    begin_line(LOG_WARN, "log_lines_dropped");
    json_write_key(&journal.writer, "count");
    json_write_int(&journal.writer, (int64_t)missing);
    finish_line();
    if (keep_line())
        journal.dropped_said = journal.dropped;
}

static ssize_t write_some(void)
{
    const struct bytes *buffer = &journal.buffer;
    if (journal.is_socket)
        return send(journal.fd, buffer->at, buffer->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(journal.fd, buffer->at, buffer->length);
}

bool log_flush(void)
{
    if (journal.fd < 0)
        return true;
    while (journal.buffer.length > 0) {
        ssize_t written = write_some();
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            return false;
        if (written <= 0) { /* the reader is gone, or the disk is full: these lines are lost */
            journal.dropped++;
            bytes_clear(&journal.buffer);
            return true;
        }
        bytes_consume(&journal.buffer, (size_t)written);
        confess();
    }
    return true;
}

int log_fd(void)
{
    return journal.fd;
}

uint64_t log_dropped(void)
{
    return journal.dropped;
}
