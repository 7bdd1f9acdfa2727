create table account (
	k {{pk}},
	name text not null unique,
	password text not null,
	created_ms bigint not null
);
create table role_grant (
	account_k bigint not null,
	project_k bigint not null,
	project text not null,
	role text not null,
	primary key (account_k, project_k, role)
);
create table credential (
	id text primary key,
	hash text not null unique,
	account_k bigint not null,
	kind text not null,
	name text not null,
	scope text not null,
	project_k bigint not null,
	project text not null,
	created_ms bigint not null,
	expires_ms bigint not null
);
create index credential_account on credential (account_k);
