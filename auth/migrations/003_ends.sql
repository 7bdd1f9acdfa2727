create index credential_expires on credential (expires_ms);
create index token_expires on token (expires_ms);
