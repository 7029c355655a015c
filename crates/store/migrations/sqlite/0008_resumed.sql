-- When a subscription was last resumed from a pause: what was due before was held by it, and is caught up with.
ALTER TABLE subscription ADD COLUMN resumed_at INTEGER;
UPDATE subscription SET resumed_at = state_since WHERE state = 'active' AND state_since > created_at;
