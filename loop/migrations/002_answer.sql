create table loop_answer (
	k {{pk}},
	project_k bigint not null,
	incident text not null,
	at_ms bigint not null,
	note text not null
);
create index loop_answer_incident on loop_answer (project_k, incident, k);
create index loop_case_incident on loop_case (project_k, incident, k);
