return tests {
    sale { "R100 for R100", product = "voucher.r100", price = ZAR "100.00" },
    sale { "not for less", product = "voucher.r100", price = ZAR "99.99", refused = "price" },
}
