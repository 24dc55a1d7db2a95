-- A release that a human has to approve waits; who answered, and when.
-- depends: 0001_metrics

ALTER TABLE rec.decision DROP CONSTRAINT decision_outcome_check;
ALTER TABLE rec.decision DROP CONSTRAINT decision_check;
ALTER TABLE rec.decision ADD COLUMN answered_by text CHECK (length(answered_by) BETWEEN 1 AND 100);
ALTER TABLE rec.decision ADD COLUMN answered_at timestamptz;
ALTER TABLE rec.decision ADD CONSTRAINT decision_outcome_check CHECK (outcome IN ('promoted', 'rejected', 'waiting'));
ALTER TABLE rec.decision ADD CONSTRAINT decision_check CHECK ((outcome <> 'rejected') = (release IS NOT NULL));
ALTER TABLE rec.decision ADD CONSTRAINT decision_answer_check CHECK (
    CASE WHEN outcome = 'waiting' THEN answered_by IS NULL AND answered_at IS NULL
    ELSE answered_by IS NULL OR answered_at IS NOT NULL END
);
COMMENT ON COLUMN rec.decision.outcome IS 'waiting: the gate accepts it and a human has not answered yet';
COMMENT ON COLUMN rec.decision.answered_by IS 'who approved or rejected it; null: nobody was asked, or nobody answered in time';
COMMENT ON COLUMN rec.decision.answered_at IS 'when; null: nobody was asked';
