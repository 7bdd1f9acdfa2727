create table request (
	k {{pk}},
	project_k bigint not null,
	endpoint text not null,
	id text not null,
	at_ms bigint not null,
	received_ms bigint not null,
	features text not null,
	served_n bigint not null,
	answer text not null,
	unique (project_k, endpoint, id)
);
create index request_at on request (project_k, endpoint, at_ms, k);
create table prediction (
	request_k bigint not null,
	model_n bigint not null,
	role text not null,
	value {{float}},
	error text,
	primary key (request_k, model_n)
);
