alter table pipeline_step add column dropped bigint not null default 0;
