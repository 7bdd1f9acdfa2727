alter table paired add column worse_by {{float}} not null default 0;
alter table paired add column loss_tolerated {{float}} not null default 0;
