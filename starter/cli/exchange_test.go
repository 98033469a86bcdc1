package cli

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"interlock/internal/paper"
)

func TestExchangeIsAsItsSwitchesSay(t *testing.T) {
	for _, c := range []struct {
		args []string
		want paper.Options
	}{
		{nil, paper.Options{ClosedCode: 240}},
		{[]string{"--lenient"}, paper.Options{ClosedCode: 240, Lenient: true}},
		{[]string{"--always-lists"}, paper.Options{ClosedCode: 240, AlwaysLists: true}},
		{[]string{"--closed-code", "233"}, paper.Options{ClosedCode: 233}},
		{[]string{"--exclusive-paging"}, paper.Options{ClosedCode: 240, ExclusivePaging: true}},
	} {
		var f exchangeFlags
		flags := pflag.NewFlagSet("exchange", pflag.ContinueOnError)
		f.bind(flags)
		require.NoError(t, flags.Parse(c.args))
		cfg, err := f.config()
		require.NoError(t, err)
		require.Equal(t, c.want, cfg.Options, c.args)
	}
}
