/* Clients people use: curl, nghttp, h2load and Node's http2. What is
 * tested is that others' HTTP/2 and TLS get along with ours. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/stack.h"

static struct stack *stack;

/* In bash, stopping at the first command that fails, with $ADMIN: the operators' listener. */
static void expect_good(const char *script)
{
    char command[3000];
    snprintf(command, sizeof command,
             "export ADMIN=https://localhost:%d CURL_CA_BUNDLE=\"$CA\"; bash -euo pipefail -c '%s'",
             stack->port + 1, script);
    assert_int_equal(stack_shell(stack, command), 0);
}

static void test_curl(void **state)
{
    (void)state;
    expect_good("[ \"$(curl -sS -o /dev/null -w \"%{http_version} %{http_code}\" $URL/nowhere)\" "
                "= \"2 404\" ]");
    expect_good("[ $(curl -sS -Z --parallel-max 50 -o /dev/null -w \"%{http_code}\\n\" "
                "\"$URL/nowhere/[1-300]\" | grep -c ^404) = 300 ]");
    for (int i = 0; i < 20; i++)
        expect_good(
            "head -c 70000 /dev/zero | tr \"\\0\" x | curl -sS --data-binary @- -o /dev/null "
            "-w \"%{http_code}\" $URL/v1/sessions | grep -qx 413");
    expect_good("curl -sS -o /dev/null -w \"%{http_code}\" -H \"x-much: $(head -c 20000 /dev/zero "
                "| tr \"\\0\" x)\" $URL/nowhere | grep -qx 431");
    expect_good("curl -sSI $URL/nowhere | grep -q \"^HTTP/2 404\"");
    /* what isn't h2 over TLS 1.3 is refused */
    expect_good("! curl -s --http1.1 $URL/nowhere");
    expect_good("! curl -s --no-alpn $URL/nowhere");
    expect_good("! curl -s --tls-max 1.2 $URL/nowhere");
    expect_good("! curl -s --http2-prior-knowledge ${URL/https/http}/nowhere");
}

static void test_nghttp(void **state)
{
    (void)state;
    expect_good("[ $(nghttp -ynv -m 100 $URL/nowhere | grep -c \":status: 404\") = 100 ]");
    /* a window of 15 bytes, and padding; headers of many frames */
    expect_good("nghttp -ynv -w 4 -b 100 $URL/nowhere | grep -q \":status: 404\"");
    expect_good("nghttp -ynv --continuation $URL/nowhere | grep -q \":status: 431\"");
    expect_good(
        "head -c 3000 /dev/zero | tr \"\\0\" x >\"$DATA/body\"; nghttp -yv -d \"$DATA/body\" "
        "--trailer=\"x-sum: 1\" -H \":method: POST\" -H \"content-type: application/json\" "
        "$URL/v1/sessions | grep -q malformed_json");
}

static void test_h2load(void **state)
{
    (void)state;
    expect_good("h2load -n 3000 -c 20 -m 20 $ADMIN/livez | grep \"3000 succeeded, 0 failed\"");
    expect_good("h2load -n 1000 -c 4 -m 100 -w 5 -W 10 $ADMIN/livez | grep \"1000 succeeded, 0 "
                "failed\"");
}

static void test_node(void **state)
{
    (void)state;
    expect_good("node " MOOLAH_SOURCE_DIR "/tests/integration/http2_client.js | grep -qx fine");
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curl),
        cmocka_unit_test(test_nghttp),
        cmocka_unit_test(test_h2load),
        cmocka_unit_test(test_node),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
