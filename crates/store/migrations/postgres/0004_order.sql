-- Of a subscription that wants them in order, the deliveries of one checklist that are not through are a
-- chain: `chain` is the checklist, and `behind` the place in it, 0 for the one that may go. Nulls for all
-- others. Those behind are due at the end of time, so that who looks for what is due passes them over, a node
-- of the version before as well. Once a delivery is through its columns say nothing any more.
ALTER TABLE delivery
    ADD COLUMN chain  bigint,
    ADD COLUMN behind bigint;
-- Not looked for in what is there: it has none.
ALTER TABLE delivery
    ADD CONSTRAINT delivery_behind_check CHECK (behind >= 0) NOT VALID;
-- Unique: of one chain one may go at a time.
CREATE UNIQUE INDEX delivery_chain ON delivery (subscription_id, chain, behind)
    WHERE chain IS NOT NULL AND state IN ('waiting', 'leased');
