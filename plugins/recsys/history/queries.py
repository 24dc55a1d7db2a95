"""All SQL of the history page; it reads schema rec as the role metrics_reader may.

What is shown over time is thinned here: of N trained runs every (N / points)-th, the newest always. For these runs
alone rows are looked up by the key of their table, which begins with the run: so no other index is needed.
"""

from __future__ import annotations

DATASETS = """
SELECT r.dataset, count(*) AS runs, max(r.started_at) AS last_started, c.release, c.model, c.run, c.since
FROM rec.run r LEFT JOIN rec.champion c USING (dataset)
GROUP BY r.dataset, c.release, c.model, c.run, c.since ORDER BY r.dataset
"""

SERVED = """
SELECT c.release, c.model, c.run, c.since, c.version, m.reason AS how, m.previous, c.gate ->> 'reason' AS why,
       d.answered_by, r.url
FROM rec.champion c JOIN rec.pointer_move m USING (dataset, version)
LEFT JOIN rec.decision d ON d.run = c.run JOIN rec.run r ON r.run = c.run
WHERE c.dataset = %(dataset)s
"""

RUNS = """
SELECT r.run, r.started_at, r.finished_at, r.url, d.outcome, d.model, d.release,
       CASE WHEN r.status = 'running' AND r.started_at < (SELECT max(started_at) FROM rec.run WHERE dataset = r.dataset)
       THEN 'did not end' ELSE r.status END AS status, -- nobody records that a run failed by a fault
       d.gate ->> 'reason' AS reason, d.answered_by, v.failed, v.warned, v.suites, t.models
FROM (
    SELECT * FROM rec.run WHERE dataset = %(dataset)s ORDER BY started_at DESC, run DESC
    LIMIT %(limit)s OFFSET %(offset)s
) r
LEFT JOIN rec.decision d USING (run)
LEFT JOIN LATERAL (
    SELECT sum(failed)::int AS failed, sum(warned)::int AS warned, count(*)::int AS suites
    FROM rec.validation WHERE run = r.run
) v ON true
LEFT JOIN LATERAL (SELECT count(*)::int AS models FROM rec.training WHERE run = r.run) t ON true
ORDER BY r.started_at DESC, r.run DESC
"""
COUNT_RUNS = "SELECT count(*) AS runs FROM rec.run WHERE dataset = %(dataset)s"

RUN = """
SELECT r.run, r.dataset, r.status, r.started_at, r.finished_at, r.url, r.config, d.outcome, d.model, d.release, d.gate,
       d.answered_by, d.answered_at, d.decided_at
FROM rec.run r LEFT JOIN rec.decision d USING (run) WHERE r.run = %(run)s
"""
STEPS = """
SELECT step, name, value FROM rec.step_count WHERE run = %(run)s
ORDER BY array_position('{scan, extract, align, log, prepare, train, refit, publish}', split_part(step, '-', 1)), step,
         position
"""
RUN_METRICS = """
SELECT t.model, t.encoder, t.attempt, m.split, m.metric, m.k, m.value, m.low, m.high
FROM rec.training t LEFT JOIN rec.metric m ON (m.run, m.model) = (t.run, t.model)
    AND m.segment = 'all' AND m.metric IN ('ndcg', 'recall') AND m.k = 20
WHERE t.run = %(run)s ORDER BY t.model, m.split, m.metric
"""
RUN_BEFORE = """
SELECT before.run FROM rec.run this JOIN rec.run before USING (dataset)
WHERE this.run = %(run)s AND before.started_at < this.started_at
    AND EXISTS (SELECT FROM rec.step_count s WHERE s.run = before.run AND s.step <> 'scan')
ORDER BY before.started_at DESC LIMIT 1
"""

CHOICES = """
WITH latest AS (
    SELECT r.run FROM rec.run r
    WHERE r.dataset = %(dataset)s AND EXISTS (SELECT FROM rec.training t WHERE t.run = r.run)
    ORDER BY r.started_at DESC LIMIT 10
)
SELECT m.model, m.metric, m.k, m.split, m.segment FROM latest JOIN rec.metric m USING (run) GROUP BY 1, 2, 3, 4, 5
"""


def _of_runs(table: str) -> str:
    """Runs with a row in `table`, thinned, as the common table expression `chosen`."""
    return f"""
WITH numbered AS (
    SELECT r.run, r.started_at, r.status, count(*) OVER () AS total,
           row_number() OVER (ORDER BY r.started_at DESC, r.run DESC) - 1 AS back
    FROM rec.run r
    WHERE r.dataset = %(dataset)s AND (%(since)s IS NULL OR r.started_at >= %(since)s)
        AND (%(until)s IS NULL OR r.started_at < %(until)s) AND EXISTS (SELECT FROM {table} e WHERE e.run = r.run)
), chosen AS (SELECT * FROM numbered WHERE back %% greatest(1, ceil(total / %(points)s::numeric)::int) = 0)
"""  # noqa: S608  names are ours


# OFFSET 0: one look-up for each run and model, whatever the planner believes of a table of millions.
TRAINED = """
SELECT count(*) AS models FROM rec.training WHERE run = (
    SELECT r.run FROM rec.run r
    WHERE r.dataset = %(dataset)s AND EXISTS (SELECT FROM rec.training t WHERE t.run = r.run)
    ORDER BY r.started_at DESC LIMIT 1
)
"""
METRICS = f"""{_of_runs("rec.training")}
SELECT c.started_at, c.run, c.status, t.model, m.value, m.low, m.high, c.total
FROM chosen c JOIN rec.training t USING (run), LATERAL (
    SELECT value, low, high FROM rec.metric m WHERE m.run = t.run AND m.model = t.model AND m.split = %(split)s
        AND m.metric = %(metric)s AND m.k = %(k)s AND m.segment = %(segment)s OFFSET 0
) m
WHERE %(models)s::text[] IS NULL OR t.model = ANY (%(models)s)
ORDER BY c.started_at, c.run, t.model
"""  # noqa: S608  names are ours
EVENTS = """
SELECT * FROM (
    SELECT moved_at AS at, CASE reason WHEN 'promoted' THEN 'release' ELSE 'rollback' END AS kind, release, NULL AS run,
           NULL AS model, NULL AS reason
    FROM rec.pointer_move WHERE dataset = %(dataset)s
    UNION ALL
    SELECT decided_at, outcome, release, run, model, gate ->> 'reason' FROM rec.decision
    WHERE dataset = %(dataset)s AND outcome <> 'promoted'
    UNION ALL
    SELECT started_at, 'failed', NULL, run, NULL, NULL FROM rec.run r
    WHERE dataset = %(dataset)s AND (status = 'failed' OR status = 'running' AND started_at < (
        SELECT max(started_at) FROM rec.run WHERE dataset = r.dataset
    ))
) e
WHERE (%(since)s IS NULL OR at >= %(since)s) AND (%(until)s IS NULL OR at < %(until)s)
ORDER BY at DESC LIMIT 200
"""

CHECKED_RUN = """
SELECT r.run, r.started_at FROM rec.run r
WHERE r.dataset = %(dataset)s AND EXISTS (SELECT FROM rec.validation v WHERE v.run = r.run)
ORDER BY r.started_at DESC LIMIT 1
"""
UNMET = """
WITH latest AS (
    SELECT r.run FROM (SELECT * FROM rec.run WHERE dataset = %(dataset)s ORDER BY started_at DESC LIMIT 200) r
    WHERE EXISTS (SELECT FROM rec.validation v WHERE v.run = r.run AND v.failed + v.warned > 0)
    ORDER BY r.started_at DESC LIMIT 5
)
SELECT o.* FROM latest l, LATERAL (SELECT * FROM rec.observed o WHERE o.run = l.run AND NOT o.success OFFSET 0) o
ORDER BY o.started_at DESC, o.severity, o.suite, o.position LIMIT 50
"""
RESULTS = "SELECT * FROM rec.observed WHERE run = %(run)s ORDER BY success, severity, suite, position"
TREND = f"""{_of_runs("rec.validation")}
SELECT c.started_at, c.run, o.value, o.least, o.most, o.success, o.observed, c.total
FROM chosen c, LATERAL (
    SELECT * FROM rec.observed o WHERE o.run = c.run AND o.suite = %(suite)s AND o.expectation = %(expectation)s
        AND o.column_name IS NOT DISTINCT FROM %(column)s LIMIT 1
) o
ORDER BY c.started_at, c.run
"""  # noqa: S608  names are ours

RELEASES = """
SELECT r.release, r.model, r.run, r.created_at, r.gate #>> '{candidate,figures}' AS scores, r.gate ->> 'reason' AS why,
       s.since, s.until, s.reason AS how, s.version, f.previous, c.release IS NOT NULL AS served, n.url
FROM (SELECT * FROM rec.release WHERE dataset = %(dataset)s ORDER BY created_at DESC LIMIT %(limit)s) r
JOIN rec.run n USING (run)
LEFT JOIN LATERAL (
    SELECT * FROM rec.served s WHERE s.dataset = r.dataset AND s.release = r.release ORDER BY s.version DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT previous FROM rec.pointer_move WHERE dataset = r.dataset AND release = r.release ORDER BY version LIMIT 1
) f ON true
LEFT JOIN rec.pointer c ON (c.dataset, c.release) = (r.dataset, r.release)
ORDER BY r.created_at DESC
"""
MOVES = """
SELECT version, release, previous, reason, since, until, model, run FROM rec.served
WHERE dataset = %(dataset)s ORDER BY version DESC LIMIT %(limit)s
"""
RELEASE = "SELECT * FROM rec.release WHERE dataset = %(dataset)s AND release = %(release)s"
RELEASE_METRICS = """
SELECT split, metric, k, value, low, high FROM rec.metric
WHERE run = %(run)s AND model = %(model)s AND segment = 'all' ORDER BY split, metric, k
"""

CHANGES = """
SELECT * FROM rec.release_change WHERE dataset = %(dataset)s AND release = %(release)s AND served = %(served)s
"""

ARRIVALS = f"""{_of_runs("rec.run")}
SELECT c.started_at, c.run, c.status, s.step, s.name, s.value, c.total
FROM chosen c JOIN rec.step_count s USING (run)
WHERE s.name IN ('names', 'new_media', 'arrivals', 'rejected', 'kept', 'other_users')
ORDER BY c.started_at, c.run, s.step, s.position
"""  # noqa: S608  names are ours

# Messages without a dataset are about Airflow itself: a file, a component.
_ALERTS = """
SELECT a.created_at, a.kind, coalesce(m.facts #>> '{letter,what}', a.topic) AS what, a.dag, a.run, a.repeats,
       a.settled_at, a.sent_at, a.failed_attempts, a.error
FROM (
    SELECT id, facts FROM rec.message
    WHERE folded_into IS NULL AND (dataset = %(dataset)s OR dataset IS NULL)
"""
ALERTS = (
    _ALERTS + "ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s) m JOIN rec.alert a USING (id) ORDER BY a.id DESC"
)
OPEN_ALERTS = (
    _ALERTS + "AND settled_at IS NULL AND kind NOT IN ('recovered', 'old', 'waiting') ORDER BY id DESC LIMIT 20"
    ") m JOIN rec.alert a USING (id) ORDER BY a.id DESC"
)
COMPARISONS = """
SELECT c.run, c.metric, c.k, c.against, c.started_at, c.finished_at, count(DISTINCT t.model) AS models,
       count(*) FILTER (WHERE t.status = 'failed') AS failed
FROM rec.comparison c LEFT JOIN rec.comparison_trial t USING (run)
WHERE c.dataset = %(dataset)s GROUP BY c.run ORDER BY c.started_at DESC LIMIT 50
"""
COMPARISON = """
SELECT world, model, split, segment, metric, k, seeds, mean, deviation, decides, hyperparameters
FROM rec.comparison_summary WHERE run = %(run)s ORDER BY world, segment, split DESC, decides DESC, metric, k, mean DESC
"""
