-- The highest number that a version of that name ever had, and the model that had
-- it, 0 once that was deleted. The row stays when the model is deleted or renamed.
create table model_number (
	project_k bigint not null,
	name text not null,
	model_k bigint not null,
	last_n bigint not null,
	primary key (project_k, name)
);

insert into model_number (project_k, name, model_k, last_n)
	select project_k, name, k, last_n from model where last_n > 0;

alter table model drop column last_n;
