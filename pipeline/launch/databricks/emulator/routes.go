package emulator

import (
	"net/http"
	"strings"
)

// routes is all that the workspace serves.
func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.wellKnown()
	s.admin()
	for _, version := range []string{"2.0", "2.1"} {
		clusters := "/api/" + version + "/clusters/"
		s.handle("POST "+clusters+"create", s.create)
		s.handle("POST "+clusters+"edit", s.edit)
		s.handle("POST "+clusters+"update", s.update)
		s.handle("POST "+clusters+"resize", s.resize)
		s.handle("POST "+clusters+"events", s.listEvents)
		s.handle("GET "+clusters+"list", s.list)
		s.handle("GET "+clusters+"list-node-types", s.listNodeTypes)
		s.handle("GET "+clusters+"spark-versions", s.listSparkVersions)
		s.handle("GET "+clusters+"list-zones", s.listZones)
		for call, work := range map[string]func(*cluster) (any, error){
			"GET get": s.get, "POST delete": s.terminate, "POST permanent-delete": s.permanentDelete, "POST start": s.start,
			"POST restart": s.restartCluster, "POST pin": s.pin, "POST unpin": s.unpin,
		} {
			method, name, _ := strings.Cut(call, " ")
			s.handle(method+" "+clusters+name, s.withCluster(work))
		}
	}
	s.handle("POST /api/1.2/contexts/create", s.createContext)
	s.handle("GET /api/1.2/contexts/status", s.contextStatus)
	s.handle("POST /api/1.2/contexts/destroy", s.destroyContext)
	s.handle("POST /api/1.2/commands/execute", s.execute)
	s.handle("GET /api/1.2/commands/status", s.commandStatus)
	s.handle("POST /api/1.2/commands/cancel", s.cancelCommand)

	s.handle("GET /api/2.0/preview/scim/v2/Me", s.me)
	s.handle("GET /api/2.0/workspace-conf", s.readConf)
	s.handle("PATCH /api/2.0/workspace-conf", s.writeConf)
	s.handle("GET /api/2.0/policies/clusters/list", s.listPolicies)
	s.handle("GET /api/2.0/policies/clusters/get", s.getPolicy)
	s.handle("POST /api/2.0/policies/clusters/create", s.createPolicy)
	s.handle("POST /api/2.0/policies/clusters/edit", s.editPolicy)
	s.handle("POST /api/2.0/policies/clusters/delete", s.deletePolicy)
	s.handle("GET /api/2.0/instance-pools/list", s.listPools)
	s.handle("GET /api/2.0/instance-pools/get", s.getPool)
	s.handle("POST /api/2.0/instance-pools/create", s.createPool)
	s.handle("POST /api/2.0/instance-pools/edit", s.editPool)
	s.handle("POST /api/2.0/instance-pools/delete", s.deletePool)
	s.handle("GET /api/2.0/libraries/cluster-status", s.withCluster(s.libraryStatus))
	s.handle("GET /api/2.0/libraries/all-cluster-statuses", s.allLibraries)
	s.handle("POST /api/2.0/libraries/install", s.installLibraries)
	s.handle("POST /api/2.0/libraries/uninstall", s.uninstallLibraries)
	for _, method := range []string{"GET", "PUT", "PATCH"} {
		s.handle(method+" /api/2.0/permissions/{kind}/{id}", s.permissions)
	}
	s.handle("GET /api/2.0/permissions/{kind}/{id}/permissionLevels", s.permissionLevels)
	s.handle("POST /api/2.0/token/create", s.createToken)
	s.handle("GET /api/2.0/token/list", s.listTokens)
	s.handle("POST /api/2.0/token/delete", s.deleteToken)

	s.handle("POST /api/2.0/secrets/scopes/create", s.createScope)
	s.handle("POST /api/2.0/secrets/scopes/delete", s.deleteScope)
	s.handle("GET /api/2.0/secrets/scopes/list", s.listScopes)
	s.handle("POST /api/2.0/secrets/put", s.putSecret)
	s.handle("POST /api/2.0/secrets/delete", s.deleteSecret)
	s.handle("GET /api/2.0/secrets/get", s.getSecret)
	s.handle("GET /api/2.0/secrets/list", s.listSecrets)
	s.handle("POST /api/2.0/secrets/acls/put", s.putACL)
	s.handle("GET /api/2.0/secrets/acls/get", s.getACL)
	s.handle("GET /api/2.0/secrets/acls/list", s.listACLs)
	s.handle("POST /api/2.0/secrets/acls/delete", s.deleteACL)

	for call, work := range map[string]func(pathCall, []byte) (any, error){
		"POST workspace/import": s.importFile, "GET workspace/get-status": s.workspaceStatus, "GET workspace/export": s.exportFile,
		"GET workspace/list": s.listWorkspace, "POST workspace/mkdirs": s.makeFolder, "POST workspace/delete": s.deleteObject,
	} {
		method, name, _ := strings.Cut(call, " ")
		s.handle(method+" /api/2.0/"+name, s.fileCall(work))
	}
	for call, work := range map[string]func(pathCall, []byte) (any, error){
		"POST put": s.dbfsPut, "POST create": s.dbfsCreate, "POST add-block": s.dbfsBlock, "POST close": s.dbfsClose, "GET get-status": s.dbfsStatus,
		"GET list": s.dbfsList, "POST delete": s.dbfsDelete, "POST mkdirs": s.makeFolder, "POST move": s.dbfsMove,
	} {
		method, name, _ := strings.Cut(call, " ")
		s.handle(method+" /api/2.0/dbfs/"+name, s.dbfsCall(work))
	}
	s.handle("GET /api/2.0/dbfs/read", s.dbfsRead)
	for _, method := range []string{"PUT", "GET", "DELETE"} { // GET serves HEAD, too
		s.handle(method+" /api/2.0/fs/files/{path...}", s.volumeFile)
		s.handle(method+" /api/2.0/fs/directories/{path...}", s.volumeFolder)
	}
	s.handle("PUT "+adminPath+"files", s.cloudFile)
	s.mux.HandleFunc("/", s.notFound)
}

// readConf answers with the settings that are asked for; one that nobody has set is null, as on the platform.
func (s *Server) readConf(r *request) (any, error) {
	keys := r.URL.Query().Get("keys")
	if keys == "" {
		return nil, invalid("Missing required parameter: keys")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := map[string]*string{}
	for key := range strings.SplitSeq(keys, ",") {
		answer[key] = nil
		if value, set := s.settings[key]; set {
			answer[key] = &value
		}
	}
	return answer, nil
}

func (s *Server) writeConf(r *request) (any, error) {
	var asked map[string]string
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, value := range asked {
		s.settings[key] = value
	}
	return nil, nil
}
