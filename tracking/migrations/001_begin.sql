create table experiment (
	k {{pk}},
	project_k bigint not null,
	n bigint not null,
	name text not null,
	state text not null,
	created_ms bigint not null,
	updated_ms bigint not null,
	unique (project_k, n),
	unique (project_k, name)
);

create table experiment_tag (
	exp_k bigint not null,
	key text not null,
	value text not null,
	primary key (exp_k, key)
);

create table run (
	k {{pk}},
	project_k bigint not null,
	id text not null unique,
	exp_k bigint not null,
	name text not null,
	user_name text not null,
	status text not null,
	state text not null,
	start_ms bigint not null,
	end_ms bigint,
	deleted_ms bigint,
	created_ms bigint not null
);

create index run_exp on run (exp_k, start_ms, id);

-- The names of metrics, params and run tags, each once.
create table key_name (
	k {{pk}},
	name text not null unique
);

-- The tables below are clustered on their keys: half the bytes and half the work
-- of a table with a second tree. They are reached through their run alone.
create table metric (
	run_k bigint not null,
	key_k bigint not null,
	step bigint not null,
	ts bigint not null,
	value {{float}} not null,
	is_nan bigint not null,
	primary key (run_k, key_k, step, ts, value, is_nan)
) without rowid;

create table latest (
	run_k bigint not null,
	key_k bigint not null,
	step bigint not null,
	ts bigint not null,
	value {{float}} not null,
	is_nan bigint not null,
	low {{float}},
	high {{float}},
	primary key (run_k, key_k)
) without rowid;

create table param (
	run_k bigint not null,
	key_k bigint not null,
	value text not null,
	primary key (run_k, key_k)
) without rowid;

create table tag (
	run_k bigint not null,
	key_k bigint not null,
	value text not null,
	primary key (run_k, key_k)
) without rowid;

create table run_dataset (
	k {{pk}},
	exp_k bigint not null,
	name text not null,
	digest text not null,
	source_type text not null,
	source text not null,
	schema text not null,
	profile text not null,
	unique (exp_k, name, digest)
);

create table run_input (
	run_k bigint not null,
	dataset_k bigint not null,
	context text not null,
	tags text not null,
	primary key (run_k, dataset_k)
);

create table run_model (
	run_k bigint not null,
	direction text not null,
	model_id text not null,
	step bigint not null,
	primary key (run_k, direction, model_id)
);

create table logged_model (
	k {{pk}},
	project_k bigint not null,
	id text not null unique,
	exp_k bigint not null,
	run_id text not null,
	name text not null,
	model_type text not null,
	status text not null,
	state text not null,
	created_ms bigint not null,
	updated_ms bigint not null
);

create index logged_model_exp on logged_model (exp_k, created_ms, id);

create table logged_model_param (
	model_k bigint not null,
	key text not null,
	value text not null,
	primary key (model_k, key)
);

create table logged_model_tag (
	model_k bigint not null,
	key text not null,
	value text not null,
	primary key (model_k, key)
);

create table logged_model_metric (
	model_k bigint not null,
	key_k bigint not null,
	dataset_name text not null,
	dataset_digest text not null,
	run_k bigint not null,
	step bigint not null,
	ts bigint not null,
	value {{float}} not null,
	is_nan bigint not null,
	primary key (model_k, key_k, dataset_name, dataset_digest, run_k, step, ts, value, is_nan)
) without rowid;

-- Files below a sealed path are what somebody registered: they never change.
create table seal (
	project_k bigint not null,
	owner_kind text not null,
	owner_id text not null,
	path text not null,
	reason text not null,
	primary key (project_k, owner_kind, owner_id, path)
);
