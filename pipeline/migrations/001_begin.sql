create table pipeline_run (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	model text not null,
	spec_rev bigint not null,
	commit_sha text not null,
	case_id text not null,
	cause text not null,
	inputs text not null,
	holdout text not null,
	fixed text not null,
	job_id text not null,
	state text not null,
	reason text not null,
	experiment text not null,
	winner bigint not null,
	version bigint not null,
	created_ms bigint not null,
	started_ms bigint not null,
	finished_ms bigint not null
);
create index pipeline_run_project on pipeline_run (project_k, k);
create table pipeline_try (
	run_k bigint not null,
	n bigint not null,
	state text not null,
	params text not null,
	tracking_run text not null,
	value {{float}},
	reason text not null,
	primary key (run_k, n)
);
create table pipeline_step (
	k {{pk}},
	id text not null unique,
	run_k bigint not null,
	n bigint not null,
	name text not null,
	state text not null,
	fails bigint not null,
	cache_key text not null,
	parts text not null,
	outputs text not null,
	points text not null,
	from_id text not null,
	job_step text not null,
	ended text not null,
	error text not null,
	started_ms bigint not null,
	finished_ms bigint not null,
	unique (run_k, n, name)
);
create table pipeline_cache (
	project_k bigint not null,
	cache_key text not null,
	step_id text not null,
	primary key (project_k, cache_key)
);
create table pipeline_evaluation (
	project_k bigint not null,
	cache_key text not null,
	points text not null,
	created_ms bigint not null,
	primary key (project_k, cache_key)
);
