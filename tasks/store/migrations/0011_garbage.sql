-- What nothing refers to any more is marked, and removed from the store when it was garbage for long enough.
-- depends: 0008_profile

CREATE TABLE rec.garbage (
    prefix text PRIMARY KEY,
    dataset text NOT NULL,
    reason text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    swept_at timestamptz CHECK (swept_at >= marked_at)
);
COMMENT ON TABLE rec.garbage IS 'what is to be removed from the store, and what was; whoever refers to a prefix removes its row before';
COMMENT ON COLUMN rec.garbage.dataset IS 'empty: of none, such as what a killed command left';
COMMENT ON COLUMN rec.garbage.swept_at IS 'when its removal began; null: it stands there';
