-- A connection for each request: TLS handshakes.
return {
    help = "a new connection for each balance",
    requests_per_connection = 1,
    streams = 1,
    calls = {
        { name = "balance", method = "GET", path = "/v1/wallets/{from}", as = "from", expect = { 200 } },
    },
}
