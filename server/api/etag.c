#include "api/etag.h"

static void skip(struct slice *text, size_t count)
{
    text->at += count;
    text->length -= count;
}

/* Between two members of a list: commas and white space. */
static void skip_gap(struct slice *list)
{
    while (list->length > 0 && (list->at[0] == ',' || list->at[0] == ' ' || list->at[0] == '\t'))
        skip(list, 1);
}

/* The next tag with its quotes, without its W/. False: there is none. */
static bool next_tag(struct slice *list, struct slice *tag)
{
    skip_gap(list);
    if (list->length >= 2 && memcmp(list->at, "W/", 2) == 0)
        skip(list, 2);
    if (list->length < 2 || list->at[0] != '"')
        return false;
    const char *end = memchr(list->at + 1, '"', list->length - 1);
    if (end == NULL)
        return false;
    *tag = (struct slice){list->at, (size_t)(end - list->at) + 1};
    skip(list, tag->length);
    return list->length == 0 || list->at[0] == ',' || list->at[0] == ' ' || list->at[0] == '\t';
}

bool etag_matches(struct slice if_none_match, struct slice tag)
{
    struct slice list = if_none_match;
    struct slice member;
    if (slice_equals(list, "*"))
        return true;
    while (next_tag(&list, &member))
        if (slice_equal(member, tag))
            return true;
    return false;
}
