#include "benchmarks/instructions/client.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#include "benchmarks/instructions/pieces.h"

struct body {
    char text[512];
    size_t sent;
};

static ssize_t read_body(nghttp2_session *ng, int32_t stream_id, uint8_t *out, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct body *body = source->ptr;
    size_t left = strlen(body->text) - body->sent;
    size_t take = left < length ? left : length;
    (void)ng;
    (void)stream_id;
    (void)user;
    memcpy(out, body->text + body->sent, take);
    body->sent += take;
    if (take == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void write_body(unsigned number, struct body *body)
{
    char from[UUID_TEXT_MAX];
    char to[UUID_TEXT_MAX];
    struct uuid payer = pieces_id(10);
    struct uuid payee = pieces_id(11 + number);
    uuid_format(&payer, "wal_", from);
    uuid_format(&payee, "wal_", to);
    body->sent = 0;
    snprintf(body->text, sizeof body->text,
             "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%u,\"currency\":\"ZAR\",\"note\":\"lunch "
             "at the market\"}",
             from, to, 10000 + number);
}

static bool send_request(nghttp2_session *client, unsigned number)
{
    char token[GATE_TOKEN_MAX];
    char authorization[GATE_TOKEN_MAX + 8];
    char key[32];
    static struct body body; /* until it's sent */
    const nghttp2_data_provider provider = {.source.ptr = &body, .read_callback = read_body};
    pieces_token(token);
    snprintf(authorization, sizeof authorization, "Bearer %s", token);
    snprintf(key, sizeof key, "order-2026-%06u", 271828 + number);
    write_body(number, &body);
    const nghttp2_nv headers[] = {
        field(":method", "POST"),
        field(":scheme", "https"),
        field(":authority", "api.example.org"),
        field(":path", "/v1/transfers"),
        field("content-type", "application/json"),
        field("user-agent", "wallet/4.2 (Android 14)"),
        field("authorization", authorization),
        field("idempotency-key", key),
        field("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    };
    return nghttp2_submit_request(client, NULL, headers, sizeof headers / sizeof headers[0],
                                  &provider, NULL) > 0;
}

static bool take(nghttp2_session *client, struct bytes *out)
{
    const uint8_t *data;
    ssize_t length;
    while ((length = nghttp2_session_mem_send(client, &data)) > 0)
        bytes_add(out, data, (size_t)length);
    return length == 0 && !out->failed;
}

bool client_write(struct client_bytes *bytes)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *client = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    bool good = nghttp2_session_client_new(&client, callbacks, NULL) == 0 &&
                nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, NULL, 0) == 0 &&
                send_request(client, 0);
    nghttp2_session_callbacks_del(callbacks);
    bytes_init(&bytes->start, NULL);
    good = good && take(client, &bytes->start);
    for (unsigned i = 0; good && i < CLIENT_REQUESTS; i++) {
        bytes_init(&bytes->requests[i], NULL);
        good = send_request(client, i + 1) && take(client, &bytes->requests[i]);
    }
    nghttp2_session_del(client);
    return good;
}
