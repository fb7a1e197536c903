package manifests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// How KEDA looks. It starts the first replica within a poll, and stops the last
// one when nothing waited for the cool-down.
const (
	pollSeconds     = 15
	coolDownSeconds = 120

	// failuresToFallBack is how often in a row a depth cannot be read before KEDA
	// runs at least one replica, which works on what it does not see.
	failuresToFallBack = 3
)

// replicas returns the least and the largest number of replicas.
func (b *builder) replicas() (least, most int) {
	least, most = b.options.Min, b.options.Max
	if least < 0 {
		least = 0
		if b.load.always || b.load.http && b.set.Mode != ModeService || b.load.pulls() && b.set.Mode == ModeService {
			least = 1
		}
	}
	if b.load.alone {
		least, most = min(least, 1), 1
	}
	return least, most
}

// addScaledObject makes KEDA scale the Deployment. It reports whether anything
// tells KEDA how.
func (b *builder) addScaledObject() (bool, error) {
	triggers, err := b.scaleTriggers()
	if err != nil || len(triggers) == 0 {
		return false, err
	}
	least, most := b.replicas()
	b.add("keda.sh/v1alpha1", "ScaledObject", b.options.Name, object{"spec": object{
		"scaleTargetRef":  object{"name": b.options.Name},
		"minReplicaCount": least,
		"maxReplicaCount": most,
		"pollingInterval": pollSeconds,
		"cooldownPeriod":  coolDownSeconds,
		"fallback":        object{"failureThreshold": failuresToFallBack, "replicas": max(least, 1)},
		"triggers":        triggers,
	}})
	return true, nil
}

// scaleTriggers returns what KEDA looks at, and adds what it authenticates with.
func (b *builder) scaleTriggers() (triggers list, err error) {
	authentications := make(map[string]string) // by connection
	external := false
	for _, q := range b.load.queues {
		s, err := b.scalerOf(q.connection)
		if err != nil {
			return nil, err
		}
		if s.Kind == scalerNone {
			continue
		}
		t := object{"type": s.Kind, "metadata": b.metadataOf(q, s)}
		if _, ok := authentications[q.connection]; !ok {
			authentications[q.connection] = b.addAuthentication(q.connection, s)
		}
		if name := authentications[q.connection]; name != "" {
			t["authenticationRef"] = object{"name": name}
		}
		external = external || s.Kind == scalerExternal
		triggers = append(triggers, t)
	}
	if external {
		b.addScaler()
	}
	if b.load.store {
		triggers = append(triggers, b.storeTrigger())
	}
	return triggers, nil
}

// addAuthentication adds the TriggerAuthentication of a connection, and returns
// its name; empty if the scaler needs none.
func (b *builder) addAuthentication(connection string, s Scaler) string {
	parameters := kinds()[s.Kind].auth
	if s.Kind == "rabbitmq" && s.Metadata["host"] != "" {
		parameters = []string{"username", "password"}
	}
	if len(parameters) == 0 {
		return ""
	}
	var refs list
	for _, p := range parameters {
		refs = append(refs, object{"parameter": p, "name": b.options.Secret, "key": b.credential(connection, p)})
	}
	name := b.free("TriggerAuthentication", b.options.Name+"-scaler-"+dashed(connection))
	b.add("keda.sh/v1alpha1", "TriggerAuthentication", name, object{"spec": object{"secretTargetRef": refs}})
	return name
}

// credential returns the key of the Secret that holds a parameter of a scaler:
// the variable that the connection reads, or one of its own.
func (b *builder) credential(connection, parameter string) string {
	setting := map[string]string{"username": "user", "password": "password"}[parameter]
	if m := onlyVariable.FindStringSubmatch(b.document.at("connections", connection, setting)); setting != "" && m != nil {
		b.secret.add(SecretKey{Key: m[1], Means: "the variable"}) // KEDA has no default for it
		return m[1]
	}
	key := strings.Trim(notWord.ReplaceAllString(strings.ToUpper(connection+"_scaler_"+parameter), "_"), "_")
	means := "what KEDA's scaler authenticates with at " + connection + ": " + parameter
	if parameter == "host" {
		means = "where KEDA's scaler finds " + connection + ", such as amqp://USER:PASSWORD@HOST:5672/VHOST"
	}
	b.secret.add(SecretKey{Key: key, Means: means})
	return key
}

// onlyVariable is a value that one variable of the environment holds.
var onlyVariable = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}$`)

// storeTrigger makes KEDA count what waits in the store for the functions and
// bindings of this folder.
func (b *builder) storeTrigger() object {
	key := "STORE_URL"
	if m := onlyVariable.FindStringSubmatch(b.document.at("store", "url")); m != nil {
		key = m[1]
	}
	b.secret.add(SecretKey{Key: key, Means: "the URL of the store"})
	name := b.options.Name + "-store"
	b.add("keda.sh/v1alpha1", "TriggerAuthentication", name, object{"spec": object{
		"secretTargetRef": list{object{"parameter": "connection", "name": b.options.Secret, "key": key}},
	}})
	return object{
		"type": scalerPostgreSQL,
		"metadata": object{
			"query":                      b.storeQuery(),
			"targetQueryValue":           defaultTarget,
			"activationTargetQueryValue": "0",
		},
		"authenticationRef": object{"name": name},
	}
}

// storeQuery counts what is due in the store. A schema is shared by folders that
// publish to each other, so only the work of this one counts: what is published
// for its functions, its subscriptions to topics, the parked messages of its
// triggers, and what is staged for its bindings.
func (b *builder) storeQuery() string {
	schema := quoteName(b.cfg.Store.Schema)
	var mine []string
	for name := range b.functions() {
		mine = append(mine, fmt.Sprintf("kind = 'function' and topic = %s", quoteText(name)))
	}
	for name, t := range b.cfg.Triggers {
		if t.Topic != "" {
			// One with an empty name holds what was published before anybody subscribed.
			mine = append(mine, fmt.Sprintf("kind = 'topic' and topic = %s and name in (%s, '')", quoteText(t.Topic), quoteText(name)))
			continue
		}
		mine = append(mine, fmt.Sprintf("kind = 'trigger' and topic = %s", quoteText(name)))
	}
	for name, binding := range b.cfg.Bindings {
		if binding.Outbox {
			mine = append(mine, fmt.Sprintf("kind = 'binding' and topic = %s", quoteText(name)))
		}
	}
	if mine == nil {
		mine = []string{"kind = 'function'"}
	}
	slices.Sort(mine)
	return fmt.Sprintf("with q as (select id, kind, topic from %[1]s.subscription where %[2]s) "+
		"select (select count(*) from %[1]s.delivery d where d.queue in (select id from q))"+
		" + (select count(*) from %[1]s.parked p where p.run_at <= now() and p.queue in (select id from q))"+
		" + (select count(*) from %[1]s.delayed y where y.run_at <= now() and (y.kind, y.topic) in (select kind, topic from q))",
		schema, strings.Join(mine, " or "))
}

// functions returns the functions that the configuration names.
func (b *builder) functions() map[string]bool {
	all := make(map[string]bool)
	for name := range maps.Keys(b.cfg.Functions) {
		all[name] = true
	}
	for _, t := range b.cfg.Triggers {
		if t.Function != "" {
			all[t.Function] = true
		}
	}
	if name := b.cfg.HTTP.Function; name != "" {
		all[name] = true
	}
	return all
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// free returns name, or a longer one if there is such an object already: the names
// of connections differ in more than those of objects can.
func (b *builder) free(kind, name string) string {
	taken := func(o Object) bool { return o.Kind() == kind && o.Name() == name }
	for slices.ContainsFunc(b.set.Objects, taken) {
		name += "-x"
	}
	return name
}

// dashed makes a part of the name of an object of any name.
func dashed(name string) string {
	return strings.Trim(notLabel.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

var notLabel = regexp.MustCompile(`[^a-z0-9]+`)
