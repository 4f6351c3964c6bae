-- PostgreSQL reads a table's CHECK constraints anew for each statement that writes to it, from the text they are kept as: those of
-- accounts were an eighth of all its instructions for a batch of one transfer. A domain's check is read once a connection, and looked
-- at only where its column is written. What the columns may hold stays the same; the two checks that compare columns stay with the
-- table. Its rows are written anew, once: seconds for a million accounts.

create domain account_kind as smallint constraint account_kind_known check (value between 1 and 5); -- server/ledger/account.h
create domain account_status as smallint constraint account_status_known check (value between 1 and 3);
create domain account_tier as smallint constraint account_tier_known check (value between 0 and 3);
create domain counted as bigint constraint counted_from_zero check (value >= 0);

alter table accounts
    drop constraint accounts_kind_check,
    drop constraint accounts_status_check,
    drop constraint accounts_tier_check,
    drop constraint accounts_held_check,
    drop constraint accounts_version_check,
    alter column kind type account_kind,
    alter column status type account_status,
    alter column tier type account_tier,
    alter column held type counted,
    alter column version type counted;
