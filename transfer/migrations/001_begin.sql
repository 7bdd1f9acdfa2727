-- What has been brought in whole: where it came from, what it was then, and what it
-- is here.
create table imported (
	project_k bigint not null,
	source text not null,
	kind text not null,
	id text not null,
	digest text not null,
	target text not null,
	primary key (project_k, source, kind, id)
);
