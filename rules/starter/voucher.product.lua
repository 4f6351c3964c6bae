-- Gift vouchers from our own stock: `moolah stock load voucher.r100 FILE` fills it. Each price is a product of its own.
return product {
    id = "voucher.r100",
    version = 1,
    owner = "products",
    name = "Gift voucher R100",
    supplier = "stock",
    currency = "ZAR",
    price = ZAR "100.00",
}
