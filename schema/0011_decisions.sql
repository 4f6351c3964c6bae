-- What operators decided about a purchase whose supplier never said what became of it: 5 delivered, 6 failed (the status that it went
-- to), and why. Null: nobody had to. A wallet's purchases are listed without those that were refused.

alter table purchases
    add column decided        smallint,
    add column decided_reason text,
    add column decided_at     timestamptz,
    add constraint purchases_decided check (
        (decided is null and decided_reason is null and decided_at is null)
        or (decided_reason is not null and decided_at is not null
            and ((decided = 5 and status in (5, 7)) or (decided = 6 and status in (6, 8)))));
grant update (decided, decided_reason, decided_at) on purchases to moolah_server;

drop index purchases_of_wallet;
create index purchases_of_wallet on purchases (wallet, id) where status < 9;
