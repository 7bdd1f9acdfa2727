-- The newest values of metrics by value, numbers only: what a search walks that orders
-- by a metric. It is filled from a list of the runs that have changed.
create table metric_index (
	exp_k bigint not null,
	key_k bigint not null,
	value {{float}} not null,
	run_k bigint not null,
	primary key (exp_k, key_k, value, run_k)
) without rowid;

-- The runs whose rows in metric_index may be behind: searches read their values in
-- `latest` instead.
create table metric_pending (
	run_k bigint not null primary key
) without rowid;

-- What metric_index has of this metric; null for nothing.
alter table latest add column indexed {{float}};

insert into metric_pending (run_k) select distinct run_k from latest;
