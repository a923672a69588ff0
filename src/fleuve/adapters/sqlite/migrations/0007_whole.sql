-- Whether no flush of the incarnation is known to be missing from the journal. Recovery decides with more care behind one
-- that is, and a crash in the middle of it must not forget that.
ALTER TABLE incarnation ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1));
