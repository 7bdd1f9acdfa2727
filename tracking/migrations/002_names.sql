-- A name belongs to one active experiment: that of a deleted one can be taken again.
create table experiment_new (
	k {{pk}},
	project_k bigint not null,
	n bigint not null,
	name text not null,
	state text not null,
	created_ms bigint not null,
	updated_ms bigint not null,
	deleted_ms bigint,
	unique (project_k, n)
);

insert into experiment_new (k, project_k, n, name, state, created_ms, updated_ms, deleted_ms)
	select k, project_k, n, name, state, created_ms, updated_ms,
		case when state = 'deleted' then updated_ms end from experiment;

drop table experiment;

alter table experiment_new rename to experiment;

create unique index experiment_name on experiment (project_k, name) where state = 'active';

create index experiment_names on experiment (project_k, name);

create index experiment_trash on experiment (project_k, deleted_ms) where state <> 'active';

-- The highest number that an experiment of the project ever had: it names one for
-- good, in URIs of artifacts and in the ledger.
create table experiment_number (
	project_k bigint primary key,
	last_n bigint not null
);

insert into experiment_number (project_k, last_n)
	select project_k, max(n) from experiment group by project_k;
