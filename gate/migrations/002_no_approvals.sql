-- It comes with what can ask somebody for an approval.
drop table approval;
