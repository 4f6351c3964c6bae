#include "api/idempotency.h"

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
