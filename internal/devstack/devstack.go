// Package devstack runs other programs for one machine: a private PostgreSQL,
// the Temporal development server, and our own processes. It decides where
// their binaries come from, which user runs them and how they end. It owns
// the state folder, its lock, and the rule that no child outlives the process
// that started it. It refuses to know what Interlock does with them: no
// schema, no workflow, no key.
//
// Every child lives in a process group of its own, so a Ctrl-C in the terminal
// reaches only us and children end in the order we choose. On Linux the kernel
// kills them when we die without a word. Elsewhere a kill -9 of ours leaves
// children behind, of which the next start finds and ends PostgreSQL's only.
package devstack
