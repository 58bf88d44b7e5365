-- The three rates of the latest round of each case, from a table of events; written from docs/lifecycle.md, not from the code.
WITH
told AS (SELECT case_id, type, body, version * 1000 + number AS place FROM events),
round AS (
    SELECT case_id, MAX(CASE WHEN type = 'RedoOrdered' THEN place ELSE -1 END) AS since FROM told GROUP BY case_id
),
latest AS (SELECT told.* FROM told JOIN round USING (case_id) WHERE place > since),
closing AS (
    -- a refusal that was objected to answers nobody, and its promise is over
    SELECT case_id, MIN(CASE WHEN json_extract(body, '$.reason') <> 'refused' THEN place END) AS first, MAX(place) AS last
    FROM latest WHERE type = 'CaseClosed' GROUP BY case_id
),
answered AS (
    SELECT closing.case_id, first
    FROM closing JOIN latest ON latest.case_id = closing.case_id AND latest.place = closing.last
    WHERE json_extract(body, '$.reason') NOT IN ('withdrawn', 'concluded')
      AND EXISTS (SELECT 1 FROM latest l WHERE l.case_id = closing.case_id AND l.type = 'LegReviewPassed')
      AND NOT EXISTS (
          SELECT 1 FROM latest l WHERE l.case_id = closing.case_id AND l.type = 'CallBackAsked' AND l.place > closing.last
      )
),
met AS (
    SELECT case_id, (
        SELECT json_extract(body, '$.met') FROM latest l
        WHERE l.case_id = answered.case_id AND l.type = 'ClockStopped' AND l.place <= answered.first
          AND json_extract(body, '$.kind') = 'finish' AND json_extract(body, '$.of') = ''
        ORDER BY l.place DESC LIMIT 1
    ) AS met
    FROM answered
),
call AS (
    SELECT case_id, json_extract(body, '$.reached') AS reached, json_extract(body, '$.contacted') AS contacted,
        json_extract(body, '$.solved') AS solved, json_extract(body, '$.satisfied') AS satisfied
    FROM (
        SELECT l.*, ROW_NUMBER() OVER (PARTITION BY l.case_id ORDER BY l.place DESC) AS nth
        FROM latest l JOIN answered USING (case_id) WHERE l.type = 'CalledBack'
    ) WHERE nth = 1
),
grade AS (
    SELECT case_id, json_extract(body, '$.grade') AS grade
    FROM (
        SELECT l.*, ROW_NUMBER() OVER (PARTITION BY l.case_id ORDER BY l.place DESC) AS nth
        FROM latest l JOIN answered USING (case_id) WHERE l.type = 'CaseEvaluated'
    ) WHERE nth = 1 AND NOT json_extract(body, '$.silent')
),
out AS (
    SELECT case_id, json_extract(body, '$.granted') AS out
    FROM (
        SELECT l.*, ROW_NUMBER() OVER (PARTITION BY l.case_id ORDER BY l.place DESC) AS nth
        FROM latest l JOIN answered USING (case_id) WHERE l.type = 'ReviewAppealDecided'
    ) WHERE nth = 1
),
word AS (
    SELECT answered.case_id,
        CASE
            WHEN grade.grade IS NOT NULL AND COALESCE(out.out, 0) THEN NULL
            WHEN grade.grade IS NOT NULL THEN grade.grade >= 3
            WHEN call.reached THEN call.satisfied
        END AS content
    FROM answered LEFT JOIN grade USING (case_id) LEFT JOIN out USING (case_id) LEFT JOIN call USING (case_id)
)
SELECT
    (SELECT COUNT(*) FROM answered) AS answered,
    (SELECT COALESCE(SUM(met), 0) FROM met) AS in_time, (SELECT COUNT(met) FROM met) AS in_time_of,
    (SELECT COALESCE(SUM(contacted), 0) FROM call WHERE reached) AS contacted,
    (SELECT COALESCE(SUM(solved), 0) FROM call WHERE reached) AS solved,
    (SELECT COUNT(*) FROM call WHERE reached) AS reached,
    (SELECT COUNT(*) FROM call) AS called,
    (SELECT COALESCE(SUM(content), 0) FROM word) AS satisfied, (SELECT COUNT(content) FROM word) AS satisfied_of
