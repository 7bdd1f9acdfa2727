create table environment (
	k {{pk}},
	project_k bigint not null,
	endpoint text not null,
	model text not null,
	name text not null,
	early bigint not null,
	settings text not null,
	created_ms bigint not null,
	unique (project_k, endpoint)
);
create table assignment (
	environment_k bigint primary key references environment (k),
	gen bigint not null,
	variants text not null,
	reason text not null,
	observed_gen bigint not null,
	changed_ms bigint not null
);
create table rollout (
	k {{pk}},
	id text not null unique,
	environment_k bigint not null references environment (k),
	project_k bigint not null,
	case_id text not null,
	strategy text not null,
	note text not null,
	from_n bigint not null,
	to_n bigint not null,
	plan text not null,
	state text not null,
	outcome text not null,
	reason text not null,
	step bigint not null,
	percent {{float}} not null,
	step_at_ms bigint not null,
	step_labels bigint not null,
	evidence text not null,
	started_ms bigint not null,
	changed_ms bigint not null,
	ended_ms bigint not null
);
create unique index rollout_active on rollout (environment_k) where state <> 'finished';
create index rollout_project on rollout (project_k, k);
