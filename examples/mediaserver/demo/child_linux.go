package demo

import "syscall"

// endWithParent has the kernel kill the child when the demo dies without a chance to do it.
func endWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
