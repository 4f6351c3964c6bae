-- What a server can be asked at all: a constant answer (ci/bench: nginx, with the same generator and certificate; --port).
return {
    help = "GET / of another server",
    calls = {
        { name = "constant", method = "GET", path = "/", as = "nobody", expect = { 200 } },
    },
}
