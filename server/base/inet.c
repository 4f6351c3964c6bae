#include "base/inet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void set_ipv4(struct inet *out, const void *four_bytes)
{
    memcpy(out->bytes, mapped, sizeof mapped);
    memcpy(out->bytes + sizeof mapped, four_bytes, 4);
}

bool inet_from_socket(const struct sockaddr *address, struct inet *out)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof ipv4);
        set_ipv4(out, &ipv4.sin_addr);
        out->port = ntohs(ipv4.sin_port);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof ipv6);
        memcpy(out->bytes, &ipv6.sin6_addr, sizeof out->bytes);
        out->port = ntohs(ipv6.sin6_port);
        return true;
    }
    return false;
}

void inet_text(const struct inet *address, char text[INET_TEXT_MAX])
{
    bool ipv4 = memcmp(address->bytes, mapped, sizeof mapped) == 0;
    const char *done = ipv4
                           ? inet_ntop(AF_INET, address->bytes + sizeof mapped, text, INET_TEXT_MAX)
                           : inet_ntop(AF_INET6, address->bytes, text, INET_TEXT_MAX);
    assert(done != NULL);
}

/* The address alone, without port. */
static bool parse_address(struct slice text, struct inet *out)
{
    char copy[INET_TEXT_MAX];
    struct in_addr ipv4;
    if (text.length == 0 || text.length >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    if (strlen(copy) != text.length)
        return false;
    if (inet_pton(AF_INET, copy, &ipv4) == 1) {
        set_ipv4(out, &ipv4);
        return true;
    }
    return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

/* Decimal without sign, blank or leading zero. */
static bool parse_number(struct slice text, unsigned most, unsigned *out)
{
    unsigned number = 0;
    if (text.length == 0 || text.length > 5 || (text.length > 1 && text.at[0] == '0'))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.at[i] - '0');
    }
    *out = number;
    return number <= most;
}

bool inet_parse_listen(struct slice text, struct inet *out)
{
    const char *colon = text.length == 0 ? NULL : memrchr(text.at, ':', text.length);
    unsigned port;
    if (colon == NULL)
        return false;
    struct slice host = {text.at, (size_t)(colon - text.at)};
    struct slice tail = {colon + 1, text.length - host.length - 1};
    if (!parse_number(tail, 65535, &port))
        return false;
    out->port = (uint16_t)port;
    if (slice_equals(host, "*")) {
        memset(out->bytes, 0, sizeof out->bytes);
        return true;
    }
    bool bracketed = host.length > 2 && host.at[0] == '[' && host.at[host.length - 1] == ']';
    if (bracketed)
        host = (struct slice){host.at + 1, host.length - 2};
    if (bracketed != (host.length > 0 && memchr(host.at, ':', host.length) != NULL))
        return false;
    return parse_address(host, out);
}

bool inet_parse_network(struct slice text, struct inet_network *out)
{
    const char *slash = text.length == 0 ? NULL : memchr(text.at, '/', text.length);
    struct slice host = {text.at, slash == NULL ? text.length : (size_t)(slash - text.at)};
    out->address.port = 0;
    if (!parse_address(host, &out->address))
        return false;
    unsigned offset = memcmp(out->address.bytes, mapped, sizeof mapped) == 0 ? 96 : 0;
    unsigned bits = 128 - offset;
    if (slash != NULL) {
        struct slice tail = {slash + 1, text.length - host.length - 1};
        if (!parse_number(tail, 128 - offset, &bits))
            return false;
    }
    out->bits = (uint8_t)(offset + bits);
    return true;
}

bool inet_in_network(const struct inet *address, const struct inet_network *network)
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    assert(network->bits <= 128);
    if (memcmp(address->bytes, network->address.bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((address->bytes[whole] ^ network->address.bytes[whole]) & mask) == 0;
}
