/* Arbitrary bytes as a PROXY v2 header: in whole and cut short anywhere, the parser reads nothing
 * beyond them and its answers agree. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "net/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inet client = {{0}, 0};
    size_t used = 0;
    enum proxy_protocol_result whole = proxy_protocol_parse(data, size, &used, &client);
    if (whole == PROXY_PROTOCOL_DONE)
        assert(used <= size && used <= PROXY_PROTOCOL_MAX);
    for (size_t cut = 0; cut < size && cut < 64; cut++) {
        size_t part_used = 0;
        enum proxy_protocol_result part = proxy_protocol_parse(data, cut, &part_used, &client);
        /* what begins well must not have been invalid when less of it was there */
        assert(whole == PROXY_PROTOCOL_INVALID || part != PROXY_PROTOCOL_INVALID);
        assert(part != PROXY_PROTOCOL_DONE || (whole == part && part_used == used));
        /* asks for more, and never for what comes behind the header */
        assert(part != PROXY_PROTOCOL_MORE || (part_used > cut && part_used <= PROXY_PROTOCOL_MAX));
        assert(part != PROXY_PROTOCOL_MORE || whole != PROXY_PROTOCOL_DONE || part_used <= used);
    }
    return 0;
}
