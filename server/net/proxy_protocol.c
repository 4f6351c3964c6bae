#include "net/proxy_protocol.h"

#include <stdint.h>

enum { SIGNATURE = 12, HEADER = 16, IPV4_BLOCK = 12, IPV6_BLOCK = 36 };

static const uint8_t signature[SIGNATURE] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                             0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static void set_ipv4(struct inet *out, const uint8_t *block)
{
    memset(out->bytes, 0, 10);
    out->bytes[10] = out->bytes[11] = 0xff;
    memcpy(out->bytes + 12, block, 4);
    out->port = (uint16_t)(block[8] << 8 | block[9]);
}

static void set_ipv6(struct inet *out, const uint8_t *block)
{
    memcpy(out->bytes, block, 16);
    out->port = (uint16_t)(block[32] << 8 | block[33]);
}

enum proxy_protocol_result proxy_protocol_parse(const void *data, size_t length, size_t *used,
                                                struct inet *client)
{
    const uint8_t *at = data;
    size_t known = length < SIGNATURE ? length : SIGNATURE;
    if (known > 0 && memcmp(at, signature, known) != 0)
        return PROXY_PROTOCOL_INVALID;
    *used = HEADER;
    if (length < HEADER)
        return PROXY_PROTOCOL_MORE;
    size_t block = (size_t)at[14] << 8 | at[15];
    uint8_t command = at[12];
    uint8_t family = at[13];
    if ((command != 0x20 && command != 0x21) || HEADER + block > PROXY_PROTOCOL_MAX)
        return PROXY_PROTOCOL_INVALID;
    bool is_proxy = command == 0x21;
    if (is_proxy && !(family == 0x11 && block >= IPV4_BLOCK) &&
        !(family == 0x21 && block >= IPV6_BLOCK))
        return PROXY_PROTOCOL_INVALID; /* only TCP comes here */
    *used = HEADER + block;
    if (length < *used)
        return PROXY_PROTOCOL_MORE;
    if (is_proxy && family == 0x11)
        set_ipv4(client, at + HEADER);
    else if (is_proxy)
        set_ipv6(client, at + HEADER);
    return PROXY_PROTOCOL_DONE;
}
