package manifests

import (
	"errors"
	"math"
	"net"
	"strconv"
	"time"
)

// Of the container.
const (
	port = 8080 // functions and probes

	// gracePeriod is the least time, in seconds, that a pod gets to end: longer than
	// a program's own (config.DefaultGrace), so that it drains before it is killed.
	gracePeriod = 60

	// closing is how many seconds a program may take after its own time to drain.
	closing = 10

	user = 65532 // "nonroot" of distroless images; any but 0 would do

	cpuRequest    = "50m"
	memoryRequest = "64Mi"
	memoryLimit   = "256Mi"
)

// addDeployment runs the functions, or the source, in a Deployment.
func (b *builder) addDeployment() error {
	scaled, err := b.addScaledObject()
	if err != nil {
		return err
	}
	spec := object{
		"selector": object{"matchLabels": b.selector()},
		"template": b.podTemplate(b.podSpec()),
	}
	if least, most := b.replicas(); !scaled {
		// Where KEDA counts, this would undo what it did at the next apply.
		spec["replicas"] = min(max(least, 1), most)
	}
	b.add("apps/v1", "Deployment", b.options.Name, object{"spec": spec})
	if b.load.http && b.set.Mode == ModeDeployment {
		b.addService()
	}
	return nil
}

func (b *builder) podTemplate(spec object) object {
	return object{
		"metadata": object{
			"labels":      b.labels(),
			"annotations": object{"checksum/config": b.checksum()},
		},
		"spec": spec,
	}
}

// podSpec returns the pod of a Deployment.
func (b *builder) podSpec() object {
	volumes, mounts := b.volumes()
	c := b.container(mounts)
	c["env"] = append(c["env"].(list), object{"name": "PORT", "value": strconv.Itoa(port)})
	if b.set.Mode == ModeSource {
		c["args"] = list{"source", "-f", inPod(configFile)}
	}
	ports := list{object{"name": "http", "containerPort": port}}
	if p, ok := b.metricsPort(); ok {
		ports = append(ports, object{"name": "metrics", "containerPort": p})
	}
	c["ports"] = ports
	return object{
		"automountServiceAccountToken":  false,
		"enableServiceLinks":            false,
		"terminationGracePeriodSeconds": b.gracePeriod(),
		"securityContext": object{
			"runAsNonRoot": true, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
			"seccompProfile": object{"type": "RuntimeDefault"},
		},
		"containers": list{c},
		"volumes":    volumes,
	}
}

// gracePeriod returns how many seconds a pod gets to end.
func (b *builder) gracePeriod() int { return max(gracePeriod, seconds(b.cfg.Grace)+closing) }

// timeout returns how many seconds Knative waits for an answer, and for a pod to
// end.
func (b *builder) timeout() int {
	longest := b.gracePeriod()
	for _, f := range b.cfg.Functions {
		longest = max(longest, seconds(f.Timeout))
	}
	return longest
}

// seconds returns d in seconds, rounded up.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// container returns what the container has in every mode.
func (b *builder) container(mounts list) object {
	return object{
		"name":  b.options.Name,
		"image": b.options.Image,
		"env":   b.environment(),
		"resources": object{
			"requests": object{"cpu": cpuRequest, "memory": memoryRequest},
			"limits":   object{"memory": memoryLimit},
		},
		"readinessProbe": b.probe("/health/readiness", 5),
		"livenessProbe":  b.probe("/health/liveness", 10),
		"securityContext": object{
			"allowPrivilegeEscalation": false,
			"readOnlyRootFilesystem":   true,
			"runAsNonRoot":             true,
			"capabilities":             object{"drop": list{"ALL"}},
			"seccompProfile":           object{"type": "RuntimeDefault"},
		},
		"volumeMounts": mounts,
	}
}

func (b *builder) probe(path string, period int) object {
	get := object{"path": path}
	if b.set.Mode != ModeService { // Knative knows the port
		get["port"] = port
	}
	if b.cfg.HTTP.TLS != nil {
		get["scheme"] = "HTTPS"
	}
	return object{"httpGet": get, "periodSeconds": period, "timeoutSeconds": 3, "failureThreshold": 3}
}

// metricsPort returns where other pods find counters.
func (b *builder) metricsPort() (int, bool) {
	host, text, err := net.SplitHostPort(b.cfg.Metrics.Listen)
	if err != nil {
		return 0, false
	}
	p, err := strconv.Atoi(text)
	ip := net.ParseIP(host)
	return p, err == nil && p > 0 && p != port && host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// addService lets other pods call the functions.
func (b *builder) addService() {
	from, name := 80, "http"
	if b.cfg.HTTP.TLS != nil {
		from, name = 443, "https"
	}
	b.add("v1", "Service", b.options.Name, object{"spec": object{
		"selector": b.selector(),
		"ports":    list{object{"name": name, "port": from, "targetPort": port}},
	}})
}

// addKnativeService runs the functions in a Knative Service.
func (b *builder) addKnativeService() error {
	if b.cfg.HTTP.TLS != nil {
		return errors.New("http.tls: Knative ends TLS itself and speaks plain HTTP to pods: remove http.tls, or deploy with --mode deployment")
	}
	volumes, mounts := b.volumes()
	c := b.container(mounts)
	c["ports"] = list{object{"name": "http1", "containerPort": port}}
	template := b.podTemplate(object{
		"automountServiceAccountToken": false,
		"enableServiceLinks":           false,
		"timeoutSeconds":               b.timeout(),
		"containers":                   list{c},
		"volumes":                      volumes,
	})
	least, most := b.replicas()
	annotations := template["metadata"].(object)["annotations"].(object)
	annotations["autoscaling.knative.dev/min-scale"] = strconv.Itoa(least)
	annotations["autoscaling.knative.dev/max-scale"] = strconv.Itoa(most)
	if b.load.pulls() && least > 0 {
		b.note("The functions fetch work, which Knative does not see: it scales by requests, from %d replicas up.", least)
	}
	b.add("serving.knative.dev/v1", "Service", b.options.Name, object{"spec": object{"template": template}})
	return nil
}

// knativePorts are where Knative's proxy beside the container listens.
var knativePorts = []int{8012, 8112, 8013, 8022, 9090, 9091}

// addNetworkPolicy lets nobody in but to what is served. What goes out is not
// limited: the addresses of brokers are in the Secret.
func (b *builder) addNetworkPolicy() {
	var ports list
	open := func(p int) { ports = append(ports, object{"port": p, "protocol": "TCP"}) }
	if b.load.http && b.set.Mode != ModeSource {
		open(port)
	}
	if p, ok := b.metricsPort(); ok {
		open(p)
	}
	if b.set.Mode == ModeService {
		for _, p := range knativePorts {
			open(p)
		}
	}
	ingress := list{}
	if ports != nil {
		ingress = append(ingress, object{"ports": ports})
	}
	b.add("networking.k8s.io/v1", "NetworkPolicy", b.options.Name, object{"spec": object{
		"podSelector": object{"matchLabels": b.pods()},
		"policyTypes": list{"Ingress"},
		"ingress":     ingress,
	}})
}

// addDisruptionBudget makes a drain of nodes take one pod after the other.
func (b *builder) addDisruptionBudget() {
	b.add("policy/v1", "PodDisruptionBudget", b.options.Name, object{"spec": object{
		"maxUnavailable": 1,
		"selector":       object{"matchLabels": b.pods()},
	}})
}
