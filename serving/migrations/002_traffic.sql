create table traffic (
	project_k bigint not null,
	endpoint text not null,
	clock bigint not null,
	width_ms bigint not null,
	at_ms bigint not null,
	model_n bigint not null,
	requests bigint not null,
	rows_n bigint not null,
	errors bigint not null,
	refused bigint not null,
	scored bigint not null,
	failed bigint not null,
	answer {{bytes}},
	own {{bytes}},
	primary key (project_k, endpoint, clock, width_ms, at_ms, model_n)
);
-- What was answered before traffic was counted is taken from the log: by wall time (0), and
-- by event time (1) where the request brought one. How long it took is not known.
insert into traffic (project_k, endpoint, clock, width_ms, at_ms, model_n, requests, rows_n, errors,
	refused, scored, failed)
	select r.project_k, r.endpoint, 0, w.ms, r.received_ms / w.ms * w.ms, r.served_n,
		sum(case when r.id like '%/_%' and r.id not like '%/0' then 0 else 1 end), count(*), 0, 0, 0, 0
	from request r
	join (select project_k, endpoint, max(received_ms) as newest from request
		group by project_k, endpoint) m on m.project_k = r.project_k and m.endpoint = r.endpoint
	cross join (select 60000 as ms, 2880 as kept union all select 3600000, 2160
		union all select 86400000, 3650) w
	where r.received_ms > m.newest - w.ms * w.kept
	group by r.project_k, r.endpoint, w.ms, r.received_ms / w.ms * w.ms, r.served_n;
insert into traffic (project_k, endpoint, clock, width_ms, at_ms, model_n, requests, rows_n, errors,
	refused, scored, failed)
	select r.project_k, r.endpoint, 1, w.ms, r.at_ms / w.ms * w.ms, r.served_n,
		sum(case when r.id like '%/_%' and r.id not like '%/0' then 0 else 1 end), count(*), 0, 0, 0, 0
	from request r
	join (select project_k, endpoint, max(at_ms) as newest from request where at_ms <> received_ms
		group by project_k, endpoint) m on m.project_k = r.project_k and m.endpoint = r.endpoint
	cross join (select 60000 as ms, 2880 as kept union all select 3600000, 2160
		union all select 86400000, 3650) w
	where r.at_ms <> r.received_ms and r.at_ms > m.newest - w.ms * w.kept
	group by r.project_k, r.endpoint, w.ms, r.at_ms / w.ms * w.ms, r.served_n;
