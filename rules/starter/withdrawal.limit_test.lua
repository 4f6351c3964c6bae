return tests {
    sequence {
        "tier 0 draws twice a day",
        tier = 0,
        { send = ZAR "200.00", kind = "withdrawal", times = 2 },
        { send = ZAR "50.00", kind = "withdrawal", refused = "daily_count" },
        { send = ZAR "50.00" },
        { send = ZAR "50.00", kind = "withdrawal", after = "24h" },
    },
    sequence {
        "tier 1 draws R3000 a day",
        tier = 1,
        { send = ZAR "3000.00", kind = "withdrawal" },
        { send = ZAR "0.01", kind = "withdrawal", refused = "daily" },
    },
    sequence {
        "tier 2 draws R5000 a day",
        tier = 2,
        { send = ZAR "5000.00", kind = "withdrawal" },
        { send = ZAR "0.01", kind = "withdrawal", refused = "daily" },
    },
    sequence {
        "tier 3 draws R10000 a day",
        tier = 3,
        { send = ZAR "10000.00", kind = "withdrawal" },
        { send = ZAR "0.01", kind = "withdrawal", refused = "daily" },
    },
}
