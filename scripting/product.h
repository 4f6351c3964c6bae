/* A product of the catalogue, compiled: what a *.product.lua file says, as a C struct. */
#ifndef SCRIPTING_PRODUCT_H
#define SCRIPTING_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/currency.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "scripting/bundle.h"

#define PRODUCT_AMOUNTS_MAX 20
#define PRODUCT_FIELDS_MAX 8
#define PRODUCT_FIELD_LENGTH_MAX 64
#define PRODUCT_STOCK "stock" /* the supplier that is our own vouchers */

/* What the buyer fills in: a meter's number. */
struct product_field {
    char name[32];
    char label[65];
    bool digits; /* nothing else */
    int min, max;
};

struct product {
    char file[BUNDLE_NAME_MAX];
    char id[48];        /* "airtime.r50" */
    struct uuid public; /* its id for clients: made of `id`, so it stays when the file changes */
    int64_t version;
    char owner[64];
    char name[101]; /* for people */
    char supplier[32];
    currency currency;
    int64_t amounts[PRODUCT_AMOUNTS_MAX]; /* what it may cost; none: least..most */
    size_t amount_count;                  /* 1: a fixed price */
    int64_t least, most;
    struct product_field fields[PRODUCT_FIELDS_MAX];
    size_t field_count;
};

/* Compile one file. False: the report says what is wrong. */
bool product_compile(const char *file, struct slice source, struct product *product,
                     struct bundle_report *report);

/* NULL: the bundle sells nothing of that id. */
const struct product *product_find(const struct bundle *bundle, const struct uuid *id);

bool product_is_price(const struct product *product, int64_t amount);

/* Is `value` what the field wants? */
bool product_field_fits(const struct product_field *field, struct slice value);

#endif
