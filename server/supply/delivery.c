#include "supply/delivery.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "supply/pin.h"

static void write_text(struct json_writer *writer, const char *name, struct slice text)
{
    json_write_key(writer, name);
    json_write_string(writer, text);
}

static struct slice product_of(const struct purchases_purchase *purchase)
{
    const char *end = memchr(purchase->rule.at, '@', purchase->rule.length);
    size_t length = end == NULL ? purchase->rule.length : (size_t)(end - purchase->rule.at);
    return (struct slice){purchase->rule.at, length};
}

void delivery_write(const struct purchases_purchase *purchase, struct bytes *out)
{
    struct json_writer writer;
    char id[UUID_TEXT_MAX];
    char code[4];
    uuid_format(&purchase->id, "pur_", id);
    currency_text(purchase->currency, code);
    json_write_init(&writer, out);
    json_write_object(&writer);
    write_text(&writer, "reference", slice_of(id));
    write_text(&writer, "product", product_of(purchase));
    json_write_key(&writer, "amount");
    json_write_int(&writer, purchase->amount);
    write_text(&writer, "currency", slice_of(code));
    json_write_key(&writer, "fields");
    json_write_raw(&writer, purchase->fields);
    json_write_object_end(&writer);
}

static bool says(const struct json *object, const char *name, const char *wanted)
{
    const struct json *value = json_member(object, name);
    return value != NULL && json_kind(value) == JSON_STRING &&
           slice_equals(json_string(value), wanted);
}

static bool is_about(const struct json *answer, const struct purchases_purchase *purchase)
{
    char id[UUID_TEXT_MAX];
    char code[4];
    const struct json *amount = json_member(answer, "amount");
    uuid_format(&purchase->id, "pur_", id);
    currency_text(purchase->currency, code);
    return says(answer, "reference", id) && says(answer, "currency", code) && amount != NULL &&
           json_kind(amount) == JSON_INTEGER && json_integer(amount) == purchase->amount;
}

static bool are_all_known(const struct json *answer)
{
    static const char *const known[] = {"reference",          "amount", "currency", "status",
                                        "supplier_reference", "goods"};
    struct slice key;
    const struct json *value;
    for (size_t at = 0; json_next(answer, &at, &key, &value);) {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] && !slice_equals(key, known[i]))
            i++;
        if (i == sizeof known / sizeof known[0])
            return false;
    }
    return true;
}

bool delivery_is_name(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] != '_' && (text.at[i] < 'a' || text.at[i] > 'z'))
            return false;
    return text.length >= 1 && text.length <= 32;
}

/* An object of a few texts, written anew: what is given out is what was checked. */
static bool take_goods(struct supplier_question *question, const struct json *goods)
{
    struct bytes out;
    struct json_writer writer;
    struct slice key;
    const struct json *value;
    if (goods == NULL || json_kind(goods) != JSON_OBJECT || json_count(goods) < 1 ||
        json_count(goods) > DELIVERY_GOODS_MAX)
        return false;
    bytes_init(&out, question->arena);
    json_write_init(&writer, &out);
    json_write_object(&writer);
    for (size_t at = 0; json_next(goods, &at, &key, &value);) {
        char name[33];
        if (!delivery_is_name(key) || json_kind(value) != JSON_STRING ||
            json_string(value).length > DELIVERY_GOODS_TEXT_MAX || json_string(value).length == 0)
            return false;
        snprintf(name, sizeof name, "%.*s", (int)key.length, key.at);
        write_text(&writer, name, json_string(value));
    }
    json_write_object_end(&writer);
    question->goods = bytes_view(&out);
    return !out.failed;
}

static bool take_reference(struct supplier_question *question, const struct json *value)
{
    if (value == NULL)
        return true;
    if (json_kind(value) != JSON_STRING || json_string(value).length > SUPPLIER_REFERENCE_MAX ||
        !pin_is_good(json_string(value)))
        return false;
    snprintf(question->reference, sizeof question->reference, "%.*s",
             (int)json_string(value).length, json_string(value).at);
    return true;
}

static enum supplier_result meaning_of(struct supplier_question *question,
                                       const struct json *answer)
{
    if (json_kind(answer) != JSON_OBJECT || !are_all_known(answer) ||
        !is_about(answer, question->purchase) ||
        !take_reference(question, json_member(answer, "supplier_reference")))
        return SUPPLIER_UNKNOWN;
    bool goods = json_member(answer, "goods") != NULL;
    if (says(answer, "status", "delivered") && take_goods(question, json_member(answer, "goods")))
        return SUPPLIER_DELIVERED;
    if (says(answer, "status", "declined") && !goods)
        return SUPPLIER_DECLINED;
    if (says(answer, "status", "pending") && !goods)
        return SUPPLIER_PENDING;
    return SUPPLIER_UNKNOWN;
}

void delivery_read(struct supplier_question *question, int status, struct slice body, bool asks)
{
    struct json_error error;
    question->result = SUPPLIER_UNKNOWN;
    if (asks && status == 404)
        question->result = SUPPLIER_NOT_FOUND;
    if (status != 200 && status != 201)
        return;
    const struct json *answer = json_parse(body, question->arena, &error);
    if (answer != NULL)
        question->result = meaning_of(question, answer);
}
