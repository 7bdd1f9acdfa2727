alter table dataset_version add column key_column text not null default '';
alter table dataset_version add column label_column text not null default '';
alter table dataset_version add column expect_json text not null default 'null';
alter table holdout_read add column reason text not null default '';
