-- One wallet's balance, again and again.
return {
    help = "balances",
    calls = {
        { name = "balance", method = "GET", path = "/v1/wallets/{from}", as = "from", expect = { 200 } },
    },
}
