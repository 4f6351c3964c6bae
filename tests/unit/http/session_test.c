/* The session against an nghttp2 client in memory, and against bytes no client would send. What
 * belongs to a real connection, and RFC 9113 case by case, is in tests/attack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/frames.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/http/pair.h"

static struct pair pair;
static struct session_limits limits;
static struct bytes in;

static int set_up(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof pair);
    limits = session_limits_default;
    pair.answer_size = 20;
    bytes_init(&in, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pair_close(&pair);
    bytes_release(&in);
    return 0;
}

static void open_pair(uint32_t window, bool holds)
{
    assert_true(pair_open(&pair, &limits, window, holds));
}

/* For tests that speak in bytes: a session that has seen preface and SETTINGS. */
static void open_raw(void)
{
    open_pair(65535, false);
    frames_add_preface(&in);
}

static bool feed(void)
{
    bool open = session_receive(pair.session, in.at, in.length, pair.now);
    bytes_clear(&in);
    return open;
}

/* The last GOAWAY in what the session sends, or -1; `reset`: the code of the first RST_STREAM. */
static int goaway_code(int *reset)
{
    struct bytes out;
    struct frame frame;
    int code = -1;
    bytes_init(&out, NULL);
    assert_true(session_send(pair.session, &out, SIZE_MAX));
    struct slice rest = bytes_view(&out);
    if (reset != NULL)
        *reset = -1;
    while (frames_next(&rest, &frame)) {
        if (frame.type == FRAME_GOAWAY)
            code = (int)frames_u32(frame.payload + 4);
        if (frame.type == FRAME_RST_STREAM && reset != NULL && *reset < 0)
            *reset = (int)frames_u32(frame.payload);
    }
    bytes_release(&out);
    return code;
}

static void test_pieces_of_any_size_give_the_same(void **state)
{
    static char text[3000];
    (void)state;
    memset(text, 'b', sizeof text);
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct slice body = {text, sizeof text};
        set_up(NULL);
        open_pair(65535, false);
        pair.piece = piece;
        int32_t get = pair_request(&pair, "GET", "/a?b=c", NULL, NULL);
        int32_t post = pair_request(&pair, "POST", "/a", &body, NULL);
        pair_run(&pair);
        assert_true(pair.open);
        assert_int_equal(pair.answers[get].status, 200);
        assert_int_equal(pair.answers[post].status, 200);
        assert_int_equal(pair.answers[post].body.length, 20);
        assert_int_equal(pair.answered, 2);
        pair_close(&pair);
    }
}

/* A window of 1,000 bytes for each of 100 answers of 60,000: every window update must be read
 * though much output waits. */
static void test_small_windows_get_their_answers(void **state)
{
    (void)state;
    limits.output_max = 64 * 1024;
    pair.answer_size = 60000;
    open_pair(1000, false);
    for (int i = 0; i < 100; i++)
        pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    assert_true(pair.open);
    for (int i = 0; i < 100; i++) {
        assert_true(pair.answers[2 * i + 1].closed);
        assert_int_equal(pair.answers[2 * i + 1].body.length, 60000);
    }
}

static void test_too_much_output_keeps_requests_waiting(void **state)
{
    (void)state;
    limits.output_max = 200000;
    pair.answer_size = 60000;
    open_pair(0, true);
    for (int i = 0; i < 50; i++)
        pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    assert_int_equal(pair.served, 4); /* the fourth goes over the limit, the fifth waits */
    assert_true(session_wants_read(pair.session));
    /* one of those that wait is given up: it is never served */
    nghttp2_submit_rst_stream(pair.client, 0, 99, NGHTTP2_CANCEL);
    pair_run(&pair);
    /* no deadline runs for them meanwhile but that of the answers before them */
    assert_true(pair_expire(&pair, limits.body_timeout_us + CLOCK_SECOND));
    for (int i = 0; i < 50; i++)
        nghttp2_submit_window_update(pair.client, 0, 2 * i + 1, 60000);
    nghttp2_submit_window_update(pair.client, 0, 0, 50 * 60000);
    pair_run(&pair);
    assert_int_equal(pair.served, 49);
    for (int i = 0; i < 49; i++)
        assert_int_equal(pair.answers[2 * i + 1].body.length, 60000);
}

static void test_an_answer_taken_byte_by_byte_ends_in_time(void **state)
{
    int64_t began;
    (void)state;
    pair.answer_size = 10 * 1024;
    open_pair(0, true);
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    began = pair.now;
    while (pair_expire(&pair, 29 * (int64_t)CLOCK_SECOND)) {
        nghttp2_submit_window_update(pair.client, 0, 1, 1);
        pair_run(&pair);
        assert_true(pair.now - began < 2 * limits.unread_timeout_us);
    }
    assert_true(pair.now - began >= limits.unread_timeout_us + 10 * CLOCK_SECOND);
    pair_hear(&pair);
    assert_true(pair.goaway && pair.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
}

static void test_late_flow_gets_503_and_goes_on(void **state)
{
    (void)state;
    pair.keeps = true;
    open_pair(65535, false);
    int32_t id = pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    assert_true(pair_expire(&pair, limits.request_timeout_us - 1));
    assert_int_equal(pair.answered, 0);
    assert_true(pair_expire(&pair, 1));
    pair_run(&pair);
    assert_int_equal(pair.answers[id].status, 503);
    assert_non_null(strstr(pair.answers[id].body.at, "overloaded"));
    assert_true(pair.answers[id].closed);
    /* the flow ends later: nothing more is said, the request goes */
    pair_answer_with(pair.kept[--pair.kept_count], 200, 10);
    pair_run(&pair);
    assert_int_equal(pair.answered, 1);
    assert_int_equal(pair.answers[id].status, 503);
}

static void test_half_a_header_block_ends_the_connection(void **state)
{
    (void)state;
    open_raw();
    frames_add(&in, FRAME_HEADERS, END_STREAM, 1, SLICE("\x82"));
    assert_true(feed());
    assert_true(pair_expire(&pair, limits.header_timeout_us - 1));
    assert_false(pair_expire(&pair, 1));
    assert_int_equal(goaway_code(NULL), ENHANCE_YOUR_CALM);
}

static void test_half_a_body_is_reset(void **state)
{
    int reset;
    (void)state;
    open_raw();
    frames_add_headers(&in, 1, 0, "POST", "/");
    assert_true(feed());
    for (int64_t waited = 0; waited < limits.body_timeout_us; waited += CLOCK_SECOND) {
        frames_add(&in, FRAME_DATA, 0, 1, SLICE("x")); /* dripping wins no time */
        assert_true(feed());
        assert_int_equal(goaway_code(&reset), -1);
        assert_int_equal(reset, -1);
        assert_true(pair_expire(&pair, CLOCK_SECOND));
    }
    assert_int_equal(goaway_code(&reset), -1);
    assert_int_equal(reset, CANCEL);
    assert_true(pair.woken > 0);
    /* what was on its way for it is nobody's fault */
    frames_add(&in, FRAME_DATA, 0, 1, SLICE("x"));
    frames_add(&in, FRAME_HEADERS, END_STREAM | END_HEADERS, 1, SLICE("\0\1a\1b")); /* trailers */
    frames_add_headers(&in, 3, END_STREAM, "GET", "/");
    assert_true(feed());
    assert_int_equal(goaway_code(&reset), -1);
    assert_int_equal(pair.served, 1);
}

static void test_nobody_says_hello(void **state)
{
    (void)state;
    open_pair(65535, false);
    assert_true(session_receive(pair.session, "PRI * HTTP", 10, pair.now));
    assert_true(pair_expire(&pair, limits.header_timeout_us - 1));
    assert_false(pair_expire(&pair, 1));
}

static void test_idle_ends_in_peace(void **state)
{
    (void)state;
    open_pair(65535, false);
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    assert_true(pair_expire(&pair, limits.idle_timeout_us - 1));
    pair_run(&pair);
    assert_false(pair.goaway);
    assert_true(pair_expire(&pair, 1));
    pair_run(&pair);
    assert_true(pair.goaway);
    assert_int_equal(pair.goaway_code, NGHTTP2_NO_ERROR);
    assert_true(session_is_done(pair.session));
}

/* Whoever leaves loses the answer; that it was given is logged and counted all the same. */
static void test_an_answer_that_finds_nobody_is_told(void **state)
{
    (void)state;
    pair.keeps = true;
    open_pair(65535, false);
    pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    session_free(pair.session);
    pair.session = NULL;
    assert_int_equal(pair.answered, 0);
    pair_answer_with(pair.kept[--pair.kept_count], 200, 10);
    assert_int_equal(pair.answered, 1);
}

static void test_drain_finishes_what_runs(void **state)
{
    (void)state;
    pair.keeps = true;
    open_pair(65535, false);
    int32_t id = pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    session_drain(pair.session, pair.now);
    session_drain(pair.session, pair.now); /* once is enough */
    pair_run(&pair);                       /* notice, PING, its answer, the last word */
    assert_true(pair.goaway);
    assert_int_equal(pair.goaway_last, id);
    assert_false(session_is_done(pair.session));
    pair_answer_with(pair.kept[--pair.kept_count], 200, 10);
    pair_run(&pair);
    assert_int_equal(pair.answers[id].status, 200);
    assert_true(session_is_done(pair.session));
}

static void test_drain_without_the_peers_answer(void **state)
{
    struct bytes out;
    (void)state;
    open_raw();
    assert_true(feed());
    session_drain(pair.session, pair.now);
    assert_int_equal(goaway_code(NULL), NO_ERROR); /* the notice */
    assert_true(pair_expire(&pair, CLOCK_SECOND));
    assert_int_equal(goaway_code(NULL), NO_ERROR);
    assert_true(session_is_done(pair.session));
    bytes_init(&out, NULL);
    assert_true(session_send(pair.session, &out, 100));
    assert_int_equal(out.length, 0);
}

/* What a flood is made of, and how often it may come at one moment before the connection ends. */
struct flood {
    const char *name;
    void (*add)(int i);
    int most;
};

static void add_ping(int i)
{
    (void)i;
    frames_add(&in, FRAME_PING, 0, 0, SLICE("12345678"));
}

static void add_settings(int i)
{
    frames_add_setting(&in, 4, (uint32_t)i);
}

static void add_priority(int i)
{
    (void)i;
    frames_add(&in, FRAME_PRIORITY, 0, 1, SLICE("\0\0\0\3\1"));
}

static void add_empty_data(int i)
{
    if (i == 0)
        frames_add_headers(&in, 1, 0, "POST", "/");
    frames_add(&in, FRAME_DATA, 0, 1, SLICE(""));
}

static void add_rapid_reset(int i)
{
    frames_add_headers(&in, (uint32_t)i * 2 + 1, END_STREAM, "GET", "/");
    frames_add_u32(&in, FRAME_RST_STREAM, (uint32_t)i * 2 + 1, CANCEL);
}

/* CVE-2025-8671: the peer never resets, it makes the server do it. */
static void add_window_overflow(int i)
{
    frames_add_headers(&in, (uint32_t)i * 2 + 1, 0, "POST", "/");
    frames_add_u32(&in, FRAME_WINDOW_UPDATE, (uint32_t)i * 2 + 1, 0x7fffffff);
}

static void add_malformed_request(int i)
{
    frames_add_headers(&in, (uint32_t)i * 2 + 1, END_STREAM, "GET", "no slash");
}

static void add_big_headers(int i)
{
    struct bytes block;
    bytes_init(&block, NULL);
    frames_add_request(&block, "GET", "/");
    bytes_reserve(&block, 4096);
    static char value[16384 - 100];
    memset(value, 'v', sizeof value);
    frames_add_field(&block, SLICE("x"), (struct slice){value, sizeof value});
    frames_add_text_field(&block, "y", "1");
    frames_add(&in, FRAME_HEADERS, END_STREAM | END_HEADERS, (uint32_t)i * 2 + 1,
               bytes_view(&block));
    bytes_release(&block);
}

static void test_floods_end_the_connection(void **state)
{
    static const struct flood floods[] = {
        {"PING", add_ping, 401},
        {"SETTINGS", add_settings, 401},
        {"PRIORITY", add_priority, 401},
        {"empty DATA", add_empty_data, 402},
        {"rapid reset", add_rapid_reset, 401},
        {"made you reset", add_window_overflow, 100},
        {"malformed requests", add_malformed_request, 100},
        {"big headers", add_big_headers, 100},
    };
    (void)state;
    for (size_t f = 0; f < sizeof floods / sizeof floods[0]; f++) {
        set_up(NULL);
        open_raw();
        bool open = feed();
        int code = goaway_code(NULL);
        int count = 0;
        for (; open && code < 0 && count < 2 * floods[f].most; count++) {
            floods[f].add(count);
            open = feed();
            code = goaway_code(NULL);
        }
        if (count > floods[f].most || code < 0)
            print_error("%s: code %d after %d\n", floods[f].name, code, count);
        assert_true(count <= floods[f].most);
        assert_true(code == ENHANCE_YOUR_CALM || code == INTERNAL_ERROR);
        tear_down(NULL);
    }
}

/* The same, slowly, is nobody's flood: the budget comes back. */
static void test_a_slow_peer_is_no_flood(void **state)
{
    (void)state;
    open_raw();
    assert_true(feed());
    goaway_code(NULL);
    for (int i = 0; i < 3000; i++) {
        pair.now += CLOCK_SECOND / 15;
        add_ping(i);
        assert_true(feed());
        assert_int_equal(goaway_code(NULL), -1);
    }
}

/* Not reading what we answer: acknowledgements don't pile up without end. */
static void test_unread_acknowledgements_are_bounded(void **state)
{
    (void)state;
    limits.glitches_max = 1000000;
    open_raw();
    int count = 0;
    while (feed() && count++ < 10000)
        add_ping(count);
    assert_true(count < 200);
    assert_int_equal(goaway_code(NULL), ENHANCE_YOUR_CALM);
}

/* A kilobyte in the table, then a byte each: megabytes of headers from a few thousand bytes. */
static void test_hpack_bomb(void **state)
{
    static char value[3000];
    struct bytes block;
    (void)state;
    open_raw();
    bytes_init(&block, NULL);
    frames_add_request(&block, "GET", "/");
    bytes_add_char(&block, 0x40); /* with indexing */
    frames_add_string(&block, SLICE("bomb"));
    memset(value, 'v', sizeof value);
    frames_add_string(&block, (struct slice){value, sizeof value});
    while (block.length < 16000)
        bytes_add_char(&block, (char)0xbe); /* the newest of the table */
    frames_add(&in, FRAME_HEADERS, END_STREAM | END_HEADERS, 1, bytes_view(&block));
    bytes_release(&block);
    assert_false(feed());
    assert_int_equal(goaway_code(NULL), ENHANCE_YOUR_CALM);
    assert_int_equal(pair.served, 0);
}

static void test_headers_too_large_get_431(void **state)
{
    static char value[9000];
    (void)state;
    open_pair(65535, false);
    memset(value, 'v', sizeof value - 1);
    const nghttp2_nv more[] = {pair_field("x-one", value), pair_field("x-two", value), {0}};
    struct slice body = SLICE("never needed");
    int32_t get = pair_request(&pair, "GET", "/", NULL, more);
    int32_t post = pair_request(&pair, "POST", "/", &body, more);
    pair_run(&pair);
    assert_int_equal(pair.answers[get].status, 431);
    assert_int_equal(pair.answers[post].status, 431);
    pair_expire(&pair, CLOCK_SECOND);
    pair_run(&pair);
    assert_non_null(strstr(pair.answers[get].body.at, "headers_too_large"));
    assert_true(pair.answers[post].closed);
    assert_int_equal(pair.answers[post].reset, NGHTTP2_NO_ERROR);
    assert_true(pair.open && !pair.goaway);
}

static void test_body_too_large_gets_413(void **state)
{
    static char text[200000];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct slice body = {text, sizeof text};
        set_up(NULL);
        open_pair(65535, false);
        /* without a body in the answer, too, the peer is told not to go on */
        int32_t id = pair_request(&pair, i == 0 ? "POST" : "HEAD", "/", &body, NULL);
        pair_run(&pair);
        assert_int_equal(pair.answers[id].status, 413);
        assert_true(pair.answers[id].closed);
        assert_int_equal(pair.answers[id].reset, NGHTTP2_NO_ERROR);
        assert_true(body.length > 0);
        struct slice just = {text, limits.body_bytes_max};
        id = pair_request(&pair, "POST", "/", &just, NULL);
        pair_run(&pair);
        assert_int_equal(pair.answers[id].status, 200);
        assert_true(pair.open && !pair.goaway);
        tear_down(NULL);
    }
}

/* One path's bodies may be larger, when they are posted to it. */
static void test_one_path_takes_more(void **state)
{
    static char text[200001];
    static const struct {
        const char *method, *path;
        size_t length;
        int status;
    } cases[] = {{"POST", "/large", 200000, 200},     {"POST", "/large", 200001, 413},
                 {"PUT", "/large", 200000, 413},      {"POST", "/large/", 200000, 413},
                 {"POST", "/large?x=1", 200000, 200}, {"POST", "/", 65537, 413}};
    (void)state;
    limits.large_path = "/large";
    limits.large_bytes_max = 200000;
    open_pair(65535, false);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice body = {text, cases[i].length};
        int32_t id = pair_request(&pair, cases[i].method, cases[i].path, &body, NULL);
        pair_run(&pair);
        assert_int_equal(pair.answers[id].status, cases[i].status);
    }
    assert_true(pair.open && !pair.goaway);
}

/* An answer that came early isn't followed by a reset at once: the peer has a second to see it. */
static void test_the_rest_of_a_body_is_waited_for(void **state)
{
    int reset;
    (void)state;
    limits.body_bytes_max = 10;
    open_raw();
    frames_add_headers(&in, 1, 0, "POST", "/");
    frames_add(&in, FRAME_DATA, 0, 1, SLICE("more than ten"));
    assert_true(feed());
    assert_int_equal(goaway_code(&reset), -1);
    assert_int_equal(reset, -1);
    assert_true(pair_expire(&pair, CLOCK_SECOND - 1));
    assert_int_equal(goaway_code(&reset), -1);
    assert_int_equal(reset, -1);
    assert_true(pair_expire(&pair, 1));
    assert_int_equal(goaway_code(&reset), -1);
    assert_int_equal(reset, NO_ERROR);
}

/* What all together keep is bounded: bodies that grow get 503, new requests are refused and can be
 * sent again; when it's given back, everything goes on. */
static void test_all_together_are_bounded(void **state)
{
    static char text[40000];
    int answered = 0, refused = 0;
    (void)state;
    pair.keeps = true;
    limits.held_max = 200000;
    assert_int_equal(request_held(), 0);
    open_pair(65535, false);
    struct slice bodies[20];
    for (int i = 0; i < 20; i++) {
        bodies[i] = (struct slice){text, sizeof text};
        pair_request(&pair, "POST", "/", &bodies[i], NULL);
        pair_run(&pair);
    }
    assert_int_equal(pair.kept_count, 5);
    assert_true(request_held() <= 200000 + 20 * 1000);
    for (int i = 0; i < 20; i++) {
        answered += pair.answers[2 * i + 1].status == 400;
        refused += pair.answers[2 * i + 1].reset == NGHTTP2_REFUSED_STREAM;
    }
    assert_int_equal(answered + refused, 15);
    assert_true(pair.open && !pair.goaway);
    while (pair.kept_count > 0)
        pair_answer_with(pair.kept[--pair.kept_count], 200, 10);
    pair_run(&pair);
    assert_int_equal(request_held(), 0);
    bodies[0] = (struct slice){text, sizeof text};
    pair_request(&pair, "POST", "/", &bodies[0], NULL);
    pair_run(&pair);
    assert_int_equal(pair.kept_count, 1);
}

static void test_streams_are_opened_in_order(void **state)
{
    (void)state;
    open_raw();
    frames_add_headers(&in, 5, END_STREAM, "GET", "/");
    frames_add_headers(&in, 3, END_STREAM, "GET", "/");
    assert_false(feed());
    assert_int_equal(goaway_code(NULL), PROTOCOL_ERROR);
    assert_int_equal(pair.served, 0); /* what came with the error isn't begun any more */
}

static void test_a_stream_that_ended_stays_ended(void **state)
{
    (void)state;
    open_raw();
    frames_add_headers(&in, 1, END_STREAM, "GET", "/");
    assert_true(feed());
    assert_int_equal(goaway_code(NULL), -1); /* answered, closed */
    frames_add_headers(&in, 1, END_STREAM, "GET", "/");
    assert_false(feed());
    assert_int_equal(goaway_code(NULL), STREAM_CLOSED);
    assert_int_equal(pair.served, 1);
}

static void test_not_http2_at_all(void **state)
{
    (void)state;
    open_pair(65535, false);
    bytes_add_text(&in, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_false(feed());
    assert_int_equal(goaway_code(NULL), PROTOCOL_ERROR);
    assert_false(session_receive(pair.session, "x", 1, pair.now));
    assert_false(session_wants_read(pair.session));
    assert_true(session_is_done(pair.session));
}

static void test_whoever_leaves_loses_only_the_answer(void **state)
{
    (void)state;
    pair.keeps = true;
    open_pair(65535, false);
    for (int i = 0; i < 10; i++)
        pair_request(&pair, "GET", "/", NULL, NULL);
    pair_run(&pair);
    nghttp2_submit_rst_stream(pair.client, 0, 1, NGHTTP2_CANCEL);
    pair_run(&pair);
    assert_int_equal(pair.kept_count, 10);
    assert_null(pair.kept[0]->session);
    assert_non_null(pair.kept[1]->session);
    session_free(pair.session);
    pair.session = NULL;
    for (size_t i = 0; i < 10; i++)
        assert_null(pair.kept[i]->session); /* tear_down answers them all */
}

static void run_everything(void)
{
    static char text[30000];
    struct slice body = {text, sizeof text};
    if (!pair_open(&pair, &limits, 65535, false))
        return;
    const nghttp2_nv more[] = {
        pair_field("authorization", "Bearer x"), pair_field("idempotency-key", "k"), {0}};
    pair_request(&pair, "GET", "/a?x=1", NULL, more);
    pair_request(&pair, "POST", "/b", &body, more);
    pair_run(&pair);
    pair_expire(&pair, limits.request_timeout_us);
    session_drain(pair.session, pair.now);
    pair_run(&pair);
}

/* The client's memory is its own: only ours is made to fail. */
static void test_any_allocation_may_fail(void **state)
{
    bool failed = true;
    (void)state;
    long n = 0;
    for (; failed; n++) {
        pair.keeps = n % 2 == 0;
        pair.answer_size = 3000;
        memory_fail_after(n);
        run_everything();
        failed = memory_failed();
        memory_fail_never();
        pair_close(&pair);
    }
    assert_true(n > 30);
}

/* Frames of a client, damaged here and there: no crash, no leak, never a request too many. */
static void test_damaged_frames(void **state)
{
    struct chance chance = {42};
    (void)state;
    for (int round = 0; round < 400; round++) {
        set_up(NULL);
        pair.keeps = round % 3 == 0;
        open_raw();
        for (uint32_t i = 0; i < 8; i++) {
            frames_add_headers(&in, 2 * i + 1, i % 2 == 0 ? END_STREAM : 0, "POST", "/x");
            if (i % 2 == 1)
                frames_add(&in, FRAME_DATA, END_STREAM, 2 * i + 1, SLICE("{}"));
        }
        for (int damage = 0; damage < 4; damage++)
            in.at[chance_below(&chance, in.length)] = (char)chance_bits(&chance);
        bool open = feed();
        goaway_code(NULL);
        assert_true(pair.served <= 8);
        assert_true(open || !session_wants_read(pair.session));
        tear_down(NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pieces_of_any_size_give_the_same),
        TEST(test_small_windows_get_their_answers),
        TEST(test_too_much_output_keeps_requests_waiting),
        TEST(test_an_answer_taken_byte_by_byte_ends_in_time),
        TEST(test_late_flow_gets_503_and_goes_on),
        TEST(test_half_a_header_block_ends_the_connection),
        TEST(test_half_a_body_is_reset),
        TEST(test_nobody_says_hello),
        TEST(test_idle_ends_in_peace),
        TEST(test_an_answer_that_finds_nobody_is_told),
        TEST(test_drain_finishes_what_runs),
        TEST(test_drain_without_the_peers_answer),
        TEST(test_floods_end_the_connection),
        TEST(test_a_slow_peer_is_no_flood),
        TEST(test_unread_acknowledgements_are_bounded),
        TEST(test_hpack_bomb),
        TEST(test_headers_too_large_get_431),
        TEST(test_body_too_large_gets_413),
        TEST(test_one_path_takes_more),
        TEST(test_the_rest_of_a_body_is_waited_for),
        TEST(test_all_together_are_bounded),
        TEST(test_streams_are_opened_in_order),
        TEST(test_a_stream_that_ended_stays_ended),
        TEST(test_not_http2_at_all),
        TEST(test_whoever_leaves_loses_only_the_answer),
        TEST(test_any_allocation_may_fail),
        TEST(test_damaged_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
