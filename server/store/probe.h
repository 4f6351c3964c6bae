/* Is what the configuration says about PostgreSQL and Redis any good? Blocking: for --check and
 * before anything is started. */
#ifndef STORE_PROBE_H
#define STORE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Can libpq read it? False: `error` says what it doesn't understand, one line. */
bool probe_conninfo(const char *conninfo, char *error, size_t size);

/* "unix:/path" or "ADDRESS:PORT", with "password@" before it if need be? */
bool probe_redis_address(const char *address);

/* Do they answer, within 5 s? False: `error` says why not, one line. */
bool probe_database(const char *conninfo, char *error, size_t size);
bool probe_redis(const char *address, char *error, size_t size);

#endif
