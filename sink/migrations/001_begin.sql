create table webhook (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	project text not null,
	name text not null,
	url text not null,
	description text not null,
	events text not null,
	secret {{bytes}} not null,
	active bigint not null,
	reason text not null,
	failing_since_ms bigint not null,
	created_ms bigint not null,
	updated_ms bigint not null
);
create index webhook_project on webhook (project_k, k);
create table webhook_delivery (
	k {{pk}},
	id text not null unique,
	webhook_k bigint not null,
	event text not null,
	cause text not null,
	body text not null,
	state text not null,
	tries bigint not null,
	next_ms bigint not null,
	created_ms bigint not null,
	finished_ms bigint not null,
	unique (webhook_k, cause)
);
create index webhook_delivery_due on webhook_delivery (state, webhook_k, next_ms);
create index webhook_delivery_newest on webhook_delivery (webhook_k, k);
create index webhook_delivery_old on webhook_delivery (finished_ms);
create table webhook_attempt (
	delivery_k bigint not null,
	n bigint not null,
	at_ms bigint not null,
	took_ms bigint not null,
	status bigint not null,
	answer text not null,
	error text not null,
	primary key (delivery_k, n)
);
