-- For verifying: counters that the server could not read (server/ledger/limit.c), told without failing on them. Version; three moments of
-- six bytes; which classes follow; of each three sums and counts, 7 bits a byte, 9 bytes at most.

create function limit_readable(packed bytea) returns boolean
language plpgsql immutable strict as $$
declare
    classes integer;
    place integer := 20;
    size integer := octet_length(packed);
    run integer;
begin
    if size < 20 or get_byte(packed, 0) <> 1 or get_byte(packed, 19) > 7 then
        return false;
    end if;
    classes := get_byte(packed, 19);
    for n in 1 .. 6 * ((classes & 1) + (classes >> 1 & 1) + (classes >> 2)) loop
        run := 0;
        loop
            if place >= size or run = 9 then
                return false;
            end if;
            run := run + 1;
            place := place + 1;
            exit when get_byte(packed, place - 1) < 128;
        end loop;
    end loop;
    return place = size;
end
$$;
