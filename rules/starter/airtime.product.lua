-- Airtime for any phone, any amount, from the supplier that the configuration calls "mobile".
return product {
    id = "airtime.any",
    version = 1,
    owner = "products",
    name = "Airtime",
    supplier = "mobile",
    currency = "ZAR",
    range = { min = ZAR "2.00", max = ZAR "1000.00" },
    fields = {
        { name = "phone", label = "Phone number", kind = "digits", min = 10, max = 11 },
    },
}
