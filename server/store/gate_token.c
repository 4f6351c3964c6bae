#include "store/gate.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/memory.h"

void gate_token_new(enum gate_caller kind, const struct uuid *caller_id, char token[GATE_TOKEN_MAX])
{
    uint8_t secret[16 + 32];
    char text[72];
    memcpy(secret, caller_id->bytes, 16);
    crypto_random(secret + 16, 32);
    crypto_base64url(secret, sizeof secret, text);
    snprintf(token, GATE_TOKEN_MAX, "%s%s", kind == GATE_PARTNER ? "mlk_" : "mlt_", text);
    memory_wipe(secret, sizeof secret);
    memory_wipe(text, sizeof text);
}

void gate_token_hash(struct slice token, uint8_t hash[32])
{
    crypto_sha256(token, hash);
}

enum gate_caller gate_token_parse(struct slice token, struct uuid *caller_id)
{
    uint8_t secret[16 + 32];
    enum gate_caller kind = GATE_NOBODY;
    if (token.length != 4 + 64)
        return GATE_NOBODY;
    if (memcmp(token.at, "mlt_", 4) == 0)
        kind = GATE_USER;
    else if (memcmp(token.at, "mlk_", 4) == 0)
        kind = GATE_PARTNER;
    if (!crypto_base64url_decode((struct slice){token.at + 4, 64}, secret, sizeof secret))
        return GATE_NOBODY;
    memcpy(caller_id->bytes, secret, 16);
    memory_wipe(secret, sizeof secret);
    return kind;
}
