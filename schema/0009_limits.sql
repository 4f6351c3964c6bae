-- Limits: what a wallet has sent in its day, week and month lies packed in its own row, read with the lock and written with the
-- balance (server/ledger/limit.h). Null: nothing was counted yet; from the first movement on, counters say themselves since when.
-- The zone is a number of server/base/zone.c. Both are constants to begin with, so no row is written anew.

create domain account_zone as smallint constraint account_zone_known check (value > 0);

alter table accounts add column zone account_zone not null default 1; -- Africa/Johannesburg
alter table accounts add column counters bytea;
grant insert (zone) on accounts to moolah_server;
grant update (counters) on accounts to moolah_server;

-- What is left of what a wallet sent since the moment of the id `since`, newest first: transfers and withdrawals less what was given
-- back of them; holds less what a void, expiry, capture or a refund of the capture left of them. It walks back from `upto`, the wallet's
-- version, and stops at the first posting that is older, or after `most`.
create function limit_moves(wallet uuid, upto bigint, since uuid, month uuid, most integer)
returns table (id uuid, kind smallint, left_sum bigint, left_count bigint)
language plpgsql stable as $$
declare
    p record;
    t record;
    finish_id uuid;
    finish_kind smallint;
    finish_amount bigint;
    found integer := 0;
begin
    for p in select transaction_id, amount, hold from postings
             where account = wallet and version <= upto and transaction_id >= month order by version desc loop
        exit when p.transaction_id < since or found >= most;
        continue when not (p.hold > 0 or (p.amount < 0 and p.hold = 0));
        select x.kind, x.amount into t from transactions x where x.id = p.transaction_id;
        continue when t.kind not in (2, 3, 4);
        found := found + 1;
        id := p.transaction_id;
        kind := t.kind;
        left_sum := t.amount;
        left_count := 1;
        finish_id := null;
        finish_kind := null;
        if t.kind = 4 then
            select l.transaction_id, l.kind, l.amount into finish_id, finish_kind, finish_amount from links l
                where l.original = p.transaction_id and l.kind in (5, 6, 7, 10);
            if finish_kind in (6, 7) then
                left_sum := 0;
                left_count := 0;
            elsif finish_kind is not null then
                left_sum := finish_amount;
            end if;
        end if;
        left_sum := left_sum - (select coalesce(sum(l.amount), 0) from links l
            where l.original = coalesce(finish_id, p.transaction_id) and l.kind in (8, 9));
        return next;
    end loop;
end
$$;

-- For verifying: the counters of a row, nine of them, and the moment of an id, both in milliseconds.
create function limit_counters(packed bytea)
returns table (class smallint, period smallint, begins bigint, sum bigint, count bigint)
language plpgsql immutable strict as $$
declare
    place integer := 20;
    number bigint;
    shift integer;
    part integer;
begin
    for c in 0..2 loop
        for p in 0..2 loop
            class := c;
            period := p;
            begins := ('x' || encode(substring(packed from 2 + 6 * p for 6), 'hex'))::bit(48)::bigint;
            sum := 0;
            count := 0;
            for i in 1..2 loop
                exit when ((get_byte(packed, 19) >> c) & 1) = 0;
                number := 0;
                shift := 0;
                loop
                    part := get_byte(packed, place);
                    place := place + 1;
                    number := number | ((part & 127)::bigint << shift);
                    shift := shift + 7;
                    exit when part < 128;
                end loop;
                if i = 1 then
                    sum := number;
                else
                    count := number;
                end if;
            end loop;
            return next;
        end loop;
    end loop;
end
$$;

create function uuid_milliseconds(id uuid) returns bigint
language sql immutable strict as $$
    select ('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint
$$;
