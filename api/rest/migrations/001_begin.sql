create table idem (
	project_k bigint not null,
	actor text not null,
	key text not null,
	request_hash text not null,
	done bigint not null,
	body text not null,
	expires_ms bigint not null,
	primary key (project_k, actor, key)
);
create index idem_expires on idem (expires_ms);
