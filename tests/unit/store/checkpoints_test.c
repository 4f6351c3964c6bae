#include "store/checkpoints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

static char folder[] = "/tmp/checkpoints-XXXXXX";
static char path[64];
static char error[160];

static int begin(void **state)
{
    (void)state;
    if (!crypto_start() || mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct checkpoint checkpoint_of(int64_t number)
{
    const struct seal seal = {
        .origin = "demo", .number = number, .count = 1, .at = 1000000 * number};
    return seal_checkpoint(&seal);
}

static bool append(struct checkpoints *file, int64_t from, int64_t to)
{
    struct bytes lines;
    struct checkpoint last = checkpoint_of(to);
    bytes_init(&lines, NULL);
    for (; from <= to; from++) {
        struct checkpoint c = checkpoint_of(from);
        seal_write_checkpoint(&c, &lines);
        bytes_add_char(&lines, '\n');
    }
    bool done = checkpoints_append(file, &lines, &last);
    bytes_release(&lines);
    return done;
}

static int64_t size_of_file(void)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void add_text(const char *text)
{
    FILE *file = fopen(path, "ae");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_what_was_appended_is_found_again(void **state)
{
    struct checkpoints file;
    struct checkpoints second;
    (void)state;
    unlink(path);
    assert_true(checkpoints_open(&file, path, error));
    assert_false(file.has_last);
    assert_false(checkpoints_open(&second, path, error)); /* one writes */
    assert_non_null(strstr(error, "another server"));
    assert_true(append(&file, 1, 40)); /* more than a tail */
    assert_int_equal(file.last.seal, 40);
    assert_true(append(&file, 41, 41));
    checkpoints_close(&file);
    assert_true(checkpoints_open(&file, path, error));
    assert_true(file.has_last);
    assert_int_equal(file.last.seal, 41);
    checkpoints_close(&file);
}

/* The machine died within a line. */
static void test_a_torn_line_is_taken_away(void **state)
{
    struct checkpoints file;
    (void)state;
    unlink(path);
    assert_true(checkpoints_open(&file, path, error));
    assert_true(append(&file, 1, 3));
    checkpoints_close(&file);
    int64_t size = size_of_file();
    add_text("{\"origin\":\"demo\",\"se");
    assert_true(checkpoints_open(&file, path, error));
    assert_int_equal(file.last.seal, 3);
    assert_int_equal(size_of_file(), size);
    assert_true(append(&file, 4, 4));
    checkpoints_close(&file);
    unlink(path);
    add_text("{\"torn");
    assert_true(checkpoints_open(&file, path, error)); /* the first */
    assert_false(file.has_last);
    assert_int_equal(size_of_file(), 0);
    checkpoints_close(&file);
}

static void test_what_is_no_checkpoint_is_left_alone(void **state)
{
    struct checkpoints file;
    (void)state;
    unlink(path);
    add_text("something else\n");
    assert_false(checkpoints_open(&file, path, error));
    assert_non_null(strstr(error, "no checkpoint"));
    assert_int_equal(size_of_file(), 15);
    assert_false(checkpoints_open(&file, "/nowhere/at/all", error));
    assert_int_equal(file.fd, -1);
}

/* A full disk: nothing of it stays, and the next try goes well. */
static void test_a_full_disk(void **state)
{
    struct checkpoints file;
    struct rlimit before;
    (void)state;
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    assert_true(checkpoints_open(&file, path, error));
    assert_true(append(&file, 1, 2));
    int64_t size = size_of_file();
    getrlimit(RLIMIT_FSIZE, &before);
    const struct rlimit full = {(rlim_t)size + 30, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
    assert_false(append(&file, 3, 3));
    assert_int_equal(errno, ENOSPC);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(size_of_file(), size);
    assert_int_equal(file.last.seal, 2);
    assert_true(append(&file, 3, 3));
    checkpoints_close(&file);
    assert_true(checkpoints_open(&file, path, error));
    assert_int_equal(file.last.seal, 3);
    checkpoints_close(&file);
}

static void test_keys(void **state)
{
    uint8_t seed[CRYPTO_SEED_SIZE];
    (void)state;
    unlink(path);
    assert_false(checkpoints_read_key(path, seed, error));
    add_text("0102030405060708010203040506070801020304050607080102030405060708\n");
    chmod(path, 0644);
    assert_false(checkpoints_read_key(path, seed, error));
    assert_non_null(strstr(error, "chmod 600"));
    chmod(path, 0600);
    assert_true(checkpoints_read_key(path, seed, error));
    assert_int_equal(seed[31], 8);
    add_text("00");
    assert_false(checkpoints_read_key(path, seed, error));
    assert_non_null(strstr(error, "no key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_appended_is_found_again),
        cmocka_unit_test(test_a_torn_line_is_taken_away),
        cmocka_unit_test(test_what_is_no_checkpoint_is_left_alone),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
