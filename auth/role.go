package auth

import (
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// Role is what somebody is in a project, or in all of them.
type Role string

// The roles.
const (
	Viewer        Role = "viewer"
	DataScientist Role = "data-scientist"
	DataEngineer  Role = "data-engineer"
	Operator      Role = "operator"
	BusinessOwner Role = "business-owner"
	Compliance    Role = "compliance"
	Admin         Role = "admin"
)

// Roles lists the roles, in the order in which they are shown.
var Roles = []Role{Viewer, DataScientist, DataEngineer, Operator, BusinessOwner, Compliance, Admin}

// Permissions lists what a role can hold, from the least. What is Public or Self needs
// no role, and what is Own has none: whoever reads the data directory could do it anyway.
var Permissions = []Permission{Read, Track, Predict, Label, EventTime, Run, Operate, Administer}

// roleMay is the one table of roles and permissions.
var roleMay = map[Role][]Permission{
	Viewer:        {Read},
	DataScientist: {Read, Track, Predict, Label, Run},
	DataEngineer:  {Read, Predict, Label, EventTime, Run},
	Operator:      {Read, Predict, EventTime, Run, Operate},
	BusinessOwner: {Read, Predict},
	Compliance:    {Read},
	Admin:         Permissions,
}

// May reports whether the role holds a permission.
func (r Role) May(need Permission) bool { return slices.Contains(roleMay[r], need) }

// ParseRole returns the role of that name, or Invalid.
func ParseRole(name string) (Role, error) {
	if r := Role(name); roleMay[r] != nil {
		return r, nil
	}
	return "", fairlead.Errorf(fairlead.Invalid, "there is no role %q; there are %s", name,
		strings.Join(words(Roles), ", "))
}

// parseScope returns the permissions that a token is narrowed to; none for all that
// its user may do.
func parseScope(names []string) (scope []Permission, err error) {
	for _, name := range names {
		p := Permission(name)
		if !slices.Contains(Permissions, p) {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"a token cannot be narrowed to %q; it can be to %s",
				name, strings.Join(words(Permissions), ", "))
		}
		scope = append(scope, p)
	}
	return scope, nil
}

func words[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}
