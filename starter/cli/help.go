package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// Groups of the list of commands.
const (
	runGroup     = "run"
	tradeGroup   = "trade"
	operateGroup = "operate"
	inspectGroup = "inspect"
	keepGroup    = "keep"
)

var groups = []*cobra.Group{
	{ID: runGroup, Title: "Run it:"},
	{ID: tradeGroup, Title: "Trade:"},
	{ID: inspectGroup, Title: "See what happened:"},
	{ID: operateGroup, Title: "Be in charge:"},
	{ID: keepGroup, Title: "Set it up:"},
}

var groupOf = map[string]string{
	"up": runGroup, "demo": runGroup, "chaos": runGroup, "serve": runGroup, "exchange": runGroup, "analyst": runGroup,
	"propose": tradeGroup, "execute": tradeGroup, "override": tradeGroup, "confirm": tradeGroup, "cancel": tradeGroup, "policy": tradeGroup, "scan": tradeGroup,
	"status": inspectGroup, "audit": inspectGroup, "budget": inspectGroup, "doctor": inspectGroup,
	"halt": operateGroup, "resume": operateGroup, "resolve": operateGroup,
	"migrate": keepGroup, "import": keepGroup, "export": keepGroup, "account": keepGroup, "token": keepGroup, "notify": keepGroup, "completion": keepGroup, "help": keepGroup,
}

// examples are the command lines that the help of each command shows. They
// work as they stand against "starter up", but for what they name.
var examples = map[string]string{
	"starter": `
starter up
starter propose --id first --market BTC-EUR --side buy --quote 25 \
    --confidence 0.9
starter execute first
starter status first`,
	"starter up": `
starter up
starter up --api-port 0 --state /tmp/another
starter up --candles prices.csv --speed 86400`,
	"starter demo": `
starter demo
starter demo --json`,
	"starter chaos": `
starter chaos --seed 7
starter chaos --seed 7 --proposals 400 --duration 90s --rate 6
starter chaos --seed 100 --seeds 20 --json > report.json`,
	"starter serve": `
DATABASE_URL=postgres://… TEMPORAL_ADDRESS=127.0.0.1:7233 starter serve`,
	"starter exchange": `
starter exchange --port 8090 --keys keys.json
starter exchange --admin --state-file paper.state
starter exchange --lenient --always-lists --weight-per-minute 1000`,
	"starter analyst": `
starter analyst --port 8091`,
	"starter propose": `
starter propose --market BTC-EUR --side buy --quote 25 --confidence 0.9
starter propose --id dip --market ETH-EUR --side buy --type limit \
    --amount 0.01 --price 2900 --confidence 0.8
starter propose --file ideas.csv --execute`,
	"starter execute": `
starter execute first
starter execute first --override-cooldown --reason "news"
starter execute first --json`,
	"starter override": `
starter override first --cooldown --reason "news"
starter override first --cooldown --anti-flip --reason "news" --execute`,
	"starter confirm": `
starter confirm first 5810c400-d4d7-52fc-9b34-3c956c5e52a2 \
    --reason "seen too"`,
	"starter cancel": `
starter cancel first --reason "changed my mind"`,
	"starter resolve": `
starter resolve first --absent --reason "support says there is none"
starter resolve first --order 7fda2135-4924-5a42-9d7b-e1f4a3e724ca \
    --reason "seen in the web page" --yes`,
	"starter status": `
starter status
starter status first
starter status first --watch
starter status --status unresolved
starter status --differences`,
	"starter doctor": `
starter doctor
starter doctor --role orders --json
DATABASE_URL=postgres://… starter doctor --role api
DATABASE_URL=postgres://… starter doctor --role scans`,
	"starter policy set": `
starter policy set policy.json
starter policy show | sed 's/"tradesPerDay": 50/"tradesPerDay": 5/' | \
    starter policy set -`,
	"starter policy show": `
starter policy show > policy.json`,
	"starter scan add": `
starter scan add mine --user demo --markets BTC-EUR --every 15m \
    --model gpt-5-mini --price-in 0.22 --price-out 1.75
starter scan add nightly --user demo --markets BTC-EUR,ETH-EUR \
    --cron "0 3 * * *" --time-zone Europe/Amsterdam --model demo \
    --price-in 0 --price-out 0`,
	"starter scan list":     "\nstarter scan list\nstarter scan list --json",
	"starter scan show":     "\nstarter scan show demo",
	"starter scan pause":    "\nstarter scan pause demo --note \"looking into it\"",
	"starter scan resume":   "\nstarter scan resume demo --note \"all is well\"",
	"starter scan trigger":  "\nstarter scan trigger demo",
	"starter scan backfill": "\nstarter scan backfill demo \\\n    --from 2026-01-31T09:00:00Z --to 2026-01-31T10:00:00Z",
	"starter scan delete":   "\nstarter scan delete mine --reason \"no longer needed\"",
	"starter budget show":   "\nstarter budget show --user demo",
	"starter budget clear":  "\nstarter budget clear --user demo --reason \"the model's answers were broken\"",
	"starter halt": `
starter halt --reason "something is odd"
starter halt --cancel-open --reason "get out"
starter halt --account main --reducing --reason "selling only"`,
	"starter resume":         "\nstarter resume --reason \"it was a false alarm\"",
	"starter audit show":     "\nstarter audit show first\nstarter audit show first --json",
	"starter audit verify":   "\nstarter audit verify\nstarter audit verify audit.jsonl\nstarter audit verify --against audit.jsonl",
	"starter audit export":   "\nstarter audit export > audit.jsonl\nstarter audit export --output audit-2026-01-31.jsonl",
	"starter migrate":        "\nDATABASE_URL=postgres://… starter migrate",
	"starter migrate up":     "\nstarter migrate up",
	"starter migrate down":   "\nstarter migrate down",
	"starter migrate to":     "\nstarter migrate to 3",
	"starter migrate status": "\nstarter migrate status --json",
	"starter import": `
starter import --account main --from postgres://… --dry-run
starter import --account main --from postgres://… --policies drafts \
    --user-map 6f1c0e5e-1111-4222-8333-444455556666=anna
starter import --account main --schema trading \
    --column trade_history.executed_at=created_at --time-zone UTC`,
	"starter export trades": `
starter export trades --account main > back.sql
starter export trades --account main --format csv \
    --since 2026-01-31T00:00:00Z`,
	"starter account create": "\nstarter account create main \\\n    --rest-url https://api.bitvavo.com/v2 --label \"first account\"",
	"starter account list":   "\nstarter account list",
	"starter token create":   "\nstarter token create --user anna\nstarter token create --user anna --account main --label \"her phone\"",
	"starter token revoke":   "\nstarter token revoke 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
	"starter notify add": `
starter notify add ops --url-file hook.txt
starter notify add anna --user anna --kinds waiting,unresolved \
    --url-file telegram.txt`,
	"starter notify list":   "\nstarter notify list\nstarter notify list --json",
	"starter notify remove": "\nstarter notify remove ops",
	"starter notify test":   "\nstarter notify test ops",
	"starter token list":    "\nstarter token list",
}

// usageTemplate is cobra's own, with the flags wrapped to the width of a
// table.
func usageTemplate(cobras string) string {
	return strings.NewReplacer("LocalFlags.FlagUsages", "LocalFlags.FlagUsagesWrapped 80", "InheritedFlags.FlagUsages", "InheritedFlags.FlagUsagesWrapped 80").Replace(cobras)
}

// explain gives every command its group, its examples, and what the shell may
// complete.
func (a *app) explain(root *cobra.Command) {
	root.SetOut(a.out) // before completion commands, which keep what they find
	root.AddGroup(groups...)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		c.GroupID = groupOf[c.Name()]
	}
	a.walk(root)
}

func (a *app) walk(cmd *cobra.Command) {
	if text, there := examples[cmd.CommandPath()]; there {
		cmd.Example = strings.ReplaceAll(text, "\n", "\n  ")[1:]
	}
	a.complete(cmd)
	for _, c := range cmd.Commands() {
		a.walk(c)
	}
}
