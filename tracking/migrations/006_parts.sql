-- Parts lie in one partial file (package blob), each at its place: all have the same
-- length, but for the last. Uploads that are under way begin anew.
drop table upload;

create table upload (
	id text primary key,
	project_k bigint not null,
	owner_kind text not null,
	owner_id text not null,
	path text not null,
	secret text not null,       -- signs the addresses of its parts
	parts bigint not null,
	part_bytes bigint not null, -- of each but the last; 0 until it is known
	bytes bigint not null,      -- of the whole; 0 where nobody has said
	done bigint not null,       -- 1 when it was completed
	touched_ms bigint not null  -- when it began, its last part came, or it was completed
);

create index upload_touched on upload (touched_ms, id);

create index upload_project on upload (project_k, id);

create table upload_part (
	upload_id text not null,
	n bigint not null,
	starts bigint not null, -- where it lies in the partial file
	bytes bigint not null,
	digest text not null,
	primary key (upload_id, n)
);
