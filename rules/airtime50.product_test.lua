return tests {
    sale { "R50 for R50", product = "airtime.r50", price = ZAR "50.00" },
    sale { "not for less", product = "airtime.r50", price = ZAR "49.99", refused = "price" },
}
