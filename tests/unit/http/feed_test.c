/* An answer that grows: portions in order, slow readers, those who leave, drains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "http/feed.h"
#include "tests/unit/http/pair.h"

static struct pair pair;
static struct session_limits limits;

/* A feed as an owner in api/ has it, in its request's arena; what it heard is the test's. */
struct source {
    struct feed feed;
};

static struct source *source; /* of the last test's request */
static struct {
    int taken, gone;
} heard;

static void taken(void *owner)
{
    assert_ptr_equal(owner, source);
    assert_true(feed_is_empty(&source->feed));
    heard.taken++;
}

static void gone(void *owner)
{
    assert_ptr_equal(owner, source);
    source = NULL;
    heard.gone++;
}

static void open_pair(uint32_t window, bool holds)
{
    pair.keeps = true;
    assert_true(pair_open(&pair, &limits, window, holds));
}

static int set_up(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof pair);
    memset(&heard, 0, sizeof heard);
    limits = session_limits_default;
    source = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pair_close(&pair);
    assert_null(source); /* none is left, whatever became of it */
    assert_int_equal(request_held(), 0);
    return 0;
}

/* The request that came last is answered by a feed with `first` in it. */
static void answer_with_feed(struct slice first)
{
    struct request *request = pair.kept[--pair.kept_count];
    source = arena_alloc(&request->arena, sizeof *source);
    assert_non_null(source);
    source->feed.owner = source;
    source->feed.taken = taken;
    source->feed.gone = gone;
    request->response.status = 200;
    request->response.content_type = "text/event-stream";
    feed_begin(&source->feed, request);
    if (first.length > 0)
        assert_true(feed_add(&source->feed, first));
    request_answer(request);
}

static struct pair_answer *begin(const char *method, struct slice first)
{
    int32_t id = pair_request(&pair, method, "/", NULL, NULL);
    pair_run(&pair);
    answer_with_feed(first);
    pair_run(&pair);
    return &pair.answers[id];
}

static void expect_body(const struct pair_answer *answer, const char *text)
{
    assert_int_equal(answer->body.length, strlen(text));
    assert_memory_equal(answer->body.at, text, strlen(text));
}

static void test_grows_in_order(void **state)
{
    (void)state;
    open_pair(65535, false);
    struct pair_answer *answer = begin("GET", SLICE("one "));
    bytes_add_char(&answer->headers, '\0');
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->headers.at, "text/event-stream"));
    assert_null(strstr(answer->headers.at, "content-length"));
    expect_body(answer, "one ");
    assert_int_equal(heard.taken, 1);
    size_t woken = pair.woken;
    assert_true(feed_add(&source->feed, SLICE("two ")));
    assert_true(feed_add(&source->feed, SLICE("three ")));
    assert_true(pair.woken > woken);
    pair_run(&pair);
    expect_body(answer, "one two three ");
    assert_int_equal(heard.taken, 2);
    assert_false(answer->closed);
    /* quiet for hours: nothing that a deadline could want */
    for (int i = 0; i < 100; i++) {
        assert_true(pair_expire(&pair, 600 * (int64_t)CLOCK_SECOND));
        pair_run(&pair);
    }
    assert_true(feed_add(&source->feed, SLICE("four")));
    feed_end(&source->feed);
    feed_end(&source->feed);
    assert_false(feed_add(&source->feed, SLICE("five")));
    pair_run(&pair);
    expect_body(answer, "one two three four");
    assert_true(answer->closed);
    assert_int_equal(answer->reset, NGHTTP2_NO_ERROR);
    assert_int_equal(heard.gone, 1);
    assert_int_equal(pair.answered, 1);
}

static void test_begins_empty_and_ends_empty(void **state)
{
    (void)state;
    open_pair(65535, false);
    struct pair_answer *answer = begin("GET", (struct slice){NULL, 0});
    assert_int_equal(answer->status, 200);
    assert_false(answer->closed);
    assert_true(pair_expire(&pair, 600 * (int64_t)CLOCK_SECOND));
    feed_end(&source->feed);
    pair_run(&pair);
    assert_true(answer->closed);
    assert_int_equal(answer->body.length, 0);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    open_pair(65535, false);
    struct pair_answer *answer = begin("HEAD", SLICE("one"));
    assert_true(answer->closed);
    assert_int_equal(answer->body.length, 0);
    assert_int_equal(heard.gone, 1);
}

/* The client resets the stream, or its connection goes: `gone` tells, whatever waits. */
static void test_the_reader_leaves(void **state)
{
    (void)state;
    open_pair(3, true);
    struct pair_answer *answer = begin("GET", SLICE("one two"));
    expect_body(answer, "one");
    nghttp2_submit_rst_stream(pair.client, 0, 1, NGHTTP2_CANCEL);
    pair_run(&pair);
    assert_int_equal(heard.gone, 1);
    assert_null(source);
    begin("GET", SLICE("one two"));
    session_free(pair.session);
    pair.session = NULL;
    assert_int_equal(heard.gone, 2);
    assert_int_equal(request_held(), 0);
}

static void test_the_reader_left_before_the_answer(void **state)
{
    (void)state;
    open_pair(65535, false);
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    nghttp2_submit_rst_stream(pair.client, 0, 1, NGHTTP2_CANCEL);
    pair_run(&pair);
    answer_with_feed(SLICE("one"));
    assert_int_equal(heard.gone, 1);
    assert_int_equal(heard.taken, 0);
}

/* The 503 of the deadline was quicker: the feed is never open, and takes what it's given no further
 * than its limit. */
static void test_the_deadline_answered_before(void **state)
{
    static char portion[FEED_MAX];
    (void)state;
    open_pair(0, true);
    int32_t id = pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    assert_true(pair_expire(&pair, limits.request_timeout_us));
    pair_run(&pair);
    assert_int_equal(pair.answers[id].status, 503);
    memset(portion, 'x', sizeof portion);
    answer_with_feed((struct slice){portion, sizeof portion});
    assert_false(feed_add(&source->feed, SLICE("y")));
    feed_end(&source->feed);
    nghttp2_submit_window_update(pair.client, 0, id, 60000);
    pair_run(&pair);
    assert_true(pair.answers[id].closed);
    assert_null(memchr(pair.answers[id].body.at, 'x', 8));
    assert_int_equal(heard.gone, 1);
}

/* What waits is bounded, and so is how long: then the stream is reset, and the connection's others
 * go on. */
static void test_a_slow_reader_is_cut_off(void **state)
{
    static char portion[FEED_MAX - 10];
    (void)state;
    open_pair(10, true);
    struct pair_answer *answer = begin("GET", SLICE("0123456789"));
    assert_int_equal(heard.taken, 1);
    assert_true(feed_add(&source->feed, (struct slice){portion, sizeof portion}));
    assert_false(feed_add(&source->feed, SLICE("0123456789+")));
    assert_true(feed_add(&source->feed, SLICE("0123456789")));
    assert_int_equal(request_held(), FEED_MAX);
    int64_t began = pair.now;
    while (source != NULL) { /* a byte now and then wins no time */
        assert_true(pair_expire(&pair, 7 * (int64_t)CLOCK_SECOND));
        nghttp2_submit_window_update(pair.client, 0, 1, 1);
        pair_run(&pair);
        assert_true(pair.now - began < 100 * (int64_t)CLOCK_SECOND);
    }
    assert_true(pair.now - began >= limits.unread_timeout_us + 63 * (int64_t)CLOCK_SECOND);
    assert_true(answer->closed);
    assert_int_equal(answer->reset, NGHTTP2_CANCEL);
    assert_int_equal(heard.gone, 1);
    assert_false(pair.goaway);
    begin("HEAD", SLICE("x"));
    assert_int_equal(pair.answers[3].status, 200);
}

/* A reader that takes nothing at all, from TCP neither: the reset doesn't get out, the connection
 * ends. */
static void test_not_even_the_reset_is_read(void **state)
{
    (void)state;
    open_pair(0, true);
    begin("GET", SLICE("one"));
    assert_true(pair_expire(&pair, limits.unread_timeout_us));
    assert_int_equal(source->feed.state, FEED_UNREAD);
    assert_false(feed_add(&source->feed, SLICE("two")));
    assert_true(pair_expire(&pair, limits.unread_timeout_us - 1));
    assert_false(pair_expire(&pair, 1));
}

/* A phone that has changed networks: nothing tells, but it doesn't answer. */
static void test_a_reader_that_is_gone_without_a_word(void **state)
{
    (void)state;
    open_pair(65535, false);
    begin("GET", SLICE("one"));
    for (int i = 0; i < 5; i++) { /* asked, and still there */
        assert_true(pair_expire(&pair, limits.silence_us));
        pair_run(&pair);
    }
    assert_true(pair_expire(&pair, limits.silence_us));
    assert_true(pair_hear(&pair)); /* the PING: its answer gets lost */
    assert_true(pair_expire(&pair, limits.silence_us - 1));
    assert_false(pair_expire(&pair, 1));
}

/* Whoever has no feed isn't asked: it has the time of an idle connection. */
static void test_others_may_be_silent(void **state)
{
    (void)state;
    open_pair(65535, false);
    begin("GET", SLICE("one"));
    feed_end(&source->feed);
    pair_run(&pair);
    assert_true(pair_expire(&pair, limits.silence_us));
    assert_false(pair_hear(&pair));
    assert_true(pair_expire(&pair, limits.silence_us));
}

/* Each portion that is taken gives the next one its time. */
static void test_a_steady_reader_stays(void **state)
{
    (void)state;
    open_pair(0, true);
    begin("GET", (struct slice){NULL, 0});
    for (int i = 0; i < 50; i++) {
        assert_true(feed_add(&source->feed, SLICE("0123456789")));
        pair_run(&pair);
        assert_true(pair_expire(&pair, limits.unread_timeout_us - 1));
        nghttp2_submit_window_update(pair.client, 0, 1, 10);
        pair_run(&pair);
        assert_int_equal(heard.taken, i + 1);
    }
    assert_int_equal(pair.answers[1].body.length, 500);
}

static void test_others_output_is_respected(void **state)
{
    (void)state;
    limits.output_max = 20;
    open_pair(0, true);
    begin("GET", SLICE("01234567890123456789"));
    assert_false(feed_add(&source->feed, SLICE("x")));
    limits.output_max = session_limits_default.output_max;
    pair_close(&pair);
    limits.held_max = 20;
    open_pair(0, true);
    begin("GET", SLICE("0123456789"));
    assert_false(feed_add(&source->feed, SLICE("01234567890")));
    assert_true(feed_add(&source->feed, SLICE("0123456789")));
}

static void test_drain_ends_it_cleanly(void **state)
{
    (void)state;
    open_pair(65535, false);
    struct pair_answer *answer = begin("GET", SLICE("one "));
    assert_true(feed_add(&source->feed, SLICE("two")));
    session_drain(pair.session, pair.now);
    assert_false(feed_add(&source->feed, SLICE("three")));
    pair_run(&pair);
    expect_body(answer, "one two");
    assert_true(answer->closed);
    assert_int_equal(answer->reset, NGHTTP2_NO_ERROR);
    assert_true(pair.goaway && pair.goaway_code == NGHTTP2_NO_ERROR);
    assert_true(session_is_done(pair.session));
}

/* Asked before the GOAWAY got through, answered behind it: the first portion, and the end. */
static void test_begun_while_draining(void **state)
{
    (void)state;
    open_pair(65535, false);
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    session_drain(pair.session, pair.now);
    answer_with_feed(SLICE("one"));
    pair_run(&pair);
    expect_body(&pair.answers[1], "one");
    assert_true(pair.answers[1].closed);
    assert_int_equal(heard.gone, 1);
}

static bool run_a_feed(void)
{
    if (!pair_open(&pair, &limits, 65535, false))
        return false;
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    if (pair.kept_count == 0)
        return false;
    struct request *request = pair.kept[--pair.kept_count];
    source = arena_alloc(&request->arena, sizeof *source);
    if (source == NULL) {
        problem_answer_code(request, PROBLEM_OVERLOADED, NULL);
        return false;
    }
    source->feed =
        (struct feed){.owner = source, .taken = taken, .gone = gone, .state = FEED_BEGUN};
    request->response.status = 200;
    feed_begin(&source->feed, request);
    bool added = feed_add(&source->feed, SLICE("one"));
    request_answer(request);
    pair_run(&pair);
    added = source != NULL && feed_add(&source->feed, SLICE("two")) && added;
    pair_run(&pair);
    if (source != NULL)
        feed_end(&source->feed);
    pair_run(&pair);
    return added;
}

/* Whatever fails, what comes is the beginning of what was added. */
static void test_any_allocation_may_fail(void **state)
{
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        const struct pair_answer *answer = &pair.answers[1];
        pair.keeps = true;
        memory_fail_after(n);
        bool added = run_a_feed();
        failed = memory_failed();
        memory_fail_never();
        assert_true(answer->body.length <= 6);
        if (added && answer->body.length > 0)
            assert_memory_equal(answer->body.at, "onetwo", answer->body.length);
        if (!failed)
            expect_body(answer, "onetwo");
        pair_close(&pair);
        assert_null(source);
        assert_true(n < 2000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_grows_in_order),
        TEST(test_begins_empty_and_ends_empty),
        TEST(test_head_has_no_body),
        TEST(test_the_reader_leaves),
        TEST(test_the_reader_left_before_the_answer),
        TEST(test_the_deadline_answered_before),
        TEST(test_a_slow_reader_is_cut_off),
        TEST(test_not_even_the_reset_is_read),
        TEST(test_a_reader_that_is_gone_without_a_word),
        TEST(test_others_may_be_silent),
        TEST(test_a_steady_reader_stays),
        TEST(test_others_output_is_respected),
        TEST(test_drain_ends_it_cleanly),
        TEST(test_begun_while_draining),
        TEST(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
