-- A version of a flow that is withdrawn keeps its document, because conversations follow it; none
-- begins with it from then on.
ALTER TABLE flows ADD COLUMN withdrawn_from TIMESTAMPTZ;
