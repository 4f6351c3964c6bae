#include "base/currency.h"

#include <assert.h>
#include <stddef.h>

#define CODE(a, b, c) (((currency)(a) << 16) | ((currency)(b) << 8) | (currency)(c))

/* ISO 4217 list one (2024), active national currencies. Most have two digits; those that don't
 * stand in `odd`. */
static const char codes[][4] = {
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD",
    "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ",
    "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD",
    "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR",
    "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
    "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN",
    "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR",
    "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS",
    "VED", "VES", "VND", "VUV", "WST", "XAF", "XCD", "XOF", "XPF", "YER", "ZAR", "ZMW"};

static const struct {
    char code[4];
    int digits;
} odd[] = {{"BHD", 3}, {"BIF", 0}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"IQD", 3},
           {"ISK", 0}, {"JOD", 3}, {"JPY", 0}, {"KMF", 0}, {"KRW", 0}, {"KWD", 3},
           {"LYD", 3}, {"OMR", 3}, {"PYG", 0}, {"RWF", 0}, {"TND", 3}, {"UGX", 0},
           {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0}};

static currency pack(const char code[4])
{
    return CODE((unsigned char)code[0], (unsigned char)code[1], (unsigned char)code[2]);
}

currency currency_parse(struct slice code)
{
    if (code.length != 3)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (memcmp(codes[i], code.at, 3) == 0)
            return pack(codes[i]);
    return 0;
}

void currency_text(currency which, char text[4])
{
    text[0] = (char)(which >> 16 & 0xff);
    text[1] = (char)(which >> 8 & 0xff);
    text[2] = (char)(which & 0xff);
    text[3] = '\0';
}

int currency_digits(currency which)
{
    assert(which != 0);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        if (pack(odd[i].code) == which)
            return odd[i].digits;
    return 2;
}
