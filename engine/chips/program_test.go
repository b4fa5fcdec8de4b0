package chips_test

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// act is the program that the tests of process.run have the chip run: this
// binary itself, in one of these roles.
func act(role string, args []string) int {
	switch role {
	case "environment":
		_ = json.NewEncoder(os.Stdout).Encode(os.Environ())
	case "cat":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	case "say": // so many letters to each stream
		n, _ := strconv.Atoi(args[0])
		_, _ = io.WriteString(os.Stdout, strings.Repeat("o", n))
		_, _ = io.WriteString(os.Stderr, strings.Repeat("e", n))
	case "fail":
		_, _ = io.WriteString(os.Stderr, "one\ntwo\n\n")
		code, _ := strconv.Atoi(args[0])
		return code
	case "leave": // a child that holds the streams, and end
		_ = child("stubborn", args[0]).Start()
		await(role, args[0], nil) // the child is there
	case "waits": // until it is told to end
		await(role, args[0], nil)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		await(role, args[0], nil)
	case "polite": // takes its leave when it is told to end
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		await(role, args[0], told)
	case "parent": // of a child in another role, which waits
		_ = child(args[0], args[1]).Start()
		await(role, args[1], nil)
	}
	return 0
}

func child(role, addr string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "as", role, addr)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// await connects to the test, so that it sees this process begin and end, and
// waits until it is let go, or told to end.
func await(role, addr string, told <-chan os.Signal) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, role+"\n")
	go func() {
		<-told
		_, _ = io.WriteString(conn, "bye")
		os.Exit(0)
	}()
	_, _ = conn.Read(make([]byte, 1))
}
