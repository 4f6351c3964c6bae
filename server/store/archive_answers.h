/* Answers that are derived from a month's transactions, written down under their keys: once, and
 * what is written stays. Done again it goes on where it stopped. */
#ifndef STORE_ARCHIVE_ANSWERS_H
#define STORE_ARCHIVE_ANSWERS_H

#include <stdbool.h>

struct archive_state;

/* From these partitions (as SQL names). Its own connection commits page by page. */
bool archive_answers_write(struct archive_state *state, const char *transactions,
                           const char *postings);

#endif
