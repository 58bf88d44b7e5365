-- Every word about a due date: it is the one before, or an event moves it from there and says why; written from docs/lifecycle.md.
WITH
said AS (
    SELECT case_id, version, version * 1000 + number AS place, type,
        json_extract(body, '$.kind') AS kind, json_extract(body, '$.of') AS of,
        json_extract(body, '$.before') AS before, json_extract(body, '$.due') AS due,
        COALESCE(json_extract(body, '$.why'), json_extract(body, '$.reason'), '') AS why
    FROM events
    WHERE type IN ('ClockStarted', 'ClockWentOn', 'ClockExtended', 'ClockRebased', 'ClockWarned', 'ClockOverdue')
),
known AS (
    SELECT *, LAG(due) OVER (PARTITION BY case_id, kind, of ORDER BY place) AS held FROM said
)
SELECT case_id, kind || '/' || of AS clock, type,
    CASE
        WHEN type = 'ClockStarted' AND held IS NULL THEN NULL
        WHEN type = 'ClockStarted' THEN CASE WHEN NOT EXISTS (
            SELECT 1 FROM events e
            WHERE e.case_id = known.case_id AND e.version = known.version
              AND e.type IN ('RedoOrdered', 'CallBackAsked', 'RefusalReviewAsked', 'LegNoted', 'ProcedureBegun')
        ) THEN 'begun anew for no reason' END
        WHEN held IS NULL THEN 'of a clock that never began'
        WHEN type IN ('ClockWarned', 'ClockOverdue') THEN CASE WHEN due <> held THEN 'moved in silence' END
        WHEN before <> held THEN 'moved from another date'
        WHEN why = '' THEN 'moved for no reason'
    END AS wrong
FROM known
