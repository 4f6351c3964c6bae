#include "scripting/product.h"

#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "scripting/rule_reader.h"
#include "scripting/vocabulary.h"

struct compile {
    struct rule_reader reader; /* first */
    struct product *product;
};

/* A version 8 UUID of the id's hash: the same on every server, whatever else the file says. */
static struct uuid public_id(const char *id)
{
    char text[64];
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct uuid public;
    snprintf(text, sizeof text, "product:%s", id);
    crypto_sha256(slice_of(text), hash);
    memcpy(public.bytes, hash, sizeof public.bytes);
    public.bytes[6] = (uint8_t)((public.bytes[6] & 0x0f) | 0x80);
    public.bytes[8] = (uint8_t)((public.bytes[8] & 0x3f) | 0x80);
    return public;
}

static void read_denominations(struct compile *c)
{
    struct rule_reader *r = &c->reader;
    struct product *p = c->product;
    int count = rule_reader_list_length(r, -1, PRODUCT_AMOUNTS_MAX);
    for (int i = 0; i < count; i++, lua_pop(r->lua, 1)) {
        lua_rawgeti(r->lua, -1, i + 1);
        rule_reader_take_amount(r, "denominations", 1, &p->amounts[i]);
        if (i > 0 && p->amounts[i] > 0 && p->amounts[i] <= p->amounts[i - 1])
            rule_reader_fault(r, "denominations", "denominations must rise");
    }
    p->amount_count = count < 0 ? 0 : (size_t)count;
    if (count < 1)
        rule_reader_fault(r, "denominations", "denominations must be a list of 1 to %d amounts",
                          PRODUCT_AMOUNTS_MAX);
}

static void read_range(struct compile *c)
{
    static const char *const known[] = {"min", "max", NULL};
    struct rule_reader *r = &c->reader;
    if (lua_type(r->lua, -1) != LUA_TTABLE) {
        rule_reader_fault(r, "range", "range must be { min = ..., max = ... }");
        return;
    }
    rule_reader_check_keys(r, -1, known);
    rule_reader_push(r, -1, "min");
    rule_reader_take_amount(r, "range", 1, &c->product->least);
    rule_reader_push(r, -2, "max");
    rule_reader_take_amount(r, "range", 1, &c->product->most);
    lua_pop(r->lua, 2);
    if (c->product->least > c->product->most)
        rule_reader_fault(r, "range", "range: max is below min");
}

/* Exactly one of the three ways to say what it costs. */
static void read_price(struct compile *c, int table)
{
    struct rule_reader *r = &c->reader;
    int ways = 0;
    table = lua_absindex(r->lua, table);
    if (rule_reader_push(r, table, "price") != LUA_TNIL) {
        ways++;
        rule_reader_take_amount(r, "price", 1, &c->product->amounts[0]);
        c->product->amount_count = 1;
    }
    if (rule_reader_push(r, table, "denominations") != LUA_TNIL) {
        ways++;
        read_denominations(c);
    }
    if (rule_reader_push(r, table, "range") != LUA_TNIL) {
        ways++;
        read_range(c);
    }
    lua_pop(r->lua, 3);
    if (ways != 1)
        rule_reader_fault(r, "price", "say what it costs by one of price, denominations and range");
}

static void read_field(struct compile *c, struct product_field *field)
{
    static const char *const known[] = {"name", "label", "kind", "min", "max", NULL};
    struct rule_reader *r = &c->reader;
    char kind[16] = "";
    if (lua_type(r->lua, -1) != LUA_TTABLE) {
        rule_reader_fault(r, "", "a field is a table: { name = ..., kind = \"digits\", ... }");
        return;
    }
    rule_reader_check_keys(r, -1, known);
    rule_reader_name(r, -1, "name", sizeof field->name - 1, field->name);
    rule_reader_text(r, -1, "label", sizeof field->label - 1, field->label);
    if (rule_reader_text(r, -1, "kind", sizeof kind - 1, kind) && strcmp(kind, "digits") != 0 &&
        strcmp(kind, "text") != 0)
        rule_reader_fault(r, "kind", "kind must be \"digits\" or \"text\"");
    field->digits = strcmp(kind, "digits") == 0;
    int64_t least = 0;
    int64_t most = 0;
    bool given = rule_reader_integer(r, -1, "min", PRODUCT_FIELD_LENGTH_MAX, &least);
    given = rule_reader_integer(r, -1, "max", PRODUCT_FIELD_LENGTH_MAX, &most) && given;
    field->min = (int)least;
    field->max = (int)most;
    if (given && most < least)
        rule_reader_fault(r, "max", "max is below min");
}

static void check_field_name(struct compile *c, int at)
{
    for (int i = 0; i < at; i++)
        if (strcmp(c->product->fields[i].name, c->product->fields[at].name) == 0)
            rule_reader_fault(&c->reader, "name", "two fields have this name");
}

static void read_fields(struct compile *c, int table)
{
    struct rule_reader *r = &c->reader;
    if (rule_reader_push(r, table, "fields") != LUA_TNIL) {
        int count = rule_reader_list_length(r, -1, PRODUCT_FIELDS_MAX);
        if (count < 0)
            rule_reader_fault(r, "fields", "fields must be a list of at most %d",
                              PRODUCT_FIELDS_MAX);
        for (int i = 0; i < count; i++, lua_pop(r->lua, 1)) {
            r->place = (struct rule_place){"fields", i + 1, "fields", i + 1};
            lua_rawgeti(r->lua, -1, i + 1);
            read_field(c, &c->product->fields[i]);
            check_field_name(c, i);
        }
        r->place = (struct rule_place){0};
        c->product->field_count = count < 0 ? 0 : (size_t)count;
    }
    lua_pop(r->lua, 1);
}

static void read_product(struct rule_reader *r, int table)
{
    static const char *const known[] = {"id",    "version",       "owner", "name",     "supplier",
                                        "price", "denominations", "range", "currency", "fields",
                                        NULL};
    struct compile *c = (struct compile *)(void *)r;
    struct product *p = c->product;
    struct rule_head head;
    rule_reader_check_keys(r, table, known);
    rule_reader_head(r, table, &head);
    memcpy(p->id, head.id, sizeof p->id);
    memcpy(p->owner, head.owner, sizeof p->owner);
    p->version = head.version;
    rule_reader_text(r, table, "name", sizeof p->name - 1, p->name);
    rule_reader_name(r, table, "supplier", sizeof p->supplier - 1, p->supplier);
    p->currency = rule_reader_currency(r, table);
    read_price(c, table);
    read_fields(c, table);
    if (strcmp(p->supplier, PRODUCT_STOCK) == 0 && p->amount_count != 1 && !r->wrong)
        rule_reader_fault(r, "price", "vouchers in stock have a fixed price: a product for each");
    p->public = public_id(p->id);
}

bool product_compile(const char *file, struct slice source, struct product *product,
                     struct bundle_report *report)
{
    static const struct rule_kind kind = {vocabulary_is_product, read_product,
                                          "return product { ... }"};
    struct compile c = {{.file = file, .source = source, .report = report}, product};
    memset(product, 0, sizeof *product);
    snprintf(product->file, sizeof product->file, "%s", file);
    return rule_reader_compile(&c.reader, &kind);
}

const struct product *product_find(const struct bundle *bundle, const struct uuid *id)
{
    const struct product *products = bundle_products(bundle);
    for (size_t i = 0; i < bundle_product_count(bundle); i++)
        if (uuid_equal(&products[i].public, id))
            return &products[i];
    return NULL;
}

bool product_is_price(const struct product *product, int64_t amount)
{
    for (size_t i = 0; i < product->amount_count; i++)
        if (product->amounts[i] == amount)
            return true;
    return product->amount_count == 0 && amount >= product->least && amount <= product->most;
}

bool product_field_fits(const struct product_field *field, struct slice value)
{
    if (value.length < (size_t)field->min || value.length > (size_t)field->max)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        bool digit = value.at[i] >= '0' && value.at[i] <= '9';
        if (!digit && (field->digits || value.at[i] < ' ' || value.at[i] > '~'))
            return false;
    }
    return true;
}
