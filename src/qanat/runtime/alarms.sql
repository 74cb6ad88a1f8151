-- One row: what the tables tell of the last files, and of the window that begins at $since.
select
    (select max(registered_at) from files) as last_at,
    (
        select count(*)
        from files
        where state in ('failed', 'held') and ended_at >= $since
    ) as failed,
    (
        select count(*)
        from dead_letters
        where state = 'open' and rejected_at >= $since
    ) as letters,
    (
        select cast(coalesce(sum(lines_good + lines_bad), 0) as numeric(38, 0))
        from files
        where state = 'counted' and ended_at >= $since
    ) as lines,
    (select count(*) from files where state = 'registered') as waiting_files,
    (
        select cast(coalesce(sum(size), 0) as numeric(38, 0))
        from files
        where state = 'registered'
    ) as waiting_bytes,
    (select min(registered_at) from files where state = 'registered') as waiting_since
