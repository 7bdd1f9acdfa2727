create table blob (
	digest text primary key,
	bytes bigint not null,
	touched_ms bigint not null
);
create table blob_ref (
	project_k bigint not null,
	owner_kind text not null,
	owner_id text not null,
	path text not null,
	digest text not null,
	primary key (project_k, owner_kind, owner_id, path)
);
create index blob_ref_digest on blob_ref (digest);
