DROP VIEW rec.comparison_best, rec.comparison_summary;
DROP TABLE rec.comparison_metric, rec.comparison_trial, rec.comparison;
