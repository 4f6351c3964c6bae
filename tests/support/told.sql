-- What a webhook's receiver heard (:heard, support/receiver.py's lines) against the journal of what was acknowledged (:journal, key and
-- transaction): how many were never taken, how many nobody made, and how many came before an earlier one of their wallet.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only
create temp table heard (n serial, line text);
copy heard (line) from :'heard' with (format csv, quote e'\x01', delimiter e'\x02');
create temp table journal (key text, id text);
copy journal from :'journal';
create temp table taken as
    select substr(line::json ->> 'id', 5) as id, min(n) as n from heard where line::json ->> 'status' = '200' group by 1;
with places as (
    select t.n < lag(t.n) over (partition by p.account order by p.version) as late
    from taken t join journal j on j.id = 'tx_' || t.id join idempotency i on i.key = j.key
    join postings p on p.transaction_id = i.transaction_id and p.account > '00000000-0001-0000-0000-000000000000'
)
select (select count(*) from journal where id not in (select 'tx_' || id from taken)) as missing,
    (select count(*) from taken where 'tx_' || id not in (select id from journal)) as unheard_of,
    (select count(*) from places where late) as late;
