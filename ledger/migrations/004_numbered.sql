-- An event is in these once it has its number, and not before and then anew: three rows
-- fewer to write and three to take away for each.
drop index event_project;
create index event_project on event (project_k, seq) where seq is not null;
drop index event_type;
create index event_type on event (project_k, type, seq) where seq is not null;
drop index event_subject;
create index event_subject on event (project_k, subject, seq) where seq is not null;
