create table dataset (
	k {{pk}},
	project_k bigint not null,
	name text not null,
	created_ms bigint not null,
	unique (project_k, name)
);
create table dataset_version (
	k {{pk}},
	dataset_k bigint not null,
	n bigint not null,
	digest text not null,
	bytes bigint not null,
	row_count bigint not null,
	columns_json text not null,
	profile_json text not null,
	source text not null,
	time_column text not null,
	parents_json text not null,
	commit_id text not null,
	from_ms bigint not null,
	to_ms bigint not null,
	created_ms bigint not null,
	unique (dataset_k, n)
);
create index dataset_version_content on dataset_version (dataset_k, digest);
create table holdout_read (
	k {{pk}},
	version_k bigint not null,
	model text not null,
	model_version bigint not null,
	purpose text not null,
	actor text not null,
	read_ms bigint not null
);
create index holdout_read_version on holdout_read (version_k);
