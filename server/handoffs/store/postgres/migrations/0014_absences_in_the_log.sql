-- Lines about the absences that are there, with the number of the deputy. The tree makes their leaves. Nobody else
-- numbers a line meanwhile.
LOCK TABLE events IN EXCLUSIVE MODE;
INSERT INTO events (number, handoff_id, name, at, details, write_id)
    SELECT nextval('events_number'), id, 'personaway', extract(epoch FROM date_trunc('second', now()))::bigint * 1000000,
        json_build_object('deputy', deputy, 'name', name,
            'since', to_char(to_timestamp(starts / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
                || '.' || lpad((starts % 1000000)::text, 6, '0') || 'Z',
            'until', to_char(to_timestamp(ends / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
                || '.' || lpad((ends % 1000000)::text, 6, '0') || 'Z')::text, 0
    FROM (SELECT away.id, away.name, deputy.id AS deputy, starts, ends FROM absences
        JOIN people AS away ON away.name = absences.person JOIN people AS deputy ON deputy.name = absences.deputy
        ORDER BY away.folded) AS all_of_them;
