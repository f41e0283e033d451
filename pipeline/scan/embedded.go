package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/sbom/core"
	"github.com/aquasecurity/trivy/pkg/sbom/cyclonedx"
	sbomio "github.com/aquasecurity/trivy/pkg/sbom/io"
	"github.com/aquasecurity/trivy/pkg/sbom/spdx"
	"github.com/aquasecurity/trivy/pkg/types"
)

// embeddedSBOM is what marks packages that an SBOM inside the image lists; a package manager's own word goes before it.
const embeddedSBOM ftypes.AnalyzerType = "sbom"

// maxSBOM bounds an SBOM inside an image.
const maxSBOM = 64 << 20

// isSBOM says whether a file is an SBOM that describes what was installed beside it, as Bitnami's and Wolfi's images
// carry. Those inside wheels repeat what the wheel's own metadata says.
func isSBOM(file string) bool {
	if strings.Contains(file, ".dist-info/sboms/") {
		return false
	}
	for _, suffix := range []string{".spdx", ".spdx.json", ".cdx", ".cdx.json"} {
		if strings.HasSuffix(file, suffix) {
			return true
		}
	}
	return false
}

func readSBOM(ctx context.Context, file string, body io.Reader) (result *record) {
	defer func() {
		if cause := recover(); cause != nil {
			result = &record{Problem: fmt.Sprintf("the SBOM parser gave up: %v", cause)}
		}
	}()
	text, err := io.ReadAll(io.LimitReader(body, maxSBOM+1))
	switch {
	case err != nil:
		return &record{Problem: err.Error()}
	case len(text) > maxSBOM:
		return &record{Problem: fmt.Sprintf("the SBOM is larger than %d bytes", maxSBOM)}
	}
	bom, err := decodeSBOM(text)
	if errors.Is(err, errNoSBOM) {
		return nil
	}
	var listed types.SBOM
	if err == nil {
		err = sbomio.NewDecoder(bom).Decode(ctx, &listed)
	}
	if err != nil {
		return &record{Problem: err.Error()}
	}
	result = &record{Kind: embeddedSBOM}
	for _, info := range listed.Packages {
		result.Packages = append(result.Packages, info.Packages...)
	}
	for _, app := range listed.Applications {
		placeBitnami(file, &app)
		if app.FilePath == "" {
			app.FilePath = file
		}
		result.Apps = append(result.Apps, app)
	}
	return result
}

// placeBitnami says where the packages of Bitnami's SBOMs are: below the folder that the SBOM stands in.
func placeBitnami(file string, app *ftypes.Application) {
	if !strings.HasPrefix(file, "opt/bitnami/") {
		return
	}
	if app.Type == ftypes.Bitnami {
		app.FilePath = path.Dir(file)
		return
	}
	for i := range app.Packages {
		app.Packages[i].FilePath = path.Join(path.Dir(file), app.Packages[i].FilePath)
	}
}

var errNoSBOM = errors.New("neither SPDX nor CycloneDX")

// decodeSBOM recognises SPDX 2 (JSON and tag-value) and CycloneDX JSON by their content.
func decodeSBOM(text []byte) (*core.BOM, error) {
	trimmed := bytes.TrimLeft(text, "\xef\xbb\xbf \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("SPDXVersion:")) {
		bom := core.NewBOM(core.Options{})
		return bom, spdx.NewTVDecoder(bytes.NewReader(trimmed)).Decode(&spdx.SPDX{BOM: bom})
	}
	var head struct {
		Format string `json:"bomFormat"`
		SPDX   string `json:"spdxVersion"`
	}
	if err := json.Unmarshal(trimmed, &head); err != nil {
		return nil, errNoSBOM
	}
	switch {
	case head.Format == "CycloneDX":
		bom := core.NewBOM(core.Options{GenerateBOMRef: true})
		return bom, json.Unmarshal(trimmed, &cyclonedx.BOM{BOM: bom})
	case strings.HasPrefix(head.SPDX, "SPDX-"):
		bom := core.NewBOM(core.Options{})
		return bom, json.Unmarshal(trimmed, &spdx.SPDX{BOM: bom})
	}
	return nil, errNoSBOM
}
