/* A supplier: who brings the goods of a purchase. Two makers: our own voucher stock, and a server
 * that is asked over HTTPS. What is asked may be asked again: the reference (the purchase's id) is
 * the supplier's idempotency key, and one reference is one delivery for ever.
 *
 *     deliver  bring it, or say that it's there already
 *     ask      what became of it
 *
 * Both answer later, and not from inside the call. */
#ifndef SUPPLY_SUPPLIER_H
#define SUPPLY_SUPPLIER_H

#include "base/bytes.h"
#include "store/purchases.h"
#include "supply/breaker.h"

struct outbound;
struct supplier;

enum supplier_result {
    SUPPLIER_DELIVERED, /* the goods are here */
    SUPPLIER_DECLINED,  /* it says there will be none: for good */
    SUPPLIER_PENDING,   /* it's at it: ask again */
    SUPPLIER_NOT_SENT,  /* surely it has heard nothing */
    SUPPLIER_NOT_FOUND, /* it knows nothing of that reference */
    SUPPLIER_UNKNOWN    /* no answer, or none that can be believed */
};

#define SUPPLIER_REFERENCE_MAX 64

/* A question: embed one, all of it stays where it is until `done`. */
struct supplier_question {
    const struct purchases_purchase *purchase;
    struct arena *arena;
    void (*done)(struct supplier_question *question);

    enum supplier_result result;
    struct slice goods;                         /* JSON, an object of texts; in the arena */
    char reference[SUPPLIER_REFERENCE_MAX + 1]; /* the supplier's own; "": it has none */
};

struct supplier_kind {
    /* False: not now (too much at once, out of memory); `done` isn't called. */
    bool (*deliver)(struct supplier *supplier, struct supplier_question *question);
    bool (*ask)(struct supplier *supplier, struct supplier_question *question);
};

struct supplier {
    const struct supplier_kind *kind;
    char name[32];
    char url[256]; /* of an HTTP supplier: without a slash at its end */
    char token[128];
    struct outbound *outbound;
    struct pg_pool *pool;
    const uint8_t *key; /* 32 bytes: opens what is sealed */
    int64_t timeout_us;
    struct breaker breaker;
};

extern const struct supplier_kind supplier_stock, supplier_http;

/* "NAME https://URL TOKEN", as the configuration has it. False: it's none. */
bool supplier_parse(const char *text, struct supplier *supplier);

#endif
