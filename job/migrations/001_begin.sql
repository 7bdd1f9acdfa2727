create table job (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	project text not null,
	kind text not null,
	key text not null,
	state text not null,
	payload text not null,
	result text,
	progress text not null,
	error text not null,
	cause_event text not null,
	run_at_ms bigint not null,
	scheduled bigint not null,
	attempt bigint not null,
	max_attempts bigint not null,
	losses bigint not null,
	fence bigint not null,
	owner text not null,
	lease_until_ms bigint not null,
	cancel_ms bigint not null,
	created_ms bigint not null,
	started_ms bigint not null,
	finished_ms bigint not null,
	unique (project_k, kind, key)
);
create index job_queued on job (kind, run_at_ms, k) where state = 'queued';
create index job_running on job (lease_until_ms, k) where state = 'running';
create index job_project on job (project_k, k);
create index job_open on job (project_k) where state in ('queued', 'running');
create table job_step (
	job_id text not null,
	name text not null,
	fence bigint not null,
	open bigint not null,
	primary key (job_id, name)
);
create table schedule (
	project_k bigint not null,
	project text not null,
	kind text not null,
	key text not null,
	timing text not null,
	payload text not null,
	next_ms bigint not null,
	primary key (project_k, kind, key)
);
create index schedule_next on schedule (next_ms);
