create table model (
	k {{pk}},
	project_k bigint not null,
	name text not null,
	description text not null,
	last_n bigint not null default 0,
	created_ms bigint not null,
	updated_ms bigint not null,
	unique (project_k, name)
);

create table model_tag (
	model_k bigint not null,
	key text not null,
	value text not null,
	primary key (model_k, key)
);

create table version (
	model_k bigint not null,
	n bigint not null,
	source text not null,
	storage text not null,
	run_id text not null,
	logged_id text not null,
	run_link text not null,
	description text not null,
	user_name text not null,
	stage text not null,
	state text not null,
	reason text not null,
	produced_by text not null,
	created_ms bigint not null,
	updated_ms bigint not null,
	primary key (model_k, n)
);

create index version_run on version (run_id);

create table version_tag (
	model_k bigint not null,
	n bigint not null,
	key text not null,
	value text not null,
	primary key (model_k, n, key)
);

create table alias (
	model_k bigint not null,
	name text not null,
	n bigint not null,
	rev bigint not null,
	primary key (model_k, name)
);

create table alias_move (
	model_k bigint not null,
	name text not null,
	rev bigint not null,
	from_n bigint not null,
	to_n bigint not null,
	event_id text not null,
	actor text not null,
	at_ms bigint not null,
	primary key (model_k, name, rev)
);

create table condition (
	model_k bigint not null,
	n bigint not null,
	type text not null,
	status text not null,
	reason text not null,
	ref text not null,
	updated_ms bigint not null,
	primary key (model_k, n, type)
);

create table version_hold (
	model_k bigint not null,
	n bigint not null,
	holder_kind text not null,
	holder_id text not null,
	reason text not null,
	created_ms bigint not null,
	primary key (model_k, n, holder_kind, holder_id)
);
