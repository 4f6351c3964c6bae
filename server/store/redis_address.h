/* Where Redis is, as the configuration and the command line write it:
 *     unix:/path/to/redis.sock
 *     127.0.0.1:6379   [::1]:6379   redis.internal:6379
 * with "password@" or "user:password@" before it if need be. What stands before the last '@' (of a
 * socket: before the last "@unix:") is the secret, so a password may hold '@'. The user ends at the
 * first ':'; a password that holds ':' is written ":pass:word@". */
#ifndef STORE_REDIS_ADDRESS_H
#define STORE_REDIS_ADDRESS_H

#include <stdbool.h>

struct redis_address {
    char path[108]; /* of a Unix socket, or "" */
    char host[256]; /* an IP address is best: a name is looked up by the system, which blocks */
    int port;
    char user[64]; /* "default" when none was named */
    char password[256];
    bool has_password;
};

/* False: it is none of these, or too long. */
bool redis_address_parse(const char *text, struct redis_address *address);

#endif
