-- Webhooks: who hears of what, and what is still to be told. The outbox is `transactions` itself: posting writes nothing more. A relay
-- (store/outbox.h says why it misses nothing) reads what has become visible since `webhook_cursor` and makes deliveries of it.

create table webhooks (
    id              uuid        primary key,
    partner         uuid        not null references partners,
    url             text        not null,
    kinds           bigint      not null,  -- bit n: transactions of kind n; -1: all there will ever be
    description     text,
    status          smallint    not null default 1 check (status between 1 and 3), -- active, ended by its receiver, deleted
    secret          bytea       not null,  -- sealed (base/crypto), as is the one before it
    previous_secret bytea,
    previous_until  timestamptz,           -- both sign until then
    created_at      timestamptz not null,
    ended_at        timestamptz
);
create index webhooks_of_partner on webhooks (partner, id);
create index webhooks_active on webhooks (id) where status = 1;
create index webhooks_over on webhooks (id) where status > 1;

-- A transaction to be told to a webhook, and the log of it. `due` is null while it waits for an earlier one of its wallets, and when
-- it's done. A webhook's rows are removed before it is.
create table webhook_deliveries (
    webhook     uuid        not null,
    event       uuid        not null,      -- the transaction's id
    wallet      uuid,                      -- the customers' accounts in it, with the versions that it gave them
    version     bigint,
    wallet_2    uuid,
    version_2   bigint,
    status      smallint    not null default 1 check (status between 1 and 3), -- pending, delivered, failed
    due         timestamptz,
    attempts    smallint    not null default 0,
    last_at     timestamptz,
    last_status smallint,                  -- HTTP's; null: no answer
    last_error  text,
    created_at  timestamptz not null,
    primary key (webhook, event)
) with (fillfactor = 80);
create index webhook_deliveries_pending on webhook_deliveries (webhook, event) where status = 1;
create index webhook_deliveries_due on webhook_deliveries (webhook, least(attempts, 1), due) where due is not null;

-- The pending ones of a wallet, in its order: the first goes, the others wait.
create table webhook_lanes (
    webhook uuid   not null,
    wallet  uuid   not null,
    version bigint not null,
    event   uuid   not null,
    primary key (webhook, wallet, version)
);

-- What a partner wants told again; the relay does it, page by page.
create table webhook_replays (
    webhook uuid primary key,
    after   uuid not null,                 -- events after this one, up to `until`
    until   uuid not null
);

-- All that was visible in `seen` has been read. On the way to `target`: up to `position`.
create table webhook_cursor (
    one          boolean     primary key default true check (one),
    seen         pg_snapshot not null,
    since        timestamptz not null,     -- what isn't visible in `seen` began after it
    target       pg_snapshot,
    target_since timestamptz,
    position     uuid
);
insert into webhook_cursor (seen, since) values (pg_current_snapshot(), now());

grant select, insert, delete on webhooks to moolah_server;
grant update (status, secret, previous_secret, previous_until, ended_at) on webhooks to moolah_server;
grant select, insert, update, delete on webhook_deliveries, webhook_lanes, webhook_replays to moolah_server;
grant select, update on webhook_cursor to moolah_server;
