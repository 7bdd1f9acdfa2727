//go:build !linux

package main

import "net"

// acknowledge does nothing: only Linux delays acknowledgements in a way that can be
// turned off.
func acknowledge(*net.TCPConn) {}
