return tests {
    example { "R200 is free", kind = "transfer", amount = ZAR "200.00", tier = 2, fee = ZAR "0.00" },
    example { "R1000 costs R5", kind = "transfer", amount = ZAR "1000.00", tier = 3, fee = ZAR "5.00" },
    property {
        "half a percent at most, and R15 at most",
        kind = "transfer",
        tiers = { 2, 3 },
        amount = { ZAR "0.01", ZAR "1000000.00" },
        check = function(tx, q) return q.total <= 1500 and q.total <= muldiv(tx.amount, 5, 1000, "up") end,
    },
}
