/* The cache's Redis functions, loaded with the gate's: an older version never goes over a newer
 * one. They are of the gate's library, and change their names with it: another body needs another.
 */
#ifndef STORE_CACHE_FUNCTION_H
#define STORE_CACHE_FUNCTION_H

#include "store/gate_function.h"

#define CACHE_STORE_NAME GATE_FUNCTION_NAME "_store"
#define CACHE_OFFER_NAME GATE_FUNCTION_NAME "_offer"

/* Lua, for gate_function_source. */
#define CACHE_FUNCTIONS                                                                        \
    /* Entries as they were read from the database. ARGV: entry, lifetime in ms. */            \
    "local function version(text)\n"                                                           \
    "  if type(text) ~= 'string' or #text < 8 then return -1 end\n"                            \
    "  return (struct.unpack('>i8', text))\n"                                                  \
    "end\n"                                                                                    \
    "local function store(keys, args)\n"                                                       \
    "  local known = version(redis.pcall('GETRANGE', keys[1], 0, 7))\n"                        \
    "  if known <= version(args[1]) then\n"                                                    \
    "    redis.call('SET', keys[1], args[1], 'PX', args[2])\n"                                 \
    "  end\n"                                                                                  \
    "  return 'OK'\n"                                                                          \
    "end\n" /* A page's lines behind those that have come, as many as belong to it. */         \
    "local function keep_lines(page, at, left)\n"                                              \
    "  local from = at\n"                                                                      \
    "  while left > 0 and at + 1 <= #page do\n"                                                \
    "    at = at + 2 + struct.unpack('>I2', page, at)\n"                                       \
    "    left = left - 1\n"                                                                    \
    "  end\n"                                                                                  \
    "  return string.sub(page, from, at - 1)\n"                                                \
    "end\n"                                                                                    \
    "local function offer_balance(key, head)\n"                                                \
    "  local known = version(redis.pcall('GETRANGE', key, 0, 7))\n"                            \
    "  if known < 0 then return end\n"                                                         \
    "  if head == '' then\n"                                                                   \
    "    redis.call('UNLINK', key)\n"                                                          \
    "  elseif known < version(head) then\n"                                                    \
    "    redis.call('SETRANGE', key, 0, head)\n"                                               \
    "  end\n"                                                                                  \
    "end\n"                                                                                    \
    "local function offer_page(key, offered)\n"                                                \
    "  local page = redis.pcall('GET', key)\n"                                                 \
    "  local known = version(page)\n"                                                          \
    "  if known < 0 then return end\n"                                                         \
    "  if offered == '' then\n"                                                                \
    "    redis.call('UNLINK', key)\n"                                                          \
    "  elseif known < version(offered) then\n"                                                 \
    "    local fresh = version(offered) - known\n"                                             \
    "    local more = fresh < 21 and keep_lines(page, 49, 21 - fresh) or ''\n"                 \
    "    redis.call('SET', key, offered .. more, 'KEEPTTL')\n"                                 \
    "  end\n"                                                                                  \
    "end\n" /* What posting has changed. KEYS, two per wallet: balance, page. ARGV likewise: a \
             * balance's head; a page's head and its new lines; '' when both may go. Only what \
             * is there already is renewed. */                                                 \
    "local function offer(keys, args)\n"                                                       \
    "  for i = 1, #keys, 2 do\n"                                                               \
    "    offer_balance(keys[i], args[i])\n"                                                    \
    "    offer_page(keys[i + 1], args[i + 1])\n"                                               \
    "  end\n"                                                                                  \
    "  return 'OK'\n"                                                                          \
    "end\n"                                                                                    \
    "redis.register_function('" CACHE_STORE_NAME "', store)\n"                                 \
    "redis.register_function('" CACHE_OFFER_NAME "', offer)\n"

#endif
