-- Purchases: how far each has come, and the vouchers that we sell from stock.

-- A voucher is reserved for a purchase before money is held, and freed when the purchase comes to nothing.
create table voucher_stock (
    id        bigint      generated always as identity primary key,
    product   text        not null,  -- the rule's id
    pin_hash  bytea       not null unique check (octet_length(pin_hash) = 32), -- keyed: PINs are short
    pin       bytea       not null,  -- sealed (base/crypto)
    status    smallint    not null default 1 check (status between 1 and 3),   -- free, reserved, sold
    purchase  uuid        unique,    -- the last wall: one voucher a purchase
    loaded_at timestamptz not null,
    constraint voucher_stock_taken check ((status = 1) = (purchase is null))
);
create index voucher_stock_free on voucher_stock (product, id) where status = 1;

-- The numbers of status stand in server/store/purchases.h.
create table purchases (
    id               uuid        primary key,
    caller           uuid        not null,
    key              text        not null collate "C", -- as in idempotency: its answer is this row
    request_id       uuid        not null,             -- what a refusal names
    wallet           uuid        not null,
    product          uuid        not null,             -- as clients know it
    rule             text        not null,             -- airtime.r50@1
    bundle           bytea       not null,
    supplier         text        not null,
    supplier_account uuid        not null,
    amount           bigint      not null check (amount > 0),
    currency         integer     not null,
    fields           text        not null,             -- JSON: what the buyer filled in
    status           smallint    not null check (status between 1 and 9),
    claim            integer     not null default 1,   -- who drives it: another's write behind it is void
    attempts         integer     not null default 0,   -- questions to the supplier
    hold             uuid,
    transaction_id   uuid,                             -- the capture
    reference        text,                             -- the supplier's
    goods            bytea,                            -- sealed; given out when it's captured
    refusal_status   smallint,
    refusal          bytea,                            -- the problem, byte for byte
    created_at       timestamptz not null,
    next_at          timestamptz,                      -- when somebody has to look at it; null: finished
    unique (caller, key),
    constraint purchases_finished check ((status >= 7) = (next_at is null)),
    constraint purchases_captured check ((status = 7) = (transaction_id is not null)),
    constraint purchases_goods check (goods is not null or status not in (5, 7)),
    constraint purchases_refused check ((status = 9) = (refusal is not null))
);
create index purchases_due on purchases (next_at) where next_at is not null;
create index purchases_of_wallet on purchases (wallet, id);

grant select, insert, update (status, claim, attempts, hold, transaction_id, reference, goods, refusal_status, refusal, next_at)
    on purchases to moolah_server;
grant select, update (status, purchase) on voucher_stock to moolah_server;
