/* What the API must answer to a walk (step.h): wallets, holds, what was given back, limits, keys,
 * kept beside the server by rules of its own. It knows all that is asked of its users' wallets;
 * money of others it never sees. */
#ifndef SUPPORT_MODEL_H
#define SUPPORT_MODEL_H

#include "support/model_rules.h"
#include "support/step.h"

#define MODEL_SETTLEMENT (-1) /* in place of a wallet */
#define MODEL_MEMBERS_MAX 160
#define MODEL_SUFFIX 28 /* an id without its prefix, and NUL */

/* What a member of an answer must be: a text, a number in digits, true, false, null, absent; or
 * there, whatever it is. */
struct model_member {
    char path[48]; /* "balance.posted", "results.0.code" */
    char value[80];
};

struct model_expected {
    bool nothing; /* the step asks for nothing */
    int status;
    const char *code; /* of a problem; NULL: none */
    int same_as;      /* the serial whose answer must come again, byte for byte; STEP_NONE */
    bool kept;        /* it's remembered under its key */
    int count;
    struct model_member members[MODEL_MEMBERS_MAX];
};

enum model_hold { MODEL_NO_HOLD, MODEL_OPEN, MODEL_CAPTURED, MODEL_VOIDED };

/* What a step has moved. */
struct model_deed {
    bool made;
    bool kept; /* its key has an answer */
    enum step_kind kind;
    int caller;
    int from, to; /* wallets or MODEL_SETTLEMENT */
    int currency;
    int64_t amount, fee;
    bool refundable; /* all of the fee, or nothing */
    int64_t refunded, fee_refunded;
    bool reversed;
    enum model_hold hold;
    int64_t captured;
    int hold_of; /* of a capture or void: the hold's serial */
    long order;  /* in which it was made */
};

/* What the server named: filled in from its answers. */
struct model_names {
    char suffix[STEP_ITEMS_MAX][MODEL_SUFFIX]; /* transaction or hold; a bulk's items */
};

struct model_line {
    int serial, item;
    enum step_kind kind;
    int64_t amount, fee, change, held_change, posted, held;
};

struct model_wallet {
    char id[40]; /* empty: there is none */
    int owner;
    int currency;
    bool closed;
    int64_t posted, held, version;
    int64_t sent[MODEL_RULES_CLASSES];
    int64_t movements[MODEL_RULES_CLASSES];
    struct model_line *lines;
    size_t room;
};

struct model_user {
    char id[40];
    int tier;
    bool frozen;
};

/* Mistakes that a test makes on purpose, to see that they are found. */
enum model_lie { MODEL_HONEST, MODEL_FEES_COME_BACK, MODEL_FROZEN_ARE_DEAF };

struct model {
    struct model_user users[STEP_USERS];
    struct model_wallet wallets[STEP_WALLETS + 1]; /* the last one is nobody's */
    const struct step *const *steps;               /* by serial; NULL: left out */
    struct model_deed *deeds;                      /* by serial */
    struct model_names *names;                     /* by serial */
    char nobody[MODEL_SUFFIX];                     /* of nothing */
    char nobodys_wallet[40];
    long orders;
    enum model_lie lie;
};

/* For walks with serials below `count`; users and wallets are the caller's to fill in. */
void model_init(struct model *model, const struct step *const *steps, size_t count);
void model_release(struct model *model);

/* What the step must be answered; what it does is done here, too. */
void model_expect(struct model *model, const struct step *step, struct model_expected *expected);

/* The suffix of what an earlier step made; nobody's, when it made nothing. */
const char *model_suffix(const struct model *model, int serial);

/* The wallet's id; one of nobody's. */
const char *model_wallet_id(const struct model *model, int wallet);

bool model_is_user(int caller);

/* A member; `value` as printf. */
void model_member(struct model_expected *expected, const char *path, const char *value, ...)
    __attribute__((format(printf, 3, 4)));
void model_number(struct model_expected *expected, const char *path, int64_t value);
const char *model_find(const struct model_expected *expected, const char *path); /* "": none */
void model_refuse(struct model_expected *expected, const char *code);

#endif
