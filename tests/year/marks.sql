-- Every mark that fired, with the announcement that stood then: there it is, of its level and turn, not before its time, and once.
WITH
told AS (
    SELECT case_id, version * 1000 + number AS place, at, type, body,
        CASE WHEN type = 'LegSigned' THEN 'sign' ELSE json_extract(body, '$.kind') END AS kind,
        CASE WHEN type = 'LegSigned' THEN json_extract(body, '$.leg') ELSE json_extract(body, '$.of') END AS of,
        CASE type
            WHEN 'ClockWarned' THEN 'warn' WHEN 'ClockOverdue' THEN 'due' WHEN 'LegSigned' THEN 'deem_signed'
            WHEN 'CaseEscalated' THEN 'escalate' WHEN 'EscalationSkipped' THEN 'escalate'
        END AS what
    FROM events
    WHERE type IN (
        'ClockStarted', 'ClockPaused', 'ClockWentOn', 'ClockHeld', 'ClockReleased', 'ClockExtended', 'ClockRebased',
        'ClockWarned', 'ClockOverdue', 'CaseEscalated', 'EscalationSkipped'
    ) OR (type = 'LegSigned' AND json_extract(body, '$.deemed'))
),
placed AS (
    SELECT *, MAX(CASE WHEN what IS NULL THEN place END) OVER (
        PARTITION BY case_id, kind, of ORDER BY place ROWS UNBOUNDED PRECEDING
    ) AS since
    FROM told
),
announced AS (
    SELECT placed.case_id, placed.kind, placed.of, placed.place AS since, json_extract(mark.value, '$.what') AS what,
        COALESCE(json_extract(mark.value, '$.level'), 0) AS level, COALESCE(json_extract(mark.value, '$.turn'), 0) AS turn,
        json_extract(mark.value, '$.at') AS at
    FROM placed, json_each(placed.body, '$.marks') AS mark
    WHERE placed.what IS NULL AND placed.type <> 'ClockPaused'
),
waiting AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY case_id, kind, of, since, what, level, turn ORDER BY at) AS nth FROM announced
),
fired AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY case_id, kind, of, since, what, level, turn ORDER BY place) AS nth
    FROM (
        SELECT *, COALESCE(json_extract(body, '$.level'), 0) AS level, COALESCE(json_extract(body, '$.turn'), 0) AS turn
        FROM placed WHERE what IS NOT NULL
    )
)
SELECT fired.case_id, fired.kind || '/' || fired.of AS clock, fired.what,
    CASE
        WHEN waiting.at IS NULL AND fired.nth > 1 THEN 'fired twice'
        WHEN waiting.at IS NULL THEN 'never announced'
        WHEN waiting.at > fired.at THEN 'before its time'
    END AS wrong
FROM fired LEFT JOIN waiting USING (case_id, kind, of, since, what, level, turn, nth)
