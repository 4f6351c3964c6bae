/* RFC 9113 and RFC 7541 case by case, as h2spec checks them: frames by hand over real TLS against
 * the real server. Each broken rule gets the right error on the right level, each oddity that is
 * allowed goes through, and afterwards a well-behaved client is served.
 *
 * A case is a line of statements, divided by ';':
 *   TYPE[:flags] STREAM payload...   a frame; flags: e END_STREAM or ACK, h END_HEADERS, p PADDED,
 *                                    r PRIORITY. TYPE may be a number.
 *     get post      a request's pseudo-headers     name=value   a field, literally
 *     #00ff         bytes                          *100         so many zero bytes
 *   WAIT STREAM                      until its answer has come whole
 *   OPEN N                           N requests that never end
 *
 * Covers: server/net/connection.c server/net/listener.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/client.h"
#include "support/peer.h"
#include "support/stack.h"

enum outcome {
    ANSWERED,  /* stream 1 (or `stream`) with the status `code`, and the connection lives */
    ALIVE,     /* nothing is refused */
    STREAM,    /* RST_STREAM with `code`, and the connection lives */
    CONNECTION /* GOAWAY with `code`, then the end */
};

struct example {
    const char *section, *what, *say;
    enum outcome outcome;
    int code;
    uint32_t stream; /* 0: 1 */
};

#define GET "HEADERS:eh 1 get"
#define POST "HEADERS:h 1 post"
#define MALFORMED(section, what, headers)                                 \
    {                                                                     \
        section, what, "HEADERS:eh 1 " headers, STREAM, PROTOCOL_ERROR, 0 \
    }
#define BROKEN(section, what, headers)                                           \
    {                                                                            \
        section, what, "HEADERS:eh 1 " headers, CONNECTION, COMPRESSION_ERROR, 0 \
    }
#define BASICS ":method=GET :scheme=https :path=/nowhere"

static const struct example examples[] = {
    {"3.4", "an ordinary request", GET, ANSWERED, 404, 0},
    {"4.1", "an unknown frame type is ignored", "0xfa 0 *8; " GET, ANSWERED, 404, 0},
    {"4.1", "undefined flags are ignored", "6:epr 0 *8; PING:prh 0 *8; " GET, ANSWERED, 404, 0},
    {"4.1", "the reserved bit is ignored", "PING 0x80000000 *8; " GET, ANSWERED, 404, 0},
    {"4.2", "a frame of 16,384 bytes", POST "; DATA 1 *16384; DATA:e 1", ANSWERED, 404, 0},
    {"4.2", "a larger DATA", POST "; DATA:e 1 *16385", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"4.2", "a larger HEADERS", "HEADERS:eh 1 get *16385", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"4.2", "a larger SETTINGS", "SETTINGS 0 *16386", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"4.3", "an invalid header block", "HEADERS:eh 1 #40", CONNECTION, COMPRESSION_ERROR, 0},
    {"4.3", "PRIORITY within a header block", "HEADERS:e 1 get; PRIORITY 1 #0000000010; CONT:h 1",
     CONNECTION, PROTOCOL_ERROR, 0},
    {"4.3", "another stream's HEADERS within", "HEADERS:e 1 get; HEADERS:eh 3 get", CONNECTION,
     PROTOCOL_ERROR, 0},
    {"4.3", "another stream's CONTINUATION", "HEADERS:e 1 get; CONT:h 3", CONNECTION,
     PROTOCOL_ERROR, 0},
    {"4.3", "DATA within", "HEADERS 1 post; DATA:e 1 *1", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "idle: DATA", "DATA:e 1 *1", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "idle: RST_STREAM", "RST 1 #00000008", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "idle: WINDOW_UPDATE", "WINDOW 1 #00000064", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "idle: CONTINUATION", "CONT:h 1 get", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "idle: PRIORITY is fine", "PRIORITY 1 #0000000010; " GET, ANSWERED, 404, 0},
    {"5.1", "half closed: DATA", GET "; DATA:e 1 *1", CONNECTION, STREAM_CLOSED, 0},
    {"5.1", "half closed: HEADERS", GET "; " GET, CONNECTION, STREAM_CLOSED, 0},
    {"5.1", "half closed: CONTINUATION", GET "; CONT:h 1 get", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "half closed: WINDOW_UPDATE and PRIORITY are fine",
     GET "; WINDOW 1 #00000064; PRIORITY 1 #0000000010", ANSWERED, 404, 0},
    {"5.1", "reset: DATA", POST "; RST 1 #00000008; DATA:e 1 *1", CONNECTION, STREAM_CLOSED, 0},
    {"5.1", "reset: HEADERS", POST "; RST 1 #00000008; " GET, CONNECTION, STREAM_CLOSED, 0},
    {"5.1", "reset: CONTINUATION", POST "; RST 1 #00000008; CONT:h 1", CONNECTION, PROTOCOL_ERROR,
     0},
    {"5.1", "closed: DATA", GET "; WAIT 1; DATA:e 1 *1", CONNECTION, STREAM_CLOSED, 0},
    {"5.1", "closed: HEADERS", GET "; WAIT 1; " GET, CONNECTION, STREAM_CLOSED, 0},
    {"5.1", "closed: CONTINUATION", GET "; WAIT 1; CONT:h 1", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1", "closed: late WINDOW_UPDATE, RST_STREAM and PRIORITY are fine",
     GET "; WAIT 1; WINDOW 1 #00000001; RST 1 #00000008; PRIORITY 1 #0000000010; "
         "HEADERS:eh 3 get",
     ANSWERED, 404, 3},
    {"5.1.1", "a stream of even number", "HEADERS:eh 2 get", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1.1", "a number smaller than before", "HEADERS:eh 5 get; HEADERS:eh 3 get", CONNECTION,
     PROTOCOL_ERROR, 0},
    {"5.1.1", "numbers may be left out", GET "; HEADERS:eh 77 get", ANSWERED, 404, 77},
    {"5.1.2", "one stream too many", "OPEN 101", CONNECTION, PROTOCOL_ERROR, 0},
    {"5.1.2", "as many as are allowed", "OPEN 99; HEADERS:eh 199 get", ANSWERED, 404, 199},
    {"5.5", "an unknown frame within a header block", "HEADERS:e 1 get; 0xfa 1 *8; CONT:h 1",
     CONNECTION, PROTOCOL_ERROR, 0},
    {"6.1", "DATA on stream 0", "DATA 0 *4", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.1", "more padding than there is", POST "; DATA:ep 1 #0a *4", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.1", "padding is fine", POST "; DATA:ep 1 #04 #7b7d *4", ANSWERED, 404, 0},
    {"6.2", "HEADERS on stream 0", "HEADERS:eh 0 get", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.2", "more padding than there is", "HEADERS:ehp 1 #ff get", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.2", "padding and priority are fine", "HEADERS:ehpr 1 #05 #0000000010 get *5", ANSWERED, 404,
     0},
    {"6.2", "too short for its priority", "HEADERS:ehr 1 #0000", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.3", "PRIORITY on stream 0", "PRIORITY 0 #0000000110", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.3", "PRIORITY of 4 bytes", POST "; PRIORITY 1 *4", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.4", "RST_STREAM on stream 0", "RST 0 #00000008", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.4", "RST_STREAM of 3 bytes", POST "; RST 1 *3", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.5", "SETTINGS ACK with a payload", "SETTINGS:e 0 *6", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.5", "SETTINGS on a stream", "SETTINGS 1 *6", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.5", "SETTINGS of 3 bytes", "SETTINGS 0 *3", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.5.2", "ENABLE_PUSH of 2", "SETTINGS 0 #000200000002", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.5.2", "a window of 2^31", "SETTINGS 0 #000480000000", CONNECTION, FLOW_CONTROL_ERROR, 0},
    {"6.5.2", "frames of 16,383", "SETTINGS 0 #000500003fff", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.5.2", "frames of 2^24", "SETTINGS 0 #000501000000", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.5.2", "an unknown setting is ignored", "SETTINGS 0 #00ff00000001; " GET, ANSWERED, 404, 0},
    {"6.5.3", "the last value counts", "SETTINGS 0 #000400000000 #00040000ffff; " GET, ANSWERED,
     404, 0},
    {"6.6", "PUSH_PROMISE from a client", POST "; PUSH:h 1 #00000002 get", CONNECTION,
     PROTOCOL_ERROR, 0},
    {"6.7", "an answer to no PING is ignored", "PING:e 0 *8; " GET, ANSWERED, 404, 0},
    {"6.7", "PING on a stream", "PING 1 *8", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.7", "PING of 6 bytes", "PING 0 *6", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.8", "GOAWAY on a stream", "GOAWAY 1 *8", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.8", "GOAWAY of 4 bytes", "GOAWAY 0 *4", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.9", "WINDOW_UPDATE of 0", "WINDOW 0 *4", CONNECTION, PROTOCOL_ERROR, 0},
    /* a stream error that nghttp2 makes the connection's, as 5.4.1 allows */
    {"6.9", "WINDOW_UPDATE of 0 on a stream", POST "; WINDOW 1 *4", CONNECTION, PROTOCOL_ERROR, 0},
    {"6.9", "WINDOW_UPDATE of 3 bytes", "WINDOW 0 *3", CONNECTION, FRAME_SIZE_ERROR, 0},
    {"6.9.1", "a window past 2^31", "WINDOW 0 #7fffffff; WINDOW 0 #7fffffff", CONNECTION,
     FLOW_CONTROL_ERROR, 0},
    {"6.9.1", "a stream's window past 2^31", POST "; WINDOW 1 #7fffffff; WINDOW 1 #7fffffff",
     STREAM, FLOW_CONTROL_ERROR, 0},
    {"6.9.1", "an answer waits for its window",
     "SETTINGS 0 #000400000000; " GET "; SETTINGS 0 #000400000001; WINDOW 1 #0000ffff", ANSWERED,
     404, 0},
    {"6.9.2", "a window may become negative",
     GET "; SETTINGS 0 #000400000000; SETTINGS 0 #00040000ffff", ANSWERED, 404, 0},
    {"6.9.2", "settings that push a stream's window past 2^31",
     POST "; WINDOW 1 #7ffeffff; SETTINGS 0 #00047fffffff", CONNECTION, FLOW_CONTROL_ERROR, 0},
    {"6.10", "headers in many pieces",
     "HEADERS:e 1 :method=GET; CONT 1 :scheme=https; CONT 1; "
     "CONT:h 1 :path=/nowhere :authority=x",
     ANSWERED, 404, 0},
    {"6.10", "CONTINUATION on stream 0", "HEADERS:e 1 get; CONT:h 0", CONNECTION, PROTOCOL_ERROR,
     0},
    {"6.10", "CONTINUATION after DATA", POST "; DATA 1 *1; CONT:h 1", CONNECTION, PROTOCOL_ERROR,
     0},
    {"6.10", "too many of them",
     "HEADERS:e 1 get; CONT 1; CONT 1; CONT 1; CONT 1; CONT 1; CONT 1; CONT 1; CONT 1; CONT 1",
     CONNECTION, ENHANCE_YOUR_CALM, 0},
    {"7", "an unknown error code in RST_STREAM", POST "; RST 1 #000000ff; HEADERS:eh 3 get",
     ANSWERED, 404, 3},
    {"7", "an unknown error code in GOAWAY", POST "; GOAWAY 0 #00000000000000ff; DATA:e 1 *1",
     ANSWERED, 404, 0},
    {"8.1", "trailers are fine", POST "; DATA 1 #7b7d; HEADERS:eh 1 x-sum=1", ANSWERED, 404, 0},
    {"8.1", "trailers that don't end the stream", POST "; HEADERS:h 1 x-sum=1", STREAM,
     PROTOCOL_ERROR, 0},
    {"8.1", "pseudo-headers in trailers", POST "; DATA 1 *1; HEADERS:eh 1 :method=GET", STREAM,
     PROTOCOL_ERROR, 0},
    {"8.1.1", "a body shorter than content-length",
     "HEADERS:h 1 post content-length=3; DATA:e 1 *2", STREAM, PROTOCOL_ERROR, 0},
    {"8.1.1", "a body longer than content-length", "HEADERS:h 1 post content-length=1; DATA:e 1 *2",
     STREAM, PROTOCOL_ERROR, 0},
    {"8.1.1", "no body where content-length promises one", "HEADERS:eh 1 post content-length=1",
     STREAM, PROTOCOL_ERROR, 0},
    {"8.1.1", "content-length of several frames",
     "HEADERS:h 1 post content-length=3; DATA 1 *1; DATA 1; DATA:e 1 *2", ANSWERED, 404, 0},
    MALFORMED("8.1.1", "content-length that is no number", "get content-length=x"),
    MALFORMED("8.1.1", "two content-lengths", "get content-length=0 content-length=1"),
    MALFORMED("8.2.1", "upper case", "get X-Test=1"),
    MALFORMED("8.2.1", "a space in a name", "get #00 #03 #612062 #01 #31"),
    MALFORMED("8.2.1", "an empty name", "get #00 #00 #01 #31"),
    MALFORMED("8.2.1", "a byte above 127 in a name", "get #00 #02 #61ff #01 #31"),
    MALFORMED("8.2.1", "NUL in a value", "get #00 #01 #61 #03 #620063"),
    MALFORMED("8.2.1", "CR LF in a value", "get #00 #01 #61 #04 #620d0a63"),
    MALFORMED("8.2.1", "a value that begins with a space", "get #00 #01 #61 #02 #2062"),
    MALFORMED("8.2.1", "a value that ends with a tab", "get #00 #01 #61 #02 #6209"),
    MALFORMED("8.2.2", "connection", "get connection=keep-alive"),
    MALFORMED("8.2.2", "keep-alive", "get keep-alive=1"),
    MALFORMED("8.2.2", "proxy-connection", "get proxy-connection=close"),
    MALFORMED("8.2.2", "transfer-encoding", "get transfer-encoding=chunked"),
    MALFORMED("8.2.2", "upgrade", "get upgrade=h2c"),
    MALFORMED("8.2.2", "te other than trailers", "get te=gzip"),
    {"8.2.2", "te: trailers is fine", GET " te=trailers", ANSWERED, 404, 0},
    MALFORMED("8.3", "an unknown pseudo-header", "get :test=1"),
    MALFORMED("8.3", "a response's pseudo-header", "get :status=200"),
    MALFORMED("8.3", "a pseudo-header after a field", "x=1 get"),
    MALFORMED("8.3.1", "no :method", ":scheme=https :path=/ :authority=x"),
    MALFORMED("8.3.1", "no :scheme", ":method=GET :path=/ :authority=x"),
    MALFORMED("8.3.1", "no :path", ":method=GET :scheme=https :authority=x"),
    MALFORMED("8.3.1", "an empty :path", ":method=GET :scheme=https :path= :authority=x"),
    MALFORMED("8.3.1", "a :path without slash", ":method=GET :scheme=https :path=a :authority=x"),
    MALFORMED("8.3.1", "two :methods", ":method=GET " BASICS " :authority=x"),
    MALFORMED("8.3.1", "two :schemes", ":scheme=https " BASICS " :authority=x"),
    MALFORMED("8.3.1", "two :paths", ":path=/ " BASICS " :authority=x"),
    MALFORMED("8.3.1", "two :authorities", ":authority=x " BASICS " :authority=x"),
    {"8.3.1", "host instead of :authority", "HEADERS:eh 1 " BASICS " host=x", ANSWERED, 404, 0},
    MALFORMED("8.5", "CONNECT with :path", ":method=CONNECT :scheme=https :path=/ :authority=x"),
    {"8.5", "CONNECT leads nowhere", "HEADERS:h 1 :method=CONNECT :authority=x; DATA:e 1", ANSWERED,
     404, 0},
    BROKEN("7541 2.3.3", "index 0", "get #80"),
    BROKEN("7541 2.3.3", "an index beyond the table", "get #be"),
    BROKEN("7541 2.3.3", "an index beyond any table", "get #ffffffff0f"),
    BROKEN("7541 4.2", "a size update behind a field", "get #20"),
    {"7541 4.2", "a size update in front is fine", "HEADERS:eh 1 #20 #3fe11f get", ANSWERED, 404,
     0},
    BROKEN("7541 5.1", "an integer without end", "get #7fffffffffffffffffff7f"),
    BROKEN("7541 5.2", "a string longer than its block", "get #00 #01 #61 #7f #62"),
    BROKEN("7541 5.2", "Huffman padding of 8 bits", "get #00 #01 #61 #82 #1fff"),
    BROKEN("7541 5.2", "Huffman padding of zeros", "get #00 #01 #61 #81 #18"),
    BROKEN("7541 5.2", "the EOS symbol", "get #00 #01 #61 #85 #1fffffffff"),
    {"7541 5.2", "a Huffman string as it should be", GET " #00 #01 #61 #81 #1f", ANSWERED, 404, 0},
    BROKEN("7541 6.3", "a size update over the limit", "#3fe21f get"),
    BROKEN("7541 6.3", "a size update of 2^28", "#3fe1ffff7f get"),
};

static struct stack *stack;

/* ---- saying it */

static int frame_type(const char *word)
{
    static const char *const names[] = {"DATA", "HEADERS", "PRIORITY", "RST",    "SETTINGS",
                                        "PUSH", "PING",    "GOAWAY",   "WINDOW", "CONT"};
    for (int i = 0; i < 10; i++)
        if (strncmp(word, names[i], strlen(names[i])) == 0 && !(i == 0 && word[4] > ':'))
            return i;
    return (int)strtol(word, NULL, 0);
}

static int frame_flags(const char *word)
{
    static const char letters[] = "e.hp.r";
    int flags = 0;
    const char *colon = strchr(word, ':');
    for (const char *at = colon == NULL ? "" : colon + 1; *at != '\0'; at++)
        flags |= 1 << (strchr(letters, *at) - letters);
    return flags;
}

static void add_hex(struct bytes *out, const char *hex)
{
    for (; *hex != '\0'; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        bytes_add_char(out, (char)strtol(digits, NULL, 16));
    }
}

static void add_field(struct bytes *out, const char *word)
{
    const char *equals = strchr(word, '=');
    assert_non_null(equals);
    frames_add_field(out, (struct slice){word, (size_t)(equals - word)}, slice_of(equals + 1));
}

static void add_payload(struct bytes *out, const char *word)
{
    if (strcmp(word, "get") == 0)
        frames_add_request(out, "GET", "/nowhere");
    else if (strcmp(word, "post") == 0)
        frames_add_request(out, "POST", "/nowhere");
    else if (word[0] == '#')
        add_hex(out, word + 1);
    else if (word[0] == '*')
        for (long i = strtol(word + 1, NULL, 10); i > 0; i--)
            bytes_add_char(out, 0);
    else
        add_field(out, word);
}

static void add_frame(struct bytes *out, const char *type, const char *stream, char **rest)
{
    struct bytes payload;
    bytes_init(&payload, NULL);
    for (const char *word; (word = strtok_r(NULL, " ", rest)) != NULL;)
        add_payload(&payload, word);
    frames_add(out, frame_type(type), frame_flags(type), (uint32_t)strtoul(stream, NULL, 0),
               bytes_view(&payload));
    bytes_release(&payload);
}

/* ---- hearing what comes back */

struct heard {
    int goaway, reset; /* codes; -1: none */
    uint32_t reset_stream;
    int status;    /* of the stream that counts */
    bool answered; /* ... to its end */
    bool alive;    /* the PING behind it all was answered */
    bool ended;
};

static const char alive[] = "alive? 1";

static void take(struct peer *peer, const struct frame *frame, uint32_t stream, struct heard *heard)
{
    int status = frame->type == FRAME_HEADERS ? peer_status(peer, frame) : -1;
    if (frame->type == FRAME_GOAWAY)
        heard->goaway = (int)frames_u32(frame->payload + 4);
    if (frame->type == FRAME_RST_STREAM && frames_u32(frame->payload) != NO_ERROR) {
        heard->reset = (int)frames_u32(frame->payload);
        heard->reset_stream = frame->stream;
    }
    if (frame->type == FRAME_PING && memcmp(frame->payload, alive, 8) == 0)
        heard->alive = true;
    if (frame->stream == stream && status > 0)
        heard->status = status;
    if (frame->stream == stream && frame->type <= FRAME_HEADERS)
        heard->answered = heard->answered || (frame->flags & END_STREAM) != 0;
}

/* Until `enough` says so, or the connection ends, or 5 s have passed. */
static void hear(struct peer *peer, uint32_t stream, struct heard *heard,
                 bool (*enough)(const struct heard *))
{
    struct frame frame;
    int64_t deadline = clock_monotonic() + 5 * CLOCK_SECOND;
    while (!heard->ended && !enough(heard) && clock_monotonic() < deadline) {
        enum peer_event event = peer_next(peer, &frame, 5000);
        if (event == PEER_FRAME)
            take(peer, &frame, stream, heard);
        heard->ended = event == PEER_ENDED;
    }
}

static bool is_answered(const struct heard *heard)
{
    return heard->answered;
}

static bool is_alive(const struct heard *heard)
{
    return heard->alive;
}

static bool is_reset(const struct heard *heard)
{
    return heard->alive && heard->reset >= 0;
}

static bool is_both(const struct heard *heard)
{
    return heard->alive && heard->answered;
}

static bool never(const struct heard *heard)
{
    (void)heard;
    return false;
}

/* ---- a case */

static void say_statement(struct peer *peer, char *statement, struct bytes *out)
{
    char *rest;
    struct heard waited = {-1, -1, 0, 0, false, false, false};
    const char *type = strtok_r(statement, " ", &rest);
    const char *stream = strtok_r(NULL, " ", &rest);
    if (strcmp(type, "WAIT") == 0) {
        peer_send(peer, bytes_view(out));
        bytes_clear(out);
        hear(peer, (uint32_t)strtoul(stream, NULL, 0), &waited, is_answered);
        assert_true(waited.answered);
    } else if (strcmp(type, "OPEN") == 0) {
        for (uint32_t i = 0; i < strtoul(stream, NULL, 0); i++)
            frames_add_headers(out, 2 * i + 1, 0, "POST", "/nowhere");
    } else {
        add_frame(out, type, stream, &rest);
    }
}

/* All at once, so that what comes first can't be answered before the rest is there. */
static void say(struct peer *peer, const struct example *example)
{
    char text[1000];
    char *rest;
    struct bytes out;
    bytes_init(&out, NULL);
    snprintf(text, sizeof text, "%s", example->say);
    for (char *at = strtok_r(text, ";", &rest); at != NULL; at = strtok_r(NULL, ";", &rest))
        say_statement(peer, at, &out);
    if (example->outcome != CONNECTION)
        frames_add(&out, FRAME_PING, 0, 0, (struct slice){alive, 8});
    peer_send(peer, bytes_view(&out));
    bytes_release(&out);
}

static bool is_as_expected(const struct example *example, const struct heard *heard)
{
    switch (example->outcome) {
    case ANSWERED:
        return heard->alive && heard->status == example->code && heard->goaway < 0 &&
               heard->reset < 0;
    case ALIVE:
        return heard->alive && heard->goaway < 0 && heard->reset < 0;
    case STREAM:
        return heard->alive && heard->reset == example->code && heard->reset_stream == 1 &&
               heard->goaway < 0;
    case CONNECTION:
        return heard->goaway == example->code && heard->ended;
    }
    return false;
}

static void serve_somebody_else(void)
{
    struct client_call call = {0};
    struct client *client = client_open(stack->port, stack->ca);
    assert_non_null(client);
    assert_int_equal(client_do(client, &call, "GET", "/nowhere", NULL, NULL, NULL), 404);
    client_call_clear(&call);
    client_close(client);
}

static bool try(const struct example *example)
{
    static bool (*const enough[])(const struct heard *) = {
        [ANSWERED] = is_both, [ALIVE] = is_alive, [STREAM] = is_reset, [CONNECTION] = never};
    struct heard heard = {-1, -1, 0, 0, false, false, false};
    struct peer *peer = peer_open(stack->port);
    assert_non_null(peer);
    say(peer, example);
    hear(peer, example->stream == 0 ? 1 : example->stream, &heard, enough[example->outcome]);
    peer_close(peer);
    bool good = is_as_expected(example, &heard);
    if (!good)
        print_error("%s %s: goaway %d, reset %d of %u, status %d%s%s\n", example->section,
                    example->what, heard.goaway, heard.reset, heard.reset_stream, heard.status,
                    heard.alive ? ", alive" : "", heard.ended ? ", ended" : "");
    serve_somebody_else();
    return good;
}

static void test_every_example(void **state)
{
    int bad = 0;
    size_t count = sizeof examples / sizeof examples[0];
    (void)state;
    for (size_t i = 0; i < count; i++)
        bad += !try(&examples[i]);
    printf("  %zu examples, %d not as they should be\n", count, bad);
    assert_int_equal(bad, 0);
}

/* ---- prefaces */

static void expect_preface_refused(struct slice preface)
{
    struct heard heard = {-1, -1, 0, 0, false, false, false};
    struct peer *peer = peer_connect(stack->port, 0);
    assert_true(peer_shake_hands(peer, "h2", false));
    peer_send(peer, preface);
    hear(peer, 1, &heard, never);
    assert_true(heard.ended);
    assert_int_equal(heard.goaway, PROTOCOL_ERROR);
    peer_close(peer);
    serve_somebody_else();
}

static void test_prefaces(void **state)
{
    struct bytes out;
    (void)state;
    expect_preface_refused(SLICE("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_preface_refused(SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\x0b"));
    /* its SETTINGS are part of it */
    bytes_init(&out, NULL);
    bytes_add_slice(&out, SLICE(FRAMES_PREFACE));
    frames_add(&out, FRAME_PING, 0, 0, SLICE("12345678"));
    expect_preface_refused(bytes_view(&out));
    bytes_release(&out);
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
        cmocka_unit_test(test_prefaces),
        cmocka_unit_test(test_every_example),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
