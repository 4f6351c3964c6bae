/* GET /v1/products and GET /v1/products/{id}: the catalogue, as the rules in force say; for anyone.
 * All of it in one answer: a bundle holds no more than its files. */
#include "api/call.h"
#include "api/endpoints.h"
#include "base/json.h"
#include "posting/posting.h"
#include "scripting/product.h"

static void write_id(struct json_writer *writer, const struct product *product)
{
    char id[UUID_TEXT_MAX];
    uuid_format(&product->public, "prd_", id);
    json_write_key(writer, "id");
    json_write_text(writer, id);
}

static void write_member(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

static void write_number(struct json_writer *writer, const char *key, int64_t number)
{
    json_write_key(writer, key);
    json_write_int(writer, number);
}

/* Either the amounts it may cost, or the range they lie in. */
static void write_price(struct json_writer *writer, const struct product *product)
{
    char code[4];
    currency_text(product->currency, code);
    write_member(writer, "currency", code);
    if (product->amount_count == 0) {
        write_number(writer, "min_amount", product->least);
        write_number(writer, "max_amount", product->most);
        return;
    }
    json_write_key(writer, "amounts");
    json_write_array(writer);
    for (size_t i = 0; i < product->amount_count; i++)
        json_write_int(writer, product->amounts[i]);
    json_write_array_end(writer);
}

static void write_product(struct json_writer *writer, const struct product *product)
{
    json_write_object(writer);
    write_id(writer, product);
    write_member(writer, "code", product->id);
    write_number(writer, "version", product->version);
    write_member(writer, "name", product->name);
    write_price(writer, product);
    json_write_key(writer, "fields");
    json_write_array(writer);
    for (size_t i = 0; i < product->field_count; i++) {
        const struct product_field *field = &product->fields[i];
        json_write_object(writer);
        write_member(writer, "name", field->name);
        write_member(writer, "label", field->label);
        write_member(writer, "kind", field->digits ? "digits" : "text");
        write_number(writer, "min_length", field->min);
        write_number(writer, "max_length", field->max);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
    json_write_object_end(writer);
}

static enum flow_verdict report_list(struct flow *flow)
{
    struct call *call = call_of(flow);
    const struct bundle *bundle = posting_bundle(call->service->posting);
    struct bytes body;
    struct json_writer writer;
    if (!call_expect_no_query(call))
        return FLOW_DONE;
    if (bundle == NULL)
        return call_refuse(call, PROBLEM_RULE_FAILED, "no rules are loaded");
    bytes_init(&body, &call->request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    json_write_key(&writer, "data");
    json_write_array(&writer);
    for (size_t i = 0; i < bundle_product_count(bundle); i++)
        write_product(&writer, &bundle_products(bundle)[i]);
    json_write_array_end(&writer);
    json_write_key(&writer, "next");
    json_write_null(&writer);
    json_write_object_end(&writer);
    return call_answer_tagged(call, &body);
}

static enum flow_verdict report_one(struct flow *flow)
{
    struct call *call = call_of(flow);
    const struct bundle *bundle = posting_bundle(call->service->posting);
    const struct uuid id = call_path_id(call, 0, "prd_");
    struct bytes body;
    struct json_writer writer;
    if (!call_expect_no_query(call))
        return FLOW_DONE;
    const struct product *product = bundle == NULL ? NULL : product_find(bundle, &id);
    if (product == NULL)
        return call_refuse(call, PROBLEM_PRODUCT_NOT_FOUND, NULL);
    bytes_init(&body, &call->request->arena);
    json_write_init(&writer, &body);
    write_product(&writer, product);
    return call_answer_tagged(call, &body);
}

static const struct flow_step list_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_anyone},
    {"report_list", report_list},
    {NULL, NULL},
};

static const struct flow_step one_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_anyone},
    {"report_one", report_one},
    {NULL, NULL},
};

void show_product_list(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct call), list_steps);
}

void show_product(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct call), one_steps);
}
