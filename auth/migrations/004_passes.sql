create table ended_pass (
	hash text primary key,
	expires_ms bigint not null
);
create index ended_pass_expires on ended_pass (expires_ms);
