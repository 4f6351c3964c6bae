local meter = { meter = "12345678901" }
return tests {
    sale { "R10 is the least", product = "electricity.prepaid", price = ZAR "10.00", fields = meter },
    sale { "R9.99 is too little", product = "electricity.prepaid", price = ZAR "9.99", fields = meter, refused = "price" },
    sale { "R2000.01 is too much", product = "electricity.prepaid", price = ZAR "2000.01", fields = meter, refused = "price" },
    sale { "11 digits", product = "electricity.prepaid", price = ZAR "50.00", fields = { meter = "1234567890" }, refused = "meter" },
    sale { "no letters", product = "electricity.prepaid", price = ZAR "50.00", fields = { meter = "1234567890x" }, refused = "meter" },
}
