/* moolah-instructions --list | NAME SCRATCH: see pieces.h. */
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/service.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "benchmarks/instructions/pieces.h"
#include "posting/posting.h"

static const struct piece *const pieces[] = {
    &parse_piece, &gate_piece, &decide_piece, &price_piece, &encode_piece, &answer_piece, NULL};

const struct inet pieces_client = {
    .bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, /* 192.0.2.7 */
    .port = 40000,
};

bool pieces_fail(const struct piece *piece, const char *what)
{
    fprintf(stderr, "moolah-instructions %s: %s\n", piece->name, what);
    return false;
}

struct uuid pieces_id(unsigned number)
{
    struct uuid id;
    uint64_t state = number + 1;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        id.bytes[i] = (uint8_t)(state >> 56);
    }
    id.bytes[0] |= 1; /* never a system account's */
    return id;
}

void pieces_token(char token[GATE_TOKEN_MAX])
{
    struct uuid parts[3] = {pieces_id(0), pieces_id(1), pieces_id(2)};
    memcpy(token, "mlt_", 4);
    crypto_base64url(parts, sizeof parts, token + 4);
}

/* As in a worker: everything is counted and logged, though nobody reads it. */
static bool start(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (!crypto_start() || !metrics_start(1) || nowhere < 0)
        return false;
    service_register_metrics();
    gate_register_metrics();
    posting_register_metrics();
    log_start(nowhere, LOG_INFO, 0);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const struct piece *const *piece = pieces; *piece != NULL; piece++)
            printf("%s %s %d %s\n", (*piece)->name, (*piece)->counted, (*piece)->units,
                   (*piece)->unit);
        return 0;
    }
    for (const struct piece *const *piece = pieces; argc == 3 && *piece != NULL; piece++)
        if (strcmp(argv[1], (*piece)->name) == 0)
            return start() && (*piece)->run(argv[2]) ? 0 : 1;
    fputs("moolah-instructions --list | NAME SCRATCH: for ci/instructions, which counts\n", stderr);
    return 2;
}
