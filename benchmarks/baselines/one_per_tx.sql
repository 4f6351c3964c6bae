-- The baseline "one transfer per database transaction": what a careful team writes by hand, as strong as it gets. One function
-- call is one transaction, so there is one round trip; every plan is cached; no loop, no exception block.
--
-- It writes the very rows that the server writes for a transfer, of the same sizes: key, transaction, three postings, three
-- accounts. The ledger's invariants hold afterwards (`moolah ledger verify`), so it runs in the server's own database: same tables,
-- same data, same settings.
--
-- Locks: the two wallets in id order, then the fee account, which all transfers share: last, so that it's held as briefly as a
-- row can be that is held until the commit is on disk. (With the fee account first, as plain id order has it, 16 connections
-- are no faster than one.)
--
-- psql -v wallets=N: transfers are between the first N wallets.
\set ON_ERROR_STOP on
set client_min_messages = warning;
begin;
drop schema if exists bench cascade;
create schema bench;

create table bench.wallets (n integer primary key, id uuid not null);
insert into bench.wallets
select row_number() over (order by id) - 1, id
from (select id from accounts where kind = 1 and currency = 5914962 order by id desc limit :wallets) w;

-- The one fee account: stripe 4000 of the fees in ZAR (ledger/account.h), which no lane of a server uses. 5914962 is ZAR.
insert into accounts (id, kind, currency, floor) values ('00000000-0000-8000-8000-025a41520fa0', 2, 5914962, 0) on conflict do nothing;

-- A UUIDv7 of now: falls into this month's partition, behind all earlier ones, as the server's do.
create function bench.uuid7() returns uuid language sql volatile as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- Returns the status that a client would get: 201, or 422 when funds are short. A key that's used already breaks the
-- transaction on its primary key, and the client reads what is remembered: the cheap case is the fresh key.
create function bench.transfer(payer integer, payee integer, minor bigint, dice bigint) returns integer
language plpgsql as $$
declare
    cost constant bigint := 250;
    fees constant uuid := '00000000-0000-8000-8000-025a41520fa0';
    moment constant timestamptz := clock_timestamp();
    payer_id uuid;
    payee_id uuid;
    caller uuid;
    tx uuid := bench.uuid7();
    from_posted bigint; from_version bigint;
    to_posted bigint;   to_version bigint;
    fees_posted bigint; fees_version bigint;
begin
    select id into payer_id from bench.wallets where n = payer;
    select id into payee_id from bench.wallets where n = payee;
    if payee_id < payer_id then
        perform from accounts where id = payee_id for no key update;
    end if;
    -- what it sent isn't counted here: counters begin anew with what is (schema/README.md, limits)
    update accounts set posted = posted - (minor + cost), version = version + 1, counters = null
        where id = payer_id and status = 1 and currency = 5914962 and posted - held - floor >= minor + cost
        returning posted, version, owner into from_posted, from_version, caller;
    if not found then
        insert into idempotency (caller, key, request_hash, status, answer, transaction_id, created_at)
        values (payer_id, 'b-one-per-tx-' || dice, uuid_send(tx) || uuid_send(tx), 422,
                convert_to('{"code":"insufficient_funds"}', 'UTF8'), null, moment);
        return 422;
    end if;
    update accounts set posted = posted + minor, version = version + 1
        where id = payee_id and status <> 3 and currency = 5914962
        returning posted, version into to_posted, to_version;
    insert into transactions (id, kind, currency, amount, fee, from_account, to_account, from_version, to_version,
                              caller, bundle, pricing, facts, trace_id, created_at)
    values (tx, 2, 5914962, minor, cost, payer_id, payee_id, from_version, to_version, caller,
            '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
            '[{"rule":"transfer.p2p@3","code":"fee","amount":250}]',
            '{"kind":"transfer","amount":' || minor || ',"currency":"ZAR","tier":0,"own":false}',
            uuid_send(tx), moment);
    insert into idempotency (caller, key, request_hash, status, answer, transaction_id, created_at)
    values (caller, 'b-one-per-tx-' || dice, uuid_send(tx) || uuid_send(tx), 201, null, tx, moment);
    update accounts set posted = posted + cost, version = version + 1
        where id = fees returning posted, version into fees_posted, fees_version;
    insert into postings (account, version, transaction_id, amount, posted_after, held_after)
    values (payer_id, from_version, tx, - (minor + cost), from_posted, 0),
           (payee_id, to_version, tx, minor, to_posted, 0),
           (fees, fees_version, tx, cost, fees_posted, 0);
    return 201;
end
$$;
commit;
analyze bench.wallets;
