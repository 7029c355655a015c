-- Nodes tell each other which settings they were given, by name and digest, as a JSON object; those of the
-- version before tell nothing. Nodes that answer requests and send nothing tell it as well.
ALTER TABLE node
    ADD COLUMN sends    boolean NOT NULL DEFAULT true,
    ADD COLUMN settings text    NOT NULL DEFAULT '{}';
