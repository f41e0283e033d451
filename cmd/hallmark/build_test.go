package main

import (
	"slices"
	"testing"
)

func TestBuildArguments(t *testing.T) {
	t.Parallel()
	environment := func(name string) (string, bool) {
		value, set := map[string]string{"SET": "from outside", "EMPTY": "", "PAIR": "a=b"}[name]
		return value, set
	}
	for name, c := range map[string]struct{ args, want []string }{
		"a value":                       {[]string{"A=b"}, []string{`build.args["A"]=b`}},
		"a value with an equals sign":   {[]string{"A=b=c"}, []string{`build.args["A"]=b=c`}},
		"an empty value":                {[]string{"SET="}, []string{`build.args["SET"]=`}},
		"a name that is set":            {[]string{"SET"}, []string{`build.args["SET"]=from outside`}},
		"a name that is set to a pair":  {[]string{"PAIR"}, []string{`build.args["PAIR"]=a=b`}},
		"a name that is set to nothing": {[]string{"EMPTY"}, []string{`build.args["EMPTY"]=`}},
		"a name that is not set":        {[]string{"UNSET"}, nil},
		"the last one wins, in order":   {[]string{"SET", "UNSET", "SET=here"}, []string{`build.args["SET"]=from outside`, `build.args["SET"]=here`}},
		"no name":                       {[]string{""}, []string{`build.args[""]=`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := buildFlags{args: c.args}
			if got := flags.sets(environment); !slices.Equal(got, c.want) {
				t.Errorf("%q gives %q, want %q", c.args, got, c.want)
			}
		})
	}
}
