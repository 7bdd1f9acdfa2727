package transfer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// fileStore is a directory that MLflow's client without a server writes: YAML, and one
// file for each param, tag and metric.
type fileStore struct{ dir string }

const metaFile = "meta.yaml"

// MLflow numbers statuses in files, from 1.
var (
	runStatuses = []string{"", tracking.Running, tracking.Scheduled, tracking.Finished,
		tracking.Failed, tracking.Killed}
	modelStatuses = []string{tracking.ModelPending, tracking.ModelPending, tracking.ModelReady,
		tracking.ModelFailed}
)

func (f fileStore) close() error { return nil }

func (f fileStore) experiments(context.Context) (all []experiment, err error) {
	for _, dir := range []string{f.dir, filepath.Join(f.dir, ".trash")} {
		names, err := dirsWith(dir, metaFile)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			e, err := readExperiment(filepath.Join(dir, name), name)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"%s is no directory of MLflow's: it has no experiment", f.dir)
	}
	// the active ones first, so that a deleted one of the same name is seen to be another
	slices.SortStableFunc(all, func(a, b experiment) int { return cmp.Compare(a.State, b.State) })
	return all, nil
}

func readExperiment(dir, id string) (e experiment, err error) {
	var meta struct {
		Name    string `yaml:"name"`
		State   string `yaml:"lifecycle_stage"`
		Created int64  `yaml:"creation_time"`
		Updated int64  `yaml:"last_update_time"`
	}
	if err := readYAML(filepath.Join(dir, metaFile), &meta); err != nil {
		return e, err
	}
	e.ID, e.Name, e.State = id, meta.Name, meta.State
	e.CreatedMS, e.UpdatedMS = meta.Created, meta.Updated
	if e.State == tracking.Deleted {
		e.DeletedMS = max(e.UpdatedMS, 1)
	}
	e.Tags, err = readPairs(filepath.Join(dir, "tags"), func(k, v string) tracking.Tag {
		return tracking.Tag{Key: k, Value: v}
	})
	return e, err
}

// home is an experiment's directory.
func (f fileStore) home(exp string) string {
	dir := filepath.Join(f.dir, exp)
	if _, err := os.Stat(dir); err != nil {
		return filepath.Join(f.dir, ".trash", exp)
	}
	return dir
}

func (f fileStore) runs(_ context.Context, exp string) ([]string, error) {
	return dirsWith(f.home(exp), metaFile)
}

func (f fileStore) run(_ context.Context, exp, id string) (*run, error) {
	dir := filepath.Join(f.home(exp), id)
	var meta struct {
		Artifacts string `yaml:"artifact_uri"`
		Name      string `yaml:"run_name"`
		State     string `yaml:"lifecycle_stage"`
		User      string `yaml:"user_id"`
		Status    int    `yaml:"status"`
		Start     int64  `yaml:"start_time"`
		End       int64  `yaml:"end_time"`
		Deleted   int64  `yaml:"deleted_time"`
	}
	if err := readYAML(filepath.Join(dir, metaFile), &meta); err != nil {
		return nil, err
	}
	if meta.Status < 1 || meta.Status >= len(runStatuses) {
		return nil, fairlead.Errorf(fairlead.Invalid, "it has a status %d, which MLflow 3 does not know",
			meta.Status)
	}
	r := &run{Artifacts: f.moved(meta.Artifacts, filepath.Join(dir, "artifacts")),
		Run: tracking.Run{ID: id, Name: meta.Name, User: meta.User, Status: runStatuses[meta.Status],
			State: meta.State, StartMS: meta.Start, EndMS: meta.End}}
	if r.State == tracking.Deleted {
		r.DeletedMS = max(meta.Deleted, 1)
	}
	var err error
	if r.Params, err = readParams(filepath.Join(dir, "params")); err != nil {
		return nil, err
	}
	r.Tags, err = readPairs(filepath.Join(dir, "tags"), func(k, v string) tracking.Tag {
		return tracking.Tag{Key: k, Value: v}
	})
	if err != nil {
		return nil, err
	}
	if r.Metrics, err = readPoints(filepath.Join(dir, "metrics")); err != nil {
		return nil, err
	}
	return r, f.links(exp, dir, r)
}

// links reads what the run read and made, and what it measured of logged models.
func (f fileStore) links(exp, dir string, r *run) error {
	for _, kind := range []string{"inputs", "outputs"} {
		names, err := dirsWith(filepath.Join(dir, kind), metaFile)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := f.link(exp, filepath.Join(dir, kind, name, metaFile), kind, r); err != nil {
				return err
			}
		}
	}
	models, err := dirsWith(filepath.Join(f.home(exp), "models"), metaFile)
	if err != nil {
		return err
	}
	for _, id := range models {
		points, err := readPoints(filepath.Join(f.home(exp), "models", id, "metrics"))
		if err != nil {
			return err
		}
		for _, m := range points {
			if m.ModelID = id; m.RunID == r.ID {
				r.Metrics = append(r.Metrics, m)
			}
		}
	}
	return nil
}

func (f fileStore) link(exp, path, kind string, r *run) error {
	var meta struct {
		Source      string            `yaml:"source_id"`
		SourceType  string            `yaml:"source_type"`
		Destination string            `yaml:"destination_id"`
		Step        int64             `yaml:"step"`
		Tags        map[string]string `yaml:"tags"`
	}
	if err := readYAML(path, &meta); err != nil {
		return err
	}
	switch {
	case kind == "outputs":
		r.ModelOutputs = append(r.ModelOutputs,
			tracking.ModelOutput{ModelID: meta.Destination, Step: meta.Step})
		return nil
	case meta.SourceType != "DATASET":
		r.ModelInputs = append(r.ModelInputs, meta.Destination)
		return nil
	}
	var d struct {
		Name       string `yaml:"name"`
		Digest     string `yaml:"digest"`
		SourceType string `yaml:"source_type"`
		Source     string `yaml:"source"`
		Schema     string `yaml:"schema"`
		Profile    string `yaml:"profile"`
	}
	err := readYAML(filepath.Join(f.home(exp), "datasets", filepath.Base(meta.Source), metaFile), &d)
	if err != nil {
		return err
	}
	in := tracking.DatasetInput{Dataset: tracking.Dataset(d)}
	for _, k := range sortedKeys(meta.Tags) {
		in.Tags = append(in.Tags, tracking.Tag{Key: k, Value: meta.Tags[k]})
	}
	r.Datasets = append(r.Datasets, in)
	return nil
}

func (f fileStore) models(_ context.Context, exp string) (all []model, err error) {
	dir := filepath.Join(f.home(exp), "models")
	names, err := dirsWith(dir, metaFile)
	if err != nil {
		return nil, err
	}
	for _, id := range names {
		var meta struct {
			Artifacts string `yaml:"artifact_location"`
			Name      string `yaml:"name"`
			Type      string `yaml:"model_type"`
			Run       string `yaml:"source_run_id"`
			Status    int    `yaml:"status"`
			State     string `yaml:"lifecycle_stage"`
			Created   int64  `yaml:"creation_timestamp"`
			Updated   int64  `yaml:"last_updated_timestamp"`
		}
		if err := readYAML(filepath.Join(dir, id, metaFile), &meta); err != nil {
			return nil, err
		}
		if meta.Status < 0 || meta.Status >= len(modelStatuses) {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"logged model %s has a status %d, which MLflow 3 does not know", id, meta.Status)
		}
		m := model{Artifacts: f.moved(meta.Artifacts, filepath.Join(dir, id, "artifacts")),
			LoggedModel: tracking.LoggedModel{ID: id, RunID: meta.Run, Name: meta.Name, Type: meta.Type,
				Status: modelStatuses[meta.Status], State: cmp.Or(meta.State, tracking.Active),
				CreatedMS: meta.Created, UpdatedMS: meta.Updated}}
		if m.Params, err = readParams(filepath.Join(dir, id, "params")); err != nil {
			return nil, err
		}
		m.Tags, err = readPairs(filepath.Join(dir, id, "tags"), func(k, v string) tracking.Tag {
			return tracking.Tag{Key: k, Value: v}
		})
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// moved is where files are: in the store itself when it has them, wherever it is now.
func (f fileStore) moved(uri, here string) string {
	if info, err := os.Stat(here); err == nil && info.IsDir() {
		return "file://" + (&url.URL{Path: here}).EscapedPath()
	}
	return uri
}

// local returns the directory that a URI of artifacts names on this machine.
func (s Source) local(uri string) (dir string, ok bool) {
	switch scheme, rest, found := strings.Cut(uri, ":"); {
	case !found:
		return uri, filepath.IsAbs(uri)
	case scheme == "mlflow-artifacts" && s.Artifacts != "":
		rest = strings.TrimLeft(rest, "/")
		return filepath.Join(s.Artifacts, rest), filepath.IsLocal(rest)
	case scheme == "file":
		u, err := url.Parse(uri)
		return filepath.Clean(u.Path), err == nil && filepath.IsAbs(u.Path) && u.Host == ""
	}
	return "", false
}

// dirsWith returns the directories below dir that have the file; none when there is no dir.
func dirsWith(dir, file string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name(), file)); err == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

var numeral = regexp.MustCompile(`^[-+.0-9][-+.\w]*$`)

// unquoted reads a text that MLflow wrote without quotes: 1e5 and 12e4567 are text in
// YAML 1.1, and numbers in 1.2.
func unquoted(t *string, raw []byte) error {
	if raw = bytes.TrimSpace(raw); numeral.Match(raw) {
		*t = string(raw)
		return nil
	}
	return yaml.Unmarshal(raw, t)
}

func readYAML(path string, into any) error {
	b, err := os.ReadFile(path)
	if err == nil {
		err = yaml.UnmarshalWithOptions(b, into, yaml.CustomUnmarshaler(unquoted))
	}
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%s cannot be read: %w", path, err)
	}
	return nil
}

// eachFile calls fn with every file below dir, by its slash-separated name: a key may
// have slashes.
func eachFile(dir string, fn func(name, path string) error) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(name), path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readPairs reads files that have a value each.
func readPairs[T any](dir string, pair func(key, value string) T) (all []T, err error) {
	err = eachFile(dir, func(name, path string) error {
		b, err := os.ReadFile(path)
		all = append(all, pair(name, string(b)))
		return err
	})
	return all, err
}

func readParams(dir string) ([]tracking.Param, error) {
	return readPairs(dir, func(k, v string) tracking.Param { return tracking.Param{Key: k, Value: v} })
}

// readPoints reads files of points: `timestamp value step` in each line and, of a logged
// model, the run, and the name and digest of the dataset.
func readPoints(dir string) (all []tracking.Metric, err error) {
	err = eachFile(dir, func(name, path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			m, err := parsePoint(name, lines.Text())
			if err != nil {
				return fairlead.Errorf(fairlead.Invalid, "%s has a line that is no point: %q", path,
					lines.Text())
			}
			all = append(all, m)
		}
		return lines.Err()
	})
	return all, err
}

func parsePoint(key, line string) (m tracking.Metric, err error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return m, fmt.Errorf("%d words", len(words))
	}
	m.Key = key
	if m.TimestampMS, err = strconv.ParseInt(words[0], 10, 64); err != nil {
		return m, err
	}
	if m.Value, err = strconv.ParseFloat(words[1], 64); err != nil {
		return m, err
	}
	if len(words) > 2 {
		m.Step, err = strconv.ParseInt(words[2], 10, 64)
	}
	if len(words) == 4 || len(words) == 6 {
		m.RunID = words[3]
	}
	if len(words) == 6 {
		m.DatasetName, m.DatasetDigest = words[4], words[5]
	}
	return m, err
}
