-- When a task is due, where somebody said so by hand; what the template's rules say is not stored.
ALTER TABLE checklist_task ADD COLUMN due_at timestamptz;
