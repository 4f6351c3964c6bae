-- Airtime vouchers from our own stock: `moolah stock load airtime.r50 FILE` fills it.
return product {
    id = "airtime.r50",
    version = 1,
    owner = "products",
    name = "Airtime R50",
    supplier = "stock",
    currency = "ZAR",
    price = ZAR "50.00",
}
