-- Sending money to somebody else. Small amounts cost little; who has shown more of himself pays less.
return fee {
    id = "transfer.p2p",
    version = 1,
    owner = "payments",
    applies = { kind = "transfer", currency = "ZAR", own = false, tiers = { 0, 1 } },
    slabs = {
        { upto = ZAR "50.00", flat = ZAR "0.50" },
        { upto = ZAR "200.00", flat = ZAR "1.50" },
        { upto = ZAR "1000.00", flat = ZAR "1.00", rate = pct "0.75" },
        { flat = ZAR "3.50", rate = pct "0.50" },
    },
    cap = ZAR "20.00",
    rounding = "half_up",
    may_exceed_amount = true, -- a few cents sent still cost R0.50
}
