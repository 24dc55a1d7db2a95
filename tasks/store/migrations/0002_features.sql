-- What a training's items were described by: each feature by an encoder of its own. Changes compare equal features only.
-- depends: 0001_metrics

ALTER TABLE rec.training ADD COLUMN features jsonb NOT NULL DEFAULT '{}';
UPDATE rec.training t SET features = coalesce((
    SELECT jsonb_object_agg(modality, jsonb_build_object('modality', modality, 'encoder', t.encoder))
    FROM rec.run r, jsonb_array_elements_text(
        CASE jsonb_typeof(r.config -> 'modalities') WHEN 'array' THEN r.config -> 'modalities' ELSE '[]' END
    ) AS modality
    WHERE r.run = t.run
), '{}');
ALTER TABLE rec.training ADD COLUMN features_hash text NOT NULL GENERATED ALWAYS AS (md5(features::text)) STORED;
COMMENT ON COLUMN rec.training.encoder IS 'the encoders of its features, each once, with commas between';
COMMENT ON COLUMN rec.training.features IS 'name -> modality and encoder of each feature';
COMMENT ON COLUMN rec.training.features_hash IS 'equal for equal features, in whatever order they were named';

CREATE OR REPLACE VIEW rec.metrics_history AS
    SELECT r.dataset, r.run, r.started_at, r.status, t.model, t.encoder, t.seed, m.split, m.metric, m.k, m.value,
           coalesce(c.run = r.run AND c.model = t.model, false) AS is_champion, t.features, t.features_hash
    FROM rec.metric m
    JOIN rec.training t USING (run, model)
    JOIN rec.run r USING (run)
    LEFT JOIN rec.champion c ON c.dataset = r.dataset;

CREATE OR REPLACE VIEW rec.metric_change AS
    SELECT dataset, run, started_at, status, model, encoder, seed, split, metric, k, value, is_champion,
           value - lag(value) OVER (
               PARTITION BY dataset, model, encoder, features_hash, split, metric, k ORDER BY started_at, run
           ) AS change,
           features, features_hash
    FROM rec.metrics_history;
COMMENT ON VIEW rec.metric_change IS 'each figure beside its difference to the run before it of the same dataset, model and features';
