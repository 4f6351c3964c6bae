/* The hash for unknown phones: it costs what a real one costs, and no password fits it. */
#include "api/password.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/request.h"

static int resumed;

static enum flow_verdict wait_for_it(struct flow *flow)
{
    (void)flow;
    return FLOW_WAIT;
}

static const struct flow_step steps[] = {{"wait", wait_for_it}, {NULL, NULL}};

static void finished(struct flow *flow)
{
    (void)flow;
    resumed++;
}

static void test_the_dummy_costs_the_same(void **state)
{
    char real[CRYPTO_PASSWORD_HASH_MAX];
    char dummy[CRYPTO_PASSWORD_HASH_MAX];
    (void)state;
    assert_true(crypto_start());
    assert_true(crypto_password_hash(SLICE("a password"), real));
    password_dummy(dummy);
    assert_int_equal(strlen(dummy), strlen(real));
    /* "$argon2id$v=19$m=...,t=...,p=1$": the parameters, up to the salt */
    const char *salt = strchr(strchr(strchr(strchr(real, '$') + 1, '$') + 1, '$') + 1, '$');
    assert_memory_equal(dummy, real, (size_t)(salt - real) + 1);
    assert_false(crypto_password_verify(SLICE("a password"), dummy));
    assert_false(crypto_password_verify(SLICE(""), dummy));
    assert_true(crypto_password_verify(SLICE("a password"), real));
}

/* Whose deadline has passed in the queue is neither verified nor hashed, and its call is told. */
static void test_late_work_is_not_done(void **state)
{
    const int64_t hour = INT64_C(3600) * CLOCK_SECOND;
    struct service service = {.offload = offload_new(1, 4)};
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct request request = {.deadline = clock_monotonic() + (late ? -hour : hour)};
        struct call call = {.service = &service, .request = &request};
        struct password_work work = {.password = SLICE("a password")};
        struct pollfd done = {.fd = offload_fd(service.offload), .events = POLLIN};
        resumed = 0;
        flow_start(&call.flow, steps, finished);
        assert_int_equal(password_hash(&call, &work), FLOW_WAIT);
        assert_int_equal(poll(&done, 1, 60000), 1);
        while (resumed == 0)
            offload_collect(service.offload);
        assert_int_equal(work.late, late);
        assert_int_equal(work.good, !late);
    }
    offload_free(service.offload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_dummy_costs_the_same),
                                       cmocka_unit_test(test_late_work_is_not_done)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
