#include "benchmarks/ask.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "benchmarks/wire.h"

#define WAIT_S 5.

struct asking {
    struct ev_loop *loop;
    struct wire_call call;
    ev_timer limit;
    bool begun;
};

static void on_open(void *owner, struct wire *wire)
{
    struct asking *asking = owner;
    asking->begun = wire_begin(wire, &asking->call);
}

static void on_answered(void *owner, struct wire *wire, struct wire_call *call)
{
    struct asking *asking = owner;
    (void)call;
    (void)wire;
    ev_break(asking->loop, EVBREAK_ALL);
}

static void on_closed(void *owner, struct wire *wire)
{
    struct asking *asking = owner;
    (void)wire;
    ev_break(asking->loop, EVBREAK_ALL);
}

static void on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* Let a wire live until it has done its work, whatever comes of it. */
static void live(struct asking *asking, struct wire_target *target, const struct wire_owner *owner)
{
    struct wire *wire = target == NULL ? NULL : wire_new(asking->loop, target, 1, owner);
    if (wire == NULL)
        return;
    ev_timer_init(&asking->limit, on_limit, WAIT_S, 0.);
    ev_timer_start(asking->loop, &asking->limit);
    wire_connect(wire);
    ev_run(asking->loop, 0);
    ev_timer_stop(asking->loop, &asking->limit);
    wire_free(wire);
}

static void on_open_only(void *owner, struct wire *wire)
{
    struct asking *asking = owner;
    (void)wire;
    asking->begun = true;
    ev_break(asking->loop, EVBREAK_ALL);
}

bool ask_answers(struct wire_target *target, struct ev_loop *loop)
{
    struct asking asking = {.loop = loop};
    const struct wire_owner owner = {&asking, on_open_only, on_answered, on_closed};
    live(&asking, target, &owner);
    return asking.begun;
}

static bool add_line(const char *line, const char *name, const char *suffix, double *sum)
{
    size_t length = strlen(name);
    size_t tail = strlen(suffix);
    if (strncmp(line, name, length) != 0 || strncmp(line + length, suffix, tail) != 0)
        return false;
    const char *space = strchr(line + length + tail, ' ');
    if (space == NULL)
        return false;
    *sum += strtod(space + 1, NULL);
    return true;
}

static void read_histogram(char *text, const char *name, struct ask_histogram *out)
{
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (!add_line(line, name, "_sum", &out->sum))
            add_line(line, name, "_count", &out->count);
}

bool ask_metrics(const struct site *site, struct ev_loop *loop, const char *name,
                 struct ask_histogram *out)
{
    char error[200];
    char authorization[120];
    struct asking asking = {.loop = loop};
    const struct wire_owner owner = {&asking, on_open, on_answered, on_closed};
    struct wire_target *target =
        wire_target_new("127.0.0.1", site->operators_port, site->ca, error, sizeof error);
    memset(out, 0, sizeof *out);
    snprintf(authorization, sizeof authorization, "Bearer %s", site->operator_token);
    asking.call = (struct wire_call){.method = "GET",
                                     .path = SLICE("/metrics"),
                                     .authorization = slice_of(authorization),
                                     .keep = true};
    live(&asking, target, &owner);
    wire_target_free(target);
    bool good = asking.begun && asking.call.status == 200 && asking.call.answer != NULL;
    if (good)
        read_histogram(asking.call.answer, name, out);
    memory_free(asking.call.answer);
    return good;
}
