return tests {
    example { "R50 costs 50 cents", kind = "transfer", amount = ZAR "50.00", fee = ZAR "0.50" },
    example { "R200 costs R1.50", kind = "transfer", amount = ZAR "200.00", tier = 1, fee = ZAR "1.50" },
    example { "R250 costs R1 and 0.75 %", kind = "transfer", amount = ZAR "250.00", fee = ZAR "2.88" },
    example { "R2000 costs R3.50 and 0.5 %", kind = "transfer", amount = ZAR "2000.00", fee = ZAR "13.50" },
    property {
        "between 50 cents and R20",
        kind = "transfer",
        tiers = { 0, 1 },
        amount = { ZAR "0.01", ZAR "1000000.00" },
        check = function(tx, q) return q.total >= 50 and q.total <= 2000 end,
    },
}
