-- Users, their wallets and sign-ins; partners and their keys; the rule bundles that priced something.

create table users (
    id             uuid primary key,
    phone          text not null unique collate "C",  -- E.164
    name           text not null,
    password       text not null,                     -- argon2id, encoded
    tier           smallint not null default 0 check (tier between 0 and 3),
    frozen         boolean not null default false,
    totp_secret    bytea check (octet_length(totp_secret) = 20),
    totp_enabled   boolean not null default false,
    totp_last_step bigint not null default -1,        -- a code counts once
    wallet         uuid not null,                     -- where money to this phone goes
    created_at     timestamptz not null
);

-- A customer's account: what belongs to it and never moves with the money.
create table wallets (
    id         uuid primary key references accounts,
    owner      uuid not null references users deferrable initially deferred,
    label      text not null,
    created_at timestamptz not null
);
create index wallets_of_owner on wallets (owner, id);

create table sign_ins (
    id         uuid primary key,
    user_id    uuid not null references users,
    token_hash bytea not null unique check (octet_length(token_hash) = 32),
    device     text not null,
    ip         text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index sign_ins_of_user on sign_ins (user_id, id);

create table partners (
    id          uuid primary key,
    name        text not null unique,
    created_at  timestamptz not null,
    disabled_at timestamptz
);

create table api_keys (
    id         uuid primary key,
    partner    uuid not null references partners,
    key_hash   bytea not null unique check (octet_length(key_hash) = 32),
    created_at timestamptz not null,
    revoked_at timestamptz
);

-- A rule bundle, immutable under its hash. `files` is JSON: {"name": "content", ...}.
create table rule_bundles (
    hash       bytea primary key check (octet_length(hash) = 32),
    files      text not null,
    first_seen timestamptz not null
);

-- What each worker made of each change of the rules folder: `moolah rules status` reads it.
create table rule_loads (
    id        bigint generated always as identity primary key,
    at        timestamptz not null,
    server    text not null,               -- host:port of the listener
    slot      smallint not null,
    accepted  boolean not null,
    hash      bytea,                       -- the bundle that serves afterwards
    findings  text not null                -- file:line:column: message, a line each; '' when accepted
);
create index rule_loads_latest on rule_loads (server, slot, id);

grant select, insert on users, sign_ins to moolah_server;
grant update (name, password, totp_secret, totp_enabled, totp_last_step) on users to moolah_server;
grant update (revoked_at) on sign_ins to moolah_server;
grant select, insert on wallets, rule_bundles, rule_loads to moolah_server;
grant delete on rule_loads to moolah_server; -- old lines are swept
grant select on partners, api_keys to moolah_server;
