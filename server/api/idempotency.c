#include "api/idempotency.h"

#include <stddef.h>

static bool is_visible(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] < 0x21 || text.at[i] > 0x7e)
            return false;
    return text.length >= 1 && text.length <= 255;
}

bool idempotency_read(struct call *call, bool required, struct slice *key)
{
    struct slice text = call->request->idempotency_key;
    if (text.at == NULL) {
        if (required)
            call_refuse(call, PROBLEM_IDEMPOTENCY_KEY_MISSING,
                        "Send Idempotency-Key: a text of your own that names this movement");
        return !required;
    }
    if (text.length >= 2 && text.at[0] == '"' && text.at[text.length - 1] == '"')
        text = (struct slice){text.at + 1, text.length - 2};
    if (!is_visible(text)) {
        call_refuse(call, PROBLEM_IDEMPOTENCY_KEY_INVALID, "1 to 255 visible ASCII characters");
        return false;
    }
    *key = text;
    return true;
}

static void answered(struct users_question *question)
{
    struct idempotency *idempotency =
        (struct idempotency *)(void *)((char *)question - offsetof(struct idempotency, earlier));
    call_resume(idempotency->call);
}

enum flow_verdict idempotency_ask(struct call *call, struct idempotency *idempotency)
{
    const struct uuid *caller = call->gate.answer.caller == GATE_NOBODY ? NULL : call_caller(call);
    if (idempotency->key.at == NULL)
        return FLOW_NEXT;
    idempotency->call = call;
    idempotency->earlier.arena = &call->request->arena;
    idempotency->earlier.done = answered;
    return call_wait(call, users_find_answer(call->service->pool, caller, idempotency->key,
                                             idempotency->request_hash, &idempotency->earlier));
}

enum flow_verdict idempotency_check(struct call *call, struct idempotency *idempotency)
{
    const struct users_question *earlier = &idempotency->earlier;
    if (idempotency->key.at == NULL)
        return FLOW_NEXT;
    if (earlier->outcome != PG_OK)
        return call_refuse_outcome(call, earlier->outcome);
    if (!earlier->found)
        return FLOW_NEXT;
    if (earlier->key_reused)
        return call_refuse(call, PROBLEM_IDEMPOTENCY_KEY_REUSED, NULL);
    return idempotency_replay(call, earlier->answer_status, earlier->answer_body);
}

enum flow_verdict idempotency_replay(struct call *call, int status, struct slice body)
{
    response_header_add(call->request, "idempotency-replayed", SLICE("true"));
    call->request->log_kind = "replayed";
    return call_answer_stored(call, status, body);
}
