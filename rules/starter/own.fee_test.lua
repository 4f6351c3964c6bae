return tests {
    property {
        "free, whatever the amount",
        kind = "transfer",
        own = true,
        amount = { ZAR "0.01", ZAR "1000000.00" },
        check = function(tx, q) return q.total == 0 end,
    },
}
