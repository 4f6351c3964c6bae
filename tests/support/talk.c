#include "support/talk.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"

struct talk talk;

int talk_start(void **state)
{
    return talk_start_with(NULL, state);
}

int talk_start_with(const char *rules, void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    talk.stack = stack_start(rules);
    talk.client = client_open(talk.stack->port, talk.stack->ca);
    talk.operators = client_open(talk.stack->port + 1, talk.stack->ca);
    if (talk.client == NULL || talk.operators == NULL)
        return -1;
    for (int i = 0; i < STACK_USERS; i++)
        talk_sign_in(i);
    return 0;
}

int talk_end(void **state)
{
    (void)state;
    client_call_clear(&talk.call);
    client_close(talk.client);
    client_close(talk.operators);
    stack_stop(talk.stack);
    return 0;
}

static void note_headers(struct json_writer *writer, const char *name,
                         const struct client_header *headers, size_t count)
{
    json_write_key(writer, name);
    json_write_object(writer);
    for (size_t i = 0; i < count && headers[i].name[0] != '\0'; i++) {
        json_write_key(writer, headers[i].name);
        json_write_text(writer, headers[i].value);
    }
    json_write_object_end(writer);
}

void talk_note(const struct client_call *call, bool public)
{
    const char *file_name = getenv("MOOLAH_EXCHANGES");
    FILE *file = file_name == NULL ? NULL : fopen(file_name, "a");
    struct bytes line;
    struct json_writer writer;
    if (file == NULL)
        return;
    bytes_init(&line, NULL);
    json_write_init(&writer, &line);
    json_write_object(&writer);
    json_write_key(&writer, "public");
    json_write_bool(&writer, public);
    json_write_key(&writer, "method");
    json_write_text(&writer, call->method);
    json_write_key(&writer, "path");
    json_write_text(&writer, call->path);
    json_write_key(&writer, "key");
    json_write_text(&writer, call->key == NULL ? "" : call->key);
    note_headers(&writer, "request_headers", call->extra, 4);
    json_write_key(&writer, "request");
    json_write_text(&writer, call->body == NULL ? "" : call->body);
    json_write_key(&writer, "status");
    json_write_int(&writer, call->status);
    note_headers(&writer, "headers", call->headers, call->header_count);
    json_write_key(&writer, "answer");
    json_write_string(&writer, (struct slice){call->answer, call->answer_length});
    json_write_object_end(&writer);
    fprintf(file, "%.*s\n", (int)line.length, line.at);
    bytes_release(&line);
    fclose(file);
}

int talk_ask(const char *method, const char *path, const char *token, const char *key,
             const char *body)
{
    const struct client_call question = {
        .method = method, .path = path, .token = token, .key = key, .body = body};
    return talk_send(&question);
}

int talk_send(const struct client_call *question)
{
    client_call_clear(&talk.call);
    talk.call = *question;
    if (!client_call(talk.client, &talk.call))
        fail_msg("%s %s: no answer (reset %u)", question->method, question->path, talk.call.reset);
    talk_note(&talk.call, true);
    return talk.call.status;
}

void talk_extra(struct client_call *question, const char *name, const char *value)
{
    size_t i = 0;
    while (question->extra[i].name[0] != '\0')
        i++;
    snprintf(question->extra[i].name, sizeof question->extra[i].name, "%s", name);
    snprintf(question->extra[i].value, sizeof question->extra[i].value, "%s", value);
}

int talk_operator(const char *path, const char *authorization)
{
    client_call_clear(&talk.call);
    talk.call = (struct client_call){.method = "GET", .path = path};
    if (authorization != NULL)
        talk_extra(&talk.call, "authorization", authorization);
    assert_true(client_call(talk.operators, &talk.call));
    talk_note(&talk.call, false);
    return talk.call.status;
}

static const struct json *walk(const struct json *value, const char *path)
{
    char part[64];
    while (value != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        path += length + (path[length] == '.');
        if (json_kind(value) == JSON_ARRAY)
            value = json_count(value) == 0 ? NULL : json_element(value, 0);
        if (value != NULL)
            value = json_kind(value) == JSON_OBJECT ? json_member(value, part) : NULL;
    }
    return value;
}

const char *talk_member(const char *path)
{
    static char text[4][512];
    static int turn;
    char *out = text[turn++ % 4];
    struct arena arena;
    struct json_error error;
    arena_init(&arena);
    const struct json *value =
        walk(json_parse((struct slice){talk.call.answer, talk.call.answer_length}, &arena, &error),
             path);
    snprintf(out, 512, "(absent)");
    if (value != NULL && json_kind(value) == JSON_STRING)
        snprintf(out, 512, "%.*s", (int)json_string(value).length, json_string(value).at);
    else if (value != NULL && json_kind(value) == JSON_INTEGER)
        snprintf(out, 512, "%lld", (long long)json_integer(value));
    else if (value != NULL && json_kind(value) == JSON_BOOL)
        snprintf(out, 512, "%s", json_bool(value) ? "true" : "false");
    else if (value != NULL)
        snprintf(out, 512, "(%s)", json_kind_name(json_kind(value)));
    arena_release(&arena);
    return out;
}

int64_t talk_number(const char *path)
{
    return strtoll(talk_member(path), NULL, 10);
}

const char *talk_header(const char *name)
{
    return client_header(&talk.call, name);
}

void talk_expect(int status, int expected_status, const char *code)
{
    char type[100];
    if (status != expected_status || strcmp(talk_member("code"), code) != 0)
        fail_msg("expected %d %s, got %d %s", expected_status, code, status,
                 talk.call.answer == NULL ? "" : talk.call.answer);
    snprintf(type, sizeof type, "https://moolah.dev/problems/%s", code);
    assert_string_equal(talk_header("content-type"), "application/problem+json");
    assert_string_equal(talk_header("cache-control"), "no-store");
    assert_string_equal(talk_member("type"), type);
    assert_int_equal(talk_number("status"), expected_status);
    /* a refusal given again has the request_id of the first */
    if (talk_header("idempotency-replayed") == NULL)
        assert_string_equal(talk_member("request_id"), talk_header("x-request-id"));
    if (expected_status == 503 || expected_status == 429)
        assert_true(strtol(talk_header("retry-after"), NULL, 10) >= 1);
    if (expected_status == 401)
        assert_string_equal(talk_header("www-authenticate"), "Bearer");
}

const char *talk_key(void)
{
    static char key[40];
    static int serial;
    snprintf(key, sizeof key, "talk-%d-%d", (int)getpid(), ++serial);
    return key;
}

void talk_sign_in(int user)
{
    char body[200];
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"%s\"}",
             talk.stack->users[user].phone, talk.stack->users[user].password);
    assert_int_equal(talk_ask("POST", "/v1/sessions", NULL, NULL, body), 201);
    snprintf(talk.tokens[user], sizeof talk.tokens[user], "%s", talk_member("token"));
}

void talk_sign_up(const char *phone, char token[96])
{
    char body[200];
    snprintf(body, sizeof body,
             "{\"phone\":\"%s\",\"password\":\"first password\",\"name\":\"Somebody\"}", phone);
    assert_int_equal(talk_ask("POST", "/v1/users", NULL, NULL, body), 201);
    snprintf(body, sizeof body, "{\"phone\":\"%s\",\"password\":\"first password\"}", phone);
    assert_int_equal(talk_ask("POST", "/v1/sessions", NULL, NULL, body), 201);
    snprintf(token, 96, "%s", talk_member("token"));
}

int64_t talk_balance(int user)
{
    char path[80];
    snprintf(path, sizeof path, "/v1/wallets/%s", talk.stack->users[user].wallet);
    assert_int_equal(talk_ask("GET", path, talk.tokens[user], NULL, NULL), 200);
    return talk_number("balance.posted");
}

const char *talk_transfer(int from, int to, const char *amount, const char *more)
{
    static char body[2][600];
    static int turn;
    char *out = body[turn++ % 2];
    snprintf(out, 600, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%s,\"currency\":\"ZAR\"%s}",
             talk.stack->users[from].wallet, talk.stack->users[to].wallet, amount, more);
    return out;
}

bool talk_logged(const char *pattern)
{
    setenv("PATTERN", pattern, 1);
    return stack_shell(talk.stack,
                       "for i in $(seq 100); do grep -qE \"$PATTERN\" "
                       "\"$DATA/moolahd.log\" && exit 0; sleep 0.05; done; exit 1") == 0;
}

void talk_sql(const char *statement)
{
    setenv("STATEMENT", statement, 1);
    assert_int_equal(
        stack_shell(talk.stack,
                    "psql -XAtq -v ON_ERROR_STOP=1 \"$MOOLAH_DATABASE\" -c \"$STATEMENT\" "
                    ">/dev/null"),
        0);
}
