create table evidence (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	subject text not null,
	kind text not null,
	facts text not null,
	digest text not null,
	rollout text not null,
	from_ms bigint not null,
	to_ms bigint not null,
	source text not null,
	created_ms bigint not null
);
create index evidence_subject on evidence (project_k, subject, k);
create index evidence_rollout on evidence (project_k, rollout, k);
create table decision (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	case_id text not null,
	model text not null,
	version bigint not null,
	baseline bigint not null,
	spec_rev bigint not null,
	commit_sha text not null,
	policy text not null,
	policy_digest text not null,
	evidence text not null references evidence (id),
	evidence_digest text not null,
	result text not null,
	body text not null,
	at_ms bigint not null,
	created_ms bigint not null
);
create index decision_version on decision (project_k, model, version, k);
create table approval (
	k {{pk}},
	id text not null unique,
	project_k bigint not null,
	decision text not null references decision (id),
	package_digest text not null,
	role text not null,
	actor text not null,
	state text not null, -- given | revoked
	until_ms bigint not null,
	created_ms bigint not null
);
create index approval_decision on approval (project_k, decision, k);
