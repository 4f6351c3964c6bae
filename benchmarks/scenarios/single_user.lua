-- One transfer at a time: what one user waits for.
return {
    help = "one transfer at a time on one connection",
    connections = 1,
    streams = 1,
    calls = {
        { name = "transfer", method = "POST", path = "/v1/transfers", as = "from", key = true, amount = { 1, 500 },
          body = '{"from":"{from}","to":"{to}","amount":{amount},"currency":"ZAR"}', expect = { 201 } },
    },
}
