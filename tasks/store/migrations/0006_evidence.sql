-- Of every expectation: whether it stops a run, its class in Great Expectations, and what that was given.
-- depends: 0001_metrics

ALTER TABLE rec.validation ADD COLUMN warned integer NOT NULL DEFAULT 0 CHECK (warned BETWEEN 0 AND evaluated);
ALTER TABLE rec.validation_result ADD COLUMN severity text NOT NULL DEFAULT 'critical'
    CHECK (severity IN ('critical', 'warning'));
ALTER TABLE rec.validation_result ADD COLUMN type text;
ALTER TABLE rec.validation_result ADD COLUMN arguments jsonb;
COMMENT ON COLUMN rec.validation.failed IS 'critical expectations that were not met: with one of them the run stops';
COMMENT ON COLUMN rec.validation.warned IS 'other expectations that were not met: they inform';
COMMENT ON COLUMN rec.validation_result.severity IS 'critical stops the run, warning informs';
COMMENT ON COLUMN rec.validation_result.type IS 'class of the expectation in Great Expectations; null: recorded by an earlier version';
COMMENT ON COLUMN rec.validation_result.arguments IS 'what it was given: column, bounds, share';

CREATE OR REPLACE VIEW rec.validation_failures AS
    SELECT r.dataset, v.run, v.suite, v.position, v.expectation, v.column_name, v.expected, v.observed,
           v.unexpected_count, v.element_count, v.sample_ids, v.severity, v.type, v.arguments
    FROM rec.validation_result v JOIN rec.run r USING (run)
    WHERE NOT v.success;
COMMENT ON VIEW rec.validation_failures IS 'each expectation that was not met, with what an alert says about it; severity tells whether the run stopped';
