package transfer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/tracking"
)

// fileStore is a directory that MLflow's client without a server writes: YAML, and one
// file for each param, tag and metric. Links that leave it are not followed.
type fileStore struct {
	dirs
	root  *os.Root
	fs    fs.FS // of root
	leave func(format string, args ...any)
}

const (
	metaFile = "meta.yaml"
	trash    = ".trash"
)

// MLflow numbers statuses in files, from 1.
var (
	runStatuses = []string{"", tracking.Running, tracking.Scheduled, tracking.Finished,
		tracking.Failed, tracking.Killed}
	modelStatuses = []string{tracking.ModelPending, tracking.ModelPending, tracking.ModelReady,
		tracking.ModelFailed}
)

func (s *Service) openFiles(from Source) (*fileStore, error) {
	d, err := s.dirsOf(from.From, from)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(d.home)
	if err != nil {
		return nil, err
	}
	return &fileStore{d, root, root.FS(), s.leave}, nil
}

func (f *fileStore) close() error { return f.root.Close() }

func (f *fileStore) experiments(context.Context) (all []experiment, err error) {
	for _, dir := range []string{".", trash} {
		names, err := f.dirsWith(dir, metaFile)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			e, err := f.experiment(path.Join(dir, name), name)
			if err != nil {
				f.leave("experiment %s: %v", name, err)
				continue
			}
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"%s is no directory of MLflow's: it has no experiment", f.home)
	}
	// the active ones first, so that a deleted one of the same name is seen to be another
	slices.SortStableFunc(all, func(a, b experiment) int { return cmp.Compare(a.State, b.State) })
	return all, nil
}

func (f *fileStore) experiment(dir, id string) (e experiment, err error) {
	var meta struct {
		Name    string `yaml:"name"`
		State   string `yaml:"lifecycle_stage"`
		Created int64  `yaml:"creation_time"`
		Updated int64  `yaml:"last_update_time"`
	}
	if err := f.readYAML(path.Join(dir, metaFile), &meta); err != nil {
		return e, err
	}
	if meta.Name == "" {
		return e, fairlead.Errorf(fairlead.Invalid, "%s has no name", path.Join(dir, metaFile))
	}
	e.ID, e.Name, e.State = id, meta.Name, meta.State
	e.CreatedMS, e.UpdatedMS = meta.Created, meta.Updated
	if e.State == tracking.Deleted {
		e.DeletedMS = max(e.UpdatedMS, 1)
	}
	e.Tags, err = readPairs(f, path.Join(dir, "tags"), newRunTag)
	return e, err
}

// at is an experiment's directory.
func (f *fileStore) at(exp string) string {
	if _, err := fs.Stat(f.fs, exp); err != nil {
		return path.Join(trash, exp)
	}
	return exp
}

func (f *fileStore) runs(_ context.Context, exp string, each func(*run) error) error {
	ids, err := f.dirsWith(f.at(exp), metaFile)
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, err := f.run(exp, id)
		if err != nil {
			f.leave("run %s: %v", id, err)
			continue
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileStore) run(exp, id string) (*run, error) {
	dir := path.Join(f.at(exp), id)
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
	if err := f.readYAML(path.Join(dir, metaFile), &meta); err != nil {
		return nil, err
	}
	if meta.Status < 1 || meta.Status >= len(runStatuses) {
		return nil, fairlead.Errorf(fairlead.Invalid, "it has a status %d, which MLflow 3 does not know",
			meta.Status)
	}
	r := &run{Artifacts: f.artifactsOf(meta.Artifacts, dir),
		Run: tracking.Run{ID: id, Name: meta.Name, User: meta.User, Status: runStatuses[meta.Status],
			State: meta.State, StartMS: meta.Start, EndMS: meta.End}}
	if r.State == tracking.Deleted {
		r.DeletedMS = max(meta.Deleted, 1)
	}
	var err error
	if r.Params, err = f.readParams(path.Join(dir, "params")); err != nil {
		return nil, err
	}
	r.Tags, err = readPairs(f, path.Join(dir, "tags"), newRunTag)
	if err != nil {
		return nil, err
	}
	if r.Mark, err = f.mark(path.Join(dir, "metrics")); err != nil {
		return nil, err
	}
	return r, f.links(exp, dir, r)
}

// links reads what the run read and made.
func (f *fileStore) links(exp, dir string, r *run) error {
	for _, kind := range []string{"inputs", "outputs"} {
		names, err := f.dirsWith(path.Join(dir, kind), metaFile)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := f.link(exp, path.Join(dir, kind, name, metaFile), kind, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fileStore) link(exp, name, kind string, r *run) error {
	var meta struct {
		Source      string            `yaml:"source_id"`
		SourceType  string            `yaml:"source_type"`
		Destination string            `yaml:"destination_id"`
		Step        int64             `yaml:"step"`
		Tags        map[string]string `yaml:"tags"`
	}
	if err := f.readYAML(name, &meta); err != nil {
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
	err := f.readYAML(path.Join(f.at(exp), "datasets", path.Base(meta.Source), metaFile), &d)
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

func (f *fileStore) models(_ context.Context, exp string, each func(*model) error) error {
	ids, err := f.dirsWith(path.Join(f.at(exp), "models"), metaFile)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := f.model(path.Join(f.at(exp), "models", id), id)
		if err != nil {
			f.leave("logged model %s: %v", id, err)
			continue
		}
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileStore) model(dir, id string) (*model, error) {
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
	if err := f.readYAML(path.Join(dir, metaFile), &meta); err != nil {
		return nil, err
	}
	status, err := modelStatus(meta.Status)
	if err != nil {
		return nil, err
	}
	m := &model{Artifacts: f.artifactsOf(meta.Artifacts, dir),
		LoggedModel: tracking.LoggedModel{ID: id, RunID: meta.Run, Name: meta.Name, Type: meta.Type,
			Status: status, State: cmp.Or(meta.State, tracking.Active),
			CreatedMS: meta.Created, UpdatedMS: meta.Updated}}
	if m.Params, err = f.readParams(path.Join(dir, "params")); err != nil {
		return nil, err
	}
	if m.Tags, err = readPairs(f, path.Join(dir, "tags"), newRunTag); err != nil {
		return nil, err
	}
	dirs, err := f.measuredIn(id)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		mark, err := f.mark(dir)
		if err != nil {
			return nil, err
		}
		m.Mark += mark
	}
	return m, nil
}

// measuredIn returns the directories with the points of a logged model: a run's are in the
// run's experiment, which need not be the model's.
func (f *fileStore) measuredIn(id string) (dirs []string, err error) {
	for _, top := range []string{".", trash} {
		exps, err := f.dirsWith(top, metaFile)
		if err != nil {
			return nil, err
		}
		for _, exp := range exps {
			dir := path.Join(top, exp, "models", id, "metrics")
			if _, err := fs.Stat(f.fs, dir); err == nil {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

func modelStatus(n int) (string, error) {
	if n < 0 || n >= len(modelStatuses) {
		return "", fairlead.Errorf(fairlead.Invalid,
			"it has a status %d, which MLflow 3 does not know", n)
	}
	return modelStatuses[n], nil
}

func (f *fileStore) points(_ context.Context, exp string, r *run,
	each func(tracking.Metric) error) (int, error) {
	return f.readPoints(path.Join(f.at(exp), r.ID, "metrics"), each)
}

func (f *fileStore) measured(_ context.Context, _ string, m *model,
	each func(tracking.Metric) error) (n int, err error) {
	dirs, err := f.measuredIn(m.ID)
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		more, err := f.readPoints(dir, each)
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}

func (f *fileStore) files(_ context.Context, o blob.Owner, uri string,
	each func(path string, r io.Reader) error) ([]string, error) {
	return f.dirs.files(o, uri, each)
}

// artifactsOf is where the files of what is in dir are: in the store itself when it has
// them, wherever it is now.
func (f *fileStore) artifactsOf(uri, dir string) string {
	dir = path.Join(dir, "artifacts")
	if _, err := f.root.Lstat(dir); err == nil {
		return filepath.Join(f.home, filepath.FromSlash(dir))
	}
	return uri
}

// dirsWith returns the directories below dir that have the file, also when it cannot be
// read; none when there is no dir.
func (f *fileStore) dirsWith(dir, file string) (names []string, err error) {
	entries, err := fs.ReadDir(f.fs, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		_, err := fs.Stat(f.fs, path.Join(dir, e.Name(), file))
		if !errors.Is(err, fs.ErrNotExist) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

var bare = regexp.MustCompile(`^[-+.0-9][-+.\w]*$`)

// unquoted reads a text that MLflow wrote without quotes: 1e5 and 12e4567 are text in
// YAML 1.1, and numbers in 1.2.
func unquoted(t *string, raw []byte) error {
	if raw = bytes.TrimSpace(raw); bare.Match(raw) {
		*t = string(raw)
		return nil
	}
	return yaml.Unmarshal(raw, t)
}

func (f *fileStore) readYAML(name string, into any) error {
	b, err := fs.ReadFile(f.fs, name)
	if err == nil {
		err = yaml.UnmarshalWithOptions(b, into, yaml.CustomUnmarshaler(unquoted))
	}
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%s cannot be read: %w", name, err)
	}
	return nil
}

// eachFile calls fn with every file below dir, by its path and its slash-separated name: a
// key may have slashes.
func (f *fileStore) eachFile(dir string, fn func(name, path string) error) error {
	err := fs.WalkDir(f.fs, dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return fn(strings.TrimPrefix(path, dir+"/"), path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readPairs reads files that have a value each.
func readPairs[T any](f *fileStore, dir string, pair func(key, value string) T) (all []T,
	err error) {
	err = f.eachFile(dir, func(name, path string) error {
		b, err := fs.ReadFile(f.fs, path)
		all = append(all, pair(name, string(b)))
		return err
	})
	return all, err
}

func newRunTag(k, v string) tracking.Tag { return tracking.Tag{Key: k, Value: v} }

func (f *fileStore) readParams(dir string) ([]tracking.Param, error) {
	return readPairs(f, dir, func(k, v string) tracking.Param { return tracking.Param{Key: k, Value: v} })
}

// mark changes when a file below dir grows, as one of points does with each.
func (f *fileStore) mark(dir string) (string, error) {
	sum := sha256.New()
	err := f.eachFile(dir, func(name, path string) error {
		info, err := fs.Stat(f.fs, path)
		if err == nil {
			fmt.Fprintf(sum, "%q %d\n", name, info.Size())
		}
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// readPoints reads files of points: `timestamp value step` in each line and, of a logged
// model, the run, and the name and digest of the dataset. A point may be there twice; it
// takes 8 bytes a point of a file to count the different ones.
func (f *fileStore) readPoints(dir string, each func(tracking.Metric) error) (n int, err error) {
	err = f.eachFile(dir, func(name, path string) error {
		file, err := f.fs.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		var seen []uint64
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			m, err := parsePoint(name, lines.Text())
			if err != nil {
				return fairlead.Errorf(fairlead.Invalid, "%s has a line that is no point: %q", path,
					lines.Text())
			}
			seen = append(seen, identity(&m))
			if err := each(m); err != nil {
				return err
			}
		}
		n += different(seen)
		return lines.Err()
	})
	return n, err
}

// different counts how many of the identities are not the same.
func different(seen []uint64) int {
	slices.Sort(seen)
	return len(slices.Compact(seen))
}

// identity is a digest of what tells points apart.
func identity(m *tracking.Metric) uint64 {
	v := max(-math.MaxFloat64, min(math.MaxFloat64, m.Value)) // as infinities are kept here
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%s %d %d %v %s %s %s", m.Key, m.Step, m.TimestampMS, v, m.RunID,
		m.DatasetName, m.DatasetDigest)
	return sum.Sum64()
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
