-- What the maker of a subscription chose. What statements read has columns of its own, the rest is one JSON text.
ALTER TABLE subscription
    ADD COLUMN ordering        text   NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'checklist')),
    ADD COLUMN rate_per_second bigint CHECK (rate_per_second > 0),
    ADD COLUMN settings        text   NOT NULL DEFAULT '{}';
