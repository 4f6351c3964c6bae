/* PROXY v2 headers, whole, cut anywhere, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "net/proxy_protocol.h"
#include "tests/unit/base/chance.h"

static struct bytes header;
static struct inet client;
static size_t used;

static void make(int command, int family, const char *block, size_t length)
{
    bytes_clear(&header);
    bytes_add(&header, "\r\n\r\n\0\r\nQUIT\n", 12);
    bytes_add_char(&header, (char)command);
    bytes_add_char(&header, (char)family);
    bytes_add_be16(&header, (uint16_t)length);
    bytes_add(&header, block, length);
}

static enum proxy_protocol_result parse(size_t length)
{
    /* exactly as much as there is: a byte read beyond it is seen */
    struct bytes part;
    bytes_init(&part, NULL);
    bytes_add(&part, header.at, length);
    enum proxy_protocol_result result = proxy_protocol_parse(part.at, length, &used, &client);
    bytes_release(&part);
    return result;
}

static bool client_is(const char *text, int port)
{
    char mine[INET_TEXT_MAX];
    inet_text(&client, mine);
    return strcmp(mine, text) == 0 && client.port == port;
}

static const char ipv4[] = "\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x34\x20\xfb";
static const char ipv6[] = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                           "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34\x20\xfb";

static void test_addresses(void **state)
{
    (void)state;
    make(0x21, 0x11, ipv4, 12);
    assert_int_equal(parse(28), PROXY_PROTOCOL_DONE);
    assert_int_equal(used, 28);
    assert_true(client_is("192.0.2.7", 0x1234));
    make(0x21, 0x21, ipv6, 36);
    assert_int_equal(parse(52), PROXY_PROTOCOL_DONE);
    assert_true(client_is("2001:db8::7", 0x1234));
}

static void test_local_leaves_the_peer(void **state)
{
    (void)state;
    client = (struct inet){{1, 2, 3}, 9};
    make(0x20, 0, "", 0);
    assert_int_equal(parse(16), PROXY_PROTOCOL_DONE);
    assert_int_equal(client.bytes[1], 2);
    assert_int_equal(client.port, 9);
    make(0x20, 0x11, ipv4, 12); /* an address may be there, and doesn't count */
    assert_int_equal(parse(28), PROXY_PROTOCOL_DONE);
    assert_int_equal(client.port, 9);
}

static void test_further_fields_are_skipped(void **state)
{
    char block[520] = {0};
    (void)state;
    memcpy(block, ipv4, 12);
    make(0x21, 0x11, block, 520);
    assert_int_equal(parse(PROXY_PROTOCOL_MAX), PROXY_PROTOCOL_DONE);
    assert_int_equal(used, PROXY_PROTOCOL_MAX);
    assert_true(client_is("192.0.2.7", 0x1234));
    bytes_clear(&header);
    make(0x21, 0x11, block, 520);
    header.at[15] = (char)0x09; /* 521: one too many, known as soon as the length is */
    assert_int_equal(parse(16), PROXY_PROTOCOL_INVALID);
}

static void test_wrong_ones(void **state)
{
    static const struct {
        int command, family;
        size_t length;
    } wrong[] = {
        {0x11, 0x11, 12},                   /* version 1 */
        {0x22, 0x11, 12},                   /* no such command */
        {0x31, 0x11, 12}, {0x21, 0x12, 12}, /* UDP */
        {0x21, 0x31, 12},                   /* a Unix socket */
        {0x21, 0x00, 12}, {0x21, 0x11, 11}, /* too short for its family */
        {0x21, 0x21, 35}, {0x21, 0x21, 12},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        make(wrong[i].command, wrong[i].family, ipv6, wrong[i].length);
        assert_int_equal(parse(header.length), PROXY_PROTOCOL_INVALID);
    }
    bytes_clear(&header);
    bytes_add_text(&header, "PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n");
    assert_int_equal(parse(1), PROXY_PROTOCOL_INVALID);
}

/* Read as the connection reads: what comes in any pieces, never more than *used says, gives the
 * same as all at once, and takes nothing of what follows. */
static void test_any_pieces_give_the_same(void **state)
{
    struct chance chance = {11};
    (void)state;
    for (int round = 0; round < 5000; round++) {
        char block[600];
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (char)chance_bits(&chance);
        static const int families[] = {0x11, 0x21, 0x00, 0x12};
        make(0x20 + (int)chance_below(&chance, 3), families[chance_below(&chance, 4)], block,
             chance_below(&chance, round % 2 == 0 ? 60 : 560));
        if (chance_below(&chance, 4) == 0)
            header.at[chance_below(&chance, 16)] ^= 1;
        client = (struct inet){{0}, 0};
        enum proxy_protocol_result whole = parse(header.length);
        struct inet expected = client;
        size_t whole_used = used;
        enum proxy_protocol_result now = PROXY_PROTOCOL_MORE;
        size_t have = 0;
        client = (struct inet){{0}, 0};
        while ((now = parse(have)) == PROXY_PROTOCOL_MORE && have < header.length) {
            assert_true(used > have);
            size_t left = (used < header.length ? used : header.length) - have;
            have += 1 + chance_below(&chance, left);
        }
        assert_int_equal(now, whole);
        assert_memory_equal(&client, &expected, sizeof client);
        if (whole == PROXY_PROTOCOL_DONE)
            assert_true(used == whole_used && have == used);
    }
}

static int release(void **state)
{
    (void)state;
    bytes_release(&header);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_local_leaves_the_peer),
        cmocka_unit_test(test_further_fields_are_skipped),
        cmocka_unit_test(test_wrong_ones),
        cmocka_unit_test(test_any_pieces_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
