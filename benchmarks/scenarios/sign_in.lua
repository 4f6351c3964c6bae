-- Sign-ins: argon2id's CPU sets the pace.
return {
    help = "sign-ins with the right password",
    connections = 4,
    streams = 2,
    calls = {
        { name = "sign_in", method = "POST", path = "/v1/sessions", as = "nobody",
          body = '{"phone":"{phone}","password":"{password}"}', expect = { 201 } },
    },
}
