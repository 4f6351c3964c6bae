local phone = { phone = "0821234567" }
return tests {
    sale { "R2 is the least", product = "airtime.any", price = ZAR "2.00", fields = phone },
    sale { "R1.99 is too little", product = "airtime.any", price = ZAR "1.99", fields = phone, refused = "price" },
    sale { "R1000 is the most", product = "airtime.any", price = ZAR "1000.00", fields = phone },
    sale { "a phone is needed", product = "airtime.any", price = ZAR "5.00", refused = "phone" },
}
