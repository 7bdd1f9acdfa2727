create table truth (
	k {{pk}},
	project_k bigint not null,
	endpoint text not null,
	request_id text not null,
	value {{float}} not null,
	columns text not null,
	observed_ms bigint not null,
	received_ms bigint not null,
	source text not null,
	unique (project_k, endpoint, request_id, observed_ms)
);
