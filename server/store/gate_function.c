#include "store/gate_function.h"

#include "store/cache_function.h"

/* Several questions at once, in their order; what one is charged counts for the next. KEYS, four
 * per question: token or "", limits (user or "", ip or "", extra or ""). ARGV, one per question:
 * interval and tolerance in microseconds of each limit, then the lifetime in ms of the token's
 * value, 8 bytes each, big-endian; then the value when it is to be stored. Answer: one string, per
 * question: which limit is told of (0 none, 1 user, 2 ip, 3 extra; 1 byte), refused (1 byte),
 * remaining (4), retry in us (8), the value's length (1), the token's value.
 *
 * A token that isn't known here is charged to the IP only. Everything is read by one MGET, and each
 * limit is written once: a call of redis.call costs more than all the rest of a question. */
const char gate_function_source[] =
    "#!lua name=" GATE_FUNCTION_NAME "\n"
    "local function decide(question, found, at, keys, charged, now)\n"
    "  local value = found[at] or ''\n"
    "  local known = value ~= '' and value ~= 'revoked'\n"
    "  local rates = {struct.unpack('>i8i8i8i8i8i8', question)}\n"
    "  local following, worst, which, left = {}, 0, 0, -1\n"
    "  for i = 1, 3 do\n"
    "    local key = keys[at + i]\n"
    "    if key ~= '' and (i ~= 1 or known) then\n"
    "      local interval, tolerance = rates[2 * i - 1], rates[2 * i]\n"
    "      local arrival = charged[key] or tonumber(found[at + i] or '0')\n"
    "      if arrival < now then arrival = now end\n"
    "      if arrival > now + tolerance then arrival = now + tolerance end\n"
    "      local after = arrival + interval\n"
    "      local retry = after - tolerance - now\n"
    "      local rest = math.floor((tolerance - (after - now)) / interval)\n"
    "      if retry > worst then worst, which = retry, i end\n"
    "      if left < 0 or rest < left then\n"
    "        left = rest\n"
    "        if worst == 0 then which = i end\n"
    "      end\n"
    "      following[key] = after\n"
    "    end\n"
    "  end\n"
    "  if worst == 0 then\n"
    "    for key, after in pairs(following) do charged[key] = after end\n"
    "  end\n"
    "  if left < 0 or worst > 0 then left = 0 end\n"
    "  return struct.pack('>BBi4i8B', which, worst > 0 and 1 or 0, left, worst, #value) .. value\n"
    "end\n"
    "local function gate(keys, args)\n"
    "  local time = redis.call('TIME')\n"
    "  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])\n"
    "  local count = #keys / 4\n"
    "  for q = 1, count do\n"
    "    if #args[q] > 56 then\n"
    "      redis.call('SET', keys[4 * q - 3], string.sub(args[q], 57), 'PX',\n"
    "        string.format('%d', struct.unpack('>i8', args[q], 49)), 'NX')\n"
    "    end\n"
    "  end\n"
    "  local found = redis.call('MGET', unpack(keys))\n"
    "  local charged, answers = {}, {}\n"
    "  for q = 1, count do\n"
    "    answers[q] = decide(args[q], found, 4 * q - 3, keys, charged, now)\n"
    "  end\n"
    "  for key, arrival in pairs(charged) do\n"
    "    redis.call('SET', key, string.format('%d', arrival), 'PXAT',\n"
    "      string.format('%d', math.floor(arrival / 1000) + 1))\n"
    "  end\n"
    "  return table.concat(answers)\n"
    "end\n"
    "redis.register_function('" GATE_FUNCTION_NAME "', gate)\n" CACHE_FUNCTIONS;
