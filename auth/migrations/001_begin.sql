create table token (
	hash text primary key,
	project_k bigint not null,
	subject text not null,
	scope text not null,
	fence bigint not null,
	expires_ms bigint not null
);
create index token_subject on token (subject, fence);
