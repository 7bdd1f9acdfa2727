-- How long what is deleted in a project can be restored; empty for as long as the server
-- is set to.
alter table project add column keep_deleted text not null default '';
