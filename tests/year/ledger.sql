-- The working time of every case that is over: from the receipt to its end, without what lay between an end and going on again.
-- passed(t): office time up to t, by tests/year/hours.py. calendar: of the cases by which it counts. ledger: what the product charges to the holders, added up.
WITH
turns AS (
    SELECT case_id, version * 1000 + number AS place, at,
        type = 'CaseClosed' OR type = 'ProcedureBegun' AS ends
    FROM events
    WHERE type IN ('CaseClosed', 'CallBackAsked', 'RedoOrdered', 'RefusalReviewAsked')
       OR (type = 'ProcedureBegun' AND COALESCE(json_extract(body, '$.task'), '') <> '')
),
changes AS (
    SELECT * FROM (
        SELECT *, LAG(ends, 1, 0) OVER (PARTITION BY case_id ORDER BY place) AS before FROM turns
    ) WHERE ends <> before
),
whole AS (
    SELECT case_id, SUM(CASE WHEN ends THEN passed(at) ELSE -passed(at) END) AS until, SUM(ends) - SUM(NOT ends) AS over
    FROM changes GROUP BY case_id
),
received AS (
    SELECT case_id, json_extract(body, '$.received_at') AS at FROM events
    WHERE type = 'CaseRegistered' AND json_extract(body, '$.calendar') LIKE :calendar || '%'
)
SELECT received.case_id, 'ledger' AS clock, 'closed' AS what,
    CASE
        WHEN ledger.whole IS NULL THEN 'not charged to anybody'
        WHEN ledger.whole <> whole.until - passed(received.at) THEN 'the whole is another'
        WHEN ledger.shares <> ledger.whole THEN 'the shares are not the whole'
    END AS wrong
FROM received JOIN whole USING (case_id) LEFT JOIN ledger USING (case_id)
WHERE whole.over = 1
