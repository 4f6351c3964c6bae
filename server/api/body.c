#include "api/body.h"

#include <assert.h>
#include <strings.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/currency.h"
#include "base/json.h"
#include "base/zone.h"
#include "ledger/money.h"
#include "ledger/transaction.h"

struct slice body_pointer(struct call *call, struct slice name)
{
    struct bytes text;
    bytes_init(&text, &call->request->arena);
    bytes_add_slice(&text, call->within);
    bytes_add_char(&text, '/');
    for (size_t i = 0; i < name.length && i < 64; i++) {
        if (name.at[i] == '~' || name.at[i] == '/')
            bytes_add_text(&text, name.at[i] == '~' ? "~0" : "~1");
        else
            bytes_add_char(&text, name.at[i]);
    }
    return text.failed ? SLICE("/") : bytes_view(&text);
}

static void fault(struct call *call, const char *name, const char *code, const char *detail)
{
    call_add_field(call, body_pointer(call, slice_of(name)), code, detail);
}

struct slice body_texts_json(struct call *call, const struct body_texts *texts)
{
    struct bytes out;
    struct json_writer writer;
    char name[64];
    bytes_init(&out, &call->request->arena);
    json_write_init(&writer, &out);
    json_write_object(&writer);
    for (size_t i = 0; i < texts->count; i++) {
        assert(texts->names[i].length < sizeof name);
        snprintf(name, sizeof name, "%.*s", (int)texts->names[i].length, texts->names[i].at);
        json_write_key(&writer, name);
        json_write_string(&writer, texts->values[i]);
    }
    json_write_object_end(&writer);
    return out.failed ? (struct slice){NULL, 0} : bytes_view(&out);
}

static bool is_json(struct slice type)
{
    static const char json[] = "application/json";
    size_t length = sizeof json - 1;
    if (type.length < length || strncasecmp(type.at, json, length) != 0)
        return false;
    struct slice rest = {type.at + length, type.length - length};
    while (rest.length > 0 && (rest.at[0] == ' ' || rest.at[0] == ';')) {
        rest.at++;
        rest.length--;
    }
    return rest.length == 0 ||
           (rest.length == 13 && strncasecmp(rest.at, "charset=utf-8", 13) == 0);
}

ssize_t body_characters(struct slice text)
{
    ssize_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f)
            return -1;
        count += (c & 0xc0) != 0x80;
    }
    return count;
}

bool body_is_phone(struct slice text)
{
    if (text.length < 9 || text.length > 16 || text.at[0] != '+' || text.at[1] == '0')
        return false;
    for (size_t i = 1; i < text.length; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return true;
}

static bool expect_text(struct call *call, const struct body_field *field, const struct json *value)
{
    if (json_kind(value) == JSON_STRING)
        return true;
    fault(call, field->name, "type", "must be a text");
    return false;
}

static void read_text(struct call *call, const struct body_field *field, const struct json *value,
                      struct slice *out)
{
    struct bytes detail;
    if (!expect_text(call, field, value))
        return;
    struct slice text = json_string(value);
    ssize_t count = body_characters(text); /* the parser saw to the UTF-8 */
    if (count >= (ssize_t)field->min && count <= (ssize_t)field->max) {
        *out = text;
        return;
    }
    bytes_init(&detail, &call->request->arena);
    bytes_printf(&detail, "must have %zu to %zu characters, none of them a control character",
                 field->min, field->max);
    bytes_add_char(&detail, '\0');
    fault(call, field->name, "format",
          detail.failed ? "has too few or too many characters" : detail.at);
}

static void read_phone(struct call *call, const char *name, const struct json *value,
                       struct slice *out)
{
    if (json_kind(value) == JSON_STRING && body_is_phone(json_string(value)))
        *out = json_string(value);
    else
        fault(call, name, json_kind(value) == JSON_STRING ? "format" : "type",
              "must be a phone number like +27821234567: + and 8 to 15 digits");
}

static void read_amount(struct call *call, const struct body_field *field, const struct json *value,
                        int64_t *out)
{
    if (json_kind(value) != JSON_INTEGER)
        fault(call, field->name, "type",
              "must be an integer of minor units, such as 10000 for 100.00");
    else if (!money_is_amount(json_integer(value)))
        fault(call, field->name, "range", "must be from 1 to 9007199254740991");
    else
        *out = json_integer(value);
}

static void read_integer(struct call *call, const struct body_field *field,
                         const struct json *value, int64_t *out)
{
    struct bytes detail;
    bool good = json_kind(value) == JSON_INTEGER && json_integer(value) >= (int64_t)field->min &&
                json_integer(value) <= (int64_t)field->max;
    if (good) {
        *out = json_integer(value);
        return;
    }
    bytes_init(&detail, &call->request->arena);
    bytes_printf(&detail, "must be an integer from %zu to %zu", field->min, field->max);
    bytes_add_char(&detail, '\0');
    fault(call, field->name, json_kind(value) == JSON_INTEGER ? "range" : "type",
          detail.failed ? "is out of range" : detail.at);
}

static void read_bool(struct call *call, const struct body_field *field, const struct json *value,
                      bool *out)
{
    if (json_kind(value) == JSON_BOOL)
        *out = json_bool(value);
    else
        fault(call, field->name, "type", "must be true or false");
}

static void read_currency(struct call *call, const struct body_field *field,
                          const struct json *value, currency *out)
{
    if (!expect_text(call, field, value))
        return;
    *out = currency_parse(json_string(value));
    if (*out == 0)
        fault(call, field->name, "format", "must be an ISO 4217 code like ZAR");
}

static void read_zone(struct call *call, const struct body_field *field, const struct json *value,
                      int *out)
{
    if (!expect_text(call, field, value))
        return;
    *out = zone_find(json_string(value));
    if (*out == 0)
        fault(call, field->name, "format",
              "must be an IANA time zone that is known here, like Africa/Johannesburg or UTC: "
              "TimeZone in openapi.yaml lists them");
}

static void read_wallet(struct call *call, const char *name, const struct json *value,
                        struct uuid *out)
{
    if (json_kind(value) != JSON_STRING)
        fault(call, name, "type", "must be a wallet's id");
    else if (!uuid_parse(json_string(value), "wal_", out))
        fault(call, name, "format", "must be a wallet's id: wal_ and 26 characters");
}

static void read_recipient(struct call *call, const struct body_field *field,
                           const struct json *value, struct body_recipient *out)
{
    if (json_kind(value) != JSON_OBJECT) {
        read_wallet(call, field->name, value, &out->wallet);
        return;
    }
    const struct json *phone = json_member(value, "phone");
    if (phone == NULL || json_count(value) != 1)
        fault(call, field->name, "format", "must be a wallet's id or {\"phone\": \"+27...\"}");
    else
        read_phone(call, field->name, phone, &out->phone);
}

/* -1: all; 0: that's none. */
static int64_t event_bits(const struct json *value)
{
    static const char prefix[] = "transaction.";
    const size_t length = sizeof prefix - 1;
    struct slice name = json_kind(value) == JSON_STRING ? json_string(value) : SLICE("");
    if (slice_equals(name, "*"))
        return -1;
    if (name.length <= length || memcmp(name.at, prefix, length) != 0)
        return 0;
    name = (struct slice){name.at + length, name.length - length};
    enum transaction_kind kind = transaction_kind_parse(name);
    return kind == 0 ? 0 : INT64_C(1) << kind;
}

static void read_events(struct call *call, const char *name, const struct json *value, int64_t *out)
{
    size_t at = 0;
    const struct json *element;
    bool good = json_kind(value) == JSON_ARRAY && json_count(value) > 0;
    *out = 0;
    while (good && json_next_element(value, &at, &element)) {
        int64_t bits = event_bits(element);
        good = bits != 0;
        *out |= bits;
    }
    if (!good)
        fault(call, name, "format",
              "must be a list of event types like \"transaction.deposit\", or [\"*\"]");
}

static void read_members(struct call *call, const struct body_field *fields,
                         const struct json *object, void *out);

static void read_object(struct call *call, const struct body_objects *objects, size_t index,
                        const struct json *value)
{
    if (json_kind(value) == JSON_OBJECT)
        read_members(call, objects->fields, value, (char *)objects->at + index * objects->size);
    else
        call_add_field(call, call->within, "type", "must be an object");
}

static bool expect_objects(struct call *call, const struct body_field *field,
                           const struct json *value)
{
    struct bytes detail;
    bool list = json_kind(value) == JSON_ARRAY;
    if (list && json_count(value) >= field->min && json_count(value) <= field->max)
        return true;
    bytes_init(&detail, &call->request->arena);
    bytes_printf(&detail, "must be a list of %zu to %zu objects", field->min, field->max);
    bytes_add_char(&detail, '\0');
    fault(call, field->name, list ? "range" : "type",
          detail.failed ? "has too few or too many" : detail.at);
    return false;
}

static void read_objects(struct call *call, const struct body_field *field,
                         const struct json *value, struct body_objects *out)
{
    size_t at = 0;
    const struct json *element;
    assert(call->within.length == 0); /* no lists in lists */
    if (!expect_objects(call, field, value))
        return;
    out->at = arena_array(&call->request->arena, json_count(value), out->size);
    if (out->at == NULL) {
        fault(call, field->name, "range", "more than can be kept just now");
        return;
    }
    while (json_next_element(value, &at, &element) &&
           call->problem.field_count < PROBLEM_FIELDS_MAX) {
        char text[64];
        struct bytes within = {.at = text, .capacity = sizeof text, .limit = sizeof text};
        bytes_printf(&within, "/%s/%zu", field->name, out->count);
        call->within = arena_copy(&call->request->arena, bytes_view(&within));
        read_object(call, out, out->count++, element);
    }
    call->within = (struct slice){NULL, 0};
}

static int compare_names(struct slice a, struct slice b)
{
    int order = memcmp(a.at, b.at, a.length < b.length ? a.length : b.length);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static void add_text(struct body_texts *texts, struct slice name, struct slice value)
{
    size_t at = texts->count++;
    for (; at > 0 && compare_names(texts->names[at - 1], name) > 0; at--) {
        texts->names[at] = texts->names[at - 1];
        texts->values[at] = texts->values[at - 1];
    }
    texts->names[at] = name;
    texts->values[at] = value;
}

static void read_texts(struct call *call, const struct body_field *field, const struct json *value,
                       struct body_texts *out)
{
    struct slice name;
    const struct json *member;
    if (json_kind(value) != JSON_OBJECT || json_count(value) > BODY_TEXTS_MAX) {
        fault(call, field->name, "type", "must be an object of at most 8 texts");
        return;
    }
    for (size_t at = 0; json_next(value, &at, &name, &member);) {
        bool text = json_kind(member) == JSON_STRING;
        ssize_t count = text ? body_characters(json_string(member)) : -1;
        if (count >= (ssize_t)field->min && count <= (ssize_t)field->max)
            add_text(out, name, json_string(member));
        else
            fault(call, field->name, text ? "format" : "type",
                  "must hold texts of a length that their product allows");
    }
}

static void read_field(struct call *call, const struct body_field *field, const struct json *value,
                       void *out)
{
    void *at = (char *)out + field->offset;
    switch (field->kind) {
    case BODY_TEXT:
    case BODY_TOKEN:
    case BODY_SECRET:
        read_text(call, field, value, at);
        return;
    case BODY_PHONE:
        read_phone(call, field->name, value, at);
        return;
    case BODY_AMOUNT:
        read_amount(call, field, value, at);
        return;
    case BODY_INTEGER:
        read_integer(call, field, value, at);
        return;
    case BODY_BOOL:
        read_bool(call, field, value, at);
        return;
    case BODY_CURRENCY:
        read_currency(call, field, value, at);
        return;
    case BODY_WALLET:
        read_wallet(call, field->name, value, at);
        return;
    case BODY_RECIPIENT:
        read_recipient(call, field, value, at);
        return;
    case BODY_OBJECTS:
        read_objects(call, field, value, at);
        return;
    case BODY_EVENTS:
        read_events(call, field->name, value, at);
        return;
    case BODY_ZONE:
        read_zone(call, field, value, at);
        return;
    case BODY_TEXTS:
        read_texts(call, field, value, at);
        return;
    }
}

static bool is_known(const struct body_field *fields, struct slice name)
{
    for (; fields->name != NULL; fields++)
        if (slice_equals(name, fields->name))
            return true;
    return false;
}

static void read_members(struct call *call, const struct body_field *fields,
                         const struct json *object, void *out)
{
    size_t at = 0;
    struct slice name;
    const struct json *value;
    for (const struct body_field *field = fields; field->name != NULL; field++) {
        value = json_member(object, field->name);
        if (value != NULL && (field->required || json_kind(value) != JSON_NULL))
            read_field(call, field, value, out);
        else if (field->required)
            fault(call, field->name, "required", "is required");
    }
    while (json_next(object, &at, &name, &value))
        if (!is_known(fields, name))
            call_add_field(call, body_pointer(call, name), "unknown",
                           "is not a field of this call");
}

static bool refuse_json(struct call *call, const struct json_error *error)
{
    struct bytes detail;
    if (error->no_memory) {
        call_refuse(call, PROBLEM_OVERLOADED, NULL);
        return false;
    }
    bytes_init(&detail, &call->request->arena);
    bytes_printf(&detail, "%s, at byte %zu", error->message, error->offset);
    bytes_add_char(&detail, '\0');
    if (error->pointer[0] != '\0') {
        struct slice pointer = arena_copy(&call->request->arena, slice_of(error->pointer));
        call_add_field(call, pointer, "duplicate", "is there more than once, or not acceptable");
    }
    call_refuse(call, PROBLEM_MALFORMED_JSON, detail.failed ? NULL : detail.at);
    return false;
}

bool body_read(struct call *call, const struct body_field *fields, void *out)
{
    struct request *request = call->request;
    struct json_error error;
    if (!is_json(request->content_type)) {
        call_refuse(call, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
        return false;
    }
    const struct json *body = json_parse(bytes_view(&request->body), &request->arena, &error);
    if (body == NULL)
        return refuse_json(call, &error);
    if (json_kind(body) != JSON_OBJECT)
        call_add_field(call, SLICE(""), "type", "the body must be an object");
    else
        read_members(call, fields, body, out);
    if (call->problem.field_count == 0)
        return true;
    call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
    return false;
}

/* Each value behind its length, so that no two requests run together. */
static void add_value(struct bytes *all, const void *data, size_t length)
{
    bytes_add_be32(all, (uint32_t)length);
    bytes_add(all, data, length);
}

static void add_fields(struct bytes *all, const struct body_field *fields, const void *out);

static void add_objects(struct bytes *all, const struct body_objects *objects)
{
    bytes_add_be32(all, (uint32_t)objects->count);
    for (size_t i = 0; i < objects->count; i++)
        add_fields(all, objects->fields, (const char *)objects->at + i * objects->size);
}

static void add_texts(struct bytes *all, const struct body_texts *texts)
{
    bytes_add_be32(all, (uint32_t)texts->count);
    for (size_t i = 0; i < texts->count; i++) {
        add_value(all, texts->names[i].at, texts->names[i].length);
        add_value(all, texts->values[i].at, texts->values[i].length);
    }
}

static void add_field(struct bytes *all, const struct body_field *field, const void *at)
{
    /* absent it adds nothing: a request is what it was before there were zones and quotes */
    if (field->kind == BODY_ZONE && *(const int *)at == 0)
        return;
    if (field->kind == BODY_TOKEN && ((const struct slice *)at)->at == NULL)
        return;
    add_value(all, field->name, strlen(field->name));
    switch (field->kind) {
    case BODY_TEXT:
    case BODY_TOKEN:
    case BODY_PHONE:
        add_value(all, ((const struct slice *)at)->at, ((const struct slice *)at)->length);
        return;
    case BODY_SECRET:
        return;
    case BODY_BOOL:
        add_value(all, at, sizeof(bool));
        return;
    case BODY_AMOUNT:
    case BODY_INTEGER:
    case BODY_EVENTS:
        bytes_add_be64(all, (uint64_t) * (const int64_t *)at);
        return;
    case BODY_CURRENCY:
        bytes_add_be32(all, *(const currency *)at);
        return;
    case BODY_ZONE:
        bytes_add_be32(all, (uint32_t) * (const int *)at);
        return;
    case BODY_WALLET:
        add_value(all, at, sizeof(struct uuid));
        return;
    case BODY_TEXTS:
        add_texts(all, at);
        return;
    case BODY_RECIPIENT: {
        const struct body_recipient *to = at;
        add_value(all, to->phone.at, to->phone.length);
        /* a phone's wallet is found later, and may be another one next time */
        if (to->phone.at == NULL)
            add_value(all, to->wallet.bytes, sizeof to->wallet.bytes);
        return;
    }
    case BODY_OBJECTS:
        add_objects(all, at);
        return;
    }
}

static void add_fields(struct bytes *all, const struct body_field *fields, const void *out)
{
    for (; fields->name != NULL; fields++)
        add_field(all, fields, (const char *)out + fields->offset);
}

void body_hash(const struct call *call, const struct body_field *fields, const void *out,
               uint8_t hash[32])
{
    struct bytes all;
    bytes_init(&all, &call->request->arena);
    const char *method = request_method_name(call->request->method);
    add_value(&all, method, strlen(method));
    add_value(&all, call->request->path.at, call->request->path.length);
    add_fields(&all, fields, out);
    crypto_sha256(bytes_view(&all), hash);
    if (all.failed) /* then it equals nothing: refused as another request at worst */
        crypto_random(hash, 32);
}
