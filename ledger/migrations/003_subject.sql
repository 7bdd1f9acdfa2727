-- What happened to one thing, such as a version of a model, is asked for by its subject.
create index event_subject on event (project_k, subject, seq);
