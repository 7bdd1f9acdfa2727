-- The names of metrics (kind 0), params (1) and tags (2) that runs of an experiment were
-- given. It goes with its experiment.
create table experiment_key (
	exp_k bigint not null,
	kind bigint not null,
	key_k bigint not null,
	primary key (exp_k, kind, key_k)
) without rowid;

insert into experiment_key (exp_k, kind, key_k)
	select distinct r.exp_k, 0, l.key_k from latest l join run r on r.k = l.run_k;

insert into experiment_key (exp_k, kind, key_k)
	select distinct r.exp_k, 1, x.key_k from param x join run r on r.k = x.run_k;

insert into experiment_key (exp_k, kind, key_k)
	select distinct r.exp_k, 2, x.key_k from tag x join run r on r.k = x.run_k;

-- The id of the run that this one is below: its tag mlflow.parentRunId.
alter table run add column parent text;

update run set parent = (select x.value from tag x where x.run_k = run.k
	and x.key_k = (select k from key_name where name = 'mlflow.parentRunId'));

create index run_parent on run (parent, start_ms, id) where parent is not null;

-- A list of runs, and what says which of them belong to it, is read from the index alone.
drop index run_exp;

create index run_exp on run (exp_k, start_ms desc, id, state, parent);
