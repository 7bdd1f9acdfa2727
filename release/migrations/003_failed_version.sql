alter table assignment add column failed_n bigint not null default 0;
