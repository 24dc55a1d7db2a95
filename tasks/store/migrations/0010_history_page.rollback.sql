DROP VIEW rec.observed;
ALTER TABLE rec.validation_result DROP COLUMN value;
DROP VIEW rec.served;
DROP INDEX rec.pointer_move_by_release;
DROP VIEW rec.segment_history;
DROP VIEW rec.metric_change;
DROP VIEW rec.metrics_history;
DROP TABLE rec.step_count;
DROP TABLE rec.release_change;
DELETE FROM rec.metric WHERE segment <> 'all';
ALTER TABLE rec.metric DROP COLUMN segment; -- and the key with it
ALTER TABLE rec.metric DROP COLUMN low;
ALTER TABLE rec.metric DROP COLUMN high;
ALTER TABLE rec.metric ADD PRIMARY KEY (run, model, split, metric, k);

CREATE VIEW rec.metrics_history AS
    SELECT r.dataset, r.run, r.started_at, r.status, t.model, t.encoder, t.seed, m.split, m.metric, m.k, m.value,
           coalesce(c.run = r.run AND c.model = t.model, false) AS is_champion, t.features, t.features_hash
    FROM rec.metric m
    JOIN rec.training t USING (run, model)
    JOIN rec.run r USING (run)
    LEFT JOIN rec.champion c ON c.dataset = r.dataset;

CREATE VIEW rec.metric_change AS
    SELECT dataset, run, started_at, status, model, encoder, seed, split, metric, k, value, is_champion,
           value - lag(value) OVER (
               PARTITION BY dataset, model, encoder, features_hash, split, metric, k ORDER BY started_at, run
           ) AS change,
           features, features_hash
    FROM rec.metrics_history;
COMMENT ON VIEW rec.metric_change IS 'each figure beside its difference to the run before it of the same dataset, model and features';
COMMENT ON VIEW rec.metrics_history IS 'every figure with its run, model and whether it is the champion''s';
