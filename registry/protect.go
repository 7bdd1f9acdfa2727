package registry

import (
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// protect holds what the version is made of, so that it is not purged, and says there
// what the version is used for by now.
func (s *Service) protect(tx *store.Tx, p fairlead.Project, v *Version) error {
	reason, err := use(tx, v)
	if err != nil {
		return err
	}
	for _, o := range madeOf(v) {
		if err := s.tracking.Hold(tx, p, o, holderOf(v), reason); err != nil {
			return err
		}
	}
	return nil
}

// unprotect lets go of what a version that is deleted was made of.
func (s *Service) unprotect(tx *store.Tx, p fairlead.Project, v *Version) error {
	for _, o := range madeOf(v) {
		if err := s.tracking.Unhold(tx, p, o, holderOf(v)); err != nil {
			return err
		}
	}
	return nil
}

func holderOf(v *Version) string { return fmt.Sprintf("version/%d/%d", v.modelK, v.N) }

// madeOf lists the run and the logged model of a version. Its files are below one of them.
func madeOf(v *Version) (out []blob.Owner) {
	if v.RunID != "" {
		out = append(out, tracking.RunOwner(v.RunID))
	}
	if v.LoggedModelID != "" {
		out = append(out, tracking.LoggedModelOwner(v.LoggedModelID))
	}
	return out
}

// use says what keeps a version's run: that there is the version, and who serves it.
func use(tx *store.Tx, v *Version) (string, error) {
	by := []string{fmt.Sprintf("version %d of %q is made from it", v.N, v.Model)}
	live, _, err := readAlias(tx, v.modelK, LiveAlias)
	if err != nil {
		return "", err
	}
	if live == v.N {
		by = append(by, "is live")
	}
	holds, err := readHolds(tx, v.modelK, v.N)
	for _, h := range holds {
		by = append(by, fmt.Sprintf("is held by %s %s (%s)", h.Kind, h.ID, h.Reason))
	}
	return strings.Join(by, ", "), err
}
