-- Everybody pays into one wallet: its row must not become the server's speed.
return {
    help = "transfers of everybody into one popular wallet",
    calls = {
        { name = "transfer", method = "POST", path = "/v1/transfers", as = "from", key = true, amount = { 1, 500 },
          body = '{"from":"{from}","to":"{popular}","amount":{amount},"currency":"ZAR"}', expect = { 201 } },
    },
}
