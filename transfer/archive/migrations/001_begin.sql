-- What has come in, and is not whole yet: nobody sees it as more than something in the
-- trash, and the next import of it goes on.
create table arriving (
	project_k bigint not null,
	kind text not null,
	id text not null,
	primary key (project_k, kind, id)
);

-- The experiments whose numbers were taken here: what they are here.
create table arrived_experiment (
	project_k bigint not null,
	there text not null,
	created_ms bigint not null,
	here text not null,
	primary key (project_k, there, created_ms)
);
