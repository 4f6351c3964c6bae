/* A walk (step.h) through a running Moolah: fresh users and wallets for it, its steps as requests,
 * and each answer held against the model's. Worlds share nothing, so many can be walked at once,
 * each on a connection of its own, and every answer is still known to the unit. */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <stdio.h>

#include "support/client.h"
#include "support/model.h"
#include "support/stack.h"

/* A step's request, and its first answer. */
struct world_asked {
    char *path, *body; /* NULL: it wasn't asked */
    char key[48];
    int status;
    char *answer;
};

struct world {
    const struct stack *stack;
    struct model model;
    const struct step *steps;
    size_t count;
    const struct step **by_serial;
    size_t serials;
    struct world_asked *asked; /* by serial */
    char tokens[STEP_USERS][96];
    int number; /* no other world's */

    struct client *clients[2]; /* of the public listener, of the operators' */
    struct client_call call;
    struct model_expected expected;
    size_t at; /* the step that is asked, or comes next */
    bool busy;
    bool failed; /* what the step at `at` was answered isn't what it should have been */
    char complaint[600];
};

/* Folder with the rules that the model knows. */
void world_write_rules(char folder[64]);

/* With fresh users. `crowded`: step_tiers. */
struct world *world_new(const struct stack *stack, const struct step *steps, size_t count,
                        bool crowded);
void world_free(struct world *world);

/* Walk all of them at once, each step by step, until they are through or one has failed: which;
 * -1: none. */
int world_walk(struct world *const *worlds, int count);

/* Fill in the call for a step. `of`: whose request it is, not always its own. NULL: for nothing. */
const struct step *world_prepare(struct world *world, const struct step *step,
                                 struct client_call *call);
/* Is it on the operators' listener? */
bool world_is_operators(const struct step *step);

/* Is the answer one of those after which one asks again, because nothing was decided? */
bool world_is_passing(const struct client_call *call);

/* Keep the names that an answer gives to what `step` has made. */
void world_learn(struct world *world, const struct step *step, const char *answer);

/* Is the answer what it must be? `complaint` says what isn't. */
bool world_check(const struct model_expected *expected, int status, const char *answer,
                 char complaint[600]);

/* A member of an answer as model_member has it, into `out`. */
void world_member(const char *answer, const char *path, char *out, size_t size);

/* A line about a step: who asked what, and what was answered. */
void world_tell(const struct world *world, const struct step *step, FILE *out);

#endif
