-- The ledger: accounts, transactions, postings, idempotency keys.
-- Runs as the schema's owner, in one transaction. The server connects as moolah_server, which may add to the ledger but never
-- change or remove what is in it.

do $$
begin
    if not exists (select from pg_roles where rolname = 'moolah_server') then
        create role moolah_server login;
    end if;
exception when duplicate_object or unique_violation then
    null; -- roles are the whole cluster's: another database's migration was quicker
end
$$;

-- A row that holds money. The only index is the primary key and a third of each page stays free, so that every
-- posting's update is a HOT update. kind and status are the numbers of server/ledger/account.h.
create table accounts (
    id       uuid primary key,
    kind     smallint not null check (kind between 1 and 5),
    status   smallint not null default 1 check (status between 1 and 3),
    tier     smallint not null default 0 check (tier between 0 and 3),
    currency integer  not null,
    owner    uuid,                       -- the user; null for system accounts
    posted   bigint   not null default 0,
    held     bigint   not null default 0 check (held >= 0),
    floor    bigint   not null default 0, -- posted - held never goes below
    version  bigint   not null default 0 check (version >= 0), -- counts its postings
    constraint accounts_floor check (posted - held >= floor),
    constraint accounts_debt check (floor >= 0 or kind = 3) -- settlement alone may owe
) with (fillfactor = 60);

-- A set of postings that sums to zero. The id is a UUIDv7: its order is time's, so months are ranges of it.
create table transactions (
    id          uuid        not null,
    kind        smallint    not null,    -- server/ledger/transaction.h
    currency    integer     not null,
    amount      bigint      not null check (amount > 0),
    fee         bigint      not null check (fee >= 0),
    from_account uuid       not null,
    to_account  uuid        not null,
    from_version bigint     not null,    -- its postings of these two accounts: found by (account, version)
    to_version  bigint      not null,
    caller      uuid        not null,    -- user or partner who asked
    note        text,
    reference   text,
    bundle      bytea,                   -- SHA-256 of the rules that priced it
    pricing     text,                    -- JSON: the fee lines
    facts       text,                    -- JSON: what the rules saw
    trace_id    bytea       not null,
    created_at  timestamptz not null,
    written_by  xid8        not null default pg_current_xact_id(), -- the outbox relay reads in this order
    primary key (id)
) partition by range (id);

-- What a transaction did to one account, with the balance after it. (account, version) is the statement, backwards.
create table postings (
    account        uuid   not null,
    version        bigint not null check (version > 0),
    transaction_id uuid   not null,
    amount         bigint not null check (amount <> 0),
    posted_after   bigint not null,
    held_after     bigint not null,
    primary key (account, version, transaction_id)
) partition by range (transaction_id);

-- The first answer to each key, byte for byte. Unique for ever: no months here.
create table idempotency (
    caller         uuid        not null,
    key            text        not null collate "C",
    request_hash   bytea       not null check (octet_length(request_hash) = 32),
    status         smallint    not null,
    answer         bytea       not null,
    transaction_id uuid,                  -- null: refused, nothing moved
    created_at     timestamptz not null,
    primary key (key, caller)
) partition by hash (key);

do $$
begin
    for i in 0..7 loop
        execute format('create table idempotency_%s partition of idempotency '
                       'for values with (modulus 8, remainder %s)', i, i);
    end loop;
end
$$;

-- The smallest UUIDv7 of a moment: where a month's partition begins.
create function uuid_floor(moment timestamptz) returns uuid
language sql immutable strict as $$
    select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0')
            || '00000000000000000000')::uuid
$$;

-- Whatever a role may be granted one day, these rows do not change.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed: put a mistake right with a new transaction', tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
create trigger transactions_never_change before update or delete on transactions
    for each row execute function refuse_change();
create trigger postings_never_change before update or delete on postings
    for each row execute function refuse_change();
create trigger transactions_never_emptied before truncate on transactions
    for each statement execute function refuse_change();
create trigger postings_never_emptied before truncate on postings
    for each statement execute function refuse_change();

-- Partitions for the month of `moment` and `ahead` further ones. The server calls it at start, daily, and when a month
-- turns out to be missing; it runs with its owner's rights, because moolah_server may not create tables. Each is made
-- aside and attached: unlike "create table ... partition of" that waits for no reader and holds up no posting. Row
-- triggers come with attaching, those of statements don't. Returns how many were made.
create function make_partitions(moment timestamptz, ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '5s' as $$
declare
    month timestamptz;
    parent text;
    part text;
    made integer := 0;
begin
    perform pg_advisory_xact_lock(7309453); -- one at a time
    for i in 0..least(ahead, 24) loop
        month := (date_trunc('month', moment at time zone 'UTC') + make_interval(months => i)) at time zone 'UTC';
        foreach parent in array array['transactions', 'postings'] loop
            part := parent || '_' || to_char(month at time zone 'UTC', 'YYYY_MM');
            if to_regclass('public.' || part) is null then
                execute format('create table %I (like %I including all)', part, parent);
                execute format('create trigger %I before truncate on %I for each statement '
                               'execute function refuse_change()', parent || '_never_emptied', part);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                               parent, part, uuid_floor(month),
                               uuid_floor((month at time zone 'UTC' + interval '1 month') at time zone 'UTC'));
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end
$$;
revoke all on function make_partitions(timestamptz, integer) from public;

grant usage on schema public to moolah_server;
grant select, insert on transactions, postings, idempotency to moolah_server;
grant select, insert (id, kind, currency, owner, floor) on accounts to moolah_server; -- born empty
grant update (status, tier, posted, held, version) on accounts to moolah_server;
grant execute on function make_partitions(timestamptz, integer) to moolah_server;

select make_partitions(now(), 2);
