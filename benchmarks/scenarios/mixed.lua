-- What a wallet app's users do in a day, in the shares they do it. Some transfers are refused on purpose, some are sent twice.
return {
    help = "60 % balance, 20 % statement, 15 % transfers (3 % of them refused, 2 % sent twice), 3 % product, 1 % sign-in, 1 % deposit",
    zipf = 0.8,
    twice = 0.02,
    calls = {
        { name = "balance", weight = 60, method = "GET", path = "/v1/wallets/{from}", as = "from", expect = { 200 } },
        { name = "statement", weight = 20, method = "GET", path = "/v1/wallets/{from}/transactions?limit=20", as = "from",
          expect = { 200 } },
        { name = "transfer", weight = 14.55, method = "POST", path = "/v1/transfers", as = "from", key = true, amount = { 1, 500 },
          body = '{"from":"{from}","to":"{to}","amount":{amount},"currency":"ZAR","note":"lunch"}', expect = { 201 } },
        { name = "refused", weight = 0.45, method = "POST", path = "/v1/transfers", as = "from", key = true,
          amount = { 9000000000000000, 9007199254740991 },
          body = '{"from":"{from}","to":"{to}","amount":{amount},"currency":"ZAR"}', expect = { 422 } },
        { name = "product", weight = 3, method = "GET", path = "/v1/products", as = "from", expect = { 200 } },
        { name = "sign_in", weight = 1, method = "POST", path = "/v1/sessions", as = "nobody",
          body = '{"phone":"{phone}","password":"{password}"}', expect = { 201 } },
        { name = "deposit", weight = 1, method = "POST", path = "/v1/deposits", as = "partner", key = true, amount = { 100, 50000 },
          body = '{"to":"{from}","amount":{amount},"currency":"ZAR","reference":"bench-{serial}"}', expect = { 201 } },
    },
}
