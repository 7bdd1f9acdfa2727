package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
)

// ManifestName is the file at the root of a package directory. It is written
// last, so a directory without it is not a package.
const ManifestName = "package.json"

// ManifestVersion is the version of the manifest's format.
const ManifestVersion = 1

// The engines that run a package.
const (
	EngineONNX   = "onnx"
	EnginePython = "python"
)

// Manifest describes a package directory: everything that is needed to load and
// call the model in it. Paths are relative to the directory, with slashes.
type Manifest struct {
	Version     int       `json:"version"`
	Engine      string    `json:"engine"` // onnx | python
	Model       string    `json:"model"`  // an ONNX file, or an MLflow model directory
	Signature   Signature `json:"signature"`
	Environment string    `json:"environment,omitempty"` // pyenv key; python only
	Lock        string    `json:"lock,omitempty"`        // the environment's exact requirements
	Python      string    `json:"python,omitempty"`      // for example 3.11.7
	Parity      *Parity   `json:"parity,omitempty"`
	Converter   string    `json:"converter,omitempty"` // for example onnxmltools 1.16.0; onnx only
}

// Parity is the comparison of the ONNX model with the Python model on recorded
// inputs. The difference of a row is |onnx - python| / max(1, |python|); the models
// are equal when no row is above Tolerance. Rows is 0 when there was no ONNX model
// to compare. Reason says in one sentence why the package is a python one.
type Parity struct {
	Rows        int        `json:"rows"`
	MaxRelative Number     `json:"max_relative"`
	Tolerance   float64    `json:"tolerance"`
	Worst       *ParityRow `json:"worst,omitempty"`
	Reason      string     `json:"reason,omitempty"`
}

// ParityRow is the row that differs most.
type ParityRow struct {
	Index  int            `json:"index"`
	Inputs map[string]any `json:"inputs"`
	Python Number         `json:"python"`
	ONNX   Number         `json:"onnx"`
}

// Number is a float64 that JSON can carry: NaN and the infinities are the strings
// "NaN", "Infinity" and "-Infinity".
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	switch v := float64(n); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*n = Number(math.NaN())
	case `"Infinity"`:
		*n = Number(math.Inf(1))
	case `"-Infinity"`:
		*n = Number(math.Inf(-1))
	default:
		return json.Unmarshal(b, (*float64)(n))
	}
	return nil
}

// ReadManifest reads and checks the manifest of a package directory. A directory
// without one is NotFound; one that this program cannot run is Invalid.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fairlead.Errorf(fairlead.NotFound, "the package has no %s", ManifestName)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	m, err := ParseManifest(b)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(m.Model))); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the package lacks its model %q", m.Model)
	}
	return m, nil
}

// ParseManifest reads and checks the text of a manifest.
func ParseManifest(b []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, refused("is not readable: %w", err)
	}
	if m.Version != ManifestVersion {
		return nil, refused("has version %d, and this program reads version %d",
			m.Version, ManifestVersion)
	}
	if m.Engine != EngineONNX && m.Engine != EnginePython {
		return nil, refused("names the unknown engine %q", m.Engine)
	}
	for _, p := range []string{m.Model, m.Lock} {
		if p != "" && !filepath.IsLocal(filepath.FromSlash(p)) {
			return nil, refused("names %q, which is outside the package", p)
		}
	}
	if m.Model == "" {
		return nil, refused("names no model")
	}
	return &m, m.Signature.check()
}

func refused(format string, args ...any) error {
	return fairlead.Errorf(fairlead.Invalid, ManifestName+" "+format, args...)
}

// Write stores the manifest in a package directory, by a temporary file and a
// rename. The same manifest gives the same bytes.
func (m *Manifest) Write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	tmp := filepath.Join(dir, "."+ManifestName)
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, ManifestName)); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}
