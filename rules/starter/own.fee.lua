-- Between one's own wallets money moves for free.
return fee {
    id = "transfer.own",
    version = 1,
    owner = "payments",
    applies = { kind = "transfer", currency = "ZAR", own = true },
    slabs = { { flat = ZAR "0.00" } },
    rounding = "half_up",
}
