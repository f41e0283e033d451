package display

import (
	"os"

	"golang.org/x/sys/windows"
)

// obeys makes a console obey sequences, which those before Windows 10 cannot.
func obeys(file *os.File) bool {
	console := windows.Handle(file.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

// named is the environment in which terminals are named: Windows has no TERM, and its consoles are of one kind.
func named(env func(string) string) func(string) string {
	return func(name string) string {
		if value := env(name); name != "TERM" || value != "" {
			return value
		}
		return "windows"
	}
}
