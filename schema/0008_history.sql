-- Months that were taken out of the database (moolah db archive), and what of them is still needed here: where they went, and
-- how far each account had come. A month is out, with its rows here, or it is in: one transaction changes from one to the other.

create table archives (
    month        text        primary key check (month ~ '^[0-9]{4}-[0-9]{2}$'), -- UTC's
    begins       uuid        not null unique,  -- its ids: begins <= id < ends
    ends         uuid        not null,
    folder       text        not null,         -- where it was written; it may have been carried elsewhere since
    manifest     bytea       not null check (octet_length(manifest) = 32), -- SHA-256 of the file that says what was written
    transactions bigint      not null,
    postings     bigint      not null,
    archived_at  timestamptz not null default now()
);

-- What a month did to one account, as one long step: from the balance before first_version to the one after version. Where the
-- clocks of two servers met the month's end differently there is a row for each run of versions.
create table archive_balances (
    account       uuid   not null,
    version       bigint not null,
    first_version bigint not null check (first_version between 1 and version),
    month         text   not null references archives,
    posted_before bigint not null,
    held_before   bigint not null,
    posted        bigint not null,
    held          bigint not null,
    primary key (account, version)
);

grant select on archives, archive_balances to moolah_server;

-- As before, but it looks for a partition of that month, not for a table of that name: one that was detached and kept its name
-- leaves the month without a partition. Then the new one is named after the moment. A month that is in the archive stays there.
create or replace function make_partitions(moment timestamptz, ahead integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '5s' as $$
declare
    start timestamptz;
    parent text;
    part text;
    made integer := 0;
begin
    perform pg_advisory_xact_lock(7309453); -- one at a time
    for i in 0..least(ahead, 24) loop
        start := (date_trunc('month', moment at time zone 'UTC') + make_interval(months => i)) at time zone 'UTC';
        continue when exists (select from archives a where a.begins = uuid_floor(start));
        foreach parent in array array['transactions', 'postings'] loop
            continue when month_partition(parent, start) is not null;
            part := parent || '_' || to_char(start at time zone 'UTC', 'YYYY_MM');
            if to_regclass('public.' || part) is not null then
                part := part || '_' || to_char(clock_timestamp(), 'YYYYMMDDHH24MISS');
            end if;
            execute format('create table %I (like %I including all)', part, parent);
            execute format('create trigger %I before truncate on %I for each statement '
                           'execute function refuse_change()', parent || '_never_emptied', part);
            execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                           parent, part, uuid_floor(start),
                           uuid_floor((start at time zone 'UTC' + interval '1 month') at time zone 'UTC'));
            made := made + 1;
        end loop;
    end loop;
    return made;
end
$$;

-- The partition that begins with a month, by its bounds; null: there is none. Its name says nothing.
create function month_partition(parent text, month timestamptz) returns regclass
language sql stable set search_path = public, pg_temp as $$
    select c.oid::regclass from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = parent::regclass and not i.inhdetachpending
    and pg_get_expr(c.relpartbound, c.oid) like 'FOR VALUES FROM (''' || uuid_floor(month) || ''')%'
$$;
