-- Ten thousand phones that are connected and do nothing, beside one that asks.
return {
    help = "10,000 idle connections, and a few balances beside them",
    idle = 10000,
    connections = 4,
    calls = {
        { name = "balance", method = "GET", path = "/v1/wallets/{from}", as = "from", expect = { 200 } },
    },
}
