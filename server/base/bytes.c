#include "base/bytes.h"

#include <assert.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 127, LIMIT_BY_DEFAULT = 1 << 30, DIGITS_MAX = 20 };

void bytes_init(struct bytes *bytes, struct arena *arena)
{
    *bytes = (struct bytes){.arena = arena};
}

void bytes_release(struct bytes *bytes)
{
    if (bytes->arena == NULL)
        memory_free(bytes->at);
    bytes_init(bytes, bytes->arena);
}

void bytes_clear(struct bytes *bytes)
{
    bytes->length = 0;
    bytes->failed = false;
}

/* The capacity to grow to for `needed` bytes: doubling, cut at the limit. */
static size_t grown_capacity(const struct bytes *bytes, size_t needed, size_t limit)
{
    size_t capacity = bytes->capacity == 0 ? FIRST_CAPACITY : bytes->capacity * 2 + 1;

    if (capacity < needed)
        capacity = needed;
    return capacity < limit ? capacity : limit;
}

/* One byte more than the capacity is taken, always: vsnprintf writes its NUL there. */
static char *grow(struct bytes *bytes, size_t capacity)
{
    if (bytes->arena == NULL)
        return memory_resize(bytes->at, capacity + 1);

    char *at = arena_room(bytes->arena, capacity + 1);

    if (at != NULL && bytes->at != NULL)
        memcpy(at, bytes->at, bytes->length);
    return at;
}

static bool reserve_slowly(struct bytes *bytes, size_t more)
{
    size_t limit = bytes->limit == 0 ? LIMIT_BY_DEFAULT : bytes->limit;

    if (bytes->length > limit || more > limit - bytes->length) {
        bytes->failed = true;
        return false;
    }

    size_t needed = bytes->length + more;

    if (needed <= bytes->capacity && bytes->at != NULL)
        return true;

    size_t capacity = grown_capacity(bytes, needed, limit);
    char *at = grow(bytes, capacity);

    if (at == NULL) {
        bytes->failed = true;
        return false;
    }
    bytes->at = at;
    bytes->capacity = capacity;
    return true;
}

bool bytes_reserve(struct bytes *bytes, size_t more)
{
    if (bytes->failed)
        return false;
    /* Capacity never passes the limit, unless the limit was lowered afterwards. */
    if (bytes->limit == 0 && more <= bytes->capacity - bytes->length && bytes->at != NULL)
        return true;
    return reserve_slowly(bytes, more);
}

void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
    if (!bytes_reserve(bytes, length) || length == 0)
        return;
    memcpy(bytes->at + bytes->length, data, length);
    bytes->length += length;
}

void bytes_add_slice(struct bytes *bytes, struct slice text)
{
    bytes_add(bytes, text.at, text.length);
}

void bytes_add_text(struct bytes *bytes, const char *text)
{
    bytes_add(bytes, text, strlen(text));
}

void bytes_add_char(struct bytes *bytes, char c)
{
    if (!bytes_reserve(bytes, 1))
        return;
    bytes->at[bytes->length++] = c;
}

void bytes_add_uint(struct bytes *bytes, uint64_t number)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    bytes_add(bytes, digits + at, sizeof digits - at);
}

void bytes_add_int(struct bytes *bytes, int64_t number)
{
    if (number >= 0) {
        bytes_add_uint(bytes, (uint64_t)number);
        return;
    }
    /* Both parts or nothing: a lone sign would be a wrong number to who forgets to look at failed.
     */
    if (!bytes_reserve(bytes, 2))
        return;
    bytes_add_char(bytes, '-');
    bytes_add_uint(bytes, 0 - (uint64_t)number);
}

void bytes_add_hex(struct bytes *bytes, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = data;

    if (length > SIZE_MAX / 2) {
        bytes->failed = true;
        return;
    }
    if (!bytes_reserve(bytes, 2 * length))
        return;
    for (size_t i = 0; i < length; i++) {
        bytes->at[bytes->length++] = digits[from[i] >> 4];
        bytes->at[bytes->length++] = digits[from[i] & 15];
    }
}

void bytes_printf(struct bytes *bytes, const char *format, ...)
{
    va_list values;

    /* Nothing more than what is there already: in most cases the first try fits. */
    if (!bytes_reserve(bytes, 0))
        return;

    size_t room = bytes->capacity - bytes->length + 1;

    va_start(values, format);
    int length = vsnprintf(bytes->at + bytes->length, room, format, values);
    va_end(values);
    if (length < 0) {
        bytes->failed = true;
        return;
    }
    if ((size_t)length >= room) {
        if (!bytes_reserve(bytes, (size_t)length))
            return;
        va_start(values, format);
        vsnprintf(bytes->at + bytes->length, (size_t)length + 1, format, values);
        va_end(values);
    }
    bytes->length += (size_t)length;
}

void bytes_add_be16(struct bytes *bytes, uint16_t number)
{
    uint16_t swapped = htobe16(number);

    bytes_add(bytes, &swapped, sizeof swapped);
}

void bytes_add_be32(struct bytes *bytes, uint32_t number)
{
    uint32_t swapped = htobe32(number);

    bytes_add(bytes, &swapped, sizeof swapped);
}

void bytes_add_be64(struct bytes *bytes, uint64_t number)
{
    uint64_t swapped = htobe64(number);

    bytes_add(bytes, &swapped, sizeof swapped);
}

void bytes_consume(struct bytes *bytes, size_t length)
{
    assert(length <= bytes->length);
    bytes->length -= length;
    if (length > 0 && bytes->length > 0)
        memmove(bytes->at, bytes->at + length, bytes->length);
}

struct slice bytes_view(const struct bytes *bytes)
{
    return (struct slice){bytes->at, bytes->length};
}
