/* A reply of Redis to the gate, from the socket until who asked is told: a round of the loop that
 * finds many. */
#include <ev.h>

#include "benchmarks/instructions/pieces.h"
#include "benchmarks/instructions/relay.h"

#define QUESTIONS 32

static int allowed;

static void done(struct gate_question *question)
{
    allowed += question->answer.verdict == GATE_ALLOWED && question->answer.caller == GATE_USER;
}

PIECES_COUNTED void counted_gate_reply(struct ev_loop *loop)
{
    ev_run(loop, EVRUN_NOWAIT);
}

static bool run_round(struct gate *gate, struct relay *relay, struct ev_loop *loop,
                      struct slice authorization)
{
    static struct gate_question questions[QUESTIONS];
    for (int i = 0; i < QUESTIONS; i++) {
        questions[i] = (struct gate_question){
            .authorization = authorization,
            .client = pieces_client,
            .done = done,
        };
        if (gate_ask(gate, &questions[i]) != GATE_ASKED_LATER)
            return false;
    }
    ev_run(loop, EVRUN_NOWAIT);
    allowed = 0;
    if (!relay_ask(relay) || !relay_answer(relay))
        return false;
    counted_gate_reply(loop);
    return allowed == QUESTIONS;
}

static bool run(const char *scratch)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    char text[GATE_TOKEN_MAX + 8] = "Bearer ";
    struct relay relay;
    pieces_token(text + 7);
    struct gate *gate = relay_open(&relay, scratch) ? relay_gate(&relay, loop) : NULL;
    if (gate == NULL)
        return pieces_fail(&gate_piece, "no Redis in the scratch folder, or out of memory");
    for (int round = 0; round < PIECES_ROUNDS; round++)
        if (!run_round(gate, &relay, loop, slice_of(text)))
            return pieces_fail(&gate_piece, "a caller whose token is known was not let in");
    gate_free(gate);
    return true;
}

const struct piece gate_piece = {"gate_reply", "counted_gate_reply", QUESTIONS, "reply", run};
