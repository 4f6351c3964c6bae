/* HTTP/2 frames by hand, also the ones nobody should send: for tests that speak to the server below
 * what a library would let them (RFC 9113, section 4; RFC 7541, sections 5 and 6). */
#ifndef SUPPORT_FRAMES_H
#define SUPPORT_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

enum {
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION
};

enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, PRIORITY = 32 };

enum {
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM
};

#define FRAMES_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct frame {
    size_t length;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    const uint8_t *payload;
};

static inline uint32_t frames_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Just the 9 bytes in front; `length` may be a lie. */
static inline void frames_add_head(struct bytes *out, size_t length, int type, int flags,
                                   uint32_t stream)
{
    bytes_add_char(out, (char)(length >> 16));
    bytes_add_be16(out, (uint16_t)length);
    bytes_add_char(out, (char)type);
    bytes_add_char(out, (char)flags);
    bytes_add_be32(out, stream);
}

static inline void frames_add(struct bytes *out, int type, int flags, uint32_t stream,
                              struct slice payload)
{
    frames_add_head(out, payload.length, type, flags, stream);
    bytes_add_slice(out, payload);
}

static inline void frames_add_u32(struct bytes *out, int type, uint32_t stream, uint32_t value)
{
    frames_add_head(out, 4, type, 0, stream);
    bytes_add_be32(out, value);
}

static inline void frames_add_setting(struct bytes *out, uint16_t id, uint32_t value)
{
    frames_add_head(out, 6, FRAME_SETTINGS, 0, 0);
    bytes_add_be16(out, id);
    bytes_add_be32(out, value);
}

/* The client's preface with empty SETTINGS. */
static inline void frames_add_preface(struct bytes *out)
{
    bytes_add_slice(out, SLICE(FRAMES_PREFACE));
    frames_add(out, FRAME_SETTINGS, 0, 0, (struct slice){NULL, 0});
}

static inline void frames_add_integer(struct bytes *block, uint8_t first, int bits, size_t value)
{
    size_t most = ((size_t)1 << bits) - 1;
    if (value < most) {
        bytes_add_char(block, (char)(first | value));
        return;
    }
    bytes_add_char(block, (char)(first | most));
    for (value -= most; value >= 128; value /= 128)
        bytes_add_char(block, (char)(value % 128 | 128));
    bytes_add_char(block, (char)value);
}

static inline void frames_add_string(struct bytes *block, struct slice text)
{
    frames_add_integer(block, 0, 7, text.length);
    bytes_add_slice(block, text);
}

/* A header field, literally, without indexing. */
static inline void frames_add_field(struct bytes *block, struct slice name, struct slice value)
{
    bytes_add_char(block, 0);
    frames_add_string(block, name);
    frames_add_string(block, value);
}

static inline void frames_add_text_field(struct bytes *block, const char *name, const char *value)
{
    frames_add_field(block, slice_of(name), slice_of(value));
}

/* The pseudo-headers of a request. */
static inline void frames_add_request(struct bytes *block, const char *method, const char *path)
{
    frames_add_text_field(block, ":method", method);
    frames_add_text_field(block, ":scheme", "https");
    frames_add_text_field(block, ":authority", "localhost");
    frames_add_text_field(block, ":path", path);
}

/* A whole request's HEADERS frame. */
static inline void frames_add_headers(struct bytes *out, uint32_t stream, int flags,
                                      const char *method, const char *path)
{
    struct bytes block;
    bytes_init(&block, NULL);
    frames_add_request(&block, method, path);
    frames_add(out, FRAME_HEADERS, flags | END_HEADERS, stream, bytes_view(&block));
    bytes_release(&block);
}

/* The next whole frame of what has arrived. */
static inline bool frames_next(struct slice *rest, struct frame *frame)
{
    const uint8_t *at = (const uint8_t *)rest->at;
    if (rest->length < 9)
        return false;
    size_t length = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
    if (rest->length < 9 + length)
        return false;
    *frame = (struct frame){length, at[3], at[4], frames_u32(at + 5) & 0x7fffffff, at + 9};
    rest->at += 9 + length;
    rest->length -= 9 + length;
    return true;
}

#endif
