-- Proof: what was booked, sealed into a chain of hashes (docs/proof.md). A seal covers the transactions of a range of ids; the
-- server makes it in the background, from rows that can't become more any more. Nothing of it is on posting's way.

alter table postings add column if not exists hold bigint not null default 0;

create table seals (
    number          bigint      primary key check (number > 0),
    origin          text        not null,   -- which ledger: the operators' name for it
    after_id        uuid        not null,   -- transactions behind this one ...
    through_id      uuid        not null,   -- ... up to this one, and late ones (below)
    horizon         bigint      not null,   -- written_by of all that were sealed is before it
    count           integer     not null check (count > 0),
    root            bytea       not null check (octet_length(root) = 32),
    previous        bytea       not null check (octet_length(previous) = 32),
    hash            bytea       not null check (octet_length(hash) = 32),
    at              timestamptz not null,
    key             bytea       check (octet_length(key) = 32),       -- public, of who signed; null: there was no key
    signature       bytea       check (octet_length(signature) = 64), -- of the checkpoint (Ed25519)
    salt            bytea       not null check (octet_length(salt) = 32), -- blinds what not every party may see
    leaves          bytea       not null,   -- 48 bytes a leaf: id and hash, by id
    system_accounts uuid[]      not null,   -- which postings of the system's accounts belong to it: from version to version
    system_first    bigint[]    not null,
    system_last     bigint[]    not null,
    constraint seals_signed check ((key is null) = (signature is null)),
    constraint seals_leaves check (octet_length(leaves) = 48 * count),
    constraint seals_system check (cardinality(system_accounts) = cardinality(system_first)
                                   and cardinality(system_accounts) = cardinality(system_last))
);
alter table seals alter column leaves set storage external; -- hashes don't compress
create index seals_by_id on seals (through_id, number);

-- A transaction whose id says it is older than what was sealed when it was written: its server's clock was behind the others'.
create table seal_late (
    transaction_id uuid   primary key,
    seal           bigint not null
);

-- How far the postings of each system account are sealed: where the next seal looks on. Nothing is proved by it.
create table seal_cursors (
    account uuid   primary key,
    version bigint not null
) with (fillfactor = 50);

-- Where months were taken away before, the first seal begins at what is left.
insert into seal_cursors (account, version)
select account, min(version) - 1 from postings where account < '00000000-0001-0000-0000-000000000000' group by account;

create trigger seals_never_change before update or delete on seals for each row execute function refuse_change();
create trigger seals_never_emptied before truncate on seals for each statement execute function refuse_change();
create trigger seal_late_never_change before update or delete on seal_late for each row execute function refuse_change();
create trigger seal_late_never_emptied before truncate on seal_late for each statement execute function refuse_change();

grant select, insert on seals, seal_late to moolah_server;
grant select, insert, update on seal_cursors to moolah_server;
