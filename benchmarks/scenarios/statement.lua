-- The newest page of a statement.
return {
    help = "first statement pages of 20 lines",
    calls = {
        { name = "statement", method = "GET", path = "/v1/wallets/{from}/transactions?limit=20", as = "from", expect = { 200 } },
    },
}
