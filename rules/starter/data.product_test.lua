local phone = { phone = "0821234567" }
return tests {
    sale { "1 GB", product = "data.bundle", price = ZAR "85.00", fields = phone },
    sale { "nothing in between", product = "data.bundle", price = ZAR "50.00", fields = phone, refused = "price" },
    sale { "ten digits", product = "data.bundle", price = ZAR "12.00", fields = { phone = "821234567" }, refused = "phone" },
}
