package registry

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// promptTag marks prompts, which MLflow keeps as models without files.
const promptTag = "mlflow.prompt.is_prompt"

// promptSources are the sources that MLflow's clients and its server give prompts.
var promptSources = []string{"dummy-source", "prompt-template"}

// schemeName is how a URI's scheme is written here; in one letter it would be a drive.
var schemeName = regexp.MustCompile(`^[a-z][a-z0-9+.-]+$`)

// storeSchemes are the object stores that a source may name: their hosts are fixed. Others
// name the host that a client then connects to, or files of the client's own machine.
var storeSchemes = []string{"s3", "gs", "wasbs", "oss", "oci"}

var loggedModelID = regexp.MustCompile(`^m-[0-9a-f]{32}$`)

// ownPath is what follows the scheme in a source of ours: a path, and no host.
var ownPath = regexp.MustCompile(`^/([^/]|//)`)

// resolveSource returns where the files of a new version are, in canonical form where
// they are ours, and completes run and logged model from the source, which it turns into
// that of the version that it names. A source that this project's runs and logged
// models do not vouch for is Invalid, so that nobody registers what others own.
func (s *Service) resolveSource(tx *store.Tx, p fairlead.Project, n *NewVersion) (string, error) {
	if isPrompt(n.Tags) {
		if !slices.Contains(promptSources, n.Source) {
			return "", fairlead.Errorf(fairlead.Invalid, "Invalid prompt source: '%s'. Prompt sources "+
				"must use an MLflow placeholder.", n.Source)
		}
		return "", s.vouch(tx, p, n)
	}
	if n.Source == "" {
		if n.LoggedModelID == "" {
			return "", tracking.ErrMissing("source")
		}
		n.Source = "models:/" + n.LoggedModelID
	}
	scheme, rest, ok := strings.Cut(n.Source, ":")
	switch {
	case !ok || !schemeName.MatchString(scheme) || scheme == "file":
		return "", fairlead.Errorf(fairlead.Invalid, "Invalid model version source: '%s'. "+
			"The server's local files cannot be registered; log the model to a run first.", n.Source)
	case hasDotDot(rest):
		return "", badSource(n.Source, "it has .. in it")
	case hasHidden(rest):
		return "", badSource(n.Source, "it has a backslash or a control character in it")
	case (scheme == "models" || scheme == "runs") && !ownPath.MatchString(rest):
		return "", badSource(n.Source, "expected "+scheme+":/ and a path; it names no other server")
	case scheme == "models":
		return s.modelSource(tx, p, n, strings.TrimLeft(rest, "/"))
	case scheme == "runs":
		return s.runSource(tx, p, n, strings.TrimLeft(rest, "/"))
	case scheme == "mlflow-artifacts":
		return s.artifactSource(tx, p, n)
	}
	switch {
	case !slices.Contains(storeSchemes, scheme):
		return "", badSource(n.Source, fmt.Sprintf("%s: may lead who loads the model to any host, or to "+
			"a place of its own; other stores than this server can be %s", scheme,
			strings.Join(storeSchemes, ", ")))
	case strings.ContainsAny(rest, "?#;"):
		return "", badSource(n.Source, "it has one of ? # ; in it")
	case n.RunID == "" && n.LoggedModelID == "":
		return "", badSource(n.Source, "no run and no logged model of this server vouches for it; "+
			"name the one that it comes from as run_id or model_id, or log the model here and register that")
	}
	return n.Source, s.vouch(tx, p, n)
}

func badSource(source, why string) error {
	return fairlead.Errorf(fairlead.Invalid, "Invalid model version source: '%s': %s.", source, why)
}

// hasDotDot reports whether somebody who decodes the text, however often, goes up.
func hasDotDot(s string) bool {
	return decodedAny(s, func(s string) bool {
		parts := strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '\\' })
		return slices.Contains(parts, "..")
	})
}

// hasHidden reports whether somebody who decodes the text reads what a path should not have.
func hasHidden(s string) bool {
	return decodedAny(s, func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r == '\\' || unicode.IsControl(r) })
	})
}

// decodedAny reports whether something holds for a text or for what it is when it is
// decoded once, or more often; for one that goes on after four times it does.
func decodedAny(s string, holds func(string) bool) bool {
	for range 4 {
		if holds(s) {
			return true
		}
		decoded := escape.ReplaceAllStringFunc(s, func(e string) string {
			b, _ := hex.DecodeString(e[1:])
			return string(b)
		})
		if decoded == s {
			return false
		}
		s = decoded
	}
	return true
}

// escape is decoded also beside a % that is none.
var escape = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

func isPrompt(tags []Tag) bool {
	prompt := false
	for _, t := range tags {
		if t.Key == promptTag {
			prompt = strings.EqualFold(t.Value, "true")
		}
	}
	return prompt
}

// vouch checks that the named run and logged model are the project's, and that the
// logged model is complete.
func (s *Service) vouch(tx *store.Tx, p fairlead.Project, n *NewVersion) error {
	if n.LoggedModelID != "" {
		m, err := s.tracking.LoggedModelTx(tx, p, n.LoggedModelID)
		if err != nil {
			return err
		}
		if m.Status != tracking.ModelReady {
			return fairlead.Errorf(fairlead.Invalid, "the logged model %s is %s and not READY; "+
				"upload its files and finalize it before it is registered", m.ID, m.Status)
		}
		if n.RunID == "" {
			n.RunID = m.RunID
		}
	}
	if n.RunID != "" {
		if _, err := s.tracking.ArtifactRoot(tx, p, tracking.RunOwner(n.RunID)); err != nil {
			return err
		}
	}
	return nil
}

// modelSource reads m-<id> and what names a version. That vouches for its own run and
// logged model, also when the logged model is deleted by now; the source becomes its
// number, as aliases and stages move.
func (s *Service) modelSource(tx *store.Tx, p fairlead.Project, n *NewVersion, ref string) (string,
	error) {
	if loggedModelID.MatchString(ref) {
		if n.LoggedModelID != "" && n.LoggedModelID != ref {
			return "", badSource(n.Source, "it is not the logged model "+n.LoggedModelID)
		}
		n.LoggedModelID = ref
		m, err := s.tracking.LoggedModelTx(tx, p, ref)
		if err != nil {
			return "", err
		}
		return m.ArtifactURI(), s.vouch(tx, p, n)
	}
	v, err := s.referenced(tx, p, n.Source, ref)
	if err != nil {
		return "", err
	}
	prompt, err := modelTag(tx, p, v.Model, promptTag)
	if err != nil {
		return "", err
	}
	if strings.EqualFold(prompt, "true") || v.Storage == "" {
		return "", badSource(n.Source, "Prompt versions cannot be used as model version sources")
	}
	if n.RunID != "" && n.RunID != v.RunID {
		return "", badSource(n.Source, "it is not of the run "+n.RunID)
	}
	if n.LoggedModelID != "" && n.LoggedModelID != v.LoggedModelID {
		return "", badSource(n.Source, "it is not of the logged model "+n.LoggedModelID)
	}
	n.Source = fmt.Sprintf("models:/%s/%d", v.Model, v.N)
	n.RunID, n.LoggedModelID = v.RunID, v.LoggedModelID
	return v.Storage, nil
}

// referenced returns the version that <model>/<version>, <model>/latest, <model>/<stage> or
// <model>@<alias> names.
func (s *Service) referenced(tx *store.Tx, p fairlead.Project, source, ref string) (v *Version,
	err error) {
	model, suffix, ok := strings.Cut(ref, "/")
	n, notNumber := strconv.ParseUint(suffix, 10, 63)
	number := int64(n)
	switch at := strings.LastIndexByte(ref, '@'); {
	case ok && notNumber == nil:
	case ok && strings.EqualFold(suffix, latestAlias):
		number, err = s.highest(tx, p, model)
	case ok && suffix != "":
		number, err = s.highestAtStage(tx, p, model, suffix)
	case !ok && at > 0:
		model, suffix = ref[:at], ref[at+1:]
		number, err = s.Alias(tx, p, model, suffix)
	default:
		return nil, badSource(source, "expected models:/m-<id>, models:/<name>/<version>, "+
			"models:/<name>/<stage>, models:/<name>/latest or models:/<name>@<alias>")
	}
	if err != nil {
		return nil, err
	}
	if number == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound, "%q names no version of %q", suffix, model)
	}
	return versionOf(tx, p, model, number)
}

// highestAtStage returns the highest version at a stage, 0 for none.
func (s *Service) highestAtStage(tx *store.Tx, p fairlead.Project, model, stage string) (int64,
	error) {
	at, err := s.Latest(tx, p, model, []string{stage})
	if err != nil || len(at) == 0 {
		return 0, err
	}
	return at[0].N, nil
}

// runSource reads <run id>/<path>.
func (s *Service) runSource(tx *store.Tx, p fairlead.Project, n *NewVersion, ref string) (string,
	error) {
	id, rest, _ := strings.Cut(ref, "/")
	if n.RunID != "" && n.RunID != id {
		return "", badSource(n.Source, "it is not below the run "+n.RunID)
	}
	n.RunID = id
	root, err := s.tracking.ArtifactRoot(tx, p, tracking.RunOwner(id))
	if err != nil {
		return "", err
	}
	uri, ok := tracking.CleanURI(root + "/" + rest)
	if !ok {
		return "", badSource(n.Source, "it names no artifact of this server")
	}
	return uri, s.vouch(tx, p, n)
}

// artifactSource reads a URI of our own artifact store, below its owner's root: places
// are told apart by run or logged model alone, so another experiment is not a place.
func (s *Service) artifactSource(tx *store.Tx, p fairlead.Project, n *NewVersion) (string,
	error) {
	uri, _ := tracking.CleanURI(n.Source)
	at, ok := tracking.ParseURI(uri)
	if !ok {
		return "", badSource(n.Source, "it names no artifact of this server")
	}
	named := &n.RunID
	switch at.Owner.Kind {
	case "run":
	case "logged_model":
		named = &n.LoggedModelID
	default:
		return "", badSource(n.Source, "it is below neither a run nor a logged model")
	}
	if *named != "" && *named != at.Owner.ID {
		return "", badSource(n.Source, "it is not below "+*named)
	}
	*named = at.Owner.ID
	root, err := s.tracking.ArtifactRoot(tx, p, at.Owner)
	if err != nil {
		return "", err
	}
	if uri != root && !strings.HasPrefix(uri, root+"/") {
		return "", badSource(n.Source, "the files of "+at.Owner.ID+" are at "+root)
	}
	return uri, s.vouch(tx, p, n)
}

// ModelDir writes the version's MLflow model directory into dir, which must be
// absent or empty: the logged model's files, or the run's below the source's path.
// Precondition when the files are not in this server.
func (s *Service) ModelDir(ctx context.Context, p fairlead.Project, model string, n int64,
	dir string) error {
	var v *Version
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = versionOf(tx, p, model, n)
		return err
	})
	if err != nil {
		return err
	}
	at, ok := tracking.ParseURI(v.Storage)
	if !ok {
		return fairlead.Errorf(fairlead.Precondition, "the files of version %d of %q are at %q, "+
			"outside of this server; log the model here and register that", n, model, v.Source)
	}
	return s.blobs.Materialize(ctx, p, at.Owner, at.Path, dir)
}
