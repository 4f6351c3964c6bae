/* What base/json asks of a document beyond yyjson's own strictness. For json.c alone. */
#ifndef BASE_JSON_CHECK_H
#define BASE_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct arena;
struct json_error;
struct yyjson_doc;

enum { JSON_CHECK_DEPTH_MAX = 16 };

/* Before parsing: refuses brackets nested too deep; `*values` is at least the number of values
 * (keys count) that any parser finds in the text. Says nothing about whether it is JSON at all. */
bool json_check_shape(struct slice text, size_t *values, struct json_error *error);

/* After parsing in place at `text`: refuses duplicate keys and NULs, says where; turns the raw
 * numbers that are 64-bit integers into integers. */
bool json_check_document(struct yyjson_doc *document, const char *text, struct arena *arena,
                         struct json_error *error);

#endif
