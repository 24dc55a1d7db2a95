DELETE FROM rec.decision WHERE outcome = 'waiting';
ALTER TABLE rec.decision DROP CONSTRAINT decision_answer_check;
ALTER TABLE rec.decision DROP CONSTRAINT decision_check;
ALTER TABLE rec.decision DROP CONSTRAINT decision_outcome_check;
ALTER TABLE rec.decision DROP COLUMN answered_at;
ALTER TABLE rec.decision DROP COLUMN answered_by;
ALTER TABLE rec.decision ADD CONSTRAINT decision_outcome_check CHECK (outcome IN ('promoted', 'rejected'));
ALTER TABLE rec.decision ADD CONSTRAINT decision_check CHECK ((outcome = 'promoted') = (release IS NOT NULL));
COMMENT ON COLUMN rec.decision.outcome IS NULL;
