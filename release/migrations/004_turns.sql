create table rollout_turn (
	rollout text not null references rollout (id),
	n bigint not null,
	what text not null,
	step bigint not null,
	percent {{float}} not null,
	reason text not null,
	actor text not null,
	evidence text not null,
	at_ms bigint not null,
	time_ms bigint not null,
	primary key (rollout, n)
);
-- Of what ended before turns were kept, the end is known. Its wall time is not: 0.
insert into rollout_turn (rollout, n, what, step, percent, reason, actor, evidence, at_ms, time_ms)
	select id, 1, 'finished', step, percent, reason, '', evidence, ended_ms, 0
	from rollout where state = 'finished';
