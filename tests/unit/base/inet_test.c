#include "base/inet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

static void expect_listen(const char *text, const char *address, int port)
{
    struct inet parsed;
    char back[INET_TEXT_MAX];
    assert_true(inet_parse_listen(slice_of(text), &parsed));
    inet_text(&parsed, back);
    assert_string_equal(back, address);
    assert_int_equal(parsed.port, port);
}

static void test_listen_addresses(void **state)
{
    (void)state;
    expect_listen("127.0.0.1:8443", "127.0.0.1", 8443);
    expect_listen("[::1]:1", "::1", 1);
    expect_listen("*:65535", "::", 65535);
    expect_listen("[2001:db8::7]:443", "2001:db8::7", 443);
}

static void test_bad_listen_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        "127.0.0.1",     ":80",           "::1:80",
        "[::1]",   "[127.0.0.1]:1", "127.0.0.1:",    "127.0.0.1:65536",
        "host:80", "127.0.0.1:-1",  "127.0.0.1:0x1", "127.0.0.1:080"};
    struct inet parsed;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(inet_parse_listen(slice_of(bad[i]), &parsed));
}

static bool inside(const char *network, const char *listen)
{
    struct inet_network net;
    struct inet address;
    assert_true(inet_parse_network(slice_of(network), &net));
    assert_true(inet_parse_listen(slice_of(listen), &address));
    return inet_in_network(&address, &net);
}

static void test_networks(void **state)
{
    (void)state;
    assert_true(inside("10.0.0.0/8", "10.255.0.1:1"));
    assert_false(inside("10.0.0.0/8", "11.0.0.1:1"));
    assert_true(inside("10.1.2.128/25", "10.1.2.200:1"));
    assert_false(inside("10.1.2.128/25", "10.1.2.100:1"));
    assert_true(inside("127.0.0.1", "127.0.0.1:1"));
    assert_false(inside("127.0.0.1", "127.0.0.2:1"));
    assert_true(inside("2001:db8::/33", "[2001:db8:7fff::1]:1"));
    assert_false(inside("2001:db8::/33", "[2001:db8:8000::1]:1"));
    assert_true(inside("0.0.0.0/0", "8.8.8.8:1"));
    assert_false(inside("0.0.0.0/0", "[::1]:1"));
    struct inet_network net;
    assert_false(inet_parse_network(SLICE("10.0.0.0/33"), &net));
    assert_false(inet_parse_network(SLICE("10.0.0/8"), &net));
    assert_false(inet_parse_network(SLICE("::/129"), &net));
    assert_false(inet_parse_network(SLICE(""), &net));
}

static void test_sockets(void **state)
{
    (void)state;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(77)};
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    struct inet out;
    char text[INET_TEXT_MAX];
    ipv4.sin_addr.s_addr = htonl(0xC0A80001);
    assert_true(inet_from_socket((struct sockaddr *)&ipv4, &out));
    inet_text(&out, text);
    assert_string_equal(text, "192.168.0.1");
    assert_int_equal(out.port, 77);
    assert_false(inet_from_socket(&unknown, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_addresses),
        cmocka_unit_test(test_bad_listen_addresses),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
