#include "http/problem.h"

#include <assert.h>

#include "base/json.h"

#define TYPE_BASE "https://moolah.dev/problems/"

static const struct {
    const char *name;
    int status;
    const char *title;
    const char *help;
} catalogue[PROBLEM_COUNT] = {
#define X(id, name, status, title, help) [PROBLEM_##id] = {#name, status, title, help},
    PROBLEM_CATALOGUE(X)
#undef X
};

int problem_status(enum problem_code code)
{
    return catalogue[code].status;
}

const char *problem_name(enum problem_code code)
{
    return catalogue[code].name;
}

const char *problem_title(enum problem_code code)
{
    return catalogue[code].title;
}

const char *problem_help(enum problem_code code)
{
    return catalogue[code].help;
}

bool problem_find(struct slice name, enum problem_code *code)
{
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        if (!slice_equals(name, catalogue[i].name))
            continue;
        *code = (enum problem_code)i;
        return true;
    }
    return false;
}

static void write_fields(struct json_writer *writer, const struct problem *problem)
{
    json_write_key(writer, "errors");
    json_write_array(writer);
    for (size_t i = 0; i < problem->field_count; i++) {
        const struct problem_field *field = &problem->fields[i];
        json_write_object(writer);
        json_write_key(writer, "pointer");
        json_write_string(writer, field->pointer);
        json_write_key(writer, "code");
        json_write_text(writer, field->code);
        json_write_key(writer, "detail");
        json_write_text(writer, field->detail);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

void problem_write_members(const struct problem *problem, const struct uuid *request_id,
                           struct json_writer *writer)
{
    char id[UUID_TEXT_MAX];
    char type[80];
    const char *name = problem_name(problem->code);
    assert(problem->field_count <= PROBLEM_FIELDS_MAX &&
           problem->extra_count <= PROBLEM_EXTRAS_MAX);
    uuid_format(request_id, "req_", id);
    snprintf(type, sizeof type, "%s%s", TYPE_BASE, name);
    json_write_key(writer, "type");
    json_write_text(writer, type);
    json_write_key(writer, "title");
    json_write_text(writer, problem_title(problem->code));
    json_write_key(writer, "status");
    json_write_int(writer, problem_status(problem->code));
    json_write_key(writer, "detail");
    json_write_text(writer,
                    problem->detail == NULL ? problem_title(problem->code) : problem->detail);
    json_write_key(writer, "code");
    json_write_text(writer, name);
    json_write_key(writer, "request_id");
    json_write_text(writer, id);
    if (problem->field_count > 0)
        write_fields(writer, problem);
    for (size_t i = 0; i < problem->extra_count; i++) {
        json_write_key(writer, problem->extras[i].name);
        if (problem->extras[i].text != NULL)
            json_write_text(writer, problem->extras[i].text);
        else
            json_write_int(writer, problem->extras[i].number);
    }
}

void problem_write(const struct problem *problem, const struct uuid *request_id, struct bytes *out)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    json_write_object(&writer);
    problem_write_members(problem, request_id, &writer);
    json_write_object_end(&writer);
}

static void add_retry_after(struct request *request, const struct problem *problem)
{
    struct bytes text;
    int status = problem_status(problem->code);
    int seconds = problem->retry_after_s;
    if (seconds == 0 && (status == 429 || status == 503))
        seconds = 1;
    if (seconds == 0)
        return;
    bytes_init(&text, &request->arena);
    bytes_add_int(&text, seconds);
    if (!text.failed)
        response_header_add(request, "retry-after", bytes_view(&text));
}

void problem_answer(struct request *request, const struct problem *problem)
{
    struct bytes body;
    struct response *response = &request->response;
    bytes_init(&body, &request->arena);
    problem_write(problem, &request->id, &body);
    response->status = problem_status(problem->code);
    response->code = problem_name(problem->code);
    response->content_type = body.failed ? NULL : "application/problem+json";
    response->body = body.failed ? (struct slice){NULL, 0} : bytes_view(&body);
    add_retry_after(request, problem);
    request_answer(request);
}

void problem_answer_code(struct request *request, enum problem_code code, const char *detail)
{
    const struct problem problem = {.code = code, .detail = detail};
    problem_answer(request, &problem);
}

void problem_write_docs(struct bytes *out)
{
    bytes_add_text(
        out,
        "# Problems\n\nEvery answer of 400 and above is `application/problem+json` (RFC 9457) with "
        "one of these codes.\nBelow each: its status and title, and what the caller can do. This "
        "page is generated from the\ncatalogue in `server/http/problem.h` by `moolah docs "
        "problems`.\n");
    for (int i = 0; i < PROBLEM_COUNT; i++)
        bytes_printf(out, "\n## %s\n\n%d: %s. %s\n", catalogue[i].name, catalogue[i].status,
                     catalogue[i].title, catalogue[i].help);
}
