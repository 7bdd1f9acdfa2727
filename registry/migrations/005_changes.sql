-- Each change of what a model (n is 0) or a version says about itself: a tag by its key,
-- the description, the stage. A null value removed a tag. It stays as the tables of the
-- past do.
create table change (
	model_k bigint not null,
	n bigint not null,
	kind text not null,
	key text not null,
	rev bigint not null,
	value text,
	event_id text not null,
	actor text not null,
	at_ms bigint not null,
	primary key (model_k, n, kind, key, rev)
);

insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
	select model_k, n, 'tag', key, rev, value, event_id, actor, at_ms from version_tag_move;

drop table version_tag_move;

-- What was there before is taken for what always was.
insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
	select t.model_k, 0, 'tag', t.key, 1, t.value, '', '', m.created_ms
	from model_tag t join model m on m.k = t.model_k;

insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
	select k, 0, 'description', '', 1, description, '', '', created_ms from model
	where description <> '';

insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
	select model_k, n, 'description', '', 1, description, '', '', created_ms from version
	where description <> '';

insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
	select model_k, n, 'stage', '', 1, stage, '', '', created_ms from version
	where stage <> 'None';

-- Files are unsealed when no version of their run or logged model needs them.
create index version_logged on version (logged_id);
