-- What was said, how often, and how often it was refused.
SELECT commands.name, COUNT(*) AS said, SUM(records.refused) AS refused
FROM commands JOIN records ON records.cause = commands.id
GROUP BY commands.name
