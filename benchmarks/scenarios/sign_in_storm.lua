-- Sign-ins beside payments: argon2id takes whatever CPU it gets, and payments must not feel it. Made for --rate 1040 --poisson.
return {
    help = "25 transfers to each sign-in: --rate 1040 is 1,000 payments/s and 40 sign-ins/s",
    calls = {
        { name = "transfer", weight = 25, method = "POST", path = "/v1/transfers", as = "from", key = true, amount = { 1, 500 },
          body = '{"from":"{from}","to":"{to}","amount":{amount},"currency":"ZAR"}', expect = { 201 } },
        { name = "sign_in", weight = 1, method = "POST", path = "/v1/sessions", as = "nobody",
          body = '{"phone":"{phone}","password":"{password}"}', expect = { 201 } },
    },
}
