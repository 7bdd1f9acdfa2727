alter table pipeline_run add column model_step text not null default '';
