#include "support/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "support/cast.h"

#define WAIT_US (60 * CLOCK_SECOND)

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "world: %s\n", what);
    abort();
}

void world_write_rules(char folder[64])
{
    snprintf(folder, 64, "/tmp/moolah-walk-XXXXXX");
    must(mkdtemp(folder) != NULL, "mkdtemp");
    for (const struct model_rules_file *file = model_rules_files; file->name != NULL; file++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, file->name);
        FILE *out = fopen(path, "we");
        must(out != NULL && fputs(file->text, out) >= 0 && fclose(out) == 0, path);
    }
}

struct world *world_new(const struct stack *stack, const struct step *steps, size_t count,
                        bool crowded)
{
    static int worlds;
    struct world *world = calloc(1, sizeof *world);
    must(world != NULL, "out of memory");
    world->stack = stack;
    world->steps = steps;
    world->count = count;
    world->number = ++worlds;
    for (size_t i = 0; i < count; i++)
        if ((size_t)steps[i].serial >= world->serials)
            world->serials = (size_t)steps[i].serial + 1;
    world->by_serial = calloc(world->serials + 1, sizeof(struct step *));
    world->asked = calloc(world->serials + 1, sizeof world->asked[0]);
    must(world->by_serial != NULL && world->asked != NULL, "out of memory");
    for (size_t i = 0; i < count; i++)
        world->by_serial[steps[i].serial] = &steps[i];
    model_init(&world->model, world->by_serial, world->serials + 1);
    cast_take(stack, crowded, &world->model, world->tokens);
    return world;
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < world->serials; i++) {
        free(world->asked[i].path);
        free(world->asked[i].body);
        free(world->asked[i].answer);
    }
    client_call_clear(&world->call);
    model_release(&world->model);
    free(world->asked);
    free((void *)world->by_serial);
    free(world);
}

bool world_is_operators(const struct step *step)
{
    return step->caller == STEP_OPERATOR;
}

static void amount_text(const struct step *step, char out[32])
{
    static const char *const bad[STEP_FLAWS] = {
        [STEP_ZERO] = "0",       [STEP_NEGATIVE] = "-5",  [STEP_FRACTION] = "1.5",
        [STEP_EXPONENT] = "1e3", [STEP_TEXT] = "\"100\"", [STEP_TOO_LARGE] = "9007199254740992"};
    if (bad[step->flaw] != NULL)
        snprintf(out, 32, "%s", bad[step->flaw]);
    else
        snprintf(out, 32, "%lld", (long long)step->amount);
}

/* Of deposits, withdrawals, transfers, holds. */
static void write_movement(const struct world *world, const struct step *step, char *out,
                           size_t size)
{
    char amount[32];
    bool bad = step->flaw == STEP_BAD_WALLET;
    const char *from = bad ? "wal_x" : model_wallet_id(&world->model, step->from);
    const char *to = bad ? "wal_x" : model_wallet_id(&world->model, step->to);
    const char *currency = step->flaw == STEP_NO_CURRENCY ? "ZZZ" : step_currencies[step->currency];
    amount_text(step, amount);
    if (step->kind == STEP_DEPOSIT || step->kind == STEP_WITHDRAWAL)
        snprintf(out, size,
                 "{\"%s\":\"%s\",\"amount\":%s,\"currency\":\"%s\",\"reference\":\"walk\"}",
                 step->kind == STEP_DEPOSIT ? "to" : "from", step->kind == STEP_DEPOSIT ? to : from,
                 amount, currency);
    else
        snprintf(out, size, "{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%s,\"currency\":\"%s\"}",
                 from, to, amount, currency);
}

static void write_bulk(const struct world *world, const struct step *step, char *out, size_t size)
{
    size_t length = (size_t)snprintf(out, size, "{\"mode\":\"%s\",\"transfers\":[",
                                     step->flag ? "all" : "each");
    for (int i = 0; i < step->item_count; i++) {
        const struct step_item *item = &step->items[i];
        length += (size_t)snprintf(
            out + length, size - length,
            "%s{\"from\":\"%s\",\"to\":\"%s\",\"amount\":%lld,\"currency\":\"%s\"}",
            i == 0 ? "" : ",", model_wallet_id(&world->model, item->from),
            model_wallet_id(&world->model, item->to), (long long)item->amount,
            step_currencies[item->currency]);
    }
    snprintf(out + length, size - length, "]}");
}

static void write_sequel(const struct step *step, char *out, size_t size)
{
    char amount[32];
    amount_text(step, amount);
    bool whole = step->amount == 0;
    if (step->kind == STEP_REVERSAL)
        snprintf(out, size, "{\"reason\":\"walk\",\"allow_negative\":%s}",
                 step->flag ? "true" : "false");
    else if (step->kind == STEP_REFUND && whole)
        snprintf(out, size, "{\"reason\":\"walk\"}");
    else if (step->kind == STEP_REFUND)
        snprintf(out, size, "{\"amount\":%s,\"reason\":\"walk\"}", amount);
    else if (step->kind == STEP_CAPTURE && !whole)
        snprintf(out, size, "{\"amount\":%s}", amount);
    else
        snprintf(out, size, "{}");
}

/* What a flaw does to a body. */
static void spoil(enum step_flaw flaw, char *body, size_t size)
{
    char sound[2000];
    bool empty = strcmp(body, "{}") == 0;
    snprintf(sound, sizeof sound, "%s", body + 1);
    if (flaw == STEP_HALF_JSON)
        body[strlen(body) / 2] = '\0';
    if (flaw == STEP_TWICE)
        snprintf(body, size, "{\"twice\":1,\"twice\":1%s%s", empty ? "" : ",", sound);
    if (flaw == STEP_UNKNOWN_FIELD)
        snprintf(body, size, "{\"colour\":\"red\"%s%s", empty ? "" : ",", sound);
}

static void write_body(const struct world *world, const struct step *step, char *out, size_t size)
{
    out[0] = '\0';
    if (step->kind <= STEP_HOLD)
        write_movement(world, step, out, size);
    else if (step->kind == STEP_BULK)
        write_bulk(world, step, out, size);
    else if (step->kind <= STEP_REVERSAL)
        write_sequel(step, out, size);
    else if (step->kind == STEP_TIER)
        snprintf(out, size, "{\"tier\":%d}", (int)step->amount);
    else if (step->kind == STEP_OPEN)
        snprintf(out, size, "{\"currency\":\"%s\",\"label\":\"walk\",\"time_zone\":\"%s\"}",
                 step_currencies[step->currency], cast_time_zone());
    if (out[0] != '\0')
        spoil(step->flaw, out, size);
}

static void write_path(const struct world *world, const struct step *step, char *out, size_t size)
{
    static const char *const fixed[STEP_KINDS] = {
        [STEP_DEPOSIT] = "/v1/deposits",    [STEP_WITHDRAWAL] = "/v1/withdrawals",
        [STEP_TRANSFER] = "/v1/transfers",  [STEP_HOLD] = "/v1/holds",
        [STEP_BULK] = "/v1/transfers/bulk", [STEP_OPEN] = "/v1/wallets"};
    static const struct {
        const char *before, *behind;
    } parts[STEP_KINDS] = {[STEP_CAPTURE] = {"/v1/holds/hld_", "/capture"},
                           [STEP_VOID] = {"/v1/holds/hld_", "/void"},
                           [STEP_REFUND] = {"/v1/transactions/tx_", "/refunds"},
                           [STEP_REVERSAL] = {"/v1/transactions/tx_", "/reversal"},
                           [STEP_FREEZE] = {"/v1/users/", "/freeze"},
                           [STEP_UNFREEZE] = {"/v1/users/", "/unfreeze"},
                           [STEP_TIER] = {"/v1/users/", "/tier"},
                           [STEP_CLOSE] = {"/v1/wallets/", "/close"},
                           [STEP_BALANCE] = {"/v1/wallets/", ""},
                           [STEP_LIMITS] = {"/v1/wallets/", "/limits"},
                           [STEP_HOLDS] = {"/v1/wallets/", "/holds"},
                           [STEP_STATEMENT] = {"/v1/wallets/", "/transactions"},
                           [STEP_LOOK] = {"/v1/transactions/tx_", ""}};
    const struct model *model = &world->model;
    const struct step *of = step->of == STEP_NONE ? NULL : world->by_serial[step->of];
    const char *before = parts[step->kind].before;
    const char *id = model_suffix(model, step->of);
    if (fixed[step->kind] != NULL) {
        snprintf(out, size, "%s", fixed[step->kind]);
        return;
    }
    if (step->kind == STEP_LOOK && of != NULL && of->kind == STEP_HOLD)
        before = "/v1/holds/hld_";
    if (step->kind == STEP_FREEZE || step->kind == STEP_UNFREEZE || step->kind == STEP_TIER)
        id = model->users[step->from].id;
    else if (step->kind >= STEP_CLOSE && step->kind != STEP_LOOK)
        id = model_wallet_id(model, step->from);
    int length = snprintf(out, size, "%s%s%s", before, id, parts[step->kind].behind);
    if (step->kind == STEP_STATEMENT)
        snprintf(out + length, size - (size_t)length, "?limit=%d", (int)step->amount);
}

/* The step's own request: made once, so that it can be repeated to the byte. */
static void write_question(struct world *world, const struct step *step)
{
    struct world_asked *asked = &world->asked[step->serial];
    char path[200];
    char body[2048];
    if (asked->path != NULL)
        return;
    write_path(world, step, path, sizeof path);
    write_body(world, step, body, sizeof body);
    asked->path = strdup(path);
    asked->body = strdup(body);
    snprintf(asked->key, sizeof asked->key, "walk-%d-%d", world->number, step->serial);
    must(asked->path != NULL && asked->body != NULL, "out of memory");
}

static const char *token_of(const struct world *world, const struct step *step)
{
    if (step->flaw == STEP_NO_TOKEN)
        return NULL;
    if (step->flaw == STEP_BAD_TOKEN)
        return "mlt_wrong";
    if (step->caller == STEP_OPERATOR)
        return world->stack->operator_token;
    return model_is_user(step->caller) ? world->tokens[step->caller] : world->stack->partner_key;
}

/* Of a step that asks an earlier one's request again; altered, with another amount. */
static void copy_question(struct world *world, const struct step *step, const struct step *of)
{
    struct world_asked *asked = &world->asked[step->serial];
    struct step other = *of;
    char body[2048];
    if (asked->path != NULL)
        return;
    snprintf(body, sizeof body, "%s", world->asked[of->serial].body);
    other.amount = of->amount == 1 ? 2 : 1;
    if (step->kind == STEP_ALTER)
        write_body(world, &other, body, sizeof body);
    asked->path = strdup(world->asked[of->serial].path);
    asked->body = strdup(body);
    must(asked->path != NULL && asked->body != NULL, "out of memory");
}

const struct step *world_prepare(struct world *world, const struct step *step,
                                 struct client_call *call)
{
    bool again = step->kind == STEP_REPEAT || step->kind == STEP_ALTER;
    const struct step *of = !again                  ? step
                            : step->of == STEP_NONE ? NULL
                                                    : world->by_serial[step->of];
    if (of == NULL)
        return NULL;
    write_question(world, of);
    if (again)
        copy_question(world, step, of);
    const struct world_asked *asked = &world->asked[step->serial];
    bool get = of->kind >= STEP_BALANCE;
    bool keyed = of->kind <= STEP_REVERSAL || of->kind == STEP_OPEN;
    client_call_clear(call);
    call->method = get ? "GET" : "POST";
    call->path = asked->path;
    call->token = token_of(world, of);
    call->key = !keyed || of->flaw == STEP_NO_KEY ? NULL
                : of->flaw == STEP_BAD_KEY        ? "has a space"
                                                  : world->asked[of->serial].key;
    call->body = asked->body[0] == '\0' ? NULL : asked->body;
    call->type = of->flaw == STEP_BAD_TYPE ? "text/plain" : NULL;
    return of;
}

static const struct json *walk(const struct json *value, const char *path)
{
    char part[48];
    while (value != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        path += length + (path[length] == '.');
        if (json_kind(value) == JSON_ARRAY) {
            size_t index = strtoul(part, NULL, 10);
            value = index < json_count(value) ? json_element(value, index) : NULL;
        } else {
            value = json_kind(value) == JSON_OBJECT ? json_member(value, part) : NULL;
        }
    }
    return value;
}

static void write_value(const struct json *value, char *out, size_t size)
{
    if (value == NULL)
        snprintf(out, size, "absent");
    else if (json_kind(value) == JSON_STRING)
        snprintf(out, size, "%.*s", (int)json_string(value).length, json_string(value).at);
    else if (json_kind(value) == JSON_INTEGER)
        snprintf(out, size, "%lld", (long long)json_integer(value));
    else if (json_kind(value) == JSON_BOOL)
        snprintf(out, size, "%s", json_bool(value) ? "true" : "false");
    else
        snprintf(out, size, "%s", json_kind(value) == JSON_NULL ? "null" : "something");
}

void world_member(const char *answer, const char *path, char *out, size_t size)
{
    struct arena arena;
    struct json_error error;
    arena_init(&arena);
    write_value(walk(json_parse(slice_of(answer), &arena, &error), path), out, size);
    arena_release(&arena);
}

/* The suffix of an id with that prefix; anything else changes nothing. */
static void learn(const char *answer, const char *path, const char *prefix,
                  char suffix[MODEL_SUFFIX])
{
    char id[64];
    size_t length = strlen(prefix);
    world_member(answer, path, id, sizeof id);
    if (strncmp(id, prefix, length) == 0)
        snprintf(suffix, MODEL_SUFFIX, "%.26s", id + length);
}

void world_learn(struct world *world, const struct step *step, const char *answer)
{
    struct model_names *names = &world->model.names[step->serial];
    char path[40];
    char suffix[MODEL_SUFFIX] = "";
    for (int i = 0; step->kind == STEP_BULK && i < step->item_count; i++) {
        snprintf(path, sizeof path, "results.%d.transaction", i);
        learn(answer, path, "tx_", names->suffix[i]);
    }
    if (step->kind == STEP_OPEN) {
        learn(answer, "id", "wal_", suffix);
        if (suffix[0] != '\0')
            snprintf(world->model.wallets[step->to].id, sizeof world->model.wallets[step->to].id,
                     "wal_%s", suffix);
    } else if (step->kind <= STEP_REVERSAL && step->kind != STEP_BULK) {
        learn(answer, "id", step->kind == STEP_HOLD ? "hld_" : "tx_", names->suffix[0]);
    }
}

bool world_check(const struct model_expected *expected, int status, const char *answer,
                 char complaint[600])
{
    struct arena arena;
    struct json_error error;
    char value[160];
    bool good = status == expected->status;
    if (!good)
        snprintf(complaint, 600, "expected %d %s, got %d", expected->status,
                 expected->code == NULL ? "" : expected->code, status);
    arena_init(&arena);
    const struct json *json = json_parse(slice_of(answer), &arena, &error);
    for (int i = 0; good && i < expected->count; i++) {
        const struct model_member *member = &expected->members[i];
        write_value(walk(json, member->path), value, sizeof value);
        good = strcmp(value, member->value) == 0 ||
               (strcmp(member->value, "there") == 0 && strcmp(value, "absent") != 0);
        if (!good)
            snprintf(complaint, 600, "expected %s to be %s, got %s", member->path, member->value,
                     value);
    }
    arena_release(&arena);
    return good;
}

bool world_is_passing(const struct client_call *call)
{
    char code[64];
    if (call->status != 503 && call->status != 429)
        return false;
    world_member(call->answer, "code", code, sizeof code);
    return strcmp(code, "rule_failed") != 0;
}

static void ask(struct world *world)
{
    const struct step *step = &world->steps[world->at];
    const struct step *of = world_prepare(world, step, &world->call);
    must(of != NULL, "a step asks nothing");
    world->busy = true;
    client_begin(world->clients[world_is_operators(of)], &world->call);
}

/* The next step that asks something. */
static void begin(struct world *world)
{
    for (; world->at < world->count; world->at++) {
        model_expect(&world->model, &world->steps[world->at], &world->expected);
        if (!world->expected.nothing)
            break;
    }
    if (world->at < world->count)
        ask(world);
}

static bool check_headers(struct world *world, bool replayed)
{
    const char *type = client_header(&world->call, "content-type");
    const char *wanted =
        world->call.status >= 400 ? "application/problem+json" : "application/json";
    bool is = client_header(&world->call, "idempotency-replayed") != NULL;
    if (is != replayed)
        snprintf(world->complaint, sizeof world->complaint, "Idempotency-Replayed is %s",
                 is ? "there" : "absent");
    else if (type == NULL || strcmp(type, wanted) != 0)
        snprintf(world->complaint, sizeof world->complaint, "Content-Type is %s",
                 type == NULL ? "absent" : type);
    else
        return true;
    return false;
}

static bool check(struct world *world)
{
    const struct world_asked *first =
        world->expected.same_as < 0 ? NULL : &world->asked[world->expected.same_as];
    if (!world->call.done) {
        snprintf(world->complaint, sizeof world->complaint, "the answer never came");
        return false;
    }
    if (first == NULL)
        return world_check(&world->expected, world->call.status, world->call.answer,
                           world->complaint) &&
               check_headers(world, false);
    if (world->call.status == first->status && strcmp(world->call.answer, first->answer) == 0)
        return check_headers(world, true);
    snprintf(world->complaint, sizeof world->complaint, "expected the same as before: %d %.400s",
             first->status, first->answer);
    return false;
}

static void keep(struct world *world, const struct step *step)
{
    struct world_asked *asked = &world->asked[step->serial];
    free(asked->answer);
    asked->status = world->call.status;
    asked->answer = world->call.answer == NULL ? NULL : strdup(world->call.answer);
}

static void take(struct world *world)
{
    const struct step *step = &world->steps[world->at];
    const struct step *of = step->kind == STEP_REPEAT ? world->by_serial[step->of] : step;
    world->busy = false;
    if (world->call.done && world_is_passing(&world->call)) {
        ask(world);
        return;
    }
    world->failed = !check(world);
    if (world->expected.same_as < 0)
        keep(world, of);
    if (of != step)
        keep(world, step);
    if (world->failed)
        return;
    if (world->expected.same_as < 0 && step->kind != STEP_ALTER)
        world_learn(world, of, world->call.answer);
    world->at++;
}

int world_walk(struct world *const *worlds, int count)
{
    struct client *clients[64];
    int64_t deadline = clock_monotonic() + WAIT_US;
    int left = count;
    must(2 * count <= 64, "too many worlds");
    for (int i = 0; i < 2 * count; i++)
        clients[i] = worlds[i / 2]->clients[i % 2];
    while (left > 0) {
        left = 0;
        for (int i = 0; i < count; i++) {
            struct world *world = worlds[i];
            if (world->busy && (world->call.done || world->call.lost)) {
                take(world);
                deadline = clock_monotonic() + WAIT_US;
            }
            if (world->failed)
                return i;
            if (!world->busy)
                begin(world);
            left += world->busy;
        }
        must(clock_monotonic() < deadline, "no answer within a minute");
        if (left > 0)
            client_turn(clients, (size_t)(2 * count), 100);
    }
    return -1;
}

void world_tell(const struct world *world, const struct step *step, FILE *out)
{
    static const char *const callers[] = {"user 0", "user 1", "user 2", "partner", "operator"};
    const struct world_asked *asked = &world->asked[step->serial];
    bool again = step->kind == STEP_REPEAT || step->kind == STEP_ALTER;
    fprintf(out, "  #%d %s by %s", step->serial, step_name(step->kind), callers[step->caller]);
    if (step->flaw != STEP_SOUND)
        fprintf(out, " (%s)", step_flaw_name(step->flaw));
    if (again)
        fprintf(out, " of #%d", step->of);
    fprintf(out, ": %s %s -> %d %s\n", asked->path == NULL ? "" : asked->path,
            asked->body == NULL ? "" : asked->body, asked->status,
            asked->answer == NULL ? "(not asked)" : asked->answer);
}
