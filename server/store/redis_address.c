#include "store/redis_address.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool copy(char *out, size_t size, const char *from, size_t length)
{
    if (length >= size)
        return false;
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

/* Where the place begins: behind the secret's '@', or at the start. */
static const char *find_place(const char *text)
{
    const char *place = text;
    const char *last = strrchr(text, '@');
    bool is_socket = strncmp(text, "unix:", 5) == 0;
    for (const char *at = strstr(text, "@unix:"); at != NULL; at = strstr(at + 1, "@unix:")) {
        is_socket = true;
        place = at + 1;
    }
    return is_socket || last == NULL ? place : last + 1;
}

static bool parse_secret(const char *text, size_t length, struct redis_address *address)
{
    const char *colon = memchr(text, ':', length);
    size_t user = colon == NULL ? 0 : (size_t)(colon - text);
    const char *password = colon == NULL ? text : colon + 1;
    address->has_password = true;
    if (user > 0 && !copy(address->user, sizeof address->user, text, user))
        return false;
    return copy(address->password, sizeof address->password, password,
                length - (size_t)(password - text));
}

static bool parse_port(const char *text, int *port)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    *port = (int)strtol(text, NULL, 10);
    return *port >= 1 && *port <= 65535;
}

static bool parse_host(const char *place, struct redis_address *address)
{
    const char *colon = strrchr(place, ':');
    if (colon == NULL || !parse_port(colon + 1, &address->port))
        return false;
    size_t length = (size_t)(colon - place);
    bool bracketed = length > 2 && place[0] == '[' && place[length - 1] == ']';
    if (bracketed) {
        place++;
        length -= 2;
    }
    bool has_colon = memchr(place, ':', length) != NULL;
    return length > 0 && has_colon == bracketed &&
           copy(address->host, sizeof address->host, place, length) &&
           strpbrk(address->host, "[]") == NULL;
}

bool redis_address_parse(const char *text, struct redis_address *address)
{
    const char *place = find_place(text);
    *address = (struct redis_address){.user = "default"};
    if (place > text && !parse_secret(text, (size_t)(place - text) - 1, address))
        return false;
    if (strncmp(place, "unix:", 5) == 0)
        return place[5] != '\0' &&
               copy(address->path, sizeof address->path, place + 5, strlen(place + 5));
    return parse_host(place, address);
}
