#include "support/client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

struct client {
    int fd;
    WOLFSSL_CTX *context;
    WOLFSSL *tls;
    nghttp2_session *session;
    bool open;
    bool goaway;
    int in_flight;
    struct client_call *calls; /* those in flight */
    char *output;              /* bytes TLS has not taken yet */
    size_t output_length;
};

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct client_call *call_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    struct client_call *call = call_of(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (call == NULL)
        return 0;
    if (name_length == 7 && memcmp(name, ":status", 7) == 0) {
        call->status = (int)strtol((const char *)value, NULL, 10);
        return 0;
    }
    if (call->header_count == CLIENT_HEADERS_MAX)
        return 0;
    struct client_header *header = &call->headers[call->header_count++];
    snprintf(header->name, sizeof header->name, "%.*s", (int)name_length, name);
    snprintf(header->value, sizeof header->value, "%.*s", (int)value_length, value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t length, void *user)
{
    struct client_call *call = call_of(session, stream);
    (void)flags;
    (void)user;
    if (call == NULL)
        return 0;
    call->answer = realloc(call->answer, call->answer_length + length + 1);
    assert(call->answer != NULL);
    memcpy(call->answer + call->answer_length, data, length);
    call->answer_length += length;
    call->answer[call->answer_length] = '\0';
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct client *client = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        client->goaway = true;
    return 0;
}

static void end_call(struct client *client, struct client_call *call)
{
    struct client_call **link = &client->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    client->in_flight--;
    call->ended_us = now_us();
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    struct client_call *call = call_of(session, stream);
    if (call == NULL)
        return 0;
    end_call(user, call);
    call->reset = code;
    call->done = code == NGHTTP2_NO_ERROR && call->status != 0;
    call->lost = !call->done;
    return 0;
}

static bool connect_socket(struct client *client, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    struct timeval timeout = {.tv_sec = 5};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(client->fd >= 0);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    return connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool shake_hands(struct client *client, const char *ca_file)
{
    char protocols[] = "h2";
    client->context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    assert(client->context != NULL);
    if (wolfSSL_CTX_load_verify_locations(client->context, ca_file, NULL) != WOLFSSL_SUCCESS)
        return false;
    wolfSSL_CTX_set_verify(client->context, WOLFSSL_VERIFY_PEER, NULL);
    client->tls = wolfSSL_new(client->context);
    assert(client->tls != NULL);
    wolfSSL_check_domain_name(client->tls, "localhost");
    wolfSSL_UseALPN(client->tls, protocols, 2, WOLFSSL_ALPN_FAILED_ON_MISMATCH);
    wolfSSL_set_fd(client->tls, client->fd);
    if (wolfSSL_connect(client->tls) != WOLFSSL_SUCCESS)
        return false;
    wolfSSL_set_using_nonblock(client->tls, 1);
    return fcntl(client->fd, F_SETFL, fcntl(client->fd, F_GETFL) | O_NONBLOCK) == 0;
}

static void start_session(struct client *client)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&client->session, callbacks, client);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client->session, 0, settings, 2);
}

static void flush(struct client *client);

struct client *client_open(int port, const char *ca_file)
{
    struct client *client = calloc(1, sizeof *client);
    assert(client != NULL);
    if (!connect_socket(client, port) || !shake_hands(client, ca_file)) {
        client_close(client);
        return NULL;
    }
    start_session(client);
    client->open = true;
    flush(client); /* the server doesn't wait for ever for our greeting */
    return client;
}

/* Those whose HEADERS never left have no stream that could tell. */
static void lose(struct client *client)
{
    if (!client->open)
        return;
    client->open = false;
    nghttp2_session_terminate_session(client->session, NGHTTP2_NO_ERROR);
    while (client->calls != NULL) {
        struct client_call *call = client->calls;
        nghttp2_session_set_stream_user_data(client->session, call->stream, NULL);
        call->lost = true;
        end_call(client, call);
    }
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    lose(client);
    if (client->session != NULL)
        nghttp2_session_del(client->session);
    if (client->tls != NULL)
        wolfSSL_free(client->tls);
    if (client->context != NULL)
        wolfSSL_CTX_free(client->context);
    close(client->fd);
    free(client->output);
    free(client);
}

bool client_is_open(const struct client *client)
{
    return client->open && !client->goaway;
}

int client_in_flight(const struct client *client)
{
    return client->in_flight;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct client_call *call = source->ptr;
    size_t left = call->body_length - call->body_sent;
    size_t take = left < length ? left : length;
    (void)session;
    (void)stream;
    (void)user;
    memcpy(buffer, call->body + call->body_sent, take);
    call->body_sent += take;
    if (call->body_sent == call->body_length)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

static size_t fill_headers(const struct client_call *call, char authorization[512],
                           nghttp2_nv headers[12])
{
    size_t count = 0;
    headers[count++] = field(":method", call->method);
    headers[count++] = field(":scheme", "https");
    headers[count++] = field(":authority", "localhost");
    headers[count++] = field(":path", call->path);
    if (call->token != NULL) {
        snprintf(authorization, 512, "Bearer %s", call->token);
        headers[count++] = field("authorization", authorization);
    }
    if (call->key != NULL)
        headers[count++] = field("idempotency-key", call->key);
    if (call->body != NULL)
        headers[count++] =
            field("content-type", call->type == NULL ? "application/json" : call->type);
    for (size_t i = 0; i < 4 && call->extra[i].name[0] != '\0'; i++)
        headers[count++] = field(call->extra[i].name, call->extra[i].value);
    return count;
}

/* Hand TLS what nghttp2 has; keep what it doesn't take. */
static void flush(struct client *client)
{
    while (client->open) {
        if (client->output_length == 0) {
            const uint8_t *data;
            ssize_t length = nghttp2_session_mem_send(client->session, &data);
            if (length <= 0)
                return;
            client->output = realloc(client->output, (size_t)length);
            assert(client->output != NULL);
            memcpy(client->output, data, (size_t)length);
            client->output_length = (size_t)length;
        }
        int sent = wolfSSL_write(client->tls, client->output, (int)client->output_length);
        if (sent <= 0) {
            int error = wolfSSL_get_error(client->tls, sent);
            if (error != WOLFSSL_ERROR_WANT_WRITE && error != WOLFSSL_ERROR_WANT_READ)
                lose(client);
            return;
        }
        client->output_length -= (size_t)sent;
        memmove(client->output, client->output + sent, client->output_length);
    }
}

bool client_begin(struct client *client, struct client_call *call)
{
    char authorization[512];
    nghttp2_nv headers[12];
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_body};
    if (call->body != NULL && call->body_length == 0)
        call->body_length = strlen(call->body);
    call->began_us = now_us();
    if (!client_is_open(client)) {
        call->lost = true;
        return false;
    }
    size_t count = fill_headers(call, authorization, headers);
    int32_t stream = nghttp2_submit_request(client->session, NULL, headers, count,
                                            call->body == NULL ? NULL : &provider, call);
    if (stream < 0) {
        call->lost = true;
        return false;
    }
    call->stream = stream;
    call->next = client->calls;
    client->calls = call;
    client->in_flight++;
    flush(client);
    return true;
}

static void receive(struct client *client)
{
    static uint8_t buffer[65536];
    while (client->open) {
        int length = wolfSSL_read(client->tls, buffer, sizeof buffer);
        if (length <= 0) {
            int error = wolfSSL_get_error(client->tls, length);
            if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE)
                lose(client);
            return;
        }
        if (nghttp2_session_mem_recv(client->session, buffer, (size_t)length) < 0)
            lose(client);
    }
}

void client_turn(struct client *const *clients, size_t count, int timeout_ms)
{
    struct pollfd *fds = calloc(count == 0 ? 1 : count, sizeof *fds);
    assert(fds != NULL);
    for (size_t i = 0; i < count; i++) {
        fds[i].fd = -1;
        if (clients[i] == NULL || !clients[i]->open)
            continue;
        fds[i].fd = clients[i]->fd;
        fds[i].events = POLLIN;
        if (clients[i]->output_length > 0 || nghttp2_session_want_write(clients[i]->session))
            fds[i].events |= POLLOUT;
    }
    int ready = poll(fds, count, timeout_ms);
    for (size_t i = 0; ready > 0 && i < count; i++) {
        if (fds[i].fd < 0 || fds[i].revents == 0)
            continue;
        receive(clients[i]);
        flush(clients[i]);
    }
    free(fds);
}

bool client_call(struct client *client, struct client_call *call)
{
    int64_t deadline = now_us() + 30 * 1000000;
    if (!client_begin(client, call))
        return false;
    while (!call->done && !call->lost && now_us() < deadline)
        client_turn(&client, 1, 1000);
    if (!call->done && !call->lost)
        lose(client); /* so that nothing writes into the call any more */
    return call->done;
}

const char *client_header(const struct client_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (strcmp(call->headers[i].name, name) == 0)
            return call->headers[i].value;
    return NULL;
}

void client_call_clear(struct client_call *call)
{
    free(call->answer);
    memset(call, 0, sizeof *call);
}

int client_do(struct client *client, struct client_call *call, const char *method, const char *path,
              const char *token, const char *key, const char *body)
{
    client_call_clear(call);
    call->method = method;
    call->path = path;
    call->token = token;
    call->key = key;
    call->body = body;
    return client_call(client, call) ? call->status : -1;
}
