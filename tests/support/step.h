/* Steps of a random walk through the API: calls by who, about which wallets and which earlier step,
 * as numbers. Any selection of a walk's steps is a walk again, because nothing in a step depends on
 * what became of another: so a failing one can be cut down. */
#ifndef SUPPORT_STEP_H
#define SUPPORT_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_DEPOSIT,
    STEP_WITHDRAWAL,
    STEP_TRANSFER,
    STEP_HOLD,
    STEP_BULK,
    STEP_CAPTURE, /* of a hold */
    STEP_VOID,
    STEP_REFUND,   /* of a movement */
    STEP_REVERSAL, /* likewise */
    STEP_FREEZE,   /* the user `from` */
    STEP_UNFREEZE,
    STEP_TIER,    /* of the user `from`: `amount` */
    STEP_OPEN,    /* the wallet `to` */
    STEP_CLOSE,   /* the wallet `from` */
    STEP_REPEAT,  /* an earlier step's request, to the byte */
    STEP_ALTER,   /* its key, with another amount */
    STEP_BALANCE, /* of the wallet `from`; so are the next three */
    STEP_STATEMENT,
    STEP_LIMITS,
    STEP_HOLDS,
    STEP_LOOK, /* at a movement or hold */
    STEP_KINDS
};

/* What is wrong with a request, if anything. */
enum step_flaw {
    STEP_SOUND,
    STEP_NO_KEY,
    STEP_BAD_KEY,
    STEP_HALF_JSON,
    STEP_TWICE, /* a member is there twice */
    STEP_UNKNOWN_FIELD,
    STEP_ZERO, /* of the amount; so are the next five */
    STEP_NEGATIVE,
    STEP_FRACTION,
    STEP_EXPONENT,
    STEP_TEXT,
    STEP_TOO_LARGE,
    STEP_NO_CURRENCY, /* it is none of ISO 4217 */
    STEP_BAD_WALLET,  /* it is no wallet's id */
    STEP_BAD_TYPE,    /* Content-Type */
    STEP_BAD_TOKEN,
    STEP_NO_TOKEN,
    STEP_FLAWS
};

enum {
    STEP_USERS = 3,
    STEP_PARTNER = STEP_USERS,
    STEP_OPERATOR
}; /* who asks: a user's number or */

/* Wallets. Each user has a first one: 0, 1, 2. Then one of user 0 in rand, one of user 0 and one of
 * user 1 in dollars; room for three that are opened on the way; and one that never is. */
enum { STEP_RAND = 3, STEP_DOLLARS, STEP_DOLLARS_TOO, STEP_OPENED, STEP_NOBODYS = STEP_OPENED + 3 };
enum { STEP_WALLETS = STEP_NOBODYS };

enum { STEP_ZAR, STEP_USD, STEP_EUR, STEP_GBP, STEP_CURRENCIES }; /* GBP isn't served */
extern const char *const step_currencies[STEP_CURRENCIES];

#define STEP_ITEMS_MAX 5
#define STEP_NONE (-1) /* no earlier step */

struct step_item {
    int from, to;
    int currency;
    int64_t amount;
};

struct step {
    enum step_kind kind;
    enum step_flaw flaw;
    int serial; /* its number in the whole walk: stays when others are left out */
    int caller;
    int from, to;
    int currency;
    int64_t amount; /* 0: left out, where that can be */
    int of;         /* the serial of an earlier step, or STEP_NONE */
    bool flag;      /* a bulk's mode is "all"; a reversal is allowed a debt */
    int item_count; /* of a bulk */
    struct step_item items[STEP_ITEMS_MAX];
};

/* The users' KYC tiers at the start, of an ordinary walk and of a crowded one. */
extern const int step_tiers[2][STEP_USERS];

/* A walk of `count` steps. `crowded`: only movements and their repetitions, for wallets on which
 * many act at once. The same seed gives the same walk. The model looks on, so that most steps are
 * about something that is there, and some about what isn't. */
void step_generate(struct step *steps, size_t count, unsigned seed, bool crowded);

const char *step_name(enum step_kind kind);
const char *step_flaw_name(enum step_flaw flaw);

#endif
