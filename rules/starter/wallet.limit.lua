-- What a wallet may send and hold, by how well its owner is known:
-- 0: a phone number; 1: an identity number; 2: the document and a face; 3: an address and an income, too.
return limit {
    id = "wallet.tiers",
    version = 1,
    owner = "risk",
    currency = "ZAR",
    tiers = {
        [0] = {
            single = ZAR "500.00",
            daily = ZAR "1000.00",
            monthly = ZAR "4000.00",
            balance = ZAR "3000.00",
            rolling = { { window = "10m", count = 5 } },
        },
        [1] = {
            single = ZAR "3000.00",
            daily = ZAR "5000.00",
            monthly = ZAR "25000.00",
            balance = ZAR "25000.00",
            rolling = { { window = "10m", count = 10 } },
        },
        [2] = {
            single = ZAR "20000.00",
            daily = ZAR "25000.00",
            monthly = ZAR "100000.00",
            balance = ZAR "100000.00",
        },
        [3] = { single = ZAR "100000.00", daily = ZAR "200000.00", monthly = ZAR "1000000.00" },
    },
}
