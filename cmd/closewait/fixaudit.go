package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/remedy"
)

// rootAudit is where root's acts are recorded, unless --audit says otherwise.
const rootAudit = "/var/log/closewait/audit.jsonl"

// audit appends a JSON line for each act to a file. Nothing is done that can't be
// recorded: the file is opened before the first act, and a line that can't be
// written ends the run.
type audit struct {
	file *os.File
	head auditHead
}

// auditHead is what all lines of one run have in common.
type auditHead struct {
	Schema  string  `json:"schema"`
	Host    string  `json:"host"`
	BootID  string  `json:"boot_id"`
	By      auditBy `json:"by"`
	Command string  `json:"command"`
}

// auditBy is who ran it.
type auditBy struct {
	PID int `json:"pid"`
	UID int `json:"uid"`
	// User is the name of UID, Login the user who logged in (the kernel's loginuid),
	// Sudo who used sudo; absent where there is none.
	User  string `json:"user,omitempty"`
	Login string `json:"login,omitempty"`
	Sudo  string `json:"sudo,omitempty"`
}

type auditLine struct {
	auditHead
	At time.Time `json:"at"`
	*remedy.Result
}

// openAudit opens the file of that name, or the default one.
func openAudit(name, command string, host observe.Host) (*audit, error) {
	name, err := auditName(name)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o700)
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("nothing was done, because it could not be recorded (--audit FILE names another place): %w", err)
	}
	return &audit{f, auditHead{
		Schema: "closewait-audit/v1", Host: host.Name, BootID: host.BootID, By: whoami(), Command: command,
	}}, nil
}

// auditName is the default for this user: root's place, or below the home folder
// (XDG Base Directory Specification, state).
func auditName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if os.Geteuid() == 0 {
		return rootAudit, nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "closewait", "audit.jsonl"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no home folder to keep an audit log in")
	}
	return filepath.Join(home, ".local", "state", "closewait", "audit.jsonl"), nil
}

func whoami() auditBy {
	by := auditBy{PID: os.Getpid(), UID: os.Getuid(), Sudo: os.Getenv("SUDO_USER")}
	if u, err := user.LookupId(strconv.Itoa(by.UID)); err == nil {
		by.User = u.Username
	}
	// 4294967295 is nobody: a daemon's process (Documentation/ABI/stable/procfs-audit_loginuid).
	if login, err := os.ReadFile("/proc/self/loginuid"); err == nil {
		if id := strings.TrimSpace(string(login)); id != "4294967295" {
			by.Login = id
			if u, err := user.LookupId(id); err == nil {
				by.Login = u.Username
			}
		}
	}
	return by
}

// record writes one line, in one write: two runs may share the file.
func (a *audit) record(r *remedy.Result) error {
	at := r.At
	if at.IsZero() {
		at = time.Now()
	}
	line, err := json.Marshal(auditLine{a.head, at, r})
	if err == nil {
		_, err = a.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func (a *audit) close() error { return a.file.Close() }
