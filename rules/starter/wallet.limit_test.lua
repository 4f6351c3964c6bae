-- For each tier: the most at once, how often that fits into a day, and how many such days into a month.
local tiers = {
    [0] = { most = ZAR "500.00", a_day = 2, days = 4, over = ZAR "500.01", full = ZAR "3000.00" },
    [1] = { most = ZAR "2500.00", a_day = 2, days = 5, over = ZAR "3000.01", full = ZAR "25000.00" },
    [2] = { most = ZAR "12500.00", a_day = 2, days = 4, over = ZAR "20000.01", full = ZAR "100000.00" },
    [3] = { most = ZAR "100000.00", a_day = 2, days = 5, over = ZAR "100000.01" },
}
local list = {}
local function add(one)
    list[#list + 1] = one
end
for tier = 0, 3 do
    local t = tiers[tier]
    add(sequence { "the most at once", tier = tier, { send = t.over, refused = "single" }, { send = t.most } })
    add(sequence {
        "the most a day",
        tier = tier,
        { send = t.most, times = t.a_day },
        { send = ZAR "0.01", refused = "daily" },
        { send = ZAR "0.01", after = "24h" },
    })
    local days = { "the most a month", tier = tier }
    for day = 1, t.days do
        days[day + 1] = { send = t.most, times = t.a_day, after = day > 1 and "24h" or nil }
    end
    days[t.days + 2] = { send = ZAR "0.01", after = "24h", refused = "monthly" }
    days[t.days + 3] = { send = ZAR "0.01", after = "30d" }
    add(sequence(days))
    if t.full then
        add(sequence {
            "the most in it",
            tier = tier,
            { receive = t.full },
            { receive = ZAR "0.01", refused = "balance" },
            { send = ZAR "1.00" },
            { receive = ZAR "1.00" },
        })
    end
end
for tier = 0, 1 do
    local count = tier == 0 and 5 or 10
    add(sequence {
        "not too many in ten minutes",
        tier = tier,
        { send = ZAR "1.00", times = count },
        { send = ZAR "1.00", after = "9m", refused = "rolling_10m_count" },
        { send = ZAR "1.00", after = "1m" },
    })
end
return tests(list)
