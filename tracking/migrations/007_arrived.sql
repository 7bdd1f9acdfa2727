-- When what was brought in from elsewhere came here, which is when its time in the trash
-- begins; 0 for what was made here. Runs have it in created_ms.
alter table experiment add column arrived_ms bigint not null default 0;

alter table logged_model add column arrived_ms bigint not null default 0;

create index run_input_dataset on run_input (dataset_k);
