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
