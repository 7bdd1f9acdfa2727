package transfer

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead/registry"
)

// deletedStage is what MLflow makes of the stage of a version that is deleted.
const deletedStage = "Deleted_Internal"

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func newTag(k, v string) registry.Tag { return registry.Tag{Key: k, Value: v} }

func (f *fileStore) registered(_ context.Context, each func(*registered) error) error {
	names, err := f.dirsWith("models", metaFile)
	if err != nil {
		return err
	}
	for _, name := range names {
		m, err := f.readRegistered(path.Join("models", name))
		if err != nil {
			f.leave("model %q: %v", name, err)
			continue
		}
		if err := each(&m); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileStore) readRegistered(dir string) (m registered, err error) {
	var meta struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
		Created     int64  `yaml:"creation_timestamp"`
		Updated     int64  `yaml:"last_updated_timestamp"`
	}
	if err := f.readYAML(path.Join(dir, metaFile), &meta); err != nil {
		return m, err
	}
	m.Name, m.Description = meta.Name, meta.Description
	m.CreatedMS, m.UpdatedMS = meta.Created, meta.Updated
	if m.Tags, err = readPairs(f, path.Join(dir, "tags"), newTag); err != nil {
		return m, err
	}
	aliases, err := readPairs(f, path.Join(dir, "aliases"), newTag)
	if err != nil {
		return m, err
	}
	m.Aliases = map[string]int64{}
	for _, a := range aliases {
		if m.Aliases[a.Key], err = strconv.ParseInt(strings.TrimSpace(a.Value), 10, 64); err != nil {
			return m, err
		}
	}
	names, err := f.dirsWith(dir, metaFile)
	if err != nil {
		return m, err
	}
	for _, name := range names {
		v, err := f.readVersion(path.Join(dir, name))
		if err != nil {
			return m, err
		}
		m.LastN = max(m.LastN, v.N)
		if v.Stage != deletedStage {
			m.Versions = append(m.Versions, v)
		}
	}
	return m, nil
}

func (f *fileStore) readVersion(dir string) (v version, err error) {
	var meta struct {
		N           int64  `yaml:"version"`
		Source      string `yaml:"source"`
		Storage     string `yaml:"storage_location"`
		Run         string `yaml:"run_id"`
		RunLink     string `yaml:"run_link"`
		Model       string `yaml:"model_id"`
		Description string `yaml:"description"`
		User        string `yaml:"user_id"`
		Stage       string `yaml:"current_stage"`
		Created     int64  `yaml:"creation_timestamp"`
		Updated     int64  `yaml:"last_updated_timestamp"`
	}
	if err := f.readYAML(path.Join(dir, metaFile), &meta); err != nil {
		return v, err
	}
	v.N, v.Source, v.Storage = meta.N, meta.Source, meta.Storage
	v.RunID, v.RunLink, v.LoggedModelID = meta.Run, meta.RunLink, meta.Model
	v.Description, v.User, v.Stage = meta.Description, meta.User, cmp.Or(meta.Stage, registry.StageNone)
	v.CreatedMS, v.UpdatedMS = meta.Created, meta.Updated
	v.Tags, err = readPairs(f, path.Join(dir, "tags"), newTag)
	return v, err
}
