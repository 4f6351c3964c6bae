-- Holds, refunds, reversals, withdrawals. Every change of a balance, posted or held, is a posting with the account's next version:
-- so versions order all of them, and held is the sum of what postings did to it.

-- What a posting did to held. A posting of a hold, a void or an expiry moves no money. Not valid: what stands there has an amount,
-- the constraint before saw to that, and nobody has to wait for a month of postings to be read again.
alter table postings add column hold bigint not null default 0;
alter table postings drop constraint postings_amount_check;
alter table postings add constraint postings_change check (amount <> 0 or hold <> 0) not valid;

-- Fees are given back by the stripe of the lane that does it, whichever was paid: a stripe may go below zero, their sum doesn't.
-- Any other account is below zero only by an operators' reversal that said so: its floor is then what is available, and rises with
-- it until it is back at zero.
alter table accounts drop constraint accounts_debt;
update accounts set floor = -9223372036854775808 where kind = 2;
alter table accounts add constraint accounts_debt check (floor >= 0 or kind in (2, 3) or floor = posted - held);
grant update (floor) on accounts to moolah_server;

-- Money that is put aside: amount and fee, held on from_account until it's finished. The id is its transaction's.
create table holds (
    id           uuid        primary key,
    from_account uuid        not null,
    to_account   uuid        not null,
    currency     integer     not null,
    amount       bigint      not null check (amount > 0),
    fee          bigint      not null check (fee >= 0), -- of all of it; a part pays its share
    bundle       bytea,                                 -- as in transactions: what priced it
    pricing      text,
    expires_at   timestamptz not null,
    status       smallint    not null default 1 check (status between 1 and 4), -- server/ledger/hold.h
    captured     bigint      not null default 0 check (captured between 0 and amount),
    finished_by  uuid,                                  -- the capture, void or expiry
    constraint holds_finished check ((status = 1) = (finished_by is null) and (status = 2) = (captured > 0))
) with (fillfactor = 80);
create index holds_due on holds (expires_at) where status = 1;
create index holds_open on holds (from_account, id) where status = 1;

-- What a transaction belongs to: a hold's capture, void or expiry; a transaction's refunds and its reversal. kind, amount and fee
-- are the transaction's own, so that what is left of an original is one index scan.
create table links (
    original       uuid     not null,
    transaction_id uuid     not null,
    kind           smallint not null,
    amount         bigint   not null check (amount > 0),
    fee            bigint   not null check (fee >= 0),
    primary key (original, transaction_id)
);
create index links_back on links (transaction_id);
create unique index links_finish on links (original) where kind in (5, 6, 7, 10); -- the last wall: a hold ends once
create unique index links_reversal on links (original) where kind = 9;

create trigger links_never_change before update or delete on links for each row execute function refuse_change();
create trigger links_never_emptied before truncate on links for each statement execute function refuse_change();

grant select, insert on holds, links to moolah_server;
grant update (status, captured, finished_by) on holds to moolah_server;

-- Operators freeze users and set their tiers; a wallet is born with its owner's.
grant update (frozen, tier) on users to moolah_server;
grant insert (tier) on accounts to moolah_server;
