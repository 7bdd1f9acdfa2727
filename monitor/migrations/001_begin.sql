create table reference (
	project_k bigint not null,
	model text not null,
	version bigint not null,
	body text not null,
	metrics text not null,
	primary key (project_k, model, version)
);
create table watch (
	project_k bigint not null,
	endpoint text not null,
	kind text not null,
	model text not null,
	version bigint not null,
	since_ms bigint not null,
	primary key (project_k, endpoint, kind)
);
create table win (
	k {{pk}},
	project_k bigint not null,
	endpoint text not null,
	model text not null,
	version bigint not null,
	kind text not null,
	from_ms bigint not null,
	to_ms bigint not null,
	state text not null,
	value {{float}} not null,
	limit_value {{float}} not null,
	row_count bigint not null,
	coverage {{float}} not null,
	detail text not null,
	unique (project_k, endpoint, version, kind, from_ms)
);
create table incident (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	endpoint text not null,
	model text not null,
	version bigint not null,
	kind text not null,
	action text not null,
	opened_at_ms bigint not null,
	resolved_at_ms bigint not null,
	value {{float}} not null,
	limit_value {{float}} not null,
	reason text not null,
	resolution text not null
);
create index incident_open on incident (project_k, endpoint, kind, resolved_at_ms);
create table paired (
	rollout text primary key,
	project_k bigint not null,
	endpoint text not null,
	live bigint not null,
	candidate bigint not null,
	metric text not null,
	delay_ms bigint not null,
	next_from_ms bigint not null,
	test text not null,
	decides bigint not null,
	labels bigint not null,
	loss_live {{float}} not null,
	loss_candidate {{float}} not null,
	looked_to_ms bigint not null,
	requests bigint not null,
	failed bigint not null
);
