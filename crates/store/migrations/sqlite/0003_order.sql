-- Of a subscription that wants them in order, the deliveries of one checklist that are not through are a
-- chain: `chain` is the checklist, and `behind` the place in it, 0 for the one that may go. Nulls for all
-- others. Those behind are due at the end of time, so that who looks for what is due passes them over. Once
-- a delivery is through its columns say nothing any more.
ALTER TABLE delivery ADD COLUMN chain INTEGER;
ALTER TABLE delivery ADD COLUMN behind INTEGER CHECK (behind >= 0);
-- Unique: of one chain one may go at a time.
CREATE UNIQUE INDEX delivery_chain ON delivery (subscription_id, chain, behind)
    WHERE chain IS NOT NULL AND state IN ('waiting', 'leased');
