-- More than the server can do. Streams for all that is offered: else it would wait here, and the server never see the overload.
return {
    help = "transfers at ten times what the server reaches: --peak N, else measured first",
    of_peak = 10,
    connections = 100,
    streams = 100,
    calls = {
        { name = "transfer", method = "POST", path = "/v1/transfers", as = "from", key = true, amount = { 1, 500 },
          body = '{"from":"{from}","to":"{to}","amount":{amount},"currency":"ZAR"}', expect = { 201 } },
    },
}
