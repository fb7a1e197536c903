package manifests

import "fmt"

// scalerName is the name of the Service that KEDA asks.
func (b *builder) scalerName() string {
	if b.options.ScalerImage == "" {
		return "fairlead-scaler"
	}
	return b.options.Name + "-scaler"
}

// addScaler runs "fairlead scaler" with the configuration of the functions, once;
// without an image for it, one is expected to run already.
func (b *builder) addScaler() {
	name := b.scalerName()
	if b.options.ScalerImage == "" {
		b.note("KEDA asks %q, which has to run as the Service %s in the namespace %s, port %d, with the connections of this configuration; --scaler-image IMAGE adds one.",
			"fairlead scaler", name, b.options.Namespace, scalerPort)
		return
	}
	selector := object{"app.kubernetes.io/name": name}
	spec := b.podSpec()
	c := spec["containers"].(list)[0].(object)
	c["name"], c["image"] = "scaler", b.options.ScalerImage
	c["args"] = list{"scaler", "-f", inPod(configFile), "--listen", fmt.Sprintf(":%d", scalerPort)}
	c["ports"] = list{object{"name": "grpc", "containerPort": scalerPort}}
	probe := object{"grpc": object{"port": scalerPort}, "periodSeconds": 10, "timeoutSeconds": 3}
	c["readinessProbe"], c["livenessProbe"] = probe, probe
	template := b.podTemplate(spec)
	template["metadata"].(object)["labels"] = selector
	b.add("apps/v1", "Deployment", name, object{"spec": object{
		"replicas": 1,
		"selector": object{"matchLabels": selector},
		"template": template,
	}})
	b.add("v1", "Service", name, object{"spec": object{
		"selector": selector,
		"ports":    list{object{"name": "grpc", "port": scalerPort, "targetPort": scalerPort}},
	}})
}
