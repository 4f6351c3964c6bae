/* Arbitrary bytes after a client's preface, in pieces; requests are answered at once, later, or
 * only when the session has gone. Nothing may leak, nothing may be kept beyond its limit, and time
 * passes: limits are short, so that deadlines and full buffers come along. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "base/bytes.h"
#include "http/problem.h"
#include "http/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LATER_MAX 64
#define SECOND 1000000

static struct request *later[LATER_MAX];
static size_t later_count;
static unsigned served;

static void serve(void *owner, struct request *request)
{
    (void)owner;
    if (served++ % 3 != 0 && later_count < LATER_MAX) {
        later[later_count++] = request;
        return;
    }
    if (served % 2 == 0) {
        problem_answer_code(request, PROBLEM_NOT_FOUND, NULL);
        return;
    }
    response_json(request, 200, bytes_view(&request->body));
    request_answer(request);
}

static void wake(void *owner)
{
    (void)owner;
}

static void answered(void *owner, const struct request *request)
{
    (void)owner;
    (void)request;
}

static void answer_later(size_t most)
{
    while (later_count > 0 && most-- > 0)
        problem_answer_code(later[--later_count], PROBLEM_OVERLOADED, NULL);
}

static void feed(struct session *session, const uint8_t *data, size_t size)
{
    struct bytes out;
    int64_t now = 1000;
    bytes_init(&out, NULL);
    while (size > 0) {
        size_t piece = 1 + data[0] % 97;
        piece = piece < size ? piece : size;
        now += (int64_t)data[0] * 1000;
        bool open = session_receive(session, data, piece, now);
        data += piece;
        size -= piece;
        /* one answer, or one piece of a body, may go over it */
        assert(request_held() <= 20000 + 65536);
        bytes_clear(&out);
        if (!session_send(session, &out, 65536) || !open || !session_expire(session, now))
            break;
        if (now % 5 == 0)
            answer_later(1);
        if (now % 31 == 0)
            session_drain(session, now);
    }
    bytes_release(&out);
}

static struct session_limits short_limits(void)
{
    struct session_limits limits = session_limits_default;
    limits.header_timeout_us = limits.body_timeout_us = SECOND;
    limits.request_timeout_us = limits.unread_timeout_us = SECOND;
    limits.idle_timeout_us = 2 * SECOND;
    limits.body_bytes_max = 2000;
    limits.output_max = 4000;
    limits.held_max = 20000;
    return limits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    const struct session_owner owner = {NULL, serve, wake, {NULL, answered}};
    struct inet client = {{0}, 0};
    served = size > 0 ? data[0] : 0;
    const struct session_limits limits = short_limits();
    struct session *session = session_new(&limits, &owner, &client, false, 1);
    if (session == NULL)
        return 0;
    session_receive(session, preface, sizeof preface - 1, 1);
    feed(session, data, size);
    session_free(session);
    answer_later(LATER_MAX);
    assert(request_held() == 0);
    return 0;
}
