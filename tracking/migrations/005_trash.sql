create index run_trash on run (project_k, deleted_ms) where state <> 'active';

alter table logged_model add column deleted_ms bigint;

update logged_model set deleted_ms = updated_ms where state = 'deleted';

create index logged_model_trash on logged_model (project_k, deleted_ms) where state <> 'active';

create index logged_model_metric_run on logged_model_metric (run_k);

-- Who depends on a run or a logged model, which is not purged meanwhile.
create table hold (
	project_k bigint not null,
	owner_kind text not null,
	owner_id text not null,
	holder text not null,
	reason text not null,
	primary key (project_k, owner_kind, owner_id, holder)
);
