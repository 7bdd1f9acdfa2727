package registry

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Status says whether a condition holds.
type Status string

// The statuses. Unknown is also what a condition is before anybody set it.
const (
	True    Status = "true"
	False   Status = "false"
	Unknown Status = "unknown"
)

// Conditions that stages wait for.
const (
	ConditionPackaged  = "packaged"  // Ref is the package's manifest digest
	ConditionReference = "reference" // the monitor has what to compare with
)

// Condition is a fact about a version that another stage found out.
type Condition struct {
	Type      string `json:"type"`
	Status    Status `json:"status"`
	Reason    string `json:"reason,omitempty"`
	Ref       string `json:"ref,omitempty"`
	UpdatedMS int64  `json:"updated_ms"`
}

// SetCondition stores a condition and appends modelversion.conditioned. Setting
// what is already so changes nothing.
func (s *Service) SetCondition(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64, c Condition) error {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	old, err := readCondition(tx, v, c.Type)
	if err != nil {
		return err
	}
	if old.UpdatedMS != 0 && old.Status == c.Status && old.Reason == c.Reason && old.Ref == c.Ref {
		return nil
	}
	c.UpdatedMS = s.nowMS()
	if err := writeCondition(tx, v, c); err != nil {
		return err
	}
	_, err = s.emit(ctx, tx, p, Subject(model, n), event.ModelVersionCondition{
		Model: model, Version: n, Condition: c.Type, Status: string(c.Status), Reason: c.Reason,
		Ref: c.Ref})
	return err
}

// Condition returns a condition, with status Unknown when nobody has set it.
func (s *Service) Condition(tx *store.Tx, p fairlead.Project, model string, n int64,
	typ string) (Condition, error) {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return Condition{}, err
	}
	return readCondition(tx, v, typ)
}

// Conditions returns all conditions of a version, by type.
func (s *Service) Conditions(tx *store.Tx, p fairlead.Project, model string, n int64) (
	[]Condition, error) {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return nil, err
	}
	return readConditions(tx, v)
}

// Packaged reports whether the version has a package, and if not, why.
func (s *Service) Packaged(tx *store.Tx, p fairlead.Project, model string, n int64) (ok bool,
	reason string, err error) {
	c, err := s.Condition(tx, p, model, n, ConditionPackaged)
	if err == nil && c.Status == Unknown && c.Reason == "" {
		c.Reason = "it has not been packaged yet"
	}
	return c.Status == True, c.Reason, err
}
