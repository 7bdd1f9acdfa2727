package app

// BreakListener takes the address from a server that runs.
func BreakListener(a *App) { a.listener.Close() }
