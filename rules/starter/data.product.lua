-- Mobile data: R12 for 100 MB, R29 for 500 MB, R85 for 1 GB, R229 for 5 GB; the price says which.
return product {
    id = "data.bundle",
    version = 1,
    owner = "products",
    name = "Mobile data",
    supplier = "mobile",
    currency = "ZAR",
    denominations = { ZAR "12.00", ZAR "29.00", ZAR "85.00", ZAR "229.00" },
    fields = {
        { name = "phone", label = "Phone number", kind = "digits", min = 10, max = 11 },
    },
}
