package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/packager"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/store"
)

// packageJob turns a version's model into a package.
const packageJob = "registry.package"

// Packaging makes packages: the model as ONNX where it answers recorded inputs as
// Python does, else for a Python worker. It sets the condition `packaged`.
type Packaging struct {
	registry *Service
	blobs    *blob.Store
	jobs     *job.Service
	data     *data.Service
	envs     *pyenv.Manager
	dir      string // for work in progress
}

// NewPackaging registers the packaging jobs; dir is the data directory.
func NewPackaging(s *Service, blobs *blob.Store, jobs *job.Service, d *data.Service,
	envs *pyenv.Manager, dir string) *Packaging {
	g := &Packaging{registry: s, blobs: blobs, jobs: jobs, data: d, envs: envs,
		dir: filepath.Join(dir, "work")}
	jobs.Handle(packageJob, g.run, job.Limits{Concurrency: 1, Retries: packageRetries})
	jobs.OnDone(packageJob, g.done)
	return g
}

// packageRetries is how often a packaging is tried again that failed for a reason
// which is not the model's.
const packageRetries = 3

type packagePayload struct {
	Model   string     `json:"model"`
	Version int64      `json:"version"`
	Inputs  []data.Ref `json:"inputs"` // both models must agree on the first one that has rows
}

// Request asks for the version's package, compared on the first of the dataset versions
// that has rows. A version that is packaged already, or is being packaged, is left as it
// is; one whose packaging failed is tried again.
func (g *Packaging) Request(ctx context.Context, tx *store.Tx, p fairlead.Project, model string,
	n int64, inputs []data.Ref) error {
	cond, err := g.registry.Condition(tx, p, model, n, ConditionPackaged)
	if err != nil || cond.Status == True {
		return err
	}
	key := fmt.Sprintf("%s/%d", model, n)
	if cond.Status == False { // the failure may have passed, such as that of a registry of packages
		key = fmt.Sprintf("%s/%d", key, cond.UpdatedMS)
		unknown := Condition{Type: ConditionPackaged, Status: Unknown, Reason: "it is being packaged again"}
		if err := g.registry.SetCondition(ctx, tx, p, model, n, unknown); err != nil {
			return err
		}
	}
	_, _, err = g.jobs.Enqueue(tx, job.Task{Project: p, Kind: packageJob, Key: key,
		Payload: packagePayload{model, n, inputs}})
	return err
}

// run packages in a scratch directory and stores the files as blobs; the job's
// transaction links them and sets the condition.
func (g *Packaging) run(ctx context.Context, r *job.Run) error {
	var in packagePayload
	if err := r.Job.Decode(&in); err != nil {
		return err
	}
	p := r.Job.Project
	work, err := g.workDir(r)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	out := filepath.Join(work, "package")
	switch err := g.build(ctx, p, in, work, out, r.Progress); fairlead.CodeOf(err) {
	case "":
	case fairlead.Internal, fairlead.Unavailable, fairlead.Exhausted:
		return err // may pass
	default:
		return job.Permanent(err)
	}
	manifest, err := os.ReadFile(filepath.Join(out, engine.ManifestName))
	if err != nil {
		return err
	}
	entries, err := g.blobs.PutDir(ctx, out)
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		owner := PackageOwner(in.Model, in.Version)
		if err := g.blobs.UnlinkAll(tx, p, owner); err != nil {
			return err
		}
		if err := g.blobs.LinkAll(tx, p, owner, "", entries); err != nil {
			return err
		}
		sum := sha256.Sum256(manifest)
		return g.registry.SetCondition(ctx, tx, p, in.Model, in.Version, Condition{
			Type: ConditionPackaged, Status: True, Reason: summary(manifest), Ref: hex.EncodeToString(sum[:]),
		})
	})
}

// workDir names a directory of this run alone, and removes those of runs before it:
// a child of theirs that has not quite ended must not write here.
func (g *Packaging) workDir(r *job.Run) (string, error) {
	prefix := "package-" + r.Job.ID + "-"
	all, err := os.ReadDir(g.dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, e := range all {
		if strings.HasPrefix(e.Name(), prefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(g.dir, e.Name())))
		}
	}
	return filepath.Join(g.dir, fmt.Sprint(prefix, r.Fence)), err
}

func (g *Packaging) build(ctx context.Context, p fairlead.Project, in packagePayload, work, out string,
	progress func(string)) error {
	model := filepath.Join(work, "model")
	if err := g.registry.ModelDir(ctx, p, in.Model, in.Version, model); err != nil {
		return err
	}
	req, err := packager.ModelRequirements(model)
	if err != nil {
		return err
	}
	envs, err := packager.Prepare(ctx, g.envs, req, progress)
	if err != nil {
		return err
	}
	inputs, err := g.recorded(ctx, p, in.Inputs)
	if err != nil {
		return err
	}
	recorded := filepath.Join(work, "inputs.parquet") // the name tells the format
	if err := os.Symlink(inputs, recorded); err != nil {
		return err
	}
	progress("comparing the package with the Python model")
	_, err = packager.Package(ctx, packager.Options{
		Env: envs.Convert, Serving: envs.Serving, NoConverters: envs.Reason,
		ModelDir: model, OutDir: out, Inputs: recorded,
	})
	return err
}

// recorded returns the path of the first dataset version that has rows.
func (g *Packaging) recorded(ctx context.Context, p fairlead.Project, refs []data.Ref) (string,
	error) {
	for _, ref := range refs {
		v, err := g.data.Get(ctx, p, ref)
		if err != nil {
			return "", fmt.Errorf("recorded inputs: %w", err)
		}
		if v.Rows > 0 {
			return g.data.Path(ctx, p, ref)
		}
	}
	return "", fairlead.Errorf(fairlead.Precondition, "there are no rows to try the model on: "+
		"name some under `data` in fairlead.yaml; those held back for the gate are not used")
}

// summary says in one sentence what the package is.
func summary(manifest []byte) string {
	m, err := engine.ParseManifest(manifest)
	if err != nil || m.Parity == nil {
		return "packaged"
	}
	if m.Engine == engine.EngineONNX {
		return fmt.Sprintf("ONNX, equal to the Python model on %d rows (largest relative difference %.2g)",
			m.Parity.Rows, float64(m.Parity.MaxRelative))
	}
	return "for the Python worker: " + m.Parity.Reason
}

// done makes a failure visible where others wait for the package.
func (g *Packaging) done(ctx context.Context, tx *store.Tx, j *job.Job) error {
	if j.State == job.Done {
		return nil
	}
	var in packagePayload
	if err := json.Unmarshal(j.Payload, &in); err != nil {
		return err
	}
	err := g.registry.SetCondition(ctx, tx, j.Project, in.Model, in.Version, Condition{
		Type: ConditionPackaged, Status: False, Reason: "it cannot be packaged: " + j.Error,
	})
	if fairlead.Is(err, fairlead.NotFound) {
		return nil // the version was deleted, and nobody waits for it
	}
	return err
}

// maxManifest bounds a manifest, in bytes.
const maxManifest = 16 << 20

// ManifestText returns the manifest of a version's package as it is stored: its digest is
// the Ref of the condition `packaged`.
func (s *Service) ManifestText(ctx context.Context, p fairlead.Project, model string, n int64) (
	[]byte, error) {
	text, err := s.blobs.ReadFile(ctx, p, PackageOwner(model, n), engine.ManifestName, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("package of %s version %d: %w", model, n, err)
	}
	return text, nil
}

// Manifest returns the manifest of a version's package.
func (s *Service) Manifest(ctx context.Context, p fairlead.Project, model string, n int64) (
	*engine.Manifest, error) {
	text, err := s.ManifestText(ctx, p, model, n)
	if err != nil {
		return nil, err
	}
	var m engine.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("package of %s version %d: %w", model, n, err)
	}
	return &m, nil
}
