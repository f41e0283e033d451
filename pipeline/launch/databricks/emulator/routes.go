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
		s.handle("POST "+clusters+"create", asking(s, inBody[createCall], s.create))
		s.handle("POST "+clusters+"edit", asking(s, inBody[editCall], s.edit))
		s.handle("POST "+clusters+"update", asking(s, inBody[updateCall], s.update))
		s.handle("POST "+clusters+"resize", asking(s, inBody[resizeCall], s.resize))
		s.handle("POST "+clusters+"events", asking(s, inBody[eventsRequest], s.listEvents))
		s.handle("GET "+clusters+"list", s.locked(s.list))
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
	s.handle("POST /api/1.2/contexts/create", asking(s, callAsked, s.createContext))
	s.handle("GET /api/1.2/contexts/status", asking(s, callAsked, s.contextStatus))
	s.handle("POST /api/1.2/contexts/destroy", asking(s, callAsked, s.destroyContext))
	s.handle("POST /api/1.2/commands/execute", asking(s, callAsked, s.execute))
	s.handle("GET /api/1.2/commands/status", asking(s, callAsked, s.commandStatus))
	s.handle("POST /api/1.2/commands/cancel", asking(s, callAsked, s.cancelCommand))

	s.handle("GET /api/2.0/preview/scim/v2/Me", s.me)
	s.handle("GET /api/2.0/workspace-conf", s.locked(s.readConf))
	s.handle("PATCH /api/2.0/workspace-conf", asking(s, inBody[map[string]string], s.writeConf))
	s.handle("GET /api/2.0/policies/clusters/list", s.locked(s.listPolicies))
	s.handle("GET /api/2.0/policies/clusters/get", asking(s, inQuery("policy_id"), s.policy))
	s.handle("POST /api/2.0/policies/clusters/create", asking(s, policyAsked, s.createPolicy))
	s.handle("POST /api/2.0/policies/clusters/edit", asking(s, policyAsked, s.editPolicy))
	s.handle("POST /api/2.0/policies/clusters/delete", asking(s, inBody[onlyPolicy], s.deletePolicy))
	s.handle("GET /api/2.0/instance-pools/list", s.locked(s.listPools))
	s.handle("GET /api/2.0/instance-pools/get", asking(s, inQuery("instance_pool_id"), s.pool))
	s.handle("POST /api/2.0/instance-pools/create", asking(s, inBody[pool], s.createPool))
	s.handle("POST /api/2.0/instance-pools/edit", asking(s, inBody[pool], s.editPool))
	s.handle("POST /api/2.0/instance-pools/delete", asking(s, inBody[onlyPool], s.deletePool))
	s.handle("GET /api/2.0/libraries/cluster-status", s.withCluster(s.libraryStatus))
	s.handle("GET /api/2.0/libraries/all-cluster-statuses", s.locked(s.allLibraries))
	s.handle("POST /api/2.0/libraries/install", s.withLibraries((*cluster).install))
	s.handle("POST /api/2.0/libraries/uninstall", s.withLibraries((*cluster).uninstall))
	for _, method := range []string{"GET", "PUT", "PATCH"} {
		s.handle(method+" /api/2.0/permissions/{kind}/{id}", s.permissions)
	}
	s.handle("GET /api/2.0/permissions/{kind}/{id}/permissionLevels", s.locked(s.permissionLevels))
	s.handle("POST /api/2.0/token/create", asking(s, inBody[tokenCall], s.createToken))
	s.handle("GET /api/2.0/token/list", s.locked(s.listTokens))
	s.handle("POST /api/2.0/token/delete", asking(s, inBody[onlyToken], s.deleteToken))

	s.handle("POST /api/2.0/secrets/scopes/create", asking(s, secretAsked, s.createScope))
	s.handle("POST /api/2.0/secrets/scopes/delete", asking(s, secretAsked, s.inScope(s.deleteScope)))
	s.handle("GET /api/2.0/secrets/scopes/list", s.locked(s.listScopes))
	s.handle("POST /api/2.0/secrets/put", asking(s, secretAsked, s.putSecret))
	s.handle("POST /api/2.0/secrets/delete", asking(s, secretAsked, s.inScope(s.deleteSecret)))
	s.handle("GET /api/2.0/secrets/get", asking(s, secretAsked, s.inScope(s.getSecret)))
	s.handle("GET /api/2.0/secrets/list", asking(s, secretAsked, s.inScope(s.listSecrets)))
	s.handle("POST /api/2.0/secrets/acls/put", asking(s, secretAsked, s.putACL))
	s.handle("GET /api/2.0/secrets/acls/get", asking(s, secretAsked, s.inScope(s.getACL)))
	s.handle("GET /api/2.0/secrets/acls/list", asking(s, secretAsked, s.inScope(s.listACLs)))
	s.handle("POST /api/2.0/secrets/acls/delete", asking(s, secretAsked, s.inScope(s.deleteACL)))

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
	s.handle("GET /api/2.0/dbfs/read", s.locked(s.dbfsRead))
	for _, method := range []string{"PUT", "GET", "DELETE"} { // GET serves HEAD, too
		s.handle(method+" /api/2.0/fs/files/{path...}", s.locked(s.volumeFile))
		s.handle(method+" /api/2.0/fs/directories/{path...}", s.locked(s.volumeFolder))
	}
	s.handle("PUT "+adminPath+"files", s.locked(s.cloudFile))
	s.mux.HandleFunc("/", s.notFound)
}

// readConf answers with the settings that are asked for; one that nobody has set is null, as on the platform.
func (s *Server) readConf(r *request) (any, error) {
	keys := r.URL.Query().Get("keys")
	if keys == "" {
		return nil, invalid("Missing required parameter: keys")
	}
	answer := map[string]*string{}
	for key := range strings.SplitSeq(keys, ",") {
		answer[key] = nil
		if value, set := s.settings[key]; set {
			answer[key] = &value
		}
	}
	return answer, nil
}

func (s *Server) writeConf(asked map[string]string) (any, error) {
	for key, value := range asked {
		s.settings[key] = value
	}
	return nil, nil
}
