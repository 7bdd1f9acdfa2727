create index event_type on event (project_k, type, seq);
