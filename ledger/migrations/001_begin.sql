create table event (
	k {{pk}},
	id text not null unique,
	seq bigint unique,
	time_ms bigint not null,
	at_ms bigint not null,
	project_k bigint not null,
	project text not null,
	type text not null,
	version bigint not null,
	subject text not null,
	actor text not null,
	salt {{bytes}},
	body_digest {{bytes}} not null,
	body text
);
create index event_unnumbered on event (k) where seq is null;
create index event_project on event (project_k, seq);
create table leaf_hash (ix bigint primary key, hash {{bytes}} not null);
create table checkpoint (size bigint primary key, time_ms bigint not null, note text not null);
create table cursor (subscriber text primary key, seq bigint not null);
