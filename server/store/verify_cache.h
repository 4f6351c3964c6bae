/* The cache against the database: whoever a token in Redis lets in must be let in by the database,
 * and as the same one. */
#ifndef STORE_VERIFY_CACHE_H
#define STORE_VERIFY_CACHE_H

struct verify_line;

/* On connections of its own, and later than what Redis says: its tokens were in the database
 * before. Without a Redis, or when one of both can't be asked, line->checked is false. */
void verify_cache_check(const char *conninfo, const char *redis, struct verify_line *line);

#endif
