#include "benchmarks/instructions/relay.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "benchmarks/instructions/pieces.h"

#define TURNS_MAX 2000 /* of the loop until the gate is up: 10 ms each at most */

static const char last_question[] = "*1\r\n$4\r\nPING\r\n";
static const char last_answer[] = "+PONG\r\n";

static int open_socket(const char *path, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (listening ? SOCK_NONBLOCK : 0), 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const struct sockaddr *at = (const struct sockaddr *)&address;
    bool good = listening ? bind(fd, at, sizeof address) == 0 && listen(fd, 8) == 0
                          : connect(fd, at, sizeof address) == 0;
    return good ? fd : -1;
}

bool relay_open(struct relay *relay, const char *scratch)
{
    char path[200];
    snprintf(path, sizeof path, "%s/relay.sock", scratch);
    snprintf(relay->address, sizeof relay->address, "unix:%s", path);
    unlink(path);
    relay->gate = -1;
    relay->listener = open_socket(path, true);
    snprintf(path, sizeof path, "%s/redis.sock", scratch);
    relay->redis = open_socket(path, false);
    bytes_init(&relay->held, NULL);
    return relay->listener >= 0 && relay->redis >= 0;
}

static bool write_all(int fd, struct slice data)
{
    while (data.length > 0) {
        ssize_t written = write(fd, data.at, data.length);
        if (written <= 0)
            return false;
        data.at += written;
        data.length -= (size_t)written;
    }
    return true;
}

/* Everything before the answer to our own question, which is asked last. */
static bool hold_answers(struct relay *relay)
{
    const size_t tail = sizeof last_answer - 1;
    char piece[4096];
    bytes_clear(&relay->held);
    if (!write_all(relay->redis, SLICE(last_question)))
        return false;
    do {
        ssize_t length = read(relay->redis, piece, sizeof piece);
        if (length <= 0)
            return false;
        bytes_add(&relay->held, piece, (size_t)length);
    } while (relay->held.length < tail ||
             memcmp(relay->held.at + relay->held.length - tail, last_answer, tail) != 0);
    relay->held.length -= tail;
    return !relay->held.failed;
}

bool relay_ask(struct relay *relay)
{
    char piece[65536];
    ssize_t length;
    while ((length = recv(relay->gate, piece, sizeof piece, MSG_DONTWAIT)) > 0)
        if (!write_all(relay->redis, (struct slice){piece, (size_t)length}))
            return false;
    return length < 0 && errno == EAGAIN && hold_answers(relay);
}

bool relay_answer(struct relay *relay)
{
    return write_all(relay->gate, bytes_view(&relay->held));
}

/* The caller's token as the gate's function keeps it (store/gate.c): kind, caller, sign-in. */
static bool make_known(struct relay *relay)
{
    char token[GATE_TOKEN_MAX];
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct uuid caller = pieces_id(0);
    struct uuid sign_in = pieces_id(3);
    struct bytes command;
    pieces_token(token);
    gate_token_hash(slice_of(token), hash);
    bytes_init(&command, NULL);
    bytes_add_text(&command, "*3\r\n$3\r\nSET\r\n$105\r\n{");
    bytes_add_hex(&command, caller.bytes, 16);
    bytes_add_text(&command, "}:token:");
    bytes_add_hex(&command, hash, 32);
    bytes_add_text(&command, "\r\n$33\r\nU");
    bytes_add(&command, caller.bytes, 16);
    bytes_add(&command, sign_in.bytes, 16);
    bytes_add_text(&command, "\r\n");
    bool good =
        !command.failed && write_all(relay->redis, bytes_view(&command)) && hold_answers(relay);
    bytes_release(&command);
    return good && slice_equals(bytes_view(&relay->held), "+OK\r\n");
}

struct gate *relay_gate(struct relay *relay, struct ev_loop *loop)
{
    /* limits whose rest has always six digits, and a Redis that may take its time */
    const struct gate_rate plenty = {1e6, 500000};
    const struct gate_settings settings = {
        .redis = relay->address,
        .timeout_us = INT64_C(3600) * CLOCK_SECOND,
        .user = plenty,
        .ip = plenty,
        .sign_in_phone = plenty,
        .sign_in_ip = plenty,
        .lookup_user = plenty,
        .sign_up_ip = plenty,
    };
    struct gate *gate = make_known(relay) ? gate_new(loop, NULL, &settings) : NULL;
    for (int turn = 0; gate != NULL && gate_breaker_is_open(gate); turn++) {
        ev_run(loop, EVRUN_ONCE);
        if (relay->gate < 0)
            relay->gate = accept(relay->listener, NULL, NULL);
        else if (!relay_ask(relay) || !relay_answer(relay))
            return NULL;
        if (turn == TURNS_MAX)
            return NULL;
    }
    return gate;
}
