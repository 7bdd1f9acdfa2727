-- In which state something came in, and whether nothing of it was missing then.
alter table imported add column state text not null default '';
alter table imported add column whole bigint not null default 1;
