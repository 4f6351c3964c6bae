#include "api/cached.h"

#include <stddef.h>

struct cached *cached_of(struct flow *flow)
{
    return (struct cached *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct cached *op =
        (struct cached *)(void *)((char *)question - offsetof(struct cached, question));
    call_resume(&op->call);
}

static void found(struct cache_read *read)
{
    struct cached *op = (struct cached *)(void *)((char *)read - offsetof(struct cached, read));
    if (op->waits)
        call_resume(&op->call);
}

struct wallets_question *cached_question(struct cached *op)
{
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return &op->question;
}

/* The cache's answer comes first, as a rule; who is refused by the gate pays for both. A caller who
 * is asked of PostgreSQL waits there, not here. */
enum flow_verdict cached_ask_gate(struct cached *op, enum cache_what what,
                                  const struct uuid *wallet)
{
    enum flow_verdict verdict = call_ask_gate(&op->call.flow);
    op->read.what = what;
    op->read.wallet = *wallet;
    op->read.question = cached_question(op);
    op->read.found = found;
    if (verdict == FLOW_WAIT && !uuid_is_nil(wallet))
        cache_ask(op->call.service->cache, &op->read);
    return verdict;
}

enum flow_verdict cached_await_copy(struct flow *flow)
{
    struct cached *op = cached_of(flow);
    op->waits = op->read.asked;
    return op->waits ? FLOW_WAIT : FLOW_NEXT;
}

enum flow_verdict cached_ask(struct cached *op)
{
    op->read.owner = *call_caller(&op->call);
    if (cache_take(&op->read))
        return FLOW_NEXT;
    return call_wait(&op->call, cache_load(op->call.service->cache, &op->read));
}
