package services

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// birth tells two processes with the same pid apart: when it started, in ticks
// since the machine did. It is empty if there is no such process, or only the
// record of one that ended (a zombie).
func birth(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is a name in parentheses, which may hold spaces.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" && threads(pid) < 2 {
		return ""
	}
	return fields[19]
}

// threads counts those of a process. The first can end, and be all that the
// record shows, while others still hold the process's ports.
func threads(pid int) int {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0 // it ended just now
	}
	return len(tasks)
}

// dieWithUs makes the process end when this one does, however it does: a test
// that panics runs no cleanup.
func dieWithUs(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
