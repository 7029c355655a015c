-- What a checklist was made with, as a JSON object by name; nothing where it was made with nothing.
ALTER TABLE checklist ADD COLUMN parameters text;
