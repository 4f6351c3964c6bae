#include "scripting/rule_test_sale.h"

#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "scripting/locate.h"
#include "scripting/product.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test_case.h"

/* NULL: there is none of that id, and that was said. */
static const struct product *find(struct rule_test_case *test)
{
    const struct product *products = bundle_products(test->bundle);
    size_t count = bundle_product_count(test->bundle);
    const char **ids = arena_array(test->arena, count + 1, sizeof ids[0]);
    char id[48];
    if (ids == NULL || !rule_reader_name(&test->reader, test->from, "product", 47, id))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(products[i].id, id) == 0)
            return &products[i];
        ids[i] = products[i].id;
    }
    ids[count] = NULL;
    const char *near = locate_similar(id, ids);
    rule_test_case_fault(test, "product", "there is no product '%s'%s%s%s", id,
                         near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                         near == NULL ? "" : "'?");
    return NULL;
}

static const struct product_field *field_of(const struct product *product, const char *name)
{
    for (size_t i = 0; i < product->field_count; i++)
        if (strcmp(product->fields[i].name, name) == 0)
            return &product->fields[i];
    return NULL;
}

/* The first field that doesn't fit, or NULL. The stack's top: what was filled in, or nil. */
static const char *wrong_field(struct rule_test_case *test, const struct product *product)
{
    lua_State *lua = test->reader.lua;
    int filled = lua_gettop(lua);
    const char *wrong = NULL;
    for (size_t i = 0; i < product->field_count && wrong == NULL; i++) {
        struct slice value = {NULL, 0};
        int type = LUA_TNIL;
        if (lua_type(lua, filled) == LUA_TTABLE)
            type = rule_reader_push(&test->reader, filled, product->fields[i].name);
        if (type == LUA_TSTRING)
            value.at = lua_tolstring(lua, -1, &value.length);
        if (type != LUA_TSTRING || !product_field_fits(&product->fields[i], value))
            wrong = product->fields[i].name;
        lua_settop(lua, filled);
    }
    return wrong;
}

/* A field that the product doesn't ask for. */
static void check_names(struct rule_test_case *test, const struct product *product)
{
    lua_State *lua = test->reader.lua;
    int filled = lua_gettop(lua);
    for (lua_pushnil(lua); lua_type(lua, filled) == LUA_TTABLE && lua_next(lua, filled) != 0;
         lua_pop(lua, 1)) {
        const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "?";
        if (field_of(product, name) == NULL)
            rule_test_case_fault(test, "fields", "%s has no field '%.30s'", product->id, name);
    }
    lua_settop(lua, filled);
}

static void judge(struct rule_test_case *test, const char *wrong, const char *refused)
{
    if (wrong == NULL && refused != NULL)
        rule_test_case_fault(test, "refused", "is sold, expected to be refused");
    else if (wrong != NULL && refused == NULL)
        rule_test_case_fault(test, "", "is refused: %s", wrong);
    else if (wrong != NULL && refused[0] != '\0' && strcmp(wrong, refused) != 0)
        rule_test_case_fault(test, "refused", "is refused by %s, expected %.30s", wrong, refused);
}

void rule_test_sale_run(struct rule_test_case *test)
{
    static const char *const known[] = {"product", "price", "fields", "refused", NULL};
    struct rule_reader *r = &test->reader;
    int64_t price = 0;
    rule_reader_check_keys(r, test->from, known);
    const struct product *product = find(test);
    if (product == NULL)
        return;
    if (!rule_test_case_money(test, test->from, "price", &price))
        rule_test_case_fault(test, "price", "price must be an amount, like ZAR \"50.00\"");
    const char *refused = rule_test_case_refused(test, test->from);
    rule_reader_push(r, test->from, "fields");
    check_names(test, product);
    bool fits =
        rule_test_case_currency(test) == product->currency && product_is_price(product, price);
    const char *wrong = fits ? wrong_field(test, product) : "price";
    rule_coverage_product(test->coverage, product);
    if (!r->wrong)
        judge(test, wrong, refused);
    lua_pop(r->lua, 1);
}
