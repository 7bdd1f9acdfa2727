create table stream (
	k {{pk}},
	project_k bigint not null,
	project text not null,
	name text not null,
	driven bigint not null,
	mode bigint not null,
	lateness_ms bigint not null,
	watermark_ms bigint not null,
	unique (project_k, name)
);
create table timer (
	k {{pk}},
	project_k bigint not null,
	stream text not null,
	kind text not null,
	key text not null,
	due_ms bigint not null,
	payload text not null,
	unique (project_k, stream, kind, key)
);
create index timer_due on timer (project_k, stream, due_ms);
