---@meta
-- The words of rule files, for editors with the Lua language server (LuaLS): completion, types, help. Nothing here is
-- ever run; what counts is `moolah rules check`.

---@class moolah.Amount an amount: ZAR "2.50"
---@class moolah.Rate a percentage: pct "0.90"

---@alias moolah.Tier 0|1|2|3
---@alias moolah.Rounding "half_up"|"half_even"|"down"|"up"
---@alias moolah.FeeKind "transfer"|"hold"|"withdrawal"|"purchase"
---@alias moolah.LimitKind "transfer"|"hold"|"withdrawal"

-- ---- fees

---@class moolah.Applies
---@field kind moolah.FeeKind the kind of movement
---@field currency string ISO 4217, like "ZAR"
---@field tiers? moolah.Tier[] the payer's KYC tiers; left out: all
---@field own? boolean true: only between own wallets; false: only to somebody else; left out: both

---@class moolah.Slab
---@field upto? moolah.Amount the largest amount it covers; the last slab has none
---@field flat? moolah.Amount what it costs, whatever the amount
---@field rate? moolah.Rate what it costs of the amount

---@class moolah.Line one line of a fee; with none of its own, of the rule's
---@field code string "fee", "vat"
---@field of? string an earlier line's code: it is computed of that one, not of the amount
---@field slabs? moolah.Slab[] in rising order; or flat, rate, or both
---@field flat? moolah.Amount
---@field rate? moolah.Rate
---@field mode? "whole"|"graduated"
---@field minimum? moolah.Amount
---@field cap? moolah.Amount
---@field rounding? moolah.Rounding
---@field refundable? boolean

---@class moolah.Effective
---@field from? string "2026-12-01 00:00"
---@field to? string the first moment at which it counts no more
---@field zone string "Africa/Johannesburg"

---@class moolah.Fee
---@field id string the rule's name on receipts
---@field version integer raise it with every change
---@field owner string whom to ask
---@field applies moolah.Applies
---@field slabs? moolah.Slab[] in rising order; or lines
---@field lines? moolah.Line[] several lines on the receipt
---@field effective? moolah.Effective left out: always
---@field paid_by? "sender"|"receiver" left out: the sender, on top of the amount
---@field adjust? fun(tx: moolah.Facts, q: table<string, integer>, m: table): table<string, integer>? what a table can't say
---@field mode? "whole"|"graduated" left out: whole
---@field minimum? moolah.Amount
---@field cap? moolah.Amount
---@field rounding moolah.Rounding
---@field refundable? boolean a refund gives its share back
---@field may_exceed_amount? boolean a fee may be larger than the amount

---@param rule moolah.Fee
---@return moolah.Fee
function fee(rule) end

-- ---- limits

---@class moolah.Window
---@field window string "90s", "10m", "24h"; a day at most
---@field count? integer
---@field sum? moolah.Amount

---@class moolah.Caps {} is no limit
---@field single? moolah.Amount
---@field daily? moolah.Amount
---@field daily_count? integer
---@field weekly? moolah.Amount
---@field weekly_count? integer
---@field monthly? moolah.Amount
---@field monthly_count? integer
---@field balance? moolah.Amount what a wallet may hold
---@field rolling? moolah.Window[]

---@class moolah.Limit
---@field id string
---@field version integer raise it with every change
---@field owner string whom to ask
---@field currency string ISO 4217, like "ZAR"
---@field kinds? moolah.LimitKind[] what counts; left out: all
---@field tiers table<moolah.Tier, moolah.Caps> [0], [1], [2] and [3]

---@param rule moolah.Limit
---@return moolah.Limit
function limit(rule) end

-- ---- products

---@class moolah.Field
---@field name string
---@field label string for people
---@field kind "digits"|"text"
---@field min integer its length
---@field max integer

---@class moolah.Range
---@field min moolah.Amount
---@field max moolah.Amount

---@class moolah.Product
---@field id string it makes the product's public id
---@field version integer raise it with every change
---@field owner string whom to ask
---@field name string what buyers see
---@field supplier string "stock", or one that the configuration names
---@field currency string ISO 4217, like "ZAR"
---@field price? moolah.Amount one of price, denominations and range
---@field denominations? moolah.Amount[]
---@field range? moolah.Range
---@field fields? moolah.Field[] what the buyer fills in

---@param rule moolah.Product
---@return moolah.Product
function product(rule) end

-- ---- tests

---@class moolah.Facts what a rule knows of a movement
---@field kind string
---@field amount integer minor units
---@field currency string
---@field tier moolah.Tier
---@field own boolean

---@class moolah.Priced what a movement costs, in minor units
---@field total integer
---@field fee integer

---@class moolah.Example
---@field [1] string its name
---@field kind moolah.FeeKind
---@field amount moolah.Amount
---@field tier? moolah.Tier left out: 0
---@field own? boolean left out: false
---@field at? string when, like "2026-12-01 00:00"; left out: before all that begins one day
---@field fee? moolah.Amount what it costs, or ...
---@field lines? table<string, moolah.Amount> ... line by line, or ...
---@field refused? boolean|string ... that it is refused, and why

---@class moolah.Property
---@field [1] string its name
---@field kind moolah.FeeKind
---@field amount moolah.Amount[] from, to
---@field tier? moolah.Tier
---@field tiers? moolah.Tier[] left out, and no tier: all
---@field own? boolean left out: false
---@field at? string when, like "2026-12-01 00:00"; left out: before all that begins one day
---@field may_refuse? boolean amounts that are refused are passed over
---@field check fun(tx: moolah.Facts, q: moolah.Priced): boolean

---@class moolah.Movement
---@field send? moolah.Amount
---@field receive? moolah.Amount
---@field kind? moolah.LimitKind left out: transfer
---@field after? string since the movement before: "90s", "10m", "24h", "31d"
---@field times? integer so often
---@field refused? boolean|string by "single", "daily", "daily_count", "rolling_10m", ...

---@class moolah.Sequence
---@field [1] string its name
---@field [integer] moolah.Movement
---@field tier? moolah.Tier left out: 0

---@class moolah.Sale
---@field [1] string its name
---@field product string its id
---@field price moolah.Amount
---@field fields? table<string, string>
---@field refused? boolean|string by "price", or by a field's name

---@class moolah.Test

---@param list moolah.Test[]
---@return moolah.Test[]
function tests(list) end

---@param test moolah.Example
---@return moolah.Test
function example(test) end

---@param test moolah.Property
---@return moolah.Test
function property(test) end

---@param test moolah.Sequence
---@return moolah.Test
function sequence(test) end

---@param test moolah.Sale
---@return moolah.Test
function sale(test) end

-- ---- amounts and rates

---@param percent string at most four decimals
---@return moolah.Rate
function pct(percent) end

---@alias moolah.Currency fun(amount: string): moolah.Amount

---@type moolah.Currency
ZAR = nil
---@type moolah.Currency
BWP = nil
---@type moolah.Currency
NAD = nil
---@type moolah.Currency
SZL = nil
---@type moolah.Currency
LSL = nil
---@type moolah.Currency
USD = nil
---@type moolah.Currency
EUR = nil
---@type moolah.Currency
GBP = nil
---@type moolah.Currency
JPY = nil

-- ---- arithmetic, in whole numbers

--- a * b / c, rounded
---@param a integer
---@param b integer
---@param c integer
---@param rounding moolah.Rounding
---@return integer
function muldiv(a, b, c, rounding) end

---@param a integer
---@param b integer
---@return integer
function add(a, b) end

---@param a integer
---@param b integer
---@return integer
function sub(a, b) end

---@param a integer
---@param b integer
---@return integer
function min(a, b) end

---@param a integer
---@param b integer
---@return integer
function max(a, b) end

-- ---- what is left of Lua's own

---@generic T
---@param value T
---@param message? string
---@return T
function assert(value, message) end

---@param message string
function error(message) end

---@generic T
---@param list T[]
---@return fun(list: T[], i?: integer): integer, T
function ipairs(list) end

---@param from integer|"#"
---@param ... any
---@return any ...
function select(from, ...) end

---@param value nil|boolean|number|string
---@return string
function tostring(value) end

---@param value any
---@return string
function type(value) end
