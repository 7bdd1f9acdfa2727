-- Files that come in parts. The parts are blobs that the upload refers to.
create table upload (
	id text primary key,
	project_k bigint not null,
	owner_kind text not null,
	owner_id text not null,
	path text not null,
	touched_ms bigint not null -- when its last part came
);

create index upload_touched on upload (touched_ms, id);
