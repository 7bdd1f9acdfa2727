package main

import (
	"net"
	"syscall"
)

// acknowledge turns delayed acknowledgements off until the kernel forgets it.
func acknowledge(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return // the connection is closed, as its next use will say
	}
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) })
}
