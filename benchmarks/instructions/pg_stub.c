#include "benchmarks/instructions/pg_stub.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool pg_stub_open(struct pg_stub *stub, const char *scratch)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(stub->conninfo, sizeof stub->conninfo,
             "host=%s port=5432 user=stub dbname=stub sslmode=disable gssencmode=disable", scratch);
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", scratch);
    unlink(address.sun_path);
    stub->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    stub->client = -1;
    stub->started = false;
    bytes_init(&stub->in, NULL);
    bytes_init(&stub->out, NULL);
    return length < (int)sizeof address.sun_path &&
           bind(stub->listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
           listen(stub->listener, 1) == 0;
}

static void say(struct pg_stub *stub, char type, const void *body, size_t length)
{
    bytes_add_char(&stub->out, type);
    bytes_add_be32(&stub->out, (uint32_t)length + 4);
    bytes_add(&stub->out, body, length);
}

static void welcome(struct pg_stub *stub)
{
    static const char version[] = "server_version\00015.0";
    static const char encoding[] = "client_encoding\0UTF8";
    static const char standby[] = "in_hot_standby\0off";
    say(stub, 'R', "\0\0\0\0", 4);
    say(stub, 'S', version, sizeof version);
    say(stub, 'S', encoding, sizeof encoding);
    say(stub, 'S', standby, sizeof standby);
    say(stub, 'Z', "I", 1);
}

/* The extended protocol: parse, bind, describe, execute, sync; a flush request is silent. */
static void answer(struct pg_stub *stub, char type)
{
    if (type == 'P')
        say(stub, '1', "", 0);
    else if (type == 'B')
        say(stub, '2', "", 0);
    else if (type == 'D')
        say(stub, 'n', "", 0);
    else if (type == 'E')
        say(stub, 'C', "INSERT 0 0", sizeof "INSERT 0 0");
    else if (type == 'S')
        say(stub, 'Z', "I", 1);
}

/* A whole message at the front is answered and dropped. The first one has no type. */
static bool take_message(struct pg_stub *stub)
{
    const uint8_t *at = (const uint8_t *)stub->in.at;
    size_t head = stub->started ? 1 : 0;
    if (stub->in.length < head + 4)
        return false;
    size_t length = (size_t)at[head] << 24 | (size_t)at[head + 1] << 16 |
                    (size_t)at[head + 2] << 8 | at[head + 3];
    if (stub->in.length < head + length)
        return false;
    if (stub->started)
        answer(stub, stub->in.at[0]);
    else
        welcome(stub);
    stub->started = true;
    bytes_consume(&stub->in, head + length);
    return true;
}

void pg_stub_serve(struct pg_stub *stub)
{
    char piece[65536];
    ssize_t length;
    if (stub->client < 0)
        stub->client = accept(stub->listener, NULL, NULL);
    if (stub->client < 0)
        return;
    while ((length = recv(stub->client, piece, sizeof piece, MSG_DONTWAIT)) > 0)
        bytes_add(&stub->in, piece, (size_t)length);
    while (take_message(stub))
        ;
    length = send(stub->client, stub->out.at, stub->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length > 0)
        bytes_consume(&stub->out, (size_t)length);
}
