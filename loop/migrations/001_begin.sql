create table loop_case (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	model text not null,
	state text not null,
	cause text not null,
	incident text not null,
	spec_rev bigint not null,
	commit_sha text not null,
	search bigint not null,
	opened_at_ms bigint not null,
	closed_at_ms bigint not null,
	pipeline_run text not null,
	version bigint not null,
	inputs text not null,
	holdout text not null,
	decision text not null,
	environment bigint not null,
	rollout text not null,
	outcome text not null,
	reason text not null
);
create index loop_case_active on loop_case (project_k, model, state);
create table loop_model (
	project_k bigint not null,
	model text not null,
	paused bigint not null,
	pause_reason text not null,
	failures bigint not null,
	retrains bigint not null,
	last_closed_ms bigint not null,
	note text not null,
	primary key (project_k, model)
);
