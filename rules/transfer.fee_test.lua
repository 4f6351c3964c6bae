-- What transfer.fee.lua promises. Run: moolah rules test rules
return tests {
    example { "R50 costs the minimum", kind = "transfer", amount = ZAR "50.00", fee = ZAR "2.50" },
    example { "R100 is the last that does", kind = "transfer", amount = ZAR "100.00", fee = ZAR "2.50" },
    example { "R250 costs R1.60 and 0.90 %", kind = "transfer", amount = ZAR "250.00", tier = 2, fee = ZAR "3.85" },
    example { "R2000 costs R3.10 and 0.75 %", kind = "transfer", amount = ZAR "2000.00", fee = ZAR "18.10" },
    property {
        "never less than R2.50, never more than R25",
        kind = "transfer",
        amount = { ZAR "0.01", ZAR "1000000.00" },
        check = function(tx, q) return q.total >= 250 and q.total <= 2500 end,
    },
    property {
        "at most 3 % from R100 on",
        kind = "transfer",
        amount = { ZAR "100.00", ZAR "1000000.00" },
        check = function(tx, q) return q.total <= muldiv(tx.amount, 3, 100, "up") end,
    },
}
