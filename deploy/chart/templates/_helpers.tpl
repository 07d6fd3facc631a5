{{- define "leadstream.name" -}}
{{- if contains "leadstream" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-leadstream" (.Release.Name | trunc 29) }}{{ end -}}
{{- end }}

{{/* Labels that never change. Takes root and component. */}}
{{- define "leadstream.selector" -}}
app.kubernetes.io/name: leadstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "leadstream.labels" -}}
{{ include "leadstream.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "leadstream.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The name of a service's KafkaUser: a prefix and dots become what a name of Kubernetes may have. */}}
{{- define "leadstream.user" -}}
{{ include "leadstream.name" .root }}-{{ .component }}
{{- end }}

{{/* Secrets of a component, as a map of variable to name and key. Takes root, component, secrets, uses. */}}
{{- define "leadstream.secrets" -}}
{{- $secrets := deepCopy .secrets -}}
{{- $values := .root.Values -}}
{{- if and (has "kafka" .uses) $values.kafka.secret.name (not (hasKey $secrets "KAFKA_CONFIG")) -}}
{{- $_ := set $secrets "KAFKA_CONFIG" $values.kafka.secret -}}
{{- end -}}
{{- if and (has "database" .uses) (not (hasKey $secrets "DATABASE_URL")) -}}
{{- $_ := set $secrets "DATABASE_URL" $values.database.secret -}}
{{- end -}}
{{- if has "migration" .uses -}}
{{- $_ := set $secrets "MIGRATE_DATABASE_URL" $values.migration.database.secret -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end }}

{{/* Adds _FILE, unless the variable names a file anyway. */}}
{{- define "leadstream.file" -}}
{{- if hasSuffix "_FILE" . }}{{ . }}{{ else }}{{ . }}_FILE{{ end -}}
{{- end }}

{{/*
The pod of a service or a Job. Takes root, component, command (a list), settings, secrets, files, uses, resources,
and serve: whether it serves health and metrics.
*/}}
{{- define "leadstream.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $secrets := include "leadstream.secrets" . | fromYaml -}}
{{- $strimzi := and $values.strimzi.enabled (has "kafka" .uses) (not (hasKey $secrets "KAFKA_CONFIG")) -}}
{{- $environment := dict -}}
{{- if .serve }}{{ $_ := set $environment "OPS_ADDRESS" "0.0.0.0:9400" }}{{ end -}}
{{- if has "kafka" .uses -}}
{{- $_ := set $environment "KAFKA_BOOTSTRAP_SERVERS" $values.kafka.bootstrapServers -}}
{{- if $values.kafka.topicPrefix }}{{ $_ := set $environment "TOPIC_PREFIX" $values.kafka.topicPrefix }}{{ end -}}
{{- if $strimzi -}}
{{- $_ := set $environment "KAFKA_CONFIG" "security.protocol=SSL,ssl.ca.location=/run/secrets/kafka/ca.crt,ssl.certificate.location=/run/secrets/kafka/user.crt,ssl.key.location=/run/secrets/kafka/user.key" -}}
{{- else if and $values.kafka.settings (not (hasKey $secrets "KAFKA_CONFIG")) -}}
{{- $_ := set $environment "KAFKA_CONFIG" $values.kafka.settings -}}
{{- end -}}
{{- end -}}
{{- if has "registry" .uses }}{{ $_ := set $environment "SCHEMA_REGISTRY_URL" $values.registry.url }}{{ end -}}
{{- if .serve }}{{ $environment = mergeOverwrite $environment (deepCopy $values.settings) }}{{ end -}}
{{- $environment = mergeOverwrite $environment (deepCopy .settings) -}}
{{- range $variable, $source := $secrets -}}
{{- $_ := set $environment (include "leadstream.file" $variable) (printf "/run/secrets/leadstream/%s" $variable) -}}
{{- end -}}
{{- range $variable, $source := .files -}}
{{- $_ := set $environment (include "leadstream.file" $variable) (printf "/etc/leadstream/%s" $variable) -}}
{{- end -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .serve }}
# The drain of ingest and the time for work in progress, and some more.
terminationGracePeriodSeconds: 45
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {{- include "leadstream.selector" $ | nindent 8 }}
  {{- end }}
{{- else }}
restartPolicy: Never
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "leadstream.image" $root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ toJson .command }}
    env:
      {{- range $name, $value := $environment }}
      - { name: {{ $name }}, value: {{ $value | toString | quote }} }
      {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    resources: {{- toYaml .resources | nindent 6 }}
    {{- if .serve }}
    ports:
      {{- with .port }}
      - { name: http, containerPort: {{ . }} }
      {{- end }}
      - { name: ops, containerPort: 9400 }
    livenessProbe:
      httpGet: { path: /health/live, port: ops }
      periodSeconds: 10
      failureThreshold: 6
    readinessProbe:
      # A worker that cannot work has to wait, and no restart or balancer helps. So only those behind a balancer
      # leave it, and a rollout that repairs a worker is never held up.
      httpGet: { path: {{ ternary "/health/ready" "/health/live" (not (empty .port)) }}, port: ops }
      periodSeconds: 5
    {{- end }}
    {{- if or $secrets .files $strimzi }}
    volumeMounts:
      {{- if $secrets }}
      - { name: secrets, mountPath: /run/secrets/leadstream, readOnly: true }
      {{- end }}
      {{- if .files }}
      - { name: files, mountPath: /etc/leadstream, readOnly: true }
      {{- end }}
      {{- if $strimzi }}
      - { name: kafka, mountPath: /run/secrets/kafka, readOnly: true }
      {{- end }}
    {{- end }}
{{- if or $secrets .files $strimzi }}
volumes:
  {{- with $secrets }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range $variable, $source := . }}
        - secret: { name: {{ $source.name }}, items: [{ key: {{ $source.key }}, path: {{ $variable }} }] }
        {{- end }}
  {{- end }}
  {{- with .files }}
  - name: files
    projected:
      sources:
        {{- range $variable, $source := . }}
        - configMap: { name: {{ $source.name }}, items: [{ key: {{ $source.key }}, path: {{ $variable }} }] }
        {{- end }}
  {{- end }}
  {{- if $strimzi }}
  # Written by Strimzi: the certificates of the brokers and of this user.
  - name: kafka
    projected:
      defaultMode: 0440
      sources:
        - secret: { name: {{ $values.strimzi.cluster }}-cluster-ca-cert, items: [{ key: ca.crt, path: ca.crt }] }
        - secret:
            name: {{ include "leadstream.user" . }}
            items: [{ key: user.crt, path: user.crt }, { key: user.key, path: user.key }]
  {{- end }}
{{- end }}
{{- end }}

{{/* What each component uses and serves. */}}
{{- define "leadstream.components" -}}
ingest: { uses: [kafka, registry], port: 8080 }
processor: { uses: [kafka, registry, database] }
sink-crm: { uses: [kafka, database, internet] }
sink-whatsapp: { uses: [kafka, registry, database, internet] }
api: { uses: [kafka, registry, database, internet], port: 8081 }
{{- end }}

{{/* A hook that runs before the services change, in Helm and in Argo CD. Takes a weight. */}}
{{- define "leadstream.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation
argocd.argoproj.io/hook: PreSync
argocd.argoproj.io/sync-wave: {{ . | quote }}
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
{{- end }}
