#include "api/sse.h"

#include <assert.h>

#include "base/bytes.h"

#define ID_DIGITS_MAX 18 /* fit int64_t */

void sse_write_retry(struct bytes *out, int milliseconds)
{
    bytes_add_text(out, "retry: ");
    bytes_add_int(out, milliseconds);
    bytes_add_text(out, "\n\n");
}

void sse_write_event(struct bytes *out, int64_t id, const char *name, struct slice data)
{
    assert(id >= 0 && memchr(data.at, '\n', data.length) == NULL);
    assert(memchr(data.at, '\r', data.length) == NULL);
    bytes_add_text(out, "id: ");
    bytes_add_int(out, id);
    bytes_add_text(out, "\nevent: ");
    bytes_add_text(out, name);
    bytes_add_text(out, "\ndata: ");
    bytes_add_slice(out, data);
    bytes_add_text(out, "\n\n");
}

bool sse_read_id(struct slice text, int64_t *id)
{
    int64_t number = 0;
    if (text.length == 0 || text.length > ID_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    *id = number;
    return true;
}
