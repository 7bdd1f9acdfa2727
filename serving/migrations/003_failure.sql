-- What went wrong at endpoints, by its words: the newest of each endpoint.
create table failure (
	project_k bigint not null,
	endpoint text not null,
	model_n bigint not null,
	what text not null,
	code text not null,
	message text not null,
	n bigint not null,
	first_ms bigint not null,
	last_ms bigint not null,
	request text not null,
	primary key (project_k, endpoint, model_n, what, code, message)
);
-- Buckets lie in the order in which they are read.
create table traffic_in_order (
	project_k bigint not null,
	endpoint text not null,
	clock bigint not null,
	width_ms bigint not null,
	at_ms bigint not null,
	model_n bigint not null,
	requests bigint not null,
	rows_n bigint not null,
	errors bigint not null,
	refused bigint not null,
	scored bigint not null,
	failed bigint not null,
	answer {{bytes}},
	own {{bytes}},
	primary key (project_k, endpoint, clock, width_ms, at_ms, model_n)
) without rowid;
insert into traffic_in_order (project_k, endpoint, clock, width_ms, at_ms, model_n,
	requests, rows_n, errors, refused, scored, failed, answer, own)
	select project_k, endpoint, clock, width_ms, at_ms, model_n,
	requests, rows_n, errors, refused, scored, failed, answer, own
	from traffic;
drop table traffic;
alter table traffic_in_order rename to traffic;
