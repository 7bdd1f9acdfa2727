alter table pipeline_run add column rerun_of text not null default '';
alter table pipeline_run add column rerun_from text not null default '';
alter table pipeline_step add column queued_ms bigint not null default 0;
