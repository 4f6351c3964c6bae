#include "api/paging.h"

#include <assert.h>

#include "base/clock.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100
#define FILTERS_MAX 16

enum { SEEN_LIMIT = FILTERS_MAX, SEEN_AFTER };

bool paging_number(struct slice text, int64_t least, int64_t most, int64_t *out)
{
    int64_t number = 0;
    if (text.length == 0 || text.length > 16)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    *out = number;
    return number >= least && number <= most;
}

static const char *read_limit(struct paging *page, struct slice value)
{
    int64_t limit;
    if (!paging_number(value, 1, LIMIT_MAX, &limit))
        return "must be an integer from 1 to 100";
    page->limit = (int)limit;
    return NULL;
}

static const char *read_after(const struct call *call, struct paging *page, struct slice value)
{
    page->has_after = true;
    return cursor_read(call->service->settings.cursor_key, &page->after, value)
               ? NULL
               : "must be the `next` of an earlier page of this list";
}

/* The place of a filter in its table; its end: there is none of that name. */
static size_t find(const struct paging_filter *filters, struct slice name)
{
    size_t at = 0;
    while (filters != NULL && filters[at].name != NULL && !slice_equals(name, filters[at].name))
        at++;
    return at;
}

static void read_one(struct call *call, struct paging *page, const struct paging_filter *filters,
                     const struct slice pair[2], uint32_t *seen)
{
    size_t at = find(filters, pair[0]);
    bool is_limit = page != NULL && slice_equals(pair[0], "limit");
    bool is_after = page != NULL && slice_equals(pair[0], "after");
    bool is_filter = filters != NULL && filters[at].name != NULL;
    if (!is_limit && !is_after && !is_filter) {
        call_add_field(call, SLICE("?"), "unknown", "a parameter is not known here");
        return;
    }
    uint32_t bit = UINT32_C(1) << (is_limit ? SEEN_LIMIT : is_after ? SEEN_AFTER : at);
    const char *pointer = is_limit ? "?limit" : is_after ? "?after" : filters[at].pointer;
    if ((*seen & bit) != 0) {
        call_add_field(call, slice_of(pointer), "duplicate", "is there more than once");
        return;
    }
    *seen |= bit;
    const char *wrong = is_limit   ? read_limit(page, pair[1])
                        : is_after ? read_after(call, page, pair[1])
                                   : filters[at].read(call, pair[1]);
    if (wrong != NULL)
        call_add_field(call, slice_of(pointer), "format", wrong);
}

bool paging_read_query(struct call *call, const struct paging_filter *filters)
{
    return paging_read(call, NULL, filters);
}

const char *paging_time(struct slice text, int64_t *unix_us)
{
    return clock_parse(text, unix_us) ? NULL : "must be a time like 2026-12-01T08:00:00Z";
}

bool paging_read(struct call *call, struct paging *page, const struct paging_filter *filters)
{
    struct slice pair[2];
    uint32_t seen = 0;
    size_t at = 0;
    bool bad;
    if (page != NULL)
        page->limit = LIMIT_DEFAULT;
    while (request_query_next(call->request, &at, &pair[0], &pair[1], &bad)) {
        if (bad)
            call_add_field(call, SLICE("?"), "format", "its percent-encoding is broken");
        else
            read_one(call, page, filters, pair, &seen);
    }
    if (call->problem.field_count == 0)
        return true;
    call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
    return false;
}

const struct uuid *paging_before(const struct paging *page)
{
    return page->has_after ? &page->after.position : NULL;
}

size_t paging_count(const struct paging *page, size_t count)
{
    return count > (size_t)page->limit ? (size_t)page->limit : count;
}

struct json_writer *paging_begin(struct call *call, struct paging *page)
{
    bytes_init(&page->body, &call->request->arena);
    json_write_init(&page->writer, &page->body);
    json_write_object(&page->writer);
    json_write_key(&page->writer, "data");
    json_write_array(&page->writer);
    return &page->writer;
}

void paging_end(struct call *call, struct paging *page, size_t count, const struct uuid *last)
{
    char text[CURSOR_TEXT_MAX];
    json_write_array_end(&page->writer);
    json_write_key(&page->writer, "next");
    if (count > (size_t)page->limit) {
        assert(last != NULL);
        page->after.position = *last;
        cursor_write(call->service->settings.cursor_key, &page->after, text);
        json_write_text(&page->writer, text);
    } else {
        json_write_null(&page->writer);
    }
    json_write_object_end(&page->writer);
}
