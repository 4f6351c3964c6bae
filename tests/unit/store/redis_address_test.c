#include "store/redis_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, const struct redis_address *wanted)
{
    struct redis_address got;
    if (!redis_address_parse(text, &got))
        fail_msg("%s is refused", text);
    assert_string_equal(got.path, wanted->path);
    assert_string_equal(got.host, wanted->host);
    assert_int_equal(got.port, wanted->port);
    assert_string_equal(got.user, wanted->has_password ? wanted->user : "default");
    assert_string_equal(got.password, wanted->password);
    assert_int_equal(got.has_password, wanted->has_password);
}

static void test_places(void **state)
{
    (void)state;
    expect("unix:/run/redis.sock", &(struct redis_address){.path = "/run/redis.sock"});
    expect("unix:/run/a@b:c/redis.sock", &(struct redis_address){.path = "/run/a@b:c/redis.sock"});
    expect("127.0.0.1:6379", &(struct redis_address){.host = "127.0.0.1", .port = 6379});
    expect("[::1]:1", &(struct redis_address){.host = "::1", .port = 1});
    expect("redis.internal:65535",
           &(struct redis_address){.host = "redis.internal", .port = 65535});
}

static void test_secrets(void **state)
{
    const struct redis_address socket = {
        .path = "/r.sock", .user = "default", .password = "p@ss", .has_password = true};
    struct redis_address host = {
        .host = "::1", .port = 6379, .user = "default", .password = "p@ss", .has_password = true};
    (void)state;
    expect("p@ss@unix:/r.sock", &socket);
    expect(":p@ss@unix:/r.sock", &socket);
    expect("default:p@ss@unix:/r.sock", &socket);
    expect("p@ss@[::1]:6379", &host);
    memcpy(host.user, "gate", 5);
    expect("gate:p@ss@[::1]:6379", &host);
    memcpy(host.password, "a:b@c", 6);
    expect("gate:a:b@c@[::1]:6379", &host);
    host.password[0] = 0;
    expect("gate:@[::1]:6379", &host);
}

static void test_what_is_none(void **state)
{
    static const char *const texts[] = {
        "",           ":",          "host",        "host:",        ":6379",
        "host:0",     "host:65536", "host:123456", "host:-1",      "host:6379x",
        "host: 6379", "::1:6379",   "[::1]",       "[]:6379",      "[host:6379",
        "unix:",      "p@unix:",    "a]:6379:1",   "redis://h:1/0"};
    struct redis_address address;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (redis_address_parse(texts[i], &address))
            fail_msg("%s is taken", texts[i]);
}

/* Of every length: what doesn't fit is refused, and never cut. */
static void test_lengths(void **state)
{
    struct redis_address address;
    char text[800];
    (void)state;
    for (size_t length = 1; length < 600; length++) {
        memset(text, 'a', length);
        memcpy(text + length, "@h:1", 5);
        assert_int_equal(redis_address_parse(text, &address), length < sizeof address.password);
        memcpy(text + length, ":p@h:1", 7);
        assert_int_equal(redis_address_parse(text, &address), length < sizeof address.user);
        memcpy(text + length, ":1", 3);
        assert_int_equal(redis_address_parse(text, &address), length < sizeof address.host);
        memcpy(text, "unix:", 5);
        memset(text + 5, 'a', length);
        text[5 + length] = '\0';
        assert_int_equal(redis_address_parse(text, &address), length < sizeof address.path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
