#include "support/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PLACES (CROWD_CONNECTIONS * CROWD_STREAMS)
#define LISTENERS 2
#define TWICE 8 /* every so manieth request is sent twice at once */
#define PAGE 100
#define WAIT_US (60 * CLOCK_SECOND)

/* From where one call at a time is made. */
struct place {
    struct client_call call;
    const struct step *of;
    bool busy;
};

/* What stands in a wallet's statement: which step, which of its items. Oldest first. */
struct entry {
    int serial, item;
};

struct statement {
    struct entry *entries;
    size_t count;
    size_t head; /* so many are explained */
};

struct crowd {
    struct world *world;
    struct client *clients[LISTENERS * CROWD_CONNECTIONS]; /* public ones, then operators' */
    struct place places[PLACES];
    size_t at; /* the step to begin with next */
    int twins; /* it is sent so many times more */
    struct statement statements[STEP_OPENED];
    bool wrong;
};

static void complain(struct crowd *crowd, const char *format, const char *what, int serial)
{
    if (!crowd->wrong)
        snprintf(crowd->world->complaint, sizeof crowd->world->complaint, format, what, serial);
    crowd->wrong = true;
}

static struct client *client_of(const struct crowd *crowd, size_t place)
{
    size_t connection = place % CROWD_CONNECTIONS;
    bool operators = world_is_operators(crowd->places[place].of);
    return crowd->clients[connection + (operators ? CROWD_CONNECTIONS : 0)];
}

static void begin(struct crowd *crowd, size_t number)
{
    struct place *place = &crowd->places[number];
    struct world *world = crowd->world;
    while (crowd->at < world->count && !place->busy) {
        place->of = world_prepare(world, &world->steps[crowd->at], &place->call);
        if (crowd->twins > 0)
            crowd->twins--;
        else if (crowd->at % TWICE == 0)
            crowd->twins = 1;
        crowd->at += crowd->twins == 0;
        place->busy = place->of != NULL;
    }
    if (place->busy)
        client_begin(client_of(crowd, number), &place->call);
}

static bool is_kept(int status)
{
    return status == 200 || status == 201 || status == 404 || status == 422;
}

/* The first answer to a request, or the same again. */
static void take(struct crowd *crowd, struct place *place)
{
    struct world_asked *first = &crowd->world->asked[place->of->serial];
    int status = place->call.status;
    if (status >= 500 && strstr(place->call.answer, "\"rule_failed\"") == NULL)
        complain(crowd, "answered %.400s: #%d", place->call.answer, place->of->serial);
    if (first->answer == NULL) {
        first->status = status;
        first->answer = strdup(place->call.answer);
        world_learn(crowd->world, place->of, place->call.answer);
        return;
    }
    if (status != first->status ||
        (is_kept(status) && strcmp(place->call.answer, first->answer) != 0))
        complain(crowd, "asked again, it's answered %.400s: #%d", place->call.answer,
                 place->of->serial);
}

static void look_at(struct crowd *crowd, size_t number)
{
    struct place *place = &crowd->places[number];
    if (!place->busy || !(place->call.done || place->call.lost))
        return;
    if (place->call.done && world_is_passing(&place->call)) {
        client_begin(client_of(crowd, number), &place->call);
        return;
    }
    place->busy = false;
    if (place->call.lost)
        complain(crowd, "%s: #%d", "the answer never came", place->of->serial);
    else
        take(crowd, place);
}

/* All steps, so many at once. */
static void lap(struct crowd *crowd)
{
    int64_t deadline = clock_monotonic() + WAIT_US;
    int busy = 1;
    crowd->at = 0;
    crowd->twins = 0;
    while (busy > 0 && clock_monotonic() < deadline) {
        busy = 0;
        for (size_t i = 0; i < PLACES; i++) {
            look_at(crowd, i);
            if (!crowd->places[i].busy && !crowd->wrong)
                begin(crowd, i);
            busy += crowd->places[i].busy;
        }
        if (busy > 0)
            client_turn(crowd->clients, LISTENERS * CROWD_CONNECTIONS, 100);
    }
    if (busy > 0)
        complain(crowd, "%s: #%d", "no answer within a minute", 0);
}

static bool find_entry(const struct world *world, const char *suffix, struct entry *entry)
{
    for (size_t i = 0; i < world->serials; i++)
        for (int k = 0; k < STEP_ITEMS_MAX; k++) {
            if (strcmp(world->model.names[i].suffix[k], suffix) != 0)
                continue;
            *entry = (struct entry){(int)i, k};
            return true;
        }
    return false;
}

/* A page of the statement, newest first, behind what is there. Returns how many lines. */
static int take_page(struct crowd *crowd, const char *answer, struct statement *statement)
{
    char path[32];
    char id[64];
    int i = 0;
    for (; i < PAGE; i++) {
        struct entry entry;
        snprintf(path, sizeof path, "data.%d.id", i);
        world_member(answer, path, id, sizeof id);
        if (strncmp(id, "tx_", 3) != 0)
            break;
        if (find_entry(crowd->world, id + 3, &entry))
            statement->entries[statement->count++] = entry;
        else
            complain(crowd, "%s is in a statement, and nobody asked for it: #%d", id, 0);
    }
    return i;
}

static void read_statement(struct crowd *crowd, int wallet)
{
    struct statement *statement = &crowd->statements[wallet];
    const struct model_wallet *w = &crowd->world->model.wallets[wallet];
    char path[400];
    char next[256] = "";
    int lines = 0;
    statement->entries =
        calloc(crowd->world->serials * STEP_ITEMS_MAX + PAGE, sizeof statement->entries[0]);
    do {
        struct client_call call = {0};
        snprintf(path, sizeof path, "/v1/wallets/%s/transactions?limit=%d%s%s", w->id, PAGE,
                 next[0] == '\0' ? "" : "&after=", next);
        if (client_do(crowd->clients[0], &call, "GET", path, crowd->world->tokens[w->owner], NULL,
                      NULL) != 200)
            complain(crowd, "a statement isn't there: %s (%d)", path, call.status);
        else
            lines = take_page(crowd, call.answer, statement);
        world_member(crowd->wrong ? "{}" : call.answer, "next", next, sizeof next);
        client_call_clear(&call);
    } while (lines == PAGE && strcmp(next, "null") != 0 && !crowd->wrong);
    for (size_t i = 0; i < statement->count / 2; i++) {
        struct entry last = statement->entries[statement->count - 1 - i];
        statement->entries[statement->count - 1 - i] = statement->entries[i];
        statement->entries[i] = last;
    }
}

/* In how many statements it stands. */
static int count_lines(const struct crowd *crowd, int serial, int item)
{
    int count = 0;
    for (int w = 0; w < STEP_OPENED; w++)
        for (size_t i = 0; i < crowd->statements[w].count; i++)
            count += crowd->statements[w].entries[i].serial == serial &&
                     crowd->statements[w].entries[i].item == item;
    return count;
}

/* Go on behind the transaction's lines. False: another one comes before it somewhere. */
static bool pass(struct crowd *crowd, int serial, int item)
{
    int passed = 0;
    for (int w = 0; w < STEP_OPENED; w++) {
        struct statement *s = &crowd->statements[w];
        const struct entry *next = s->head < s->count ? &s->entries[s->head] : NULL;
        if (next == NULL || next->serial != serial || next->item != item)
            continue;
        s->head++;
        passed++;
    }
    return passed > 0 && passed == count_lines(crowd, serial, item);
}

/* Does all that the step has made come next? A bulk's transactions come one behind the other. */
static bool comes_next(struct crowd *crowd, int serial)
{
    struct statement before[STEP_OPENED];
    const struct model_names *names = &crowd->world->model.names[serial];
    bool next = true;
    memcpy(before, crowd->statements, sizeof before);
    for (int item = 0; item < STEP_ITEMS_MAX && next; item++)
        next = names->suffix[item][0] == '\0' || pass(crowd, serial, item);
    if (!next)
        memcpy(crowd->statements, before, sizeof before);
    return next;
}

/* The model does what the server has done, and must give the same answer. */
static void explain(struct crowd *crowd, int serial)
{
    static struct model_expected expected;
    struct world *world = crowd->world;
    const struct world_asked *asked = &world->asked[serial];
    char complaint[600];
    model_expect(&world->model, world->by_serial[serial], &expected);
    if (!world_check(&expected, asked->status, asked->answer, complaint))
        complain(crowd, "in the order of the statements, %.500s: #%d", complaint, serial);
}

/* Only the items that were posted have their place in the order: the model posts those, and must
 * take the same fees. */
static void explain_bulk(struct crowd *crowd, const struct step *step)
{
    static struct model_expected expected;
    struct world *world = crowd->world;
    struct step posted = *step;
    char path[40];
    char fee[40];
    posted.item_count = 0;
    for (int i = 0; i < step->item_count; i++)
        if (world->model.names[step->serial].suffix[i][0] != '\0')
            posted.items[posted.item_count++] = step->items[i];
    model_expect(&world->model, &posted, &expected);
    int at = 0;
    for (int i = 0; i < step->item_count; i++) {
        if (world->model.names[step->serial].suffix[i][0] == '\0')
            continue;
        snprintf(path, sizeof path, "results.%d.fee", i);
        world_member(world->asked[step->serial].answer, path, fee, sizeof fee);
        snprintf(path, sizeof path, "results.%d.fee", at);
        if (strcmp(fee, model_find(&expected, path)) != 0)
            complain(crowd, "its fee should be %s, or it should be refused: #%d",
                     model_find(&expected, path), step->serial);
        snprintf(path, sizeof path, "results.%d.status", at++);
        if (strcmp(model_find(&expected, path), "posted") != 0)
            complain(crowd, "one of its items should be %s: #%d", model_find(&expected, path),
                     step->serial);
    }
}

static bool is_done(const struct world *world, size_t serial)
{
    return world->asked[serial].status == 200 || world->asked[serial].status == 201;
}

/* Is there an order? */
static void find_order(struct crowd *crowd)
{
    const struct world *world = crowd->world;
    bool *explained = calloc(world->serials + 1, sizeof explained[0]);
    bool more = explained != NULL;
    while (more && !crowd->wrong) {
        more = false;
        for (size_t i = 0; i < world->serials && !crowd->wrong; i++) {
            if (explained[i] || !is_done(world, i) || !comes_next(crowd, (int)i))
                continue;
            more = explained[i] = true;
            if (world->by_serial[i]->kind == STEP_BULK)
                explain_bulk(crowd, world->by_serial[i]);
            else
                explain(crowd, (int)i);
        }
    }
    for (size_t i = 0; i < world->serials; i++)
        if (is_done(world, i) && !explained[i])
            complain(crowd, "%s: #%d", "acknowledged, but no order of statements has it", (int)i);
    free(explained);
}

/* What is refused whatever the others do. */
static bool is_settled(const char *code)
{
    static const char *const codes[] = {"malformed_json",
                                        "invalid_request",
                                        "idempotency_key_missing",
                                        "unauthenticated",
                                        "idempotency_key_invalid",
                                        "forbidden",
                                        "wallet_not_found",
                                        "recipient_not_found",
                                        "unsupported_media_type",
                                        "currency_mismatch",
                                        "same_wallet",
                                        "rule_failed"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

/* Last of all: the model does what it likes from here on. */
static void check_refusals(struct crowd *crowd)
{
    static struct model_expected expected;
    struct world *world = crowd->world;
    for (size_t i = 0; i < world->serials && !crowd->wrong; i++) {
        const struct step *step = world->by_serial[i];
        char code[40];
        if (step == NULL || world->asked[i].answer == NULL || is_done(world, i) ||
            (step->of != STEP_NONE && step->flaw == STEP_SOUND))
            continue; /* what it was about may not have been known */
        model_expect(&world->model, step, &expected);
        world_member(world->asked[i].answer, "code", code, sizeof code);
        const char *wanted = expected.code == NULL ? "" : expected.code;
        if ((is_settled(code) || is_settled(wanted)) && strcmp(code, wanted) != 0)
            complain(crowd, "it should have been refused with '%s': #%d", wanted, (int)i);
    }
}

/* What a reading of the wallet says, against the model. */
static void check_reading(struct crowd *crowd, enum step_kind kind, int wallet)
{
    static struct model_expected expected;
    struct world *world = crowd->world;
    const struct model_wallet *w = &world->model.wallets[wallet];
    const struct step step = {.kind = kind, .from = wallet, .caller = w->owner};
    struct client_call call = {0};
    char path[80];
    char complaint[600] = "there is no answer";
    snprintf(path, sizeof path, "/v1/wallets/%s%s", w->id, kind == STEP_LIMITS ? "/limits" : "");
    model_expect(&world->model, &step, &expected);
    int status =
        client_do(crowd->clients[1], &call, "GET", path, world->tokens[w->owner], NULL, NULL);
    if (status < 0 || !world_check(&expected, status, call.answer, complaint))
        complain(crowd, "at the end %.500s in wallet %d", complaint, wallet);
    client_call_clear(&call);
}

static void check_wallets(struct crowd *crowd)
{
    for (int i = 0; i < STEP_OPENED && !crowd->wrong; i++) {
        check_reading(crowd, STEP_BALANCE, i);
        check_reading(crowd, STEP_LIMITS, i);
    }
}

static void open_clients(struct crowd *crowd)
{
    const struct stack *stack = crowd->world->stack;
    for (int i = 0; i < LISTENERS * CROWD_CONNECTIONS; i++) {
        crowd->clients[i] = client_open(stack->port + i / CROWD_CONNECTIONS, stack->ca);
        if (crowd->clients[i] == NULL)
            complain(crowd, "%s (%d)", "no connection", i);
    }
}

static void release(struct crowd *crowd)
{
    for (int i = 0; i < LISTENERS * CROWD_CONNECTIONS; i++)
        client_close(crowd->clients[i]);
    for (size_t i = 0; i < PLACES; i++)
        client_call_clear(&crowd->places[i].call);
    for (int i = 0; i < STEP_OPENED; i++)
        free(crowd->statements[i].entries);
    free(crowd);
}

bool crowd_walk(struct world *world)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    if (crowd == NULL)
        return false;
    crowd->world = world;
    open_clients(crowd);
    if (!crowd->wrong)
        lap(crowd);
    for (int i = 0; i < STEP_OPENED && !crowd->wrong; i++)
        read_statement(crowd, i);
    if (!crowd->wrong)
        find_order(crowd);
    check_wallets(crowd);
    if (!crowd->wrong)
        lap(crowd); /* every key again */
    check_wallets(crowd);
    check_refusals(crowd);
    bool good = !crowd->wrong;
    release(crowd);
    return good;
}
