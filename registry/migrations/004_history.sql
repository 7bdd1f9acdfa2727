-- The tables of the past have wall times, and stay when the model is deleted: one can
-- ask what there was at any time. A model's key is never given twice.

-- What had which name, and when: until to_ms, or still.
create table model_name (
	project_k bigint not null,
	name text not null,
	model_k bigint not null,
	from_ms bigint not null,
	to_ms bigint
);

create index model_name_of on model_name (project_k, name, from_ms);

create index model_name_k on model_name (model_k);

insert into model_name (project_k, name, model_k, from_ms)
	select project_k, name, k, created_ms from model;

alter table version add column retired_ms bigint;

update version set retired_ms = updated_ms where state = 'retired';

-- Versions that were deleted, as they were then.
create table version_past (
	model_k bigint not null,
	n bigint not null,
	body text not null,
	created_ms bigint not null,
	retired_ms bigint,
	deleted_ms bigint not null,
	primary key (model_k, n)
);

-- Each change of a version's tag; a null value removed it.
create table version_tag_move (
	model_k bigint not null,
	n bigint not null,
	key text not null,
	rev bigint not null,
	value text,
	event_id text not null,
	actor text not null,
	at_ms bigint not null,
	primary key (model_k, n, key, rev)
);

insert into version_tag_move (model_k, n, key, rev, value, event_id, actor, at_ms)
	select t.model_k, t.n, t.key, 1, t.value, '', '', v.created_ms
	from version_tag t join version v on v.model_k = t.model_k and v.n = t.n;
