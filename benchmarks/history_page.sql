-- A long history of one dataset: %(runs)s runs a day apart, each with %(models)s models, 16 metrics and 3 segments.
CREATE TEMP TABLE night AS
    SELECT n, '2000-01-01 02:00Z'::timestamptz + n * interval '1 day' AS at, lpad(to_hex(n), 16, '0') AS release,
           'scheduled__' || to_char('2000-01-01 02:00Z'::timestamptz + n * interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS+00:00') AS run,
           n %% 9 = 0 AS rejected
    FROM generate_series(1, %(runs)s) n;
INSERT INTO rec.run
    SELECT run, 'films', CASE WHEN rejected THEN 'rejected' ELSE 'published' END, '{}', 'http://airflow.test', at, at
    FROM night;
INSERT INTO rec.training (run, model, encoder, seed, parameters, artefact)
    SELECT run, 'model' || m, 'enc', 7, '{}', 'x' FROM night, generate_series(1, %(models)s) m;
INSERT INTO rec.metric (run, model, split, metric, k, segment, value, low, high)
    SELECT run, model, 'test', metric, k, segment, v, v - .01, v + .01
    FROM (SELECT run, model, random() AS v FROM rec.training ORDER BY run, model) t,
         unnest('{ndcg, recall, precision, map}'::text[]) metric, unnest('{5, 10, 20, 50}'::int[]) k,
         unnest('{all, short, long}'::text[]) segment;
INSERT INTO rec.validation (run, suite, success, evaluated, failed, warned)
    SELECT run, suite, true, 20, 0, 1 FROM night, unnest('{check-embeddings, check-dataset}'::text[]) suite;
INSERT INTO rec.validation_result (run, suite, position, expectation, column_name, success, expected, observed,
                                   unexpected_count, element_count, severity, type, arguments, value)
    SELECT run, suite, p, 'expectation_' || p, 'image', p <> 7, 'at most 1', 'x', 0, 300, 'warning', 'T',
           '{"max_value": 1}', random()
    FROM rec.validation, generate_series(1, 20) p;
INSERT INTO rec.step_count
    SELECT run, step, name, 100, p
    FROM night, unnest('{scan, extract-image, extract-audio, extract-text, align, log, prepare, publish}'::text[]) step,
         unnest('{names, new_media, rejected, kept, arrivals, other_users}'::text[]) WITH ORDINALITY AS o(name, p);
INSERT INTO rec.release
    SELECT 'films', release, run, 'model1', '{"reason": "better"}', at FROM night WHERE NOT rejected;
INSERT INTO rec.pointer_move
    SELECT 'films', row_number() OVER (ORDER BY at), release, lag(release) OVER (ORDER BY at), 'promoted', at
    FROM night WHERE NOT rejected;
INSERT INTO rec.pointer
    SELECT dataset, release, version, moved_at FROM rec.pointer_move ORDER BY version DESC LIMIT 1;
INSERT INTO rec.decision
    SELECT run, 'films', 'model1', CASE WHEN rejected THEN 'rejected' ELSE 'promoted' END,
           CASE WHEN NOT rejected THEN release END, 'h', '{"reason": "better"}', at
    FROM night;
INSERT INTO rec.comparison
    SELECT run, 'films', 'd', 'ndcg', 20, 'model1', at, at FROM night ORDER BY n LIMIT 60;
INSERT INTO rec.comparison_trial
    SELECT run, 'plain', 'model' || m, s, 'done', NULL, '{}', 'f', 1, 'cpu', 'x', 'x'
    FROM rec.comparison, generate_series(1, 20) m, generate_series(1, 5) s;
INSERT INTO rec.comparison_metric
    SELECT run, world, model, seed, split, 'all', metric, k, random()
    FROM rec.comparison_trial, unnest('{valid, test}'::text[]) split,
         unnest('{ndcg, recall, precision, map}'::text[]) metric, unnest('{5, 10, 20, 50}'::int[]) k;
