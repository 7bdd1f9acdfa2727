create index job_begun on job (kind, run_at_ms, k) where state = 'queued' and fence > 0;
