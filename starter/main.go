// Command starter is Interlock's command line: it brings the whole system up
// on one machine, and lets a person propose, execute, override and stop.
package main

import (
	"os"

	"interlock/starter/cli"
)

func main() { os.Exit(cli.Main()) }
