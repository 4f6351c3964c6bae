#include "net/public_address.h"

#include <assert.h>
#include <stddef.h>

static const char *const special_ipv4[] = {
    "0.0.0.0/8",        /* this network */
    "10.0.0.0/8",       /* private */
    "100.64.0.0/10",    /* carriers' NAT; some clouds' metadata */
    "127.0.0.0/8",      /* loopback */
    "168.63.129.16/32", /* Azure's services for its machines, of all places */
    "169.254.0.0/16",   /* link-local; most clouds' metadata */
    "172.16.0.0/12",    /* private */
    "192.0.0.0/24",     /* protocol assignments */
    "192.0.2.0/24",     /* documentation */
    "192.88.99.0/24",   /* 6to4 relays */
    "192.168.0.0/16",   /* private */
    "198.18.0.0/15",    /* benchmarks */
    "198.51.100.0/24",  /* documentation */
    "203.0.113.0/24",   /* documentation */
    "224.0.0.0/4",      /* multicast */
    "240.0.0.0/4",      /* reserved, broadcast */
    NULL,
};

/* Of global unicast, 2000::/3: loopback, link-local, unique local (AWS's metadata), multicast and
 * NAT64 are outside of it. */
static const char *const special_ipv6[] = {
    "2001::/23",     /* protocol assignments, Teredo among them */
    "2001:db8::/32", /* documentation */
    "2002::/16",     /* 6to4 */
    "3fff::/20",     /* documentation */
    NULL,
};

static bool is_in(const struct inet *address, const char *text)
{
    struct inet_network network;
    bool good = inet_parse_network(slice_of(text), &network);
    assert(good);
    return good && inet_in_network(address, &network);
}

static bool is_in_any(const struct inet *address, const char *const *networks)
{
    for (; *networks != NULL; networks++)
        if (is_in(address, *networks))
            return true;
    return false;
}

bool public_address_is(const struct inet *address)
{
    if (is_in(address, "0.0.0.0/0"))
        return !is_in_any(address, special_ipv4);
    return is_in(address, "2000::/3") && !is_in_any(address, special_ipv6);
}
