/* What every list has in common: ?limit= and ?after=, and {"data":[...],"next":...}. */
#ifndef API_PAGING_H
#define API_PAGING_H

#include "api/call.h"
#include "api/cursor.h"
#include "base/json.h"

/* The query's parameters that a list knows beside limit and after; ended by a NULL name. */
struct paging_filter {
    const char *name;
    const char *pointer; /* "?name" */
    /* NULL: taken. Otherwise what it must be. */
    const char *(*read)(struct call *call, struct slice value);
};

struct paging {
    struct cursor after; /* list and scope are the asker's to fill in */
    bool has_after;
    int limit;
    struct bytes body;
    struct json_writer writer;
};

/* Read the query; `filters`: NULL, or a table of at most 16. False: call is refused. `page->after`
 * is checked against its list and scope. */
bool paging_read(struct call *call, struct paging *page, const struct paging_filter *filters);

/* The same for a call that is no list: neither limit nor after are known. */
bool paging_read_query(struct call *call, const struct paging_filter *filters);

/* Where the next page begins; NULL: this is the first. */
const struct uuid *paging_before(const struct paging *page);

/* How many of `count` rows that were read (one more than the limit, if there are so many) belong to
 * this page. */
size_t paging_count(const struct paging *page, size_t count);

/* Begin the body; lines are then written to the returned writer. */
struct json_writer *paging_begin(struct call *call, struct paging *page);

/* End it: `count` rows were read, `last` is the position of this page's last line. Then the body is
 * in page->body. */
void paging_end(struct call *call, struct paging *page, size_t count, const struct uuid *last);

/* A filter's time: NULL, or what it must be. */
const char *paging_time(struct slice text, int64_t *unix_us);

/* Digits that make a number in least..most. */
bool paging_number(struct slice text, int64_t least, int64_t most, int64_t *out);

#endif
