package data

import "time"

// SetDiffTime sets how long a comparison may take.
func (s *Service) SetDiffTime(d time.Duration) { s.diffTime = d }
