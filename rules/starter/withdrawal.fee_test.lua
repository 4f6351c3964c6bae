return tests {
    example { "R500 costs R7.50", kind = "withdrawal", amount = ZAR "500.00", fee = ZAR "7.50" },
    example { "R501 costs R10", kind = "withdrawal", amount = ZAR "501.00", tier = 1, fee = ZAR "10.00" },
    example { "R2000 costs R10 and 0.25 %", kind = "withdrawal", amount = ZAR "2000.00", tier = 2, fee = ZAR "15.00" },
    property {
        "never more than R30",
        kind = "withdrawal",
        amount = { ZAR "0.01", ZAR "1000000.00" },
        check = function(tx, q) return q.total <= 3000 end,
    },
}
