#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "tests/unit/base/dies.h"

enum { BUFFER = 256 * 1024, LINES_MAX = 20000 };

/* What a reader got: each line parsed. */
static struct arena arena;
static const struct json *lines[LINES_MAX];
static size_t line_count;
static struct bytes read_so_far;

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    arena_init(&arena);
    bytes_init(&read_so_far, NULL);
    line_count = 0;
    return 0;
}

static int end(void **state)
{
    int nowhere = open("/dev/null", O_WRONLY);

    (void)state;
    log_start(nowhere, LOG_INFO, 0); /* what waits, goes there */
    close(nowhere);
    bytes_release(&read_so_far);
    arena_release(&arena);
    return 0;
}

/* All that can be read without waiting; true when something was. */
static bool drain(int fd)
{
    char piece[65536];
    ssize_t got = 0;
    bool some = false;

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while ((got = read(fd, piece, sizeof piece)) > 0) {
        bytes_add(&read_so_far, piece, (size_t)got);
        some = true;
    }
    return some;
}

/* Every line must be an object that stands alone. */
static void parse_lines(void)
{
    struct slice left = bytes_view(&read_so_far);

    line_count = 0;
    while (left.length > 0) {
        const char *newline = memchr(left.at, '\n', left.length);
        struct json_error error;

        assert_non_null(newline);

        struct slice line = {left.at, (size_t)(newline - left.at)};

        assert_true(line_count < LINES_MAX);
        lines[line_count] = json_parse(line, &arena, &error);
        assert_non_null(lines[line_count]);
        assert_int_equal(json_kind(lines[line_count++]), JSON_OBJECT);
        left.at += line.length + 1;
        left.length -= line.length + 1;
    }
}

static bool says(size_t line, const char *key, const char *text)
{
    return slice_equals(json_string(json_member(lines[line], key)), text);
}

static int64_t number(size_t line, const char *key)
{
    return json_integer(json_member(lines[line], key));
}

static void log_number(enum log_level level, int64_t n)
{
    struct json_writer *writer = log_begin(level, "numbered");

    if (writer == NULL)
        return;
    json_write_key(writer, "n");
    json_write_int(writer, n);
    log_end(writer);
}

static void test_a_line(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, 3);
    assert_null(log_begin(LOG_DEBUG, "too_fine"));
    log_end(NULL);
    log_message(LOG_DEBUG, "too_fine", "%s", "x");
    log_message(LOG_WARN, "odd\"one", "%d\n%s", 5, "\xff\x01");
    log_number(LOG_INFO, 7);
    assert_true(log_flush());
    drain(ends[0]);
    parse_lines();
    assert_int_equal(line_count, 2);
    assert_true(says(0, "level", "warn"));
    assert_true(says(0, "event", "odd\"one"));
    assert_true(says(0, "message", "5\n\xef\xbf\xbd\x01"));
    assert_int_equal(number(0, "slot"), 3);
    assert_int_equal(json_string(json_member(lines[0], "time")).length, 27);
    assert_true(says(1, "level", "info"));
    assert_int_equal(number(1, "n"), 7);
    close(ends[0]);
    close(ends[1]);
}

static void test_errors_leave_at_once(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, 0);
    log_number(LOG_WARN, 1);
    assert_false(drain(ends[0]));
    log_number(LOG_ERROR, 2);
    assert_true(drain(ends[0]));
    parse_lines();
    assert_int_equal(line_count, 2);
    close(ends[0]);
    close(ends[1]);
}

/* Ours must not become anybody else's: a shell's terminal would stay non-blocking. */
static void test_o_nonblock_stays_ours(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, 0);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    assert_int_not_equal(fcntl(log_fd(), F_GETFL) & O_NONBLOCK, 0);
    assert_int_not_equal(fcntl(log_fd(), F_GETFD) & FD_CLOEXEC, 0);
    assert_int_not_equal(log_fd(), ends[1]);
    close(ends[0]);
    close(ends[1]);
}

/* Nobody reads: nothing blocks. Then somebody does: what was kept comes in order, and how much is
 * missing. */
static void stop_and_go(int writes_to, int reads_from)
{
    int64_t sent = 0;
    int64_t seen = 0, missing = 0;
    uint64_t dropped_before = log_dropped();

    log_start(writes_to, LOG_INFO, 0);
    while (log_dropped() == dropped_before || sent % 100 != 0) {
        log_number(LOG_INFO, sent++);
        log_flush();
        assert_true(sent < 100000);
    }
    assert_false(log_flush());
    assert_true(sent > BUFFER / 200);

    while (drain(reads_from) || !log_flush())
        log_flush();
    log_number(LOG_INFO, sent++); /* the news may need one more line to leave with */
    log_flush();
    drain(reads_from);
    parse_lines();
    for (size_t i = 0; i < line_count; i++) {
        if (says(i, "event", "log_lines_dropped")) {
            missing += number(i, "count");
            continue;
        }
        assert_true(number(i, "n") >= seen); /* in order */
        seen = number(i, "n") + 1;
    }
    assert_int_equal(missing, (int64_t)(log_dropped() - dropped_before));
    assert_true(missing > 0);
    assert_int_equal(seen, sent); /* the last one is there */

    int64_t kept = 0;

    for (size_t i = 0; i < line_count; i++)
        kept += !says(i, "event", "log_lines_dropped");
    assert_int_equal(kept + missing, sent);
}

static void test_a_pipe_whose_reader_stops(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    stop_and_go(ends[1], ends[0]);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_stream_socket_whose_reader_stops(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    stop_and_go(ends[1], ends[0]);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    close(ends[0]);
    close(ends[1]);
}

/* A pipe we may not open anew: as when a service manager made it before we left root. */
static void test_a_pipe_that_cannot_be_reopened(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root can lose the right */
        return;
    }
    int ends[2];

    assert_int_equal(pipe(ends), 0);

    pid_t child = fork();

    if (child == 0) {
        /* As an unprivileged user the pipe, made by root with mode 0600, doesn't open. */
        if (setuid(65534) != 0)
            _exit(2);
        alarm(60); /* should a write block after all */
        log_start(ends[1], LOG_INFO, 0);
        if ((fcntl(log_fd(), F_GETFL) & O_NONBLOCK) != 0)
            _exit(3);
        for (int i = 0; i < 20000; i++) {
            log_number(LOG_INFO, i);
            log_flush();
        }
        _exit(log_flush() || log_dropped() == 0 ? 4 : 0);
    }

    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    drain(ends[0]);
    parse_lines();
    assert_true(line_count > 100);
    for (size_t i = 0; i < line_count; i++)
        assert_int_equal(number(i, "n"), (int64_t)i);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_reader_that_goes(void **state)
{
    (void)state;
    uint64_t before = log_dropped();
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, 0);
    close(ends[0]);
    for (int i = 0; i < 100; i++)
        log_number(LOG_INFO, i);
    assert_true(log_flush()); /* nothing to wait for */
    assert_int_equal(log_dropped() - before, 100);
    for (int i = 0; i < 100; i++)
        assert_true(log_flush()); /* the news of it isn't tried, and dropped, again and again */
    assert_int_equal(log_dropped() - before, 100);
    close(ends[1]);
}

static void test_a_full_disk(void **state)
{
    (void)state;
    uint64_t before = log_dropped();
    int full = open("/dev/full", O_WRONLY);
    int kept = 0;
    int ends[2];

    assert_true(full >= 0);
    log_start(full, LOG_INFO, 0);
    for (int i = 0; i < 100; i++) {
        log_number(LOG_INFO, i);
        assert_true(log_flush()); /* watching for writability would spin */
    }
    assert_int_equal(log_dropped(), before);

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, 0); /* kept, for the place that has room */
    assert_true(log_flush());
    drain(ends[0]);
    parse_lines();
    for (size_t i = 0; i < line_count; i++) /* among them may be news of lines dropped before */
        kept += says(i, "event", "numbered");
    assert_int_equal(kept, 100);
    close(full);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_file_is_appended_to(void **state)
{
    (void)state;
    char path[] = "/tmp/log_test.XXXXXX";
    int fd = mkstemp(path);
    char found[16] = "";

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "before\n", 7), 7);
    log_start(fd, LOG_INFO, 0);
    for (int i = 0; i < 5000; i++)
        log_number(LOG_INFO, i); /* more than the buffer holds: it is emptied in between */
    assert_true(log_flush());
    assert_int_equal(pread(fd, found, 7, 0), 7);
    assert_string_equal(found, "before\n");
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    drain(fd);
    parse_lines();
    assert_int_equal(line_count, 5000);
    unlink(path);
    close(fd);
}

static void log_long(size_t length)
{
    static char text[2 * LOG_LINE_MAX];
    struct json_writer *writer = log_begin(LOG_INFO, "long");

    memset(text, 'x', sizeof text);
    json_write_key(writer, "text");
    json_write_string(writer, (struct slice){text, length});
    json_write_key(writer, "n");
    json_write_int(writer, (int64_t)length);
    log_end(writer);
}

static void test_long_lines(void **state)
{
    (void)state;
    size_t fitting = 0;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, 0);
    for (size_t length = LOG_LINE_MAX - 200; length < LOG_LINE_MAX + 100; length++) {
        log_long(length);
        assert_true(log_flush());
        drain(ends[0]);
    }
    parse_lines();
    assert_int_equal(line_count, 300);
    while (json_member(lines[fitting], "too_long") == NULL)
        fitting++;
    assert_in_range(fitting, 50, 200);
    for (size_t i = fitting; i < line_count; i++) {
        assert_true(json_bool(json_member(lines[i], "too_long")));
        assert_true(says(i, "event", "long"));
        assert_int_equal(json_count(lines[i]), 5);
    }
    close(ends[0]);
    close(ends[1]);
}

/* What the parent hasn't written yet is the parent's: else each line came once per worker. */
static void test_a_child_begins_empty(void **state)
{
    (void)state;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    log_start(ends[1], LOG_INFO, -1);
    log_number(LOG_INFO, 1);

    pid_t child = fork();

    if (child == 0) {
        log_start(ends[1], LOG_INFO, 0);
        log_number(LOG_INFO, 2);
        _exit(log_flush() ? 0 : 1);
    }

    int status = 1;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(log_flush());
    drain(ends[0]);
    parse_lines();
    assert_int_equal(line_count, 2);
    assert_int_equal(number(0, "n"), 2);
    assert_int_equal(number(0, "slot"), 0);
    assert_int_equal(number(1, "n"), 1);
    assert_int_equal(number(1, "slot"), -1);
    close(ends[0]);
    close(ends[1]);
}

/* Four writers, one pipe, a reader in between: parse_lines fails when two lines run into each
 * other. */
static void test_lines_of_several_processes_stay_whole(void **state)
{
    (void)state;
    enum { WRITERS = 4, EACH = 3000 };
    int64_t next[WRITERS] = {0};
    int ends[2];
    int running = WRITERS;

    assert_int_equal(pipe(ends), 0);
    for (int w = 0; w < WRITERS; w++) {
        if (fork() != 0)
            continue;
        log_start(ends[1], LOG_INFO, w);
        for (int64_t i = 0; i < EACH; i++) {
            log_number(LOG_INFO, i);
            while (i % 500 == 499 && !log_flush())
                ;
        }
        _exit(0);
    }
    while (running > 0) {
        running -= waitpid(-1, NULL, WNOHANG) > 0;
        drain(ends[0]);
    }
    drain(ends[0]);
    parse_lines();
    assert_int_equal(line_count, WRITERS * EACH);
    for (size_t i = 0; i < line_count; i++)
        assert_int_equal(number(i, "n"), next[number(i, "slot")]++);
    close(ends[0]);
    close(ends[1]);
}

static void two_lines_at_once(void *unused)
{
    (void)unused;
    log_begin(LOG_INFO, "a");
    log_begin(LOG_INFO, "b");
}

static void an_open_bracket(void *unused)
{
    struct json_writer *writer = log_begin(LOG_INFO, "a");

    (void)unused;
    json_write_key(writer, "k");
    json_write_array(writer);
    log_end(writer);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(two_lines_at_once, NULL));
    assert_true(dies(an_open_bracket, NULL));
}

/* Before log_start nothing happens, and quietly. First of all tests. */
static void test_before_the_start(void **state)
{
    (void)state;
    assert_null(log_begin(LOG_ERROR, "too_early"));
    log_message(LOG_ERROR, "too_early", "x");
    assert_true(log_flush());
    assert_int_equal(log_fd(), -1);
    assert_int_equal(log_dropped(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_start),
        cmocka_unit_test_setup_teardown(test_a_line, begin, end),
        cmocka_unit_test_setup_teardown(test_errors_leave_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_o_nonblock_stays_ours, begin, end),
        cmocka_unit_test_setup_teardown(test_a_pipe_whose_reader_stops, begin, end),
        cmocka_unit_test_setup_teardown(test_a_stream_socket_whose_reader_stops, begin, end),
        cmocka_unit_test_setup_teardown(test_a_pipe_that_cannot_be_reopened, begin, end),
        cmocka_unit_test_setup_teardown(test_a_reader_that_goes, begin, end),
        cmocka_unit_test_setup_teardown(test_a_full_disk, begin, end),
        cmocka_unit_test_setup_teardown(test_a_file_is_appended_to, begin, end),
        cmocka_unit_test_setup_teardown(test_long_lines, begin, end),
        cmocka_unit_test_setup_teardown(test_a_child_begins_empty, begin, end),
        cmocka_unit_test_setup_teardown(test_lines_of_several_processes_stay_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_misuse_dies, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
