alter table holdout_read add column reader text not null default '';
