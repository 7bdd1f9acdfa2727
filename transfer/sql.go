package transfer

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/tracking"
)

// database is that of MLflow's server or client, SQLite or Postgres. Queries have ? where
// their arguments go.
type database struct {
	dirs
	db       *sql.DB
	numbered bool // arguments are written $1, $2, …
	leave    func(format string, args ...any)
}

// openSQLite opens a database to read it; its server may go on meanwhile.
func (s *Service) openSQLite(from Source) (*database, error) {
	path := from.From
	d, err := s.dirsOf(filepath.Dir(path), from)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite3",
		"file:"+url.PathEscape(path)+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	var n int
	err = db.QueryRow(`select count(*) from sqlite_master where type = 'table'
		and name in ('experiments', 'runs', 'metrics', 'logged_models')`).Scan(&n)
	if err != nil {
		db.Close()
		return nil, fairlead.Errorf(fairlead.Invalid, "%s cannot be read as a SQLite "+
			"database; name the one that MLflow writes (mlflow.db), or its client's directory (mlruns)", path).Because(err)
	}
	if n < 4 {
		db.Close()
		return nil, fairlead.Errorf(fairlead.Invalid, "%s is no database of MLflow 3; bring an older one "+
			"up to date first: mlflow db upgrade sqlite:///%s", path, path)
	}
	return &database{dirs: d, db: db, leave: s.leave}, nil
}

// connectMax bounds how long a database may take to answer first.
const connectMax = 15 * time.Second

// openPostgres connects to a database, in which nothing is written.
func (s *Service) openPostgres(ctx context.Context, u *url.URL, from Source) (*database, error) {
	d, err := s.dirsOf("", from)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the URL of the Postgres database cannot be read; "+
			"write it as postgresql://user@host:5432/database").Because(err)
	}
	if from.Password != "" {
		config.Password = from.Password
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	config.RuntimeParams["application_name"] = "fairlead import"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectMax
	}
	db := stdlib.OpenDB(*config)
	var n int
	err = db.QueryRowContext(ctx, `select count(*) from information_schema.tables
		where table_schema = any (current_schemas(false))
		and table_name in ('experiments', 'runs', 'metrics', 'logged_models')`).Scan(&n)
	if err != nil {
		db.Close()
		return nil, fairlead.Errorf(fairlead.Unavailable, "Postgres at %s cannot be asked: %v",
			config.Host, err)
	}
	if n < 4 {
		db.Close()
		return nil, fairlead.Errorf(fairlead.Invalid, "the Postgres database %q is none of MLflow 3; bring "+
			"an older one up to date first: mlflow db upgrade %s", config.Database, shown(u.String()))
	}
	return &database{dirs: d, db: db, numbered: true, leave: s.leave}, nil
}

func (s *database) close() error { return s.db.Close() }

func (s *database) files(_ context.Context, o blob.Owner, uri string,
	each func(path string, r io.Reader) error) ([]string, error) {
	return s.dirs.files(o, uri, each)
}

// each passes a query's rows, one by one.
func each[T any](ctx context.Context, s *database, scan func(row *sql.Rows, to *T) error,
	pass func(*T) error, query string, args ...any) error {
	if s.numbered {
		query = number(query)
	}
	found, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var v T
		if err := scan(found, &v); err != nil {
			return err
		}
		if err := pass(&v); err != nil {
			return err
		}
	}
	return found.Err()
}

// number writes a query's arguments as Postgres does; no text in it has a question mark.
func number(query string) string {
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	return b.String()
}

// rows returns all rows of a query.
func rows[T any](ctx context.Context, s *database, scan func(row *sql.Rows, to *T) error,
	query string, args ...any) (all []T, err error) {
	err = each(ctx, s, scan, func(v *T) error { all = append(all, *v); return nil }, query, args...)
	return all, err
}

func scanTag(row *sql.Rows, t *tracking.Tag) error { return row.Scan(&t.Key, &t.Value) }

func scanParam(row *sql.Rows, p *tracking.Param) error { return row.Scan(&p.Key, &p.Value) }

func scanText(row *sql.Rows, s *string) error { return row.Scan(s) }

func (s *database) experiments(ctx context.Context) ([]experiment, error) {
	all, err := rows(ctx, s, func(row *sql.Rows, e *experiment) error {
		return row.Scan(&e.ID, &e.Name, &e.State, &e.CreatedMS, &e.UpdatedMS)
	}, `select experiment_id, name, lifecycle_stage, coalesce(creation_time, 0),
		coalesce(last_update_time, 0) from experiments order by lifecycle_stage, experiment_id`)
	if err != nil {
		return nil, err
	}
	for i := range all {
		e := &all[i]
		if e.State == tracking.Deleted {
			e.DeletedMS = max(e.UpdatedMS, 1)
		}
		if e.Tags, err = rows(ctx, s, scanTag, `select key, coalesce(value, '') from experiment_tags
			where experiment_id = ? order by key`, numeral(e.ID)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// numeral is an experiment's id as the database has it.
func numeral(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64) // it was read as a number
	return n
}

func (s *database) runs(ctx context.Context, exp string, each func(*run) error) error {
	ids, err := rows(ctx, s, scanText,
		"select run_uuid from runs where experiment_id = ? order by run_uuid", numeral(exp))
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, err := s.run(ctx, id)
		if err != nil {
			return err
		}
		if r == nil { // it was removed meanwhile
			continue
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// run reads a run but for its points, nil when there is none.
func (s *database) run(ctx context.Context, id string) (*run, error) {
	found, err := rows(ctx, s, func(row *sql.Rows, r *run) error {
		return row.Scan(&r.Name, &r.User, &r.Status, &r.State, &r.StartMS, &r.EndMS, &r.DeletedMS,
			&r.Artifacts, &r.Mark)
	}, `select coalesce(name, ''), coalesce(user_id, ''), status, lifecycle_stage,
		coalesce(start_time, 0), coalesce(end_time, 0), coalesce(deleted_time, 0),
		coalesce(artifact_uri, ''), (select count(*) from metrics m where m.run_uuid = r.run_uuid)
		from runs r where run_uuid = ?`, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	r := &found[0]
	r.ID = id
	if r.State == tracking.Active {
		r.DeletedMS = 0
	} else {
		r.DeletedMS = max(r.DeletedMS, 1)
	}
	r.Params, err = rows(ctx, s, scanParam,
		"select key, value from params where run_uuid = ? order by key", id)
	if err != nil {
		return nil, err
	}
	r.Tags, err = rows(ctx, s, scanTag,
		"select key, coalesce(value, '') from tags where run_uuid = ? order by key", id)
	if err != nil {
		return nil, err
	}
	return r, s.links(ctx, r)
}

func (s *database) points(ctx context.Context, _ string, r *run,
	pass func(tracking.Metric) error) (n int, err error) {
	err = each(ctx, s, func(row *sql.Rows, m *tracking.Metric) error {
		var nan bool
		err := row.Scan(&m.Key, &m.Value, &m.TimestampMS, &m.Step, &nan)
		if nan {
			m.Value = math.NaN()
		}
		return err
	}, func(m *tracking.Metric) error { n++; return pass(*m) },
		"select key, value, timestamp, step, is_nan from metrics where run_uuid = ?", r.ID)
	return n, err
}

// measured reads a table that does not tell NaN from 0; the run's own does.
func (s *database) measured(ctx context.Context, _ string, model *model,
	pass func(tracking.Metric) error) (n int, err error) {
	err = each(ctx, s, func(row *sql.Rows, m *tracking.Metric) error {
		var nan bool
		err := row.Scan(&m.RunID, &m.Key, &m.Value, &m.TimestampMS, &m.Step, &m.DatasetName,
			&m.DatasetDigest, &nan)
		if nan {
			m.Value = math.NaN()
		}
		return err
	}, func(m *tracking.Metric) error { n++; return pass(*m) },
		`select l.run_id, l.metric_name, coalesce(l.metric_value, 0), l.metric_timestamp_ms,
		l.metric_step,
		coalesce(l.dataset_name, ''), coalesce(l.dataset_digest, ''),
		l.metric_value is null or exists (select 1 from metrics m where m.run_uuid = l.run_id
			and m.key = l.metric_name and m.timestamp = l.metric_timestamp_ms and m.step = l.metric_step
			and m.is_nan and l.metric_value = 0)
		from logged_model_metrics l where l.model_id = ?`, model.ID)
	return n, err
}

func (s *database) links(ctx context.Context, r *run) (err error) {
	type input struct {
		tracking.DatasetInput
		uuid string
	}
	inputs, err := rows(ctx, s, func(row *sql.Rows, in *input) error {
		d := &in.Dataset
		return row.Scan(&in.uuid, &d.Name, &d.Digest, &d.SourceType, &d.Source, &d.Schema, &d.Profile)
	}, `select i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
		coalesce(d.dataset_schema, ''), coalesce(d.dataset_profile, '')
		from inputs i join datasets d on d.dataset_uuid = i.source_id
		where i.source_type = 'DATASET' and i.destination_type = 'RUN' and i.destination_id = ?
		order by d.name, d.digest`, r.ID)
	if err != nil {
		return err
	}
	for _, in := range inputs {
		in.Tags, err = rows(ctx, s, scanTag,
			"select name, value from input_tags where input_uuid = ? order by name", in.uuid)
		if err != nil {
			return err
		}
		r.Datasets = append(r.Datasets, in.DatasetInput)
	}
	r.ModelInputs, err = rows(ctx, s, scanText, `select destination_id from inputs
		where source_type = 'RUN_INPUT' and destination_type = 'MODEL_INPUT' and source_id = ?
		order by destination_id`, r.ID)
	if err != nil {
		return err
	}
	r.ModelOutputs, err = rows(ctx, s, func(row *sql.Rows, m *tracking.ModelOutput) error {
		return row.Scan(&m.ModelID, &m.Step)
	}, `select destination_id, step from inputs where source_type = 'RUN_OUTPUT'
		and destination_type = 'MODEL_OUTPUT' and source_id = ? order by step, destination_id`, r.ID)
	return err
}

func (s *database) models(ctx context.Context, exp string, each func(*model) error) error {
	ids, err := rows(ctx, s, scanText,
		"select model_id from logged_models where experiment_id = ? order by model_id", numeral(exp))
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := s.loggedModel(ctx, id)
		if fairlead.Is(err, fairlead.Invalid) {
			s.leave("logged model %s: %s", id, fairlead.MessageOf(err))
			continue
		}
		if err != nil {
			return err
		}
		if m == nil { // it was removed meanwhile
			continue
		}
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

// loggedModel reads a logged model but for its points, nil when there is none.
func (s *database) loggedModel(ctx context.Context, id string) (*model, error) {
	all, err := rows(ctx, s, func(row *sql.Rows, m *model) error {
		var status int
		err := row.Scan(&m.ID, &m.Name, &m.Artifacts, &m.CreatedMS, &m.UpdatedMS, &status, &m.State,
			&m.Type, &m.RunID, &m.Mark)
		if err != nil {
			return err
		}
		m.Status, err = modelStatus(status)
		return err
	}, `select model_id, name, artifact_location, creation_timestamp_ms,
		last_updated_timestamp_ms, status,
		coalesce(lifecycle_stage, 'active'), coalesce(model_type, ''), coalesce(source_run_id, ''),
		(select count(*) from logged_model_metrics x where x.model_id = l.model_id)
		from logged_models l where model_id = ?`, id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	m := &all[0]
	m.Params, err = rows(ctx, s, scanParam, `select param_key, param_value from logged_model_params
		where model_id = ? order by param_key`, id)
	if err != nil {
		return nil, err
	}
	m.Tags, err = rows(ctx, s, scanTag, `select tag_key, tag_value from logged_model_tags
		where model_id = ? order by tag_key`, id)
	return m, err
}

func (s *database) registered(ctx context.Context, each func(*registered) error) error {
	all, err := rows(ctx, s, func(row *sql.Rows, m *registered) error {
		return row.Scan(&m.Name, &m.Description, &m.CreatedMS, &m.UpdatedMS)
	}, `select name, coalesce(description, ''), coalesce(creation_time, 0),
		coalesce(last_updated_time, 0)
		from registered_models order by name`)
	if err != nil {
		return err
	}
	for i := range all {
		if err := s.model(ctx, &all[i]); err != nil {
			return err
		}
		if err := each(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

func scanRegistryTag(row *sql.Rows, t *registry.Tag) error { return row.Scan(&t.Key, &t.Value) }

func (s *database) model(ctx context.Context, m *registered) (err error) {
	m.Tags, err = rows(ctx, s, scanRegistryTag,
		"select key, coalesce(value, '') from registered_model_tags where name = ? order by key", m.Name)
	if err != nil {
		return err
	}
	type alias struct {
		name string
		n    int64
	}
	aliases, err := rows(ctx, s, func(row *sql.Rows, a *alias) error { return row.Scan(&a.name, &a.n) },
		"select alias, version from registered_model_aliases where name = ?", m.Name)
	if err != nil {
		return err
	}
	m.Aliases = map[string]int64{}
	for _, a := range aliases {
		m.Aliases[a.name] = a.n
	}
	last, err := rows(ctx, s, func(row *sql.Rows, n *int64) error { return row.Scan(n) },
		"select coalesce(max(version), 0) from model_versions where name = ?", m.Name)
	if err != nil {
		return err
	}
	m.LastN = last[0]
	m.Versions, err = rows(ctx, s, func(row *sql.Rows, v *version) error {
		return row.Scan(&v.N, &v.Source, &v.Storage, &v.RunID, &v.RunLink, &v.Description, &v.User,
			&v.Stage, &v.CreatedMS, &v.UpdatedMS)
	}, `select version, coalesce(source, ''), coalesce(storage_location, ''), coalesce(run_id, ''),
		coalesce(run_link, ''), coalesce(description, ''), coalesce(user_id, ''),
		coalesce(current_stage, 'None'), coalesce(creation_time, 0), coalesce(last_updated_time, 0)
		from model_versions where name = ? and coalesce(current_stage, '') <> ? order by version`,
		m.Name, deletedStage)
	if err != nil {
		return err
	}
	for i := range m.Versions {
		v := &m.Versions[i]
		v.Tags, err = rows(ctx, s, scanRegistryTag, `select key, coalesce(value, '')
			from model_version_tags where name = ? and version = ? order by key`, m.Name, v.N)
		if err != nil {
			return err
		}
	}
	return nil
}
