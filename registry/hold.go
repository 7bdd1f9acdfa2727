package registry

import (
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Holder is who depends on a version, for example {endpoint, flights@production,
// "standby"}. Kind and ID identify it.
type Holder struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// CaseHolder is the case of the loop that judges a version, from the transaction in which
// it gets the version until its end.
func CaseHolder(id string) Holder {
	return Holder{Kind: "case", ID: id, Reason: "is being judged"}
}

// Hold keeps a version from being retired and deleted, until Unhold. The same
// holder again only changes its reason.
func (s *Service) Hold(tx *store.Tx, p fairlead.Project, model string, n int64, h Holder) error {
	v, err := usable(tx, p, model, n)
	if err != nil {
		return err
	}
	if err := insertHold(tx, v, h, s.nowMS()); err != nil {
		return err
	}
	return s.protect(tx, p, v)
}

// Unhold lets go of a version; a hold that is not there is fine.
func (s *Service) Unhold(tx *store.Tx, p fairlead.Project, model string, n int64,
	kind, id string) error {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	if err := deleteHold(tx, v, kind, id); err != nil {
		return err
	}
	return s.protect(tx, p, v)
}

// Holds returns who holds the version, by kind and id.
func (s *Service) Holds(tx *store.Tx, p fairlead.Project, model string, n int64) ([]Holder,
	error) {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return nil, err
	}
	return readHolds(tx, v.modelK, n)
}

// requireFree is Precondition when the version (0: any version of the model) is
// live or held. It says by whom.
func requireFree(tx *store.Tx, m *Model, n int64) error {
	live, _, err := readAlias(tx, m.k, LiveAlias)
	if err != nil {
		return err
	}
	if live != 0 && (n == 0 || n == live) {
		return fairlead.Errorf(fairlead.Precondition, "version %d of %q is live; release another "+
			"version first", live, m.Name)
	}
	holds, err := readHolds(tx, m.k, n)
	if err != nil || len(holds) == 0 {
		return err
	}
	var who []string
	for _, h := range holds {
		who = append(who, fmt.Sprintf("%s %s (%s)", h.Kind, h.ID, h.Reason))
	}
	what := fmt.Sprintf("version %d of %q", n, m.Name)
	if n == 0 {
		what = fmt.Sprintf("%q", m.Name)
	}
	return fairlead.Errorf(fairlead.Precondition, "%s is held by %s; end that first",
		what, strings.Join(who, ", "))
}
