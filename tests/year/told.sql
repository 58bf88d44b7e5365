-- What citizens were told: the promised date is one that stands by what happened, and each time it moved they were told, from where and why.
-- answers: what left to the channels. Seconds, as instants are written.
WITH
promised AS (
    SELECT case_id, version * 1000 + number AS place, 'clock' AS what, json_extract(body, '$.due') / 1000 AS due
    FROM events
    WHERE type IN ('ClockStarted', 'ClockWentOn', 'ClockExtended', 'ClockRebased')
      AND json_extract(body, '$.kind') = 'finish' AND json_extract(body, '$.of') = ''
    UNION ALL
    SELECT case_id, version * 1000 + number, 'plan', json_extract(body, '$.plan') / 1000
    FROM events WHERE type IN ('CaseHung', 'PlanReviewed') AND COALESCE(json_extract(body, '$.plan'), 0) > 0
    UNION ALL
    SELECT case_id, version * 1000 + number, 'procedure', json_extract(body, '$.due') / 1000
    FROM events WHERE type = 'ProcedureBegun'
),
placed AS (
    SELECT case_id, place, what, due FROM promised
    UNION ALL
    SELECT case_id, version * 1000 + 999, 'told', promised FROM answers WHERE promised IS NOT NULL
),
standing AS (
    SELECT *,
        MAX(CASE WHEN what = 'clock' THEN place END) OVER story AS clock,
        MAX(CASE WHEN what = 'plan' THEN place END) OVER story AS plan,
        MAX(CASE WHEN what = 'procedure' THEN place END) OVER story AS procedure
    FROM placed
    WINDOW story AS (PARTITION BY case_id ORDER BY place ROWS UNBOUNDED PRECEDING)
),
moved AS (
    SELECT case_id, version, json_extract(body, '$.before') / 1000 AS before, json_extract(body, '$.due') / 1000 AS due
    FROM events
    WHERE type IN ('ClockWentOn', 'ClockExtended', 'ClockRebased')
      AND json_extract(body, '$.kind') = 'finish' AND json_extract(body, '$.of') = ''
      AND json_extract(body, '$.before') <> json_extract(body, '$.due')
      AND COALESCE(json_extract(body, '$.why'), '') <> 'plan_moved' -- it stands still again: the plan's date is the promised one
)
SELECT standing.case_id, 'promised' AS clock, 'told' AS what,
    CASE WHEN NOT EXISTS (
        SELECT 1 FROM promised
        WHERE promised.case_id = standing.case_id
          AND promised.place IN (standing.clock, standing.plan, standing.procedure) AND promised.due = standing.due
    ) THEN 'another date than stands' END AS wrong
FROM standing WHERE what = 'told'
UNION ALL
SELECT moved.case_id, 'promised', 'moved',
    CASE WHEN NOT EXISTS (
        SELECT 1 FROM answers
        WHERE answers.case_id = moved.case_id AND answers.version = moved.version AND answers.status = 'due_moved'
          AND answers.promised = moved.due AND answers.before = moved.before AND answers.reason <> ''
    ) THEN 'moved and nobody told' END
FROM moved
