-- What the maker of a subscription chose. What statements read has columns of its own, the rest is one JSON text.
ALTER TABLE subscription ADD COLUMN ordering TEXT NOT NULL DEFAULT 'none'
    CHECK (ordering IN ('none', 'checklist'));
ALTER TABLE subscription ADD COLUMN rate_per_second INTEGER CHECK (rate_per_second > 0);
ALTER TABLE subscription ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
