-- Sending money to somebody else, for customers of tiers 2 and 3: free up to R200, then half a percent.
return fee {
    id = "transfer.verified",
    version = 1,
    owner = "payments",
    applies = { kind = "transfer", currency = "ZAR", own = false, tiers = { 2, 3 } },
    slabs = {
        { upto = ZAR "200.00", flat = ZAR "0.00" },
        { rate = pct "0.50" },
    },
    cap = ZAR "15.00",
    rounding = "half_up",
}
