/* Pieces of a page that is HTML and well-formed XML at once, so that a test can parse it. All text
 * goes through markup_text: nothing that stood in a result can become markup. */
#ifndef BENCHMARKS_MARKUP_H
#define BENCHMARKS_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

struct bytes;

/* Escaped for content and for attributes in double quotes; what XML doesn't allow is U+FFFD. */
void markup_text(struct bytes *out, const char *text);

/* <tag>text</tag>; attributes is "" or " class=\"...\"". */
void markup_element(struct bytes *out, const char *tag, const char *attributes, const char *text);

/* A table in a box of its own that scrolls sideways: caption (not shown, read aloud), head, and the
 * rows one by one. The first column is the rows' head. A NULL cell is an empty one. */
void markup_table(struct bytes *out, const char *caption, const char *const *head, size_t columns);
void markup_table_row(struct bytes *out, const char *const *cells, size_t columns);
void markup_table_end(struct bytes *out);

#endif
