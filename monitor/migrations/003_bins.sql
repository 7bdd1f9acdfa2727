create table win_bins (
	win_k bigint primary key,
	names text not null,
	drifts {{bytes}} not null,
	counts text not null
);
create index win_time on win (project_k, endpoint, kind, from_ms, k);
