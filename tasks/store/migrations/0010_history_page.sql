-- What the history page shows: metrics by segment with their intervals, and how much of the data each step kept.
-- depends: 0008_profile

ALTER TABLE rec.metric ADD COLUMN segment text NOT NULL DEFAULT 'all';
ALTER TABLE rec.metric ADD COLUMN low double precision CHECK (low > '-Infinity' AND low < 'Infinity');
ALTER TABLE rec.metric ADD COLUMN high double precision CHECK (high > '-Infinity' AND high < 'Infinity');
ALTER TABLE rec.metric ADD CHECK ((low IS NULL) = (high IS NULL));
ALTER TABLE rec.metric DROP CONSTRAINT metric_pkey;
ALTER TABLE rec.metric ADD PRIMARY KEY (run, model, split, metric, k, segment);
COMMENT ON COLUMN rec.metric.segment IS 'all, or short, medium and long histories of users, or head, tail, warm and cold items';
COMMENT ON COLUMN rec.metric.low IS 'with high the 95 % interval of the mean over users, by the bootstrap; null: there is none';

CREATE TABLE rec.step_count (
    run text NOT NULL REFERENCES rec.run ON DELETE CASCADE,
    step text NOT NULL,
    name text NOT NULL,
    value bigint NOT NULL CHECK (value >= 0),
    position integer NOT NULL,
    PRIMARY KEY (run, step, name)
);
COMMENT ON TABLE rec.step_count IS 'what each step of a run counted: media found and refused, items aligned, interactions left';
COMMENT ON COLUMN rec.step_count.position IS 'in the order in which the step counted';

CREATE TABLE rec.release_change (
    dataset text NOT NULL,
    release text NOT NULL,
    served text NOT NULL,
    items_new integer NOT NULL,
    items_gone integer NOT NULL,
    users_new integer NOT NULL,
    users_gone integer NOT NULL,
    users_compared integer NOT NULL,
    kept double precision CHECK (kept BETWEEN 0 AND 1),
    examples jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, release, served)
);
COMMENT ON TABLE rec.release_change IS 'what a release changes for people, compared with the one that was served when it was made';
COMMENT ON COLUMN rec.release_change.kept IS 'mean over users of both: share of their first 20 items that are still among these';
COMMENT ON COLUMN rec.release_change.examples IS 'up to five users whose lists changed most, with items that came and went';

CREATE OR REPLACE VIEW rec.metrics_history AS
    SELECT r.dataset, r.run, r.started_at, r.status, t.model, t.encoder, t.seed, m.split, m.metric, m.k, m.value,
           coalesce(c.run = r.run AND c.model = t.model, false) AS is_champion, t.features, t.features_hash, m.low, m.high
    FROM rec.metric m
    JOIN rec.training t USING (run, model)
    JOIN rec.run r USING (run)
    LEFT JOIN rec.champion c ON c.dataset = r.dataset
    WHERE m.segment = 'all';

CREATE VIEW rec.segment_history AS
    SELECT r.dataset, r.run, r.started_at, r.status, m.model, m.split, m.segment, m.metric, m.k, m.value, m.low, m.high
    FROM rec.metric m JOIN rec.run r USING (run);
COMMENT ON VIEW rec.segment_history IS 'every figure of every segment; segment all is that of rec.metrics_history';

CREATE VIEW rec.served AS
    SELECT m.dataset, m.version, m.release, m.previous, m.reason, m.moved_at AS since,
           later.moved_at AS until, r.model, r.run
    FROM rec.pointer_move m JOIN rec.release r USING (dataset, release)
    LEFT JOIN rec.pointer_move later ON (later.dataset, later.version) = (m.dataset, m.version + 1);
CREATE INDEX pointer_move_by_release ON rec.pointer_move (dataset, release, version);
COMMENT ON VIEW rec.served IS 'which release was served from when until when, and whether it was promoted or gone back to';

ALTER TABLE rec.validation_result ADD COLUMN value double precision CHECK (value > '-Infinity' AND value < 'Infinity');
COMMENT ON COLUMN rec.validation_result.value IS 'the number that has bounds; null: there is none, or it was recorded by an earlier version';

CREATE VIEW rec.observed AS
    SELECT r.dataset, v.run, r.started_at, v.suite, v.position, v.expectation, v.column_name, v.severity, v.success,
           v.expected, v.observed, v.unexpected_count, v.element_count, v.sample_ids,
           coalesce(v.value, v.unexpected_count) AS value,
           CASE WHEN v.value IS NOT NULL THEN (v.arguments ->> 'min_value')::double precision END AS least,
           CASE WHEN v.value IS NOT NULL THEN (v.arguments ->> 'max_value')::double precision
           ELSE floor((1 - coalesce((v.arguments ->> 'mostly')::double precision, 1)) * v.element_count) END AS most
    FROM rec.validation_result v JOIN rec.run r USING (run);
COMMENT ON VIEW rec.observed IS 'each expectation with the number observed and its bounds; without a number of its own that of unexpected elements';
