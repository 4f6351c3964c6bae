/* Scripts of people who want more than a price, and part of what each is told. */
#ifndef TESTS_RULE_SCRIPTS_H
#define TESTS_RULE_SCRIPTS_H

#define SPENT "used up its"
#define MEMORY "not enough memory"
#define NO_WORD(word) "'" word "' is not a word of rule files"
#define HEAD "return fee { id = 'x', version = 1, owner = 'x', rounding = 'up', "
#define SLABS "slabs = { { rate = pct '1' } }, "
#define APPLIES "applies = { kind = 'transfer', currency = 'ZAR' } }"
#define GOOD HEAD SLABS APPLIES

struct script {
    const char *before, *part, *after; /* `part` so often that they fill `size`; 0: not at all */
    unsigned size;
    const char *told;
};

static const struct script scripts[] = {
    /* memory */
    {"local s = 'x' while true do s = s .. s end", "", "", 0, MEMORY},
    {"local t = {} for i = 1, 1000000000 do t[i] = i end", "", "", 0, SPENT},
    {"local t = {} while true do t = { t, t, t, t, t, t, t, t, t, t, t, t, t, t } end", "", "", 0,
     SPENT},
    {"local t, s = {}, 'x' for i = 1, 18 do s = s .. s end "
     "for i = 1, 1000 do t[i] = s .. tostring(i) end",
     "", "", 0, MEMORY},
    {"local t = {} for i = 1, 1000000 do t['k' .. tostring(i)] = true end", "", "", 0, SPENT},
    {"local t = {} for i = 1, 1000000 do t[#t + 1] = function() return t, i end end", "", "", 0,
     SPENT},
    {"local f = function() end while true do local g = f f = function() return g() end end", "", "",
     0, SPENT},
    {"local function f(...) return f(1, ...) end f()", "", "", 0, ""},
    {"local function f(a) return f { a } end f(1)", "", "", 0, SPENT},
    {"local s = 'x' for i = 1, 22 do s = s .. s end error(s)", "", "", 0, ""},
    {"local s = 'x' for i = 1, 22 do s = s .. s end assert(false, s)", "", "", 0, ""},
    {"local s = 'x' for i = 1, 21 do s = s .. s end ZAR(s)", "", "", 0, ""},
    {"local s = 'x' for i = 1, 21 do s = s .. s end return fee { [s] = 1 }", "", "", 0, ""},
    {"local s = 'x' for i = 1, 21 do s = s .. s end local t = {} t[s] = 1 return t[s][s]", "", "",
     0, ""},
    /* time, with and without the hook */
    {"while true do end", "", "", 0, SPENT},
    {"repeat until false", "", "", 0, SPENT},
    {"::again:: goto again", "", "", 0, SPENT},
    {"for i = 1, 0x7fffffffffffffff do end", "", "", 0, SPENT},
    {"for i = 1, 100000 do for k = 1, 100000 do end end", "", "", 0, SPENT},
    {"local function f() return f() end f()", "", "", 0, SPENT},
    {"local f, g function f() return g() end function g() return f() end f()", "", "", 0, SPENT},
    {"local function f() return 1 + f() end f()", "", "", 0, SPENT},
    {"local function f(n) return n < 2 and n or f(n - 1) + f(n - 2) end f(60)", "", "", 0, SPENT},
    {"local t = { 1 } for i in ipairs(t) do t[i + 1] = 1 end", "", "", 0, SPENT},
    {"while true do muldiv(9007199254740991, 999983, 1000003, 'half_even') end", "", "", 0, SPENT},
    {"while true do fee {} end", "", "", 0, SPENT},
    {"while true do local a = ZAR '100.00' end", "", "", 0, SPENT},
    {"while true do local a = pct '1.00' end", "", "", 0, SPENT},
    {"while true do local a = _ENV['ZAR'] end", "", "", 0, SPENT},
    {"local s = 'x' for i = 1, 20 do s = s .. s end while true do local t = s .. 'y' end", "", "",
     0, SPENT},
    {"local s = 'x' for i = 1, 20 do s = s .. s end local a, b = s .. 'a', s .. 'b' "
     "while true do local c = a < b end",
     "", "", 0, SPENT},
    {"local t = {} for i = 1, 1000 do t[i] = i end while true do local n = #t end", "", "", 0,
     SPENT},
    {"local function f(...) while true do local n = select('#', ...) end end f(1, 2, 3)", "", "", 0,
     SPENT},
    {"while true do local s = tostring(0x7fffffffffffffff) end", "", "", 0, SPENT},
    {"local a = 1 // 0", "", "", 0, "attempt to divide by zero"},
    {"local a = 1 % 0", "", "", 0, "attempt to perform 'n%"},
    {"add(0x7fffffffffffffff, 1)", "", "", 0, ""},
    {"muldiv(0x7fffffffffffffff, 2, 1, 'up')", "", "", 0, ""},
    {"muldiv(1, 1, 0, 'up')", "", "", 0, ""},
    /* the way out */
    {"os.exit(1)", "", "", 0, NO_WORD("os")},
    {"os.time()", "", "", 0, NO_WORD("os")},
    {"io.open('/etc/passwd')", "", "", 0, NO_WORD("io")},
    {"require 'os'", "", "", 0, NO_WORD("require")},
    {"package.loadlib('libc.so.6', 'system')", "", "", 0, NO_WORD("package")},
    {"load('return 1')()", "", "", 0, NO_WORD("load")},
    {"loadstring('return 1')()", "", "", 0, NO_WORD("loadstring")},
    {"dofile('/etc/passwd')", "", "", 0, NO_WORD("dofile")},
    {"debug.getregistry()", "", "", 0, NO_WORD("debug")},
    {"print('x')", "", "", 0, NO_WORD("print")},
    {"math.random()", "", "", 0, NO_WORD("math")},
    {"collectgarbage('stop')", "", "", 0, NO_WORD("collectgarbage")},
    {"utf8.char(1)", "", "", 0, NO_WORD("utf8")},
    {"tests {}", "", "", 0, NO_WORD("tests")},
    /* what catches errors, and starts the count anew */
    {"coroutine.wrap(function() while true do end end)()", "", "", 0, NO_WORD("coroutine")},
    {"pcall(function() while true do end end)", "", "", 0, NO_WORD("pcall")},
    {"xpcall(error, error)", "", "", 0, NO_WORD("xpcall")},
    {"local x <close> = {}", "", "", 0, "non-closable"},
    /* metatables, the string's among them; patterns; hash order */
    {"setmetatable({}, { __gc = error })", "", "", 0, NO_WORD("setmetatable")},
    {"getmetatable('').__index = error", "", "", 0, NO_WORD("getmetatable")},
    {"rawset(_G, 'x', 1)", "", "", 0, NO_WORD("rawset")},
    {"rawget({}, 1)", "", "", 0, NO_WORD("rawget")},
    {"_G.fee = 1", "", "", 0, NO_WORD("_G")},
    {"('x'):rep(1000000000)", "", "", 0, "attempt to index"},
    {"('aaaaaaaaaaaaaaaaaaaaaaaaaaaa'):find('.-.-.-.-.-.-.-b')", "", "", 0, "attempt to index"},
    {"('%d'):format(1)", "", "", 0, "attempt to index"},
    {"local a = ('x').y", "", "", 0, "attempt to index"},
    {"local a = '10' + 5", "", "", 0, "attempt to perform arithmetic"},
    {"string.rep('x', 1000000000)", "", "", 0, NO_WORD("string")},
    {"table.concat({})", "", "", 0, NO_WORD("table")},
    {"for k in pairs({ a = 1, b = 2 }) do end", "", "", 0, NO_WORD("pairs")},
    {"local k = next({ a = 1 })", "", "", 0, NO_WORD("next")},
    {"tostring({})", "", "", 0, "a table has no text"},
    {"tostring(error)", "", "", 0, "a function has no text"},
    /* error objects */
    {"error({})", "", "", 0, "error object is no string"},
    {"error()", "", "", 0, "error object is no string"},
    {"error(function() while true do end end)", "", "", 0, "error object is no string"},
    {"error('\\27[2J\\0\\255 gone')", "", "", 0, "?[2J"},
    {"error('@:999999999999: x', 0)", "", "", 0, ""},
    {"error('x', 1000000)", "", "", 0, "x"},
    /* state */
    {"n = 1", "", "", 0, "rules keep no state"},
    {"function f() end", "", "", 0, "rules keep no state"},
    {"_ENV.n = 1", "", "", 0, "rules keep no state"},
    {"local _ENV = {} " GOOD, "", "", 0, "attempt to call"},
    {"fee = function(t) return t end " GOOD, "", "", 0, "the file must end in"},
    {"local n = 0 local function f() n = n + 1 return n end return fee { id = f, version = f }", "",
     "", 0, "id must be a text"},
    {"local t = fee {} fee {} return t", "", "", 0, "the file must end in"},
    {"return fee, fee {}", "", "", 0, "the file must end in"},
    /* nonsense for results */
    {"local t = {} t.slabs = t t.applies = t t.id = t return fee(t)", "", "", 0, ""},
    {"local t = {} for i = 1, 5000 do t[i] = { flat = ZAR '1' } end " HEAD "slabs = t, " APPLIES,
     "", "", 0, "there must be 1 to 32 slabs"},
    {HEAD "slabs = { { flat = { amount = -5, code = 'ZAR' } } }, " APPLIES, "", "", 0,
     "flat must be an amount"},
    {HEAD "slabs = { { flat = { amount = '5', code = 'ZAR' } } }, " APPLIES, "", "", 0,
     "flat must be an amount"},
    {HEAD "slabs = { { flat = ZAR '92233720368547758.07' } }, " APPLIES, "", "", 0,
     "flat must be an amount"},
    {HEAD "slabs = { { rate = { ppm = -1 } } }, " APPLIES, "", "", 0, "rate must be from 0"},
    {HEAD "slabs = { { rate = { ppm = 0x7fffffffffffffff } } }, " APPLIES, "", "", 0,
     "rate must be from 0"},
    {HEAD "version = 1 << 63, " SLABS APPLIES, "", "", 0, "version must be an integer"},
    {HEAD "version = 0 / 0, " SLABS APPLIES, "", "", 0, "version must be an integer"},
    {HEAD "['\\27[2J'] = 1, " SLABS APPLIES, "", "", 0, "unknown key '?[2J'"},
    {HEAD "[error] = 1, " SLABS APPLIES, "", "", 0, "only named keys"},
    {"local x = 1.5 " GOOD, "", "", 0, "rules count in whole numbers"},
    {"local x = 2^53 " GOOD, "", "", 0, "rules count in whole numbers"},
    /* sources: too large, too deep, too many, no text */
    {"\33LuaT", "", "", 0, "binary chunk"},
    {"\33LuaT\xff\xfe", "", "", 0, "is no text in UTF-8"},
    {"\xef\xbb\xbf" GOOD, "", "", 0, "byte order mark"},
    {"#!/usr/bin/lua\n" GOOD, "", "", 0, "unexpected symbol"},
    {"--", "x", "", 32769, "is over 32 KiB"},
    {"return ", "(", "", 32768, "C stack overflow"},
    {"return ", "{", "", 32768, "C stack overflow"},
    {"return ", "not ", "", 32768, "C stack overflow"},
    {"return ", "- ", "", 32768, "C stack overflow"},
    {"return 'x'", " .. 'x'", "", 32768, "C stack overflow"},
    {"return ", "function() return ", "", 32768, "C stack overflow"},
    {"", "do ", "", 32768, "C stack overflow"},
    {"", "local a ", "", 32768, "too many local"},
    {"local _ = nil", " or nil", " return 1", 32768, "the file must end in"},
    {"local a = {} return a", ".a", "", 32768, "attempt to index"},
    {"if x then ", "elseif x then ", "end", 32768, NO_WORD("x")},
    {"return [==[", "x", "", 1000, "unfinished long string"},
    {"goto nowhere", "", "", 0, "no visible label"},
    {"local c <const> = 1 c = 2", "", "", 0, "attempt to assign to const"},
    {"", "", "", 0, "the file must end in"},
};

/* The same people's tests: what `check` of a property does. */
static const char *const checks[] = {
    "while true do end",
    "local s = 'x' while true do s = s .. s end",
    "local function f() return 1 + f() end return f()",
    "local function f() return f() end return f()",
    "local t = {} while true do t = { t } end",
    "error({})",
    "error()",
    "local s = 'x' for i = 1, 22 do s = s .. s end error(s)",
    "n = 1 return true",
    "return os.time()",
    "return pcall(error)",
    "q.total = 'x' tx.amount = nil tx.x = tx return tx",
    "fee {} tests {} return tests",
    "seen = seen + 1 return seen < 5",
    "return ('x'):rep(1000000000)",
};

#endif
