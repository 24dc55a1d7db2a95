DROP VIEW rec.metric_change;
DROP VIEW rec.metrics_history;
ALTER TABLE rec.training DROP COLUMN features_hash;
ALTER TABLE rec.training DROP COLUMN features;
COMMENT ON COLUMN rec.training.encoder IS NULL;

CREATE VIEW rec.metrics_history AS
    SELECT r.dataset, r.run, r.started_at, r.status, t.model, t.encoder, t.seed, m.split, m.metric, m.k, m.value,
           coalesce(c.run = r.run AND c.model = t.model, false) AS is_champion
    FROM rec.metric m
    JOIN rec.training t USING (run, model)
    JOIN rec.run r USING (run)
    LEFT JOIN rec.champion c ON c.dataset = r.dataset;

CREATE VIEW rec.metric_change AS
    SELECT *, value - lag(value) OVER (
        PARTITION BY dataset, model, encoder, split, metric, k ORDER BY started_at, run
    ) AS change
    FROM rec.metrics_history;
COMMENT ON VIEW rec.metric_change IS 'each figure beside its difference to the run before it of the same dataset, model and encoder';
COMMENT ON VIEW rec.metrics_history IS 'every figure with its run, model and whether it is the champion''s';
