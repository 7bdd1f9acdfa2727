package query

// The file sandbox_linux.c, which runs before this program's own code.

import "C"
