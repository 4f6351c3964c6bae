-- Transfers between wallets chosen evenly.
return {
    help = "transfers between wallets chosen evenly",
    calls = {
        { name = "transfer", method = "POST", path = "/v1/transfers", as = "from", key = true, amount = { 1, 500 },
          body = '{"from":"{from}","to":"{to}","amount":{amount},"currency":"ZAR"}', expect = { 201 } },
    },
}
