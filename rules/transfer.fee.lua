-- What sending money to somebody else costs, in South African rand.
return fee {
    id = "transfer.p2p",
    version = 3,
    owner = "payments",
    applies = { kind = "transfer", currency = "ZAR", own = false },
    mode = "whole", -- the slab that the amount falls into prices all of it
    slabs = {
        { upto = ZAR "100.00", flat = ZAR "2.50" },
        { upto = ZAR "1000.00", flat = ZAR "1.60", rate = pct "0.90" },
        { flat = ZAR "3.10", rate = pct "0.75" },
    },
    minimum = ZAR "2.50",
    cap = ZAR "25.00",
    rounding = "half_up",
    may_exceed_amount = true, -- a few cents sent still cost the minimum
}
