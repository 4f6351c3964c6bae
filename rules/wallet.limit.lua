-- What a wallet may send. Generous: these stop a mistake or a runaway program, not a customer. Put your own in their place.
local everybody = {
    single = ZAR "10000000.00",
    daily = ZAR "10000000000.00",
    weekly = ZAR "20000000000.00",
    monthly = ZAR "50000000000.00",
}
return limit {
    id = "wallet.send",
    version = 1,
    owner = "risk",
    currency = "ZAR",
    tiers = { [0] = everybody, [1] = everybody, [2] = everybody, [3] = everybody },
}
