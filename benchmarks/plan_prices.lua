-- What `moolah-bench plan` buys with, and what it assumes. Edit it: the prices are round examples,
-- not an offer of anybody's. All money is in `currency`, all prices are for a month.
return {
    currency = "USD",

    -- Four kinds of machines, the small ones first.
    machines = {
        small = { name = "2 cores", cores = 2, memory_gb = 8, price = 40 },
        medium = { name = "4 cores", cores = 4, memory_gb = 16, price = 80 },
        large = { name = "8 cores", cores = 8, memory_gb = 32, price = 160 },
        huge = { name = "16 cores", cores = 16, memory_gb = 64, price = 320 },
    },
    core_speed = 1.0, -- of a bought core, with the measured one as 1

    storage = {
        disk_gb = 0.10, -- a GB of the database's disk
        archive_gb = 0.02, -- a GB of object storage: archive and backups
    },

    -- What stands behind each transfer at the peak: 60 % balances, 20 % statements and 1 % sign-ins
    -- beside 15 % transfers.
    traffic = {
        balances = 4.0,
        statements = 1.33,
        sign_ins = 0.067,
        sign_in_ms = 50, -- CPU of one sign-in, where the report has no baseline argon2id
    },

    headroom = {
        cpu = 0.5, -- how busy the cores may be at the peak
        memory = 0.6, -- how full the memory may be
        disk = 0.7, -- how full the disk may be
        together_cores = 2, -- up to so many cores in all, everything shares two machines
    },

    bytes = {
        wallet = 1500, -- in the database: user, wallet, account, keys, indexes; assumed
        redis_wallet = 1000, -- token, balance, first page, rates of one wallet; assumed
        wal_kept_gb = 20, -- on the database's disk, for a standby that was away
    },

    retention = {
        online_months = 24, -- partitions in the database
        archive_months = 60, -- detached ones after that, compressed
        hot_months = 1, -- those that should stay in memory
        backups = 2, -- whole ones that are kept
        wal_days = 14, -- of archived WAL, to go back to any moment
        compressed = 0.35, -- what compression leaves
    },

    availability = {
        target = 0.999,
        machine = 0.995, -- of one machine by itself
        standbys = 1, -- of the database; Redis has one replica
        failovers = 1, -- a month
        failover_minutes = 1,
    },

    -- The third phase is what was asked, for 200,000 users; the fourth has so many.
    beyond_users = 500000,
}
