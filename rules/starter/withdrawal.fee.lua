-- Cash at a till or a machine: what the partner charges us, and a little. Part of it comes back with a refund.
return fee {
    id = "withdrawal.cash",
    version = 1,
    owner = "payments",
    applies = { kind = "withdrawal", currency = "ZAR" },
    slabs = {
        { upto = ZAR "500.00", flat = ZAR "7.50" },
        { upto = ZAR "1500.00", flat = ZAR "10.00" },
        { flat = ZAR "10.00", rate = pct "0.25" },
    },
    cap = ZAR "30.00",
    rounding = "up",
    refundable = true,
    may_exceed_amount = true,
}
