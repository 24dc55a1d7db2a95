DROP VIEW rec.validation_failures;
ALTER TABLE rec.validation_result DROP COLUMN arguments;
ALTER TABLE rec.validation_result DROP COLUMN type;
ALTER TABLE rec.validation_result DROP COLUMN severity;
ALTER TABLE rec.validation DROP COLUMN warned;
CREATE VIEW rec.validation_failures AS
    SELECT r.dataset, v.run, v.suite, v.position, v.expectation, v.column_name, v.expected, v.observed,
           v.unexpected_count, v.element_count, v.sample_ids
    FROM rec.validation_result v JOIN rec.run r USING (run)
    WHERE NOT v.success;
COMMENT ON VIEW rec.validation_failures IS 'each expectation that was not met, with what an alert says about it';
COMMENT ON COLUMN rec.validation.failed IS NULL;
