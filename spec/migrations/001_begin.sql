create table project (
	k {{pk}},
	name text not null unique,
	owner text not null,
	risk text not null,
	created_ms bigint not null
);
insert into project (k, name, owner, risk, created_ms) values (1, 'default', '', 'minimal', 0);
create table spec (
	project_k bigint not null references project (k),
	rev bigint not null,
	digest text not null,
	commit_sha text not null,
	body text not null,
	applied_ms bigint not null,
	primary key (project_k, rev)
);
