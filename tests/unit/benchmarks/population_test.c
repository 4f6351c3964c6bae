#include "benchmarks/population.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/body.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "store/gate.h"

#define MEMBERS ((size_t)20000)
#define SINCE INT64_C(1790000000000)

static char folder[] = "/tmp/moolah-population-XXXXXX";

static struct population_seed seed_of(uint8_t first, size_t wallets)
{
    struct population_seed seed = {.wallets = wallets, .since = SINCE};
    for (size_t i = 0; i < sizeof seed.key; i++)
        seed.key[i] = (uint8_t)(first + 7 * i);
    return seed;
}

static void write_text(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_all_differ(char (*texts)[72], size_t count)
{
    qsort(texts, count, sizeof texts[0], compare_texts);
    for (size_t i = 1; i < count; i++)
        assert_string_not_equal(texts[i - 1], texts[i]);
}

static void assert_id(const struct uuid *id, size_t i)
{
    assert_int_equal(uuid_milliseconds(id), SINCE + (int64_t)i);
    assert_int_equal(id->bytes[6] >> 4, 7);
    assert_int_equal(id->bytes[8] >> 6, 2);
}

/* What the server asks of each of them. */
static void test_members_are_what_the_server_expects(void **state)
{
    (void)state;
    struct population_seed seed = seed_of(1, MEMBERS);
    struct population *population = population_new(&seed);
    struct uuid last = {{0}};
    assert_int_equal(population_count(population), MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) {
        struct population_member member;
        struct uuid caller;
        struct uuid wallet;
        char text[UUID_TEXT_MAX];
        population_member(population, i, &member);
        assert_id(&member.user, i);
        assert_id(&member.wallet_uuid, i);
        assert_id(&member.sign_in, i);
        assert_true(uuid_compare(&last, &member.wallet_uuid) < 0);
        last = member.wallet_uuid;
        assert_int_equal(gate_token_parse(slice_of(member.token), &caller), GATE_USER);
        assert_true(uuid_equal(&caller, &member.user));
        assert_true(uuid_parse(slice_of(member.wallet), "wal_", &wallet));
        assert_true(uuid_equal(&wallet, &member.wallet_uuid));
        assert_true(body_is_phone(slice_of(member.phone)));
        assert_in_range(strlen(member.password), 8, 128);
        population_wallet(population, i, text);
        assert_string_equal(text, member.wallet);
    }
    population_free(population);
}

static void test_no_two_are_alike(void **state)
{
    (void)state;
    struct population_seed seed = seed_of(2, MEMBERS);
    struct population *population = population_new(&seed);
    char(*texts)[72] = malloc(4 * MEMBERS * sizeof texts[0]);
    for (size_t i = 0; i < MEMBERS; i++) {
        struct population_member member;
        population_member(population, i, &member);
        snprintf(texts[i], sizeof texts[0], "%s", member.token);
        snprintf(texts[MEMBERS + i], sizeof texts[0], "%s", member.token + 4 + 22); /* no id */
        snprintf(texts[2 * MEMBERS + i], sizeof texts[0], "%s", member.phone);
        snprintf(texts[3 * MEMBERS + i], sizeof texts[0], "%s", member.wallet);
    }
    for (size_t part = 0; part < 4; part++)
        assert_all_differ(texts + part * MEMBERS, MEMBERS);
    free(texts);
    population_free(population);
}

/* The last phone that 8 digits have. */
static void test_the_largest_population(void **state)
{
    (void)state;
    struct population_seed seed = seed_of(3, POPULATION_MAX);
    struct population *population = population_new(&seed);
    struct population_member member;
    population_member(population, POPULATION_MAX - 1, &member);
    assert_string_equal(member.phone, "+276099999999");
    population_member(population, 0, &member);
    assert_string_equal(member.phone, "+276000000000");
    population_free(population);
}

/* More members later change nothing about those who are there; another key changes everybody. */
static void test_key_and_index_say_it_all(void **state)
{
    (void)state;
    struct population_seed few = seed_of(4, 10);
    struct population_seed many = seed_of(4, 1000);
    struct population_seed others = seed_of(5, 1000);
    struct population *a = population_new(&few);
    struct population *b = population_new(&many);
    struct population *c = population_new(&others);
    for (size_t i = 0; i < 10; i++) {
        struct population_member left;
        struct population_member right;
        struct population_member other;
        population_member(a, i, &left);
        population_member(b, i, &right);
        population_member(c, i, &other);
        assert_string_equal(left.token, right.token);
        assert_string_equal(left.wallet, right.wallet);
        assert_string_equal(left.password, right.password);
        assert_string_not_equal(left.token, other.token);
        assert_string_not_equal(left.wallet, other.wallet);
        assert_string_not_equal(left.password, other.password);
    }
    population_free(a);
    population_free(b);
    population_free(c);
}

static void test_the_file_says_the_same(void **state)
{
    (void)state;
    char path[128];
    char error[300];
    struct stat facts;
    struct population_seed seed = seed_of(200, 1234);
    struct population_seed read;
    snprintf(path, sizeof path, "%s/population.json", folder);
    assert_int_equal(population_read(path, &read, error, sizeof error), 0);
    assert_true(population_write(path, &seed));
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(population_read(path, &read, error, sizeof error), 1);
    assert_memory_equal(read.key, seed.key, sizeof seed.key);
    assert_int_equal(read.wallets, seed.wallets);
    assert_int_equal(read.since, seed.since);
    struct population *population = population_open(folder, error, sizeof error);
    assert_non_null(population);
    assert_int_equal(population_count(population), 1234);
    population_free(population);
    assert_false(population_write("/nowhere/at/all", &seed));
    remove_file("population.json");
}

#define KEY "\"key\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""

static void test_a_broken_file_is_not_used(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{" KEY "}",
        "{" KEY ",\"wallets\":10}",
        "{" KEY ",\"since\":5}",
        "{" KEY ",\"wallets\":0,\"since\":5}",
        "{" KEY ",\"wallets\":100000001,\"since\":5}",
        "{" KEY ",\"wallets\":1.5,\"since\":5}",
        "{" KEY ",\"wallets\":10,\"since\":-5}",
        "{\"key\":\"0011\",\"wallets\":10,\"since\":5}",
        "{\"key\":\"x0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","
        "\"wallets\":10,\"since\":5}",
        "{" KEY ",\"wallets\":10,\"since\":5",
    };
    char error[300];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_text("population.json", texts[i]);
        assert_null(population_open(folder, error, sizeof error));
        assert_non_null(strstr(error, "population.json is broken"));
    }
    write_text("population.json", "{" KEY ",\"wallets\":10,\"since\":5}");
    struct population *population = population_open(folder, error, sizeof error);
    assert_non_null(population);
    population_free(population);
    remove_file("population.json");
}

#define DEMO                                                                      \
    "{\"users\":[{\"phone\":\"+27820000001\",\"password\":\"demo-password-1\","   \
    "\"wallet\":\"wal_01jb0000000000000000000000\"},{\"phone\":\"+27820000002\"," \
    "\"password\":\"demo-password-2\",\"wallet\":\"wal_01jb0000000000000000000001\"}]}"

static void test_demo_users_stand_in(void **state)
{
    (void)state;
    char error[300];
    char wallet[UUID_TEXT_MAX];
    struct population_member member;
    write_text("demo.json", DEMO);
    struct population *population = population_open(folder, error, sizeof error);
    assert_non_null(population);
    assert_int_equal(population_count(population), 2);
    population_member(population, 1, &member);
    assert_string_equal(member.phone, "+27820000002");
    assert_string_equal(member.password, "demo-password-2");
    assert_string_equal(member.wallet, "wal_01jb0000000000000000000001");
    assert_string_equal(member.token, "");
    assert_true(uuid_is_nil(&member.user));
    population_wallet(population, 0, wallet);
    assert_string_equal(wallet, "wal_01jb0000000000000000000000");
    population_free(population);
    remove_file("demo.json");
}

static void test_no_population(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "{\"users\":[]}", "{\"users\":[1]}", "{\"users\":[{\"phone\":\"+27\"}]}",
        "{\"users\":[{\"phone\":\"+27\",\"password\":\"x\",\"wallet\":\"y\"}]}"};
    char error[300];
    assert_null(population_open(folder, error, sizeof error));
    assert_non_null(strstr(error, "start ci/up"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_text("demo.json", texts[i]);
        assert_null(population_open(folder, error, sizeof error));
        assert_non_null(strstr(error, "demo.json names no demo users"));
    }
    remove_file("demo.json");
}

/* Each allocation fails in turn: an error, no leak (AddressSanitizer looks on). */
static void open_without_memory(void)
{
    char error[300];
    struct population *population = NULL;
    for (long n = 0; population == NULL; n++) {
        memory_fail_after(n);
        error[0] = '\0';
        population = population_open(folder, error, sizeof error);
        memory_fail_never();
        assert_true(population != NULL || error[0] != '\0');
    }
    population_free(population);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    write_text("demo.json", DEMO);
    open_without_memory();
    write_text("population.json", "{" KEY ",\"wallets\":10,\"since\":5}");
    open_without_memory();
    remove_file("demo.json");
    remove_file("population.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_what_the_server_expects),
        cmocka_unit_test(test_no_two_are_alike),
        cmocka_unit_test(test_the_largest_population),
        cmocka_unit_test(test_key_and_index_say_it_all),
        cmocka_unit_test(test_the_file_says_the_same),
        cmocka_unit_test(test_a_broken_file_is_not_used),
        cmocka_unit_test(test_demo_users_stand_in),
        cmocka_unit_test(test_no_population),
        cmocka_unit_test(test_out_of_memory),
    };
    if (!crypto_start() || mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
