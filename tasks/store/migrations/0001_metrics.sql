-- The metrics history: runs, what was validated, what was trained and how well, what was decided, what is served.
-- depends:

CREATE SCHEMA IF NOT EXISTS rec; -- docker/postgres/databases.sql makes it before, with rights for its reader

CREATE TABLE rec.run (
    run text PRIMARY KEY,
    dataset text NOT NULL,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'published', 'rejected', 'skipped', 'failed')),
    config jsonb NOT NULL,
    url text,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE rec.run IS 'one row per run; run is the run id of Airflow, or what was typed as --run';
CREATE INDEX run_by_dataset ON rec.run (dataset, started_at DESC);

CREATE TABLE rec.validation (
    run text NOT NULL REFERENCES rec.run ON DELETE CASCADE,
    suite text NOT NULL,
    success boolean NOT NULL,
    evaluated integer NOT NULL CHECK (evaluated > 0),
    failed integer NOT NULL CHECK (failed BETWEEN 0 AND evaluated),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, suite),
    CHECK (success = (failed = 0))
);
CREATE TABLE rec.validation_result (
    run text NOT NULL,
    suite text NOT NULL,
    position integer NOT NULL,
    expectation text NOT NULL,
    column_name text,
    success boolean NOT NULL,
    expected text NOT NULL,
    observed text NOT NULL,
    unexpected_count bigint,
    element_count bigint,
    sample_ids jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (run, suite, position),
    FOREIGN KEY (run, suite) REFERENCES rec.validation ON DELETE CASCADE
);
COMMENT ON TABLE rec.validation IS 'one row per run and suite: whether the data kept its contract';
COMMENT ON TABLE rec.validation_result IS 'each expectation of a suite, met or not, in the order it was checked';
COMMENT ON COLUMN rec.validation_result.sample_ids IS 'up to ten ids in the user''s own words';

CREATE TABLE rec.training (
    run text NOT NULL REFERENCES rec.run ON DELETE CASCADE,
    model text NOT NULL,
    encoder text NOT NULL,
    seed bigint NOT NULL,
    parameters jsonb NOT NULL,
    artefact text NOT NULL,
    attempt integer NOT NULL DEFAULT 1,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, model)
);
CREATE TABLE rec.metric (
    run text NOT NULL,
    model text NOT NULL,
    split text NOT NULL CHECK (split IN ('valid', 'test')),
    metric text NOT NULL,
    k integer NOT NULL CHECK (k >= 0),
    value double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    PRIMARY KEY (run, model, split, metric, k),
    FOREIGN KEY (run, model) REFERENCES rec.training ON DELETE CASCADE
);
COMMENT ON TABLE rec.training IS 'one row per run and model: how it was trained, and where it lies in the store';
COMMENT ON COLUMN rec.training.attempt IS 'how often it was trained in this run: retries and cleared tasks';
COMMENT ON TABLE rec.metric IS 'one figure: of a model of a run, on a split, such as recall at k = 20';
COMMENT ON COLUMN rec.metric.value IS 'finite: PostgreSQL sorts NaN above Infinity, so the check refuses it';

CREATE TABLE rec.decision (
    run text PRIMARY KEY REFERENCES rec.run ON DELETE CASCADE,
    dataset text NOT NULL,
    model text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('promoted', 'rejected')),
    release text,
    inputs_hash text NOT NULL,
    gate jsonb NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((outcome = 'promoted') = (release IS NOT NULL))
);
COMMENT ON TABLE rec.decision IS 'how a run ended that came as far as publish: its best model was promoted or rejected';
COMMENT ON COLUMN rec.decision.gate IS 'the figures behind the decision: candidates, champion, margin, tolerance, reason';
COMMENT ON COLUMN rec.decision.inputs_hash IS 'of all that decides a run''s result: equal hashes need no second run';
CREATE INDEX decision_by_dataset ON rec.decision (dataset, decided_at DESC);

CREATE TABLE rec.release (
    dataset text NOT NULL,
    release text NOT NULL,
    run text NOT NULL REFERENCES rec.run,
    model text NOT NULL,
    gate jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, release)
);
COMMENT ON TABLE rec.release IS 'what was published; release is a hash of its content, so the same content is one row';
COMMENT ON COLUMN rec.release.run IS 'the run that published it first';
COMMENT ON COLUMN rec.release.gate IS 'the figures it was published on, with which later candidates are compared';

CREATE TABLE rec.pointer (
    dataset text PRIMARY KEY,
    release text NOT NULL,
    version bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (dataset, release) REFERENCES rec.release
);
COMMENT ON TABLE rec.pointer IS 'which release of a dataset is served; moved by compare-and-swap on version';

CREATE TABLE rec.pointer_move (
    dataset text NOT NULL,
    version bigint NOT NULL,
    release text NOT NULL,
    previous text,
    reason text NOT NULL CHECK (reason IN ('promoted', 'rolled back')),
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, version)
);
COMMENT ON TABLE rec.pointer_move IS 'every move of rec.pointer, forward and back; version is the one it moved to';

CREATE TABLE rec.media_seen (
    dataset text PRIMARY KEY,
    fingerprint text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rec.media_seen IS 'what the media of a dataset looked like when new ones were last reported';

CREATE VIEW rec.champion AS
    SELECT p.dataset, p.release, r.model, r.run, p.since, p.version, r.gate
    FROM rec.pointer p JOIN rec.release r USING (dataset, release);

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

CREATE VIEW rec.validation_failures AS
    SELECT r.dataset, v.run, v.suite, v.position, v.expectation, v.column_name, v.expected, v.observed,
           v.unexpected_count, v.element_count, v.sample_ids
    FROM rec.validation_result v JOIN rec.run r USING (run)
    WHERE NOT v.success;
COMMENT ON VIEW rec.validation_failures IS 'each expectation that was not met, with what an alert says about it';
COMMENT ON VIEW rec.champion IS 'the release of each dataset that is served';
COMMENT ON VIEW rec.metrics_history IS 'every figure with its run, model and whether it is the champion''s';
