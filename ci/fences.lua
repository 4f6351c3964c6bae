-- The fences of the house style that can be read off the text. Called by ci/tidy with the files to look at; prints
-- file:line: what - what to do, and exits 1 when there is any.
local faults = 0
local function fault(file, line, text)
    faults = faults + 1
    print(string.format("%s:%d: %s", file, line, text))
end

local function read_lines(file)
    local lines = {}
    for line in io.lines(file) do lines[#lines + 1] = line end
    return lines
end

local function folder_of(file)
    if file:match("^scripting/") then return "scripting" end
    return file:match("^server/([^/]+)/") or (file:match("^server/") and "root") or nil
end

-- ---- layers and libraries
local may, homes = {}, {}
for line in io.lines("ci/layers.txt") do
    local prefix, list = line:match("^library (%S+):%s*(.*)$")
    if prefix then
        homes[prefix] = " " .. list .. " "
    elseif not line:match("^#") then
        local from, to = line:match("^(%S+):%s*(.*)$")
        if from then may[from] = " " .. to .. " " .. from .. " " end
    end
end

local function target_folder(include)
    if include:match("^scripting/") then return "scripting" end
    local first = include:match("^([^/]+)/")
    if first and may[first] then return first end
    return (include == "config.h" or include == "worker.h" or include == "rule_keeper.h") and "root" or nil
end

local includes_of = {}
local function check_includes(file, lines)
    local from = folder_of(file)
    includes_of[file] = {}
    for n, line in ipairs(lines) do
        local own = line:match('^#include "([^"]+)"')
        local system = line:match("^#include <([^>]+)>")
        if own then
            local to = target_folder(own)
            table.insert(includes_of[file], own)
            if from and to and not may[from]:find(" " .. to .. " ", 1, true) then
                fault(file, n, from .. "/ may not include " .. to .. "/ - see ci/layers.txt: arrows point down")
            end
        elseif system and from then
            for prefix, list in pairs(homes) do
                if system:sub(1, #prefix) == prefix and not list:find(" " .. from .. " ", 1, true) then
                    fault(file, n, "<" .. system .. "> is not at home in " .. from .. "/ - see ci/layers.txt")
                end
            end
        end
    end
end

local function check_cycles()
    local state = {}
    local function path_of(include)
        for _, candidate in ipairs({ "server/" .. include, include }) do
            if includes_of[candidate] then return candidate end
        end
    end
    local function visit(file)
        if state[file] == "done" then return end
        if state[file] == "open" then
            fault(file, 1, "header cycle - forward-declare a struct instead")
            return
        end
        state[file] = "open"
        for _, include in ipairs(includes_of[file]) do
            local next_file = path_of(include)
            if next_file and next_file:match("%.h$") then visit(next_file) end
        end
        state[file] = "done"
    end
    for file in pairs(includes_of) do
        if file:match("%.h$") then visit(file) end
    end
end

-- ---- functions
local function count_parameters(signature)
    local inside = signature:match("%((.*)%)")
    if not inside or inside == "void" or inside == "" then return 0 end
    inside = inside:gsub("%b()", ""):gsub("%s*%.%.%.", "")
    local count = 0
    for part in inside:gmatch("[^,]+") do
        if part:match("%S") then count = count + 1 end
    end
    return count
end

local function check_function(file, first, last, lines, signature)
    local length = last - first + 1
    if length > 70 then
        fault(file, first, "a function of " .. length .. " lines - 70 at most: it is two things")
    end
    local deepest, depth = 0, 0
    for n = first + 1, last - 1 do
        local line = lines[n]:gsub('"[^"]*"', ""):gsub("'.'", "")
        for brace in line:gmatch("[{}]") do
            depth = depth + (brace == "{" and 1 or -1)
        end
        if not line:match("=%s*{") and not line:match("^%s*{") then deepest = math.max(deepest, depth) end
    end
    if deepest > 4 then
        fault(file, first, "nested " .. (deepest - 1) .. " deep - 3 at most: give the inside a name")
    end
    -- what a library calls back has the parameters the library wants
    local callback = signature:match("^static") and
        (signature:match("void %*user%)") or signature:match("nghttp2_session"))
    if not callback and not file:match("^tests/") and count_parameters(signature) > 5 then
        fault(file, first, "more than 5 parameters - gather them in a struct")
    end
end

local function check_functions(file, lines)
    local signature, first = "", nil
    for n, line in ipairs(lines) do
        if line == "{" then
            first = n
        elseif line == "}" and first then
            check_function(file, first, n, lines, signature)
            first, signature = nil, ""
        elseif not first then
            if line:match("^[%a_].*[%(,]") then signature = line
            elseif line:match("^%s+%S") then signature = signature .. " " .. line:gsub("^%s+", "")
            else signature = "" end
        end
    end
end

-- ---- lines and files
local banned = { "strcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "strtok", "atoi", "atol",
    "alloca", "gets" }
local function check_lines(file, lines)
    if #lines > 800 then fault(file, 801, "a file of " .. #lines .. " lines - 800 at most") end
    for n, line in ipairs(lines) do
        if #line > 100 and utf8.len(line) and utf8.len(line) > 100 then
            fault(file, n, "over 100 columns - clang-format -i")
        end
        if line:match("%f[%w]TO" .. "DO%f[%W]") or line:match("%f[%w]FIX" .. "ME%f[%W]") then
            fault(file, n, "something left open - do it, or put it into an issue")
        end
        if line:gsub('"[^"]*"', ""):match("%f[/]//%s") then fault(file, n, "a // comment - /* why */") end
        if not file:match("banned%.h$") then
            for _, name in ipairs(banned) do
                if line:match("%f[%w_]" .. name .. "%s*%(") then
                    fault(file, n, name .. " is banned - see base/banned.h for its sister")
                end
            end
        end
    end
end

-- ---- every .c has its test
local covered = {}
local function note_covered(file, lines)
    for _, line in ipairs(lines) do
        local list = line:match("Covers:(.*)")
        if list then
            for path in list:gmatch("[%w_/]+%.c") do covered[path] = file end
        end
        local more = line:match("^ %*%s+(server/.*%.c)") or line:match("^ %*%s+(scripting/.*%.c)")
        if more then
            for path in more:gmatch("[%w_/]+%.c") do covered[path] = file end
        end
    end
end

local function exists(path)
    local file = io.open(path)
    if file then file:close() end
    return file ~= nil
end

local function check_test(file)
    local folder, stem = file:match("^server/(.*)/([^/]+)%.c$")
    if not folder then folder, stem = file:match("^(scripting)/([^/]+)%.c$") end
    if not folder then folder, stem = "", file:match("([^/]+)%.c$") end
    local found = covered[file] or exists("tests/unit/" .. folder .. "/" .. stem .. "_test.c")
    for _, kind in ipairs({ "integration", "attack", "chaos" }) do
        found = found or exists("tests/" .. kind .. "/" .. stem .. "_test.c")
    end
    if not found then
        fault(file, 1, "no test - tests/unit/" .. folder .. "/" .. stem .. "_test.c, or name it behind Covers: in one")
    end
end

-- ---- paths in READMEs
local function check_readme(file)
    local n = 0
    for line in io.lines(file) do
        n = n + 1
        for path in line:gmatch("`([%w_./-]+)`") do
            local here = file:match("^(.*/)") or ""
            local looks = path:match("^[%w_.-]+/[%w_./-]+%.%a+$") or path:match("^%w[%w_-]*%.[ch]$")
            if looks and not path:match("^var/") and not exists(path) and not exists(here .. path)
                and not exists("server/" .. path) then
                fault(file, n, "there is no " .. path)
            end
        end
    end
end

local sources = {}
for _, file in ipairs(arg) do
    if file:match("%.md$") then
        check_readme(file)
    else
        local lines = read_lines(file)
        check_lines(file, lines)
        if not file:match("^tests/") then check_includes(file, lines) end
        if file:match("%.c$") then check_functions(file, lines) end
        if file:match("^tests/.*_test%.c$") then note_covered(file, lines) end
        if file:match("%.c$") and not file:match("^tests/") and not file:match("^benchmarks/")
            and not file:match("^server/cli/") then
            sources[#sources + 1] = file
        end
    end
end
check_cycles()
for _, file in ipairs(sources) do check_test(file) end
os.exit(faults == 0 and 0 or 1)
