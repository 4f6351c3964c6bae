-- Prepaid electricity: a token for a meter, from the supplier that the configuration calls "power" (docs/purchases.md). Until it
-- names one, buying it is product_unavailable.
return product {
    id = "electricity.prepaid",
    version = 1,
    owner = "products",
    name = "Prepaid electricity",
    supplier = "power",
    currency = "ZAR",
    range = { min = ZAR "10.00", max = ZAR "2000.00" },
    fields = {
        { name = "meter", label = "Meter number", kind = "digits", min = 11, max = 13 },
    },
}
