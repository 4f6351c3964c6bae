-- Cash is what thieves want: less a day than may be sent.
return limit {
    id = "withdrawal.cash",
    version = 1,
    owner = "risk",
    currency = "ZAR",
    kinds = { "withdrawal" },
    tiers = {
        [0] = { daily = ZAR "500.00", daily_count = 2 },
        [1] = { daily = ZAR "3000.00", daily_count = 5 },
        [2] = { daily = ZAR "5000.00", daily_count = 5 },
        [3] = { daily = ZAR "10000.00", daily_count = 10 },
    },
}
