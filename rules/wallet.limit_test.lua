-- The limits are the same for every tier: so is what tests them. A sequence begins on Monday, the first of a month.
local list = {}
local function add(one)
    list[#list + 1] = one
end
for tier = 0, 3 do
    add(sequence {
        "ten million at once, not a cent more",
        tier = tier,
        { send = ZAR "10000000.00" },
        { send = ZAR "10000000.01", refused = "single" },
    })
    add(sequence {
        "a thousand times ten million a day",
        tier = tier,
        { send = ZAR "10000000.00", times = 1000 },
        { send = ZAR "0.01", refused = "daily" },
        { send = ZAR "0.01", after = "24h" },
    })
    add(sequence {
        "two such days a week",
        tier = tier,
        { send = ZAR "10000000.00", times = 1000 },
        { send = ZAR "10000000.00", times = 1000, after = "1d" },
        { send = ZAR "0.01", after = "5d", refused = "weekly" },
        { send = ZAR "0.01", after = "1d" },
    })
    add(sequence {
        "five such days a month",
        tier = tier,
        { send = ZAR "10000000.00", times = 1000 },
        { send = ZAR "10000000.00", times = 1000, after = "1d" },
        { send = ZAR "10000000.00", times = 1000, after = "6d" },
        { send = ZAR "10000000.00", times = 1000, after = "1d" },
        { send = ZAR "10000000.00", times = 1000, after = "6d" },
        { send = ZAR "0.01", after = "1d", refused = "monthly" },
        { send = ZAR "0.01", after = "15d" },
    })
end
return tests(list)
