alter table assignment add column failure text not null default '';
