package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// format is that of the manifest and of all files.
const format = 1

const (
	manifestFile = "manifest.json"
	readmeFile   = "README.md"
	projectsDir  = "projects"
	marker       = ".exporting" // is there while an export is written
)

// The files of a project.
const (
	experimentsFile  = "experiments.jsonl"
	datasetsFile     = "datasets.jsonl"
	runsFile         = "runs.jsonl"
	metricsFile      = "metrics.parquet"
	loggedModelsFile = "logged_models.jsonl"
	modelMetricsFile = "logged_model_metrics.parquet"
	modelsFile       = "models.jsonl"
	versionsFile     = "versions.jsonl"
	numbersFile      = "version_numbers.jsonl"
	artifactsFile    = "artifacts.jsonl"
)

var projectFiles = []string{experimentsFile, datasetsFile, runsFile, metricsFile, loggedModelsFile,
	modelMetricsFile, modelsFile, versionsFile, numbersFile, artifactsFile}

// Manifest says what an export holds.
type Manifest struct {
	Format    int       `json:"format"`
	Fairlead  string    `json:"fairlead"` // the version that wrote it
	CreatedMS int64     `json:"created_ms"`
	Projects  []Project `json:"projects"`
}

// Project is what an export has of a project.
type Project struct {
	Name   string `json:"name"`
	Counts Counts `json:"counts"`
	Files  []File `json:"files"`
	// Missing are artifacts that were damaged or missing in the server: file → why.
	Missing map[string]string `json:"missing,omitempty"`
	// KeepDeleted is how long what is deleted can be restored, where the project says it.
	KeepDeleted string `json:"keep_deleted,omitempty"`
}

// File is a file of a project.
type File struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
}

// maxManifest bounds the manifest, in bytes.
const maxManifest = 64 << 20

var projectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// readManifest reads the manifest of an export, and checks its form.
func readManifest(root *os.Root) (*Manifest, error) {
	f, err := openFile(root, manifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := root.Lstat(marker); err == nil {
			return nil, fairlead.Errorf(fairlead.Precondition, "the export in %s was cut off, or is being "+
				"written; export again", root.Name())
		}
		return nil, fairlead.Errorf(fairlead.NotFound, "%s is no export: it has no %s; what MLflow "+
			"has written comes in with `fairlead import mlflow`", root.Name(), manifestFile)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, err
	}
	var head struct {
		Format   int    `json:"format"`
		Fairlead string `json:"fairlead"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.Format < 1 || len(b) > maxManifest {
		return nil, damaged(manifestFile, "it is no manifest of an export").Because(err)
	}
	if head.Format > format {
		return nil, fairlead.Errorf(fairlead.Precondition, "the export in %s was written by a newer "+
			"fairlead (%s); use that version", root.Name(), head.Fairlead)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, damaged(manifestFile, "it is no manifest of an export").Because(err)
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	seen := map[string]bool{}
	for _, p := range m.Projects {
		if !projectName.MatchString(p.Name) || seen[p.Name] {
			return damaged(manifestFile, "it names a project %.80q, or names it twice", p.Name)
		}
		seen[p.Name] = true
		if p.KeepDeleted != "" {
			if _, err := spec.ParseKeep(p.KeepDeleted); err != nil {
				return damaged(manifestFile, "keep_deleted of the project %q: %s", p.Name,
					fairlead.MessageOf(err))
			}
		}
		if len(p.Files) != len(projectFiles) {
			return damaged(manifestFile, "the project %q has %d files and not %d", p.Name, len(p.Files),
				len(projectFiles))
		}
		for i, f := range p.Files {
			if f.Name != projectFiles[i] {
				return damaged(manifestFile, "the project %q has a file %.80q where %s is expected", p.Name,
					f.Name, projectFiles[i])
			}
		}
	}
	return nil
}

// damaged is the error of a file that is not what an export has.
func damaged(name, format string, args ...any) *fairlead.Error {
	return fairlead.Errorf(fairlead.Invalid, "%s of the export is damaged: %s", name,
		fmt.Sprintf(format, args...))
}

// openFile opens a regular file of an export, and nothing else.
func openFile(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil { // such as a link on the way that leads out of the export
		return nil, damaged(name, "%v", err)
	}
	if !info.Mode().IsRegular() {
		return nil, damaged(name, "it is no regular file")
	}
	return root.Open(name)
}
