-- Versions hold the runs and logged models that they are made of (table of tracking).
insert into hold (project_k, owner_kind, owner_id, holder, reason)
	select m.project_k, 'run', v.run_id, 'version/' || v.model_k || '/' || v.n,
		'version ' || v.n || ' of "' || m.name || '" is made from it'
	from version v join model m on m.k = v.model_k where v.run_id <> '';

insert into hold (project_k, owner_kind, owner_id, holder, reason)
	select m.project_k, 'logged_model', v.logged_id, 'version/' || v.model_k || '/' || v.n,
		'version ' || v.n || ' of "' || m.name || '" is made from it'
	from version v join model m on m.k = v.model_k where v.logged_id <> '';
