#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

enum { BUFFER_SIZE = 256 * 1024 };

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line must leave a pipe whole");

/* What the lines go to decides how to write without blocking. */
enum sink {
    SINK_FILE,     /* a regular file: never blocks for long, and appends are whole */
    SINK_OURS,     /* pipe, terminal, device, opened anew with O_NONBLOCK */
    SINK_BORROWED, /* the same, but it couldn't be opened anew: ask poll first */
    SINK_SOCKET,   /* can't be opened anew: MSG_DONTWAIT */
};

static struct {
    int fd;
    enum sink sink;
    enum log_level level;
    int slot;
    pid_t process;

    bool open;     /* a line is being written */
    size_t header; /* how long it was when log_begin returned */
    enum log_level level_of_line;
    struct bytes line;
    struct json_writer writer;
    char line_room[LOG_LINE_MAX + 1];

    size_t start; /* lines wait in buffer[start .. end) */
    size_t end;
    char buffer[BUFFER_SIZE];
    uint64_t dropped;      /* in all */
    uint64_t dropped_said; /* of these, the reader knows */
} journal = {.fd = -1};

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug",
        [LOG_INFO] = "info",
        [LOG_WARN] = "warn",
        [LOG_ERROR] = "error",
    };

    return names[level];
}

/* O_NONBLOCK belongs to the open file, which others (a shell, the master) share: so it is opened
 * anew. That fails for sockets, and for a pipe of root's when we are no longer root. */
static void open_sink(int fd)
{
    char path[40];
    struct stat about;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    journal.fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    journal.sink = SINK_OURS;
    if (journal.fd < 0) {
        journal.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        journal.sink = SINK_BORROWED;
    }
    if (journal.fd < 0 || fstat(journal.fd, &about) != 0)
        return;
    if (S_ISREG(about.st_mode))
        journal.sink = SINK_FILE;
    else if (S_ISSOCK(about.st_mode))
        journal.sink = SINK_SOCKET;
}

void log_start(int fd, enum log_level level, int slot)
{
    if (journal.process == getpid())
        log_flush();
    else
        journal.start = journal.end = 0;
    if (journal.fd >= 0)
        close(journal.fd);
    open_sink(fd);
    journal.process = getpid();
    journal.level = level;
    journal.slot = slot;
    journal.open = false;
    journal.line =
        (struct bytes){.at = journal.line_room, .capacity = LOG_LINE_MAX, .limit = LOG_LINE_MAX};
}

static void begin_line(enum log_level level, const char *event)
{
    char now[CLOCK_TEXT_MAX];
    struct json_writer *writer = &journal.writer;

    assert(!journal.open);
    journal.open = true;
    journal.level_of_line = level;
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
    journal.header = journal.line.length;
}

static void finish_line(void)
{
    assert(journal.writer.depth == 1);
    json_write_object_end(&journal.writer);
    bytes_add_char(&journal.line, '\n');
    journal.open = false;
    if (!journal.line.failed)
        return;
    /* Too long: what everybody needs, and that there was more. */
    bytes_clear(&journal.line);
    journal.line.length = journal.header;
    bytes_add_text(&journal.line, ",\"too_long\":true}\n");
    assert(!journal.line.failed);
}

/* Into the buffer whole, or not at all. */
static bool keep_line(void)
{
    size_t waiting = journal.end - journal.start;

    if (journal.line.length > BUFFER_SIZE - waiting)
        return false;
    if (journal.line.length > BUFFER_SIZE - journal.end) {
        memmove(journal.buffer, journal.buffer + journal.start, waiting);
        journal.start = 0;
        journal.end = waiting;
    }
    memcpy(journal.buffer + journal.end, journal.line.at, journal.line.length);
    journal.end += journal.line.length;
    return true;
}

/* How much of what waits to write at once: whole lines that the kernel keeps together. */
static size_t piece(void)
{
    size_t waiting = journal.end - journal.start;
    const char *from = journal.buffer + journal.start;

    if (journal.sink == SINK_FILE || waiting <= LOG_LINE_MAX)
        return waiting;

    const char *newline = memrchr(from, '\n', LOG_LINE_MAX);

    assert(newline != NULL);
    return (size_t)(newline - from) + 1;
}

static ssize_t write_piece(void)
{
    const char *from = journal.buffer + journal.start;

    if (journal.sink == SINK_SOCKET)
        return send(journal.fd, from, piece(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (journal.sink == SINK_BORROWED) {
        struct pollfd ready = {.fd = journal.fd, .events = POLLOUT};

        if (poll(&ready, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    return write(journal.fd, from, piece());
}

/* The reader has gone, and what waits for it with it. */
static void drop_waiting(void)
{
    for (size_t i = journal.start; i < journal.end; i++)
        journal.dropped += journal.buffer[i] == '\n';
    journal.start = journal.end = 0;
}

static bool is_gone(int error)
{
    return error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == ECONNREFUSED;
}

enum outcome { IDLE, FLOWED, STANDS_STILL, BROKEN };

static enum outcome write_waiting(void)
{
    enum outcome outcome = IDLE;

    while (journal.start < journal.end) {
        ssize_t written = write_piece();

        if (written > 0) {
            journal.start += (size_t)written;
            outcome = FLOWED;
        } else if (written < 0 && errno == EAGAIN) {
            return STANDS_STILL;
        } else if (written == 0 || errno != EINTR) {
            if (written < 0 && is_gone(errno))
                drop_waiting();
            return BROKEN;
        }
    }
    journal.start = journal.end = 0;
    return outcome;
}

/* How much is missing. */
static void confess(uint64_t missing)
{
    begin_line(LOG_WARN, "log_lines_dropped");
    json_write_key(&journal.writer, "count");
    json_write_int(&journal.writer, (int64_t)missing);
    finish_line();
    if (keep_line())
        journal.dropped_said = journal.dropped;
}

bool log_flush(void)
{
    if (journal.fd < 0)
        return true;

    enum outcome outcome = write_waiting();

    uint64_t missing = journal.dropped - journal.dropped_said;

    if (outcome == FLOWED && missing > 0 && !journal.open) {
        confess(missing);
        outcome = write_waiting();
    }
    return outcome != STANDS_STILL;
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
    assert(writer == &journal.writer && journal.open);
    finish_line();
    /* A long turn of the loop may fill the buffer although the reader is awake. */
    if (!keep_line()) {
        write_waiting();
        if (!keep_line())
            journal.dropped++;
    }
    if (journal.level_of_line == LOG_ERROR)
        log_flush(); /* who says it may be about to die */
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

int log_fd(void)
{
    return journal.fd;
}

uint64_t log_dropped(void)
{
    return journal.dropped;
}
