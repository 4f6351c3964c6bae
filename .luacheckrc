-- luacheck rules: the files that product teams write. moolah rules check says what they mean; this says what a
-- linter sees: unused locals, misspelt words. The words are those of scripting/vocabulary.c and rule_test_words.c.
std = {
    read_globals = {
        "assert", "error", "ipairs", "select", "tostring", "type",
        "muldiv", "add", "sub", "min", "max",
        "fee", "limit", "product", "pct",
        -- currencies: any ISO 4217 code is a word; these are the ones around us
        "ZAR", "BWP", "NAD", "SZL", "LSL", "USD", "EUR", "GBP", "JPY",
    },
}
max_line_length = 140
unused_args = false -- function(tx, q) is what a check looks like, whichever of them it uses
files["**/*_test.lua"] = { read_globals = { "tests", "example", "property", "sequence", "sale" } }
exclude_files = { "rules/.luals" }
