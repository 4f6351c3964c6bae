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
    struct wire *wire = target == NULL ? NULL : wire_new(loop, target, 1, &owner);
    memset(out, 0, sizeof *out);
    if (wire != NULL) {
        snprintf(authorization, sizeof authorization, "Bearer %s", site->operator_token);
        asking.call = (struct wire_call){.method = "GET",
                                         .path = SLICE("/metrics"),
                                         .authorization = slice_of(authorization),
                                         .keep = true};
        ev_timer_init(&asking.limit, on_limit, WAIT_S, 0.);
        ev_timer_start(loop, &asking.limit);
        wire_connect(wire);
        ev_run(loop, 0);
        ev_timer_stop(loop, &asking.limit);
        wire_free(wire);
    }
    wire_target_free(target);
    bool good = asking.begun && asking.call.status == 200 && asking.call.answer != NULL;
    if (good)
        read_histogram(asking.call.answer, name, out);
    memory_free(asking.call.answer);
    return good;
}
