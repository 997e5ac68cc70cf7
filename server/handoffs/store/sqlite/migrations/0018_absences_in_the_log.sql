-- Lines about the absences that are there, with the number of the deputy. The tree makes their leaves.
INSERT INTO events (handoff_id, name, at, details)
    SELECT away.id, 'personaway', CAST(strftime('%s', 'now') AS INTEGER) * 1000000,
        json_object('deputy', deputy.id, 'name', away.name,
            'since', strftime('%Y-%m-%dT%H:%M:%S', starts / 1000000, 'unixepoch') || printf('.%06dZ', starts % 1000000),
            'until', strftime('%Y-%m-%dT%H:%M:%S', ends / 1000000, 'unixepoch') || printf('.%06dZ', ends % 1000000))
    FROM absences JOIN people AS away ON away.name = absences.person JOIN people AS deputy ON deputy.name = absences.deputy
    ORDER BY away.folded;
