-- A key that made a transaction no longer keeps a copy of the receipt: its answer is the receipt of that transaction, written from
-- the rows that never change by the code that wrote it first (api/receipt). That is two thirds of what a transfer wrote. Answers
-- that are kept already stay what they are. And one table for all keys: by hash of the key it cost every batch of one 60 us to open
-- eight tables, and bought nothing: a key is unique for ever either way.

alter table idempotency rename to idempotency_by_hash;
alter index idempotency_pkey rename to idempotency_by_hash_pkey;

create table idempotency (
    caller         uuid        not null,
    key            text        not null collate "C",
    request_hash   bytea       not null check (octet_length(request_hash) = 32),
    status         smallint    not null,
    answer         bytea,                 -- null: the receipt of transaction_id
    transaction_id uuid,                  -- null: nothing moved
    created_at     timestamptz not null,
    primary key (key, caller),
    constraint idempotency_answered check (answer is not null or transaction_id is not null)
);

insert into idempotency (caller, key, request_hash, status, answer, transaction_id, created_at)
select caller, key, request_hash, status, answer, transaction_id, created_at from idempotency_by_hash;
drop table idempotency_by_hash;

grant select, insert on idempotency to moolah_server;
