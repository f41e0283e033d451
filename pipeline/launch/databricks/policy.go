package databricks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// rule is one rule of a policy's definition.
type rule struct {
	Type       string `json:"type"`
	Value      any    `json:"value"`
	Values     []any  `json:"values"`
	IsOptional bool   `json:"isOptional"`
}

// checkPolicyRules tells what in a policy no launch from an image can satisfy. What it does not understand, the workspace
// will judge at the creation.
func checkPolicyRules(name, definition string, o Options, found *findings, n int) {
	var rules map[string]rule
	if json.Unmarshal([]byte(definition), &rules) != nil {
		return
	}
	var against []string
	for _, field := range []string{"docker_image.url", "data_security_mode", "num_workers"} {
		r, set := rules[field]
		if !set {
			continue
		}
		switch {
		case field == "docker_image.url" && r.Type == "forbidden":
			against = append(against, "it forbids images (docker_image.url)")
		case field == "docker_image.url" && r.Type == "fixed":
			against = append(against, "it fixes the image (docker_image.url)")
		case field == "num_workers" && r.Type == "fixed" && fmt.Sprint(r.Value) != "0":
			against = append(against, fmt.Sprintf("it fixes the number of workers to %v", r.Value))
		case field == "data_security_mode" && r.Type == "fixed" && !takesImages(fmt.Sprint(r.Value)):
			against = append(against, fmt.Sprintf("it fixes the access mode to %v, which takes no images", r.Value))
		case field == "data_security_mode" && r.Type == "allowlist" && !slices.ContainsFunc(r.Values, func(v any) bool { return takesImages(fmt.Sprint(v)) }):
			against = append(against, "it allows no access mode that takes images")
		}
	}
	if len(against) > 0 {
		found.problem(n, fmt.Sprintf("the policy %s does not go with a launch from an image: %s", name, strings.Join(against, ", ")), "Choose another policy in launch.databricks.policy_id")
	}
}

func takesImages(mode string) bool {
	return slices.Contains([]string{"SINGLE_USER", "NONE", "DATA_SECURITY_MODE_DEDICATED", "DATA_SECURITY_MODE_AUTO", "LEGACY_SINGLE_USER", "LEGACY_SINGLE_USER_STANDARD"}, mode)
}
