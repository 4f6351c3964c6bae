/* Nobody makes up a cursor: arbitrary text is never accepted, unless it's exactly one we wrote. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "api/cursor.h"
#include "base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = {1, 2, 3};
    const struct uuid wallet = {{7}};
    char text[CURSOR_TEXT_MAX];
    int64_t version;
    if (cursor_read(key, &wallet, (struct slice){(const char *)data, size}, &version)) {
        cursor_write(key, &wallet, version, text);
        assert(slice_equals((struct slice){(const char *)data, size}, text));
    }
    if (size >= 8) {
        int64_t back;
        memcpy(&version, data, 8);
        cursor_write(key, &wallet, version, text);
        assert(cursor_read(key, &wallet, slice_of(text), &back) && back == version);
    }
    return 0;
}
