-- For which member a key was used, if for one.
ALTER TABLE audit ADD COLUMN member_id bigint;
