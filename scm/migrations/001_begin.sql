create table source_commit (
	k {{pk}},
	project_k bigint not null,
	id text not null,
	sha text not null,
	tree text not null,
	dirty bigint not null,
	author text not null,
	message text not null,
	time_ms bigint not null,
	executables text not null,
	created_ms bigint not null,
	unique (project_k, id)
);
