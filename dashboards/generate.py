#!/usr/bin/env python3
"""Writes the Grafana dashboards of this directory. What a panel shows is said once, below.

    dashboards/generate.py            writes them
    dashboards/generate.py --check    exits with 1 when a file is not what would be written

tests/e2e/observability_test.py asks a real Prometheus every question of every panel. A panel that has
nothing to show in a fleet that is well says so in its description, with a sentence that begins with
"Empty ".
"""

import json
import pathlib
import sys

from panels import (AGE, DAY, FULL, RATE, ZERO_IS_BETTER, ZERO_IS_GOOD, Panel, dashboard, lines, quantile, row,
                    stat, variable)

HERE = pathlib.Path(__file__).resolve().parent

# Metrics that are about the fleet are told by the leader of the status service alone. Its standbys
# have none of them, so `max` over the processes is the leader's word.
FLEET = [
    row("Now"),
    stat("Clusters ready", 'sum(sealane_clusters{condition="ready"})'),
    stat("Clusters not ready", 'sum(sealane_clusters{condition!="ready"})', steps=ZERO_IS_GOOD),
    stat("Applications healthy", 'sum(sealane_apps{phase="Healthy"})'),
    stat("Degraded or failed", 'sum(sealane_apps{phase=~"Degraded|Failed"})', steps=ZERO_IS_GOOD),
    stat("Not placed", "sum(sealane_scheduler_unscheduled_bindings)", steps=ZERO_IS_BETTER,
         text="Objects that no cluster fits at the moment."),
    stat("Replicas ready", 'sum(sealane_cluster_replicas{state="ready"})'
         ' / sum(sealane_cluster_replicas{state="wanted"})',
         unit="percentunit", steps=[(None, "red"), (0.9, "orange"), (0.999, "green")],
         text="Of the replicas that placements ask for."),
    row("Applications"),
    lines("Applications by phase", ("sum by (phase) (sealane_apps)", "{{phase}}"), stack=True, width=12),
    lines("From accepted to healthy everywhere",
          (quantile(0.5, "sealane_deploy_to_healthy_seconds", window="$__range"), "half"),
          (quantile(0.9, "sealane_deploy_to_healthy_seconds", window="$__range"), "9 of 10"),
          (quantile(0.99, "sealane_deploy_to_healthy_seconds", window="$__range"), "99 of 100"),
          unit="s", width=12,
          text="One observation for each generation of an object that became healthy in all its clusters. "
          "Over the chosen time."),
    lines("Steps of rollouts", *[
        (quantile(0.9, "sealane_status_rollout_step_seconds", by="step", window="$__range"), "{{step}}")],
        unit="s", text="Nine of ten took less, over the chosen time. claimed and placed once for each generation, "
        "the others in each cluster; each from the step before. `sealane trace NAME` has one in full."),
    lines("Rollouts", ("sum(rate(sealane_deploy_to_healthy_seconds_count[" + RATE + "]))",
                       "became healthy"),
          ("sum(rate(sealane_policy_operations_total{result=\"accepted\"}[" + RATE + "]))", "accepted"),
          ("sum(rate(sealane_policy_operations_total{result=\"refused\"}[" + RATE + "]))", "refused"),
          unit="ops"),
    lines("Works that cannot be applied", ("sum by (reason) (sealane_works_failed)", "{{reason}}"),
          text="By the API servers' reasons."),
    lines("Moves", ("sum(rate(sealane_scheduler_moves_total[" + RATE + "]))", "placements changed"),
          ("sum(rate(sealane_scheduler_evictions_total[" + RATE + "]))", "clusters left"),
          ("sum(rate(sealane_scheduler_application_failovers_total[" + RATE + "]))", "applications failed over"),
          ("sum(rate(sealane_scheduler_cluster_failovers_total[" + RATE + "]))", "left because of a taint"),
          unit="ops"),
    lines("Failover", ("max(sealane_status_failover_clusters)", "clusters that are left"),
          ("max(sealane_status_failover_storm)", "waits: too many clusters not ready"),
          ("sum(sealane_scheduler_failovers_waiting)", "objects waiting for their turn"),
          ("sum(sealane_scheduler_short_clusters)", "clusters short of room")),
    lines("Drift repaired", (f"sum by (cluster) (rate(sealane_cluster_drift_repairs_total[{RATE}]))",
                             "{{cluster}}"), unit="ops",
          text="Objects that somebody changed in a cluster and its agent set right."),
    row("Clusters"),
    Panel("table", "Clusters", [
        ("max by (cluster) (sealane_cluster_ready)", "is ready"),
        ("max by (cluster) (sealane_cluster_heartbeat_age_seconds)", "last heartbeat"),
        ('max by (cluster) (sealane_cluster_nodes{state="ready"})', "nodes ready"),
        ('max by (cluster) (sealane_cluster_nodes{state="total"})', "nodes"),
        ('max by (cluster) (sealane_works{state="applied"})', "applied"),
        ('max by (cluster) (sealane_works{state="failed"})', "failed"),
        ('max by (cluster) (sealane_cluster_replicas{state="wanted"})', "wanted"),
        ('max by (cluster) (sealane_cluster_replicas{state="ready"})', "ready"),
    ], width=24, columns={"last heartbeat": "s"},
        text="What the status service knows of each cluster."),
    Panel("bargauge", "CPU asked for", [
        ('max by (cluster) (sealane:cluster_used:ratio{resource="cpu"})', "{{cluster}}")],
        unit="percentunit", steps=FULL),
    Panel("bargauge", "Memory asked for", [
        ('max by (cluster) (sealane:cluster_used:ratio{resource="memory"})', "{{cluster}}")],
        unit="percentunit", steps=FULL),
    Panel("bargauge", "Pods", [
        ('max by (cluster) (sealane:cluster_used:ratio{resource="pods"})', "{{cluster}}")],
        unit="percentunit", steps=FULL),
]

C = '{cluster=~"$cluster"}'


def of_cluster(extra):
    return '{cluster=~"$cluster", ' + extra + "}"


CLUSTER = [
    row("What the fleet knows of it"),
    stat("Ready", f"min(sealane_cluster_ready{C})",
         mappings={"0": ("not ready", "red"), "1": ("ready", "green")}),
    stat("Last heartbeat", f"max(sealane_cluster_heartbeat_age_seconds{C})", unit="s", steps=AGE),
    stat("Nodes ready", "sum(sealane_cluster_nodes" + of_cluster('state="ready"') + ")"),
    stat("Applied", "sum(sealane_works" + of_cluster('state="applied"') + ")"),
    stat("Works failed", "sum(sealane_works" + of_cluster('state="failed"') + ")", steps=ZERO_IS_GOOD),
    stat("Works unhealthy", "sum(sealane_works" + of_cluster('state="unhealthy"') + ")",
         steps=ZERO_IS_GOOD),
    stat("Being removed", "sum(sealane_works" + of_cluster('state="removing"') + ")",
         steps=ZERO_IS_BETTER, text="Objects whose deletion was asked for and that finalizers hold."),
    stat("Replicas missing", "sum(sealane_cluster_replicas" + of_cluster('state="wanted"') + ") - "
         "sum(sealane_cluster_replicas" + of_cluster('state="ready"') + ")", steps=ZERO_IS_BETTER),
    lines("Works that cannot be applied", (f"sum by (reason) (sealane_works_failed{C})", "{{reason}}"),
          text="By the API server's reason.", width=8),
    lines("Drift repaired", (f"sum by (cluster) (rate(sealane_cluster_drift_repairs_total{C}[{RATE}]))",
                             "{{cluster}}"), unit="ops", width=8,
          text="As its agent reported it."),
    lines("Replicas", (f"sum by (state) (sealane_cluster_replicas{C})", "{{state}}"), width=8),
    lines("Works by state", (f"sum by (state) (sealane_works{C})", "{{state}}"), width=8),
    lines("Heartbeat age", (f"max by (cluster) (sealane_cluster_heartbeat_age_seconds{C})",
                            "{{cluster}}"), unit="s", width=8),
    lines("CPU", ("sum(sealane_cluster_allocatable" + of_cluster('resource="cpu"') + ")", "allocatable"),
          ("sum(sealane_cluster_allocated" + of_cluster('resource="cpu"') + ")", "asked for"),
          text="Cores."),
    lines("Memory", ("sum(sealane_cluster_allocatable" + of_cluster('resource="memory"') + ")",
                     "allocatable"),
          ("sum(sealane_cluster_allocated" + of_cluster('resource="memory"') + ")", "asked for"),
          unit="bytes"),
    lines("Pods", ("sum(sealane_cluster_allocatable" + of_cluster('resource="pods"') + ")", "room for"),
          ("sum(sealane_cluster_allocated" + of_cluster('resource="pods"') + ")", "run")),
    row("What its agent says (needs a scrape of the agents with the label cluster)"),
    stat("API server", f"min(sealane_agent_api_healthy{C})",
         mappings={"0": ("does not answer", "red"), "1": ("answers", "green")}),
    stat("Bus", f"min(sealane_agent_bus_connected{C})",
         mappings={"0": ("cut off", "red"), "1": ("connected", "green")}),
    stat("State directory", f"min(sealane_agent_state_writable{C})",
         mappings={"0": ("not writable", "red"), "1": ("writable", "green")}),
    stat("Works known", f"sum(sealane_agent_works{C})"),
    stat("Cannot be applied", f"sum(sealane_agent_works_failed{C})", steps=ZERO_IS_GOOD),
    stat("Reports not yet stored", f"sum(sealane_agent_reports_pending{C})"),
    lines("Applies", (f"sum by (result) (rate(sealane_agent_applies_total{C}[{RATE}]))", "{{result}}"),
          unit="ops"),
    lines("From arrival of a work to its apply",
          (quantile(0.5, "sealane_agent_apply_seconds", where=C, window="$__range"), "half"),
          (quantile(0.99, "sealane_agent_apply_seconds", where=C, window="$__range"), "99 of 100"),
          unit="s", text="Over the chosen time."),
    lines("Drift", (f"sum by (answer) (rate(sealane_agent_drift_total{C}[{RATE}]))", "{{answer}}"),
          unit="ops", text="Somebody else changed an object: repaired, or, where the policy says so, "
          "only reported."),
    lines("Requests to the API server",
          (f"sum(rate(sealane_agent_api_requests_total{C}[{RATE}]))", "sent"),
          (f"sum(rate(sealane_agent_api_errors_total{C}[{RATE}]))", "no answer"),
          (f"sum(rate(sealane_agent_api_throttled_total{C}[{RATE}]))", "429"),
          (f"sum(rate(sealane_agent_watch_failures_total{C}[{RATE}]))", "failed watches"), unit="reqps"),
    lines("Failed applies", (f"sum by (reason) (rate(sealane_agent_apply_errors_total{C}[{RATE}])) > 0",
                             "{{reason}}"), unit="ops",
          text="By the API server's reason. Empty while none fails."),
    lines("Works waiting", (f"sum(sealane_agent_queue_waiting{C})", "waiting")),
    lines("Age of the oldest", (f"max(sealane_agent_queue_age_seconds{C})", "oldest"), unit="s"),
    lines("Works that arrived", (f"sum by (result) (rate(sealane_agent_works_received_total{C}[{RATE}]))",
                                 "{{result}}"), unit="ops"),
]

A = '{namespace=~"$namespace", kind=~"$kind", name=~"$application"'
PLACED, NEWEST, HEALTHY, WANTED, READY = [
    f'state="{state}"' for state in ("placed", "newest", "healthy", "wanted", "ready")]
NEEDS = "Needs --per-app-metrics of the status service."


def of_app(metric, extra=""):
    return f"{metric}{A}{', ' + extra if extra else ''}}}"


APPLICATION = [
    row("Now"),
    Panel("stat", "Phase", [(f"max by (name, phase) ({of_app('sealane_app_phase')})", "{{phase}}")],
          width=6, height=4, text=NEEDS),
    stat("Clusters", f"sum({of_app('sealane_app_clusters', PLACED)})",
         text="That should run it, or still hold something of it."),
    stat("Run the newest generation", f"sum({of_app('sealane_app_clusters', NEWEST)})"),
    stat("Run it and are healthy", f"sum({of_app('sealane_app_clusters', HEALTHY)})"),
    stat("Replicas missing", f"sum({of_app('sealane_app_replicas', WANTED)}) - "
         f"sum({of_app('sealane_app_replicas', READY)})", width=6, steps=ZERO_IS_BETTER),
    row("Clusters"),
    lines("Ready replicas by cluster",
          (f"sum by (cluster) ({of_app('sealane_app_replicas', READY)})", "{{cluster}}"),
          stack=True, width=12),
    lines("Replicas", (f"sum by (state) ({of_app('sealane_app_replicas')})", "{{state}}"), width=12),
    Panel("table", "Where it runs", [
        (f"sum by (cluster) ({of_app('sealane_app_replicas', WANTED)})", "wanted"),
        (f"sum by (cluster) ({of_app('sealane_app_replicas', READY)})", "ready")], width=12),
    lines("Clusters by how far they are", (f"sum by (state) ({of_app('sealane_app_clusters')})", "{{state}}"),
          width=12),
    row("Rollout"),
    Panel("bargauge", "The newest generation, since it was accepted",
          [(f"max by (step) ({of_app('sealane_app_rollout_step_seconds')})", "{{step}}")], unit="s", width=12,
          text="Until the slowest cluster so far took the step. `sealane trace NAME` has each cluster."),
    lines("The same over time", (f"max by (step) ({of_app('sealane_app_rollout_step_seconds')})", "{{step}}"),
          unit="s", width=12),
    lines("Phase over time", (f"max by (name, phase) ({of_app('sealane_app_phase')})", "{{phase}}"),
          stack=True, width=12),
    lines("For comparison: all rollouts",
          (quantile(0.5, "sealane_deploy_to_healthy_seconds", window="$__range"), "half"),
          (quantile(0.9, "sealane_deploy_to_healthy_seconds", window="$__range"), "9 of 10"),
          unit="s", width=12, text="From accepted to healthy everywhere, over the chosen time."),
]

SERVICES = 'job=~"sealane.*"'

CONTROL = [
    row("Processes"),
    Panel("table", "Processes", [
        ("max by (job, instance, service, version) (sealane_build_info)", "runs"),
        ("max by (job, instance) (time() - process_start_time_seconds{" + SERVICES + "})", "for"),
        ("max by (job, instance) (process_resident_memory_bytes{" + SERVICES + "})", "memory"),
        ("max by (job, instance) (process_open_fds{" + SERVICES + "})", "files"),
        ("max by (job, instance) (process_threads{" + SERVICES + "})", "threads"),
    ], width=16, columns={"for": "s", "memory": "bytes"}),
    lines("Leaders", ("sum(sealane_policy_leader)", "policy"), ("sum(sealane_scheduler_leader)", "scheduler"),
          ("sum(sealane_status_leader)", "status"), width=8,
          text="One each; for a moment none while another takes over."),
    lines("CPU", (f"rate(process_cpu_seconds_total{{{SERVICES}}}[{RATE}])", "{{instance}}"), unit="percentunit"),
    lines("Memory", (f"process_resident_memory_bytes{{{SERVICES}}}", "{{instance}}"), unit="bytes"),
    lines("Restarts", (f"changes(process_start_time_seconds{{{SERVICES}}}[$__range])", "{{instance}}"),
          text="In the chosen time."),
    row("Policy"),
    lines("Deploy events", (f"sum(rate(sealane_policy_deploy_events_total[{RATE}]))", "events"),
          (f"sum by (result) (rate(sealane_policy_operations_total[{RATE}]))", "operations {{result}}"),
          unit="ops"),
    lines("From received to durable",
          (quantile(0.5, "sealane_policy_intake_duration_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_policy_intake_duration_seconds", window="$__range"), "99 of 100"),
          unit="s", text="Over the chosen time."),
    lines("Rendering one object for all its clusters",
          (quantile(0.5, "sealane_policy_render_duration_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_policy_render_duration_seconds", window="$__range"), "99 of 100"),
          unit="s", text="Over the chosen time."),
    lines("Policy: keys waiting", ("sum by (queue) (sealane_policy_queue_depth)", "{{queue}}"), width=8),
    lines("Policy: age of the oldest", ("max by (queue) (sealane_policy_queue_age_seconds)", "{{queue}}"),
          unit="s"),
    lines("Works written", (f"sum(rate(sealane_policy_works_written_total[{RATE}]))", "works"),
          (f"sum(rate(sealane_policy_bindings_written_total[{RATE}]))", "bindings"),
          (f"sum(rate(sealane_policy_works_unchanged_total[{RATE}]))", "works that stayed as they were"),
          unit="ops"),
    lines("Held by the policy service", ("max(sealane_policy_objects)", "objects"), ("max(sealane_policy_bindings)", "bindings"),
          ("max(sealane_policy_works)", "works"), ("max(sealane_policy_works_deleting)", "works being removed"),
          ("max(sealane_policy_render_errors)", "works whose rendering failed")),
    row("Scheduler"),
    lines("Decisions", (f"sum by (outcome) (rate(sealane_scheduler_decisions_total[{RATE}]))", "{{outcome}}"),
          (f"sum(rate(sealane_scheduler_unchanged_total[{RATE}]))", "nothing to move"), unit="ops"),
    lines("Time of one decision",
          (quantile(0.5, "sealane_scheduler_decision_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_scheduler_decision_seconds", window="$__range"), "99 of 100"),
          unit="s", text="Over the chosen time."),
    lines("From a decision to its durable row",
          (quantile(0.5, "sealane_scheduler_placement_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_scheduler_placement_seconds", window="$__range"), "99 of 100"),
          unit="s", text="Over the chosen time."),
    lines("Scheduler: bindings waiting", ("sum(sealane_scheduler_queue_depth)", "waiting")),
    lines("Scheduler: age of the oldest", ("max(sealane_scheduler_queue_age_seconds)", "oldest"), unit="s"),
    lines("Capacity questions to agents",
          (f"sum(rate(sealane_scheduler_capacity_requests_total[{RATE}]))", "asked"),
          (f"sum(rate(sealane_scheduler_capacity_silent_total[{RATE}]))", "no usable answer"),
          (f"sum(rate(sealane_scheduler_capacity_waits_total[{RATE}]))", "decisions that waited"), unit="ops"),
    row("Status"),
    lines("Heartbeats", (f"sum by (result) (rate(sealane_status_heartbeats_total[{RATE}]))", "{{result}}"),
          unit="ops"),
    lines("Reports of agents", (f"sum by (result) (rate(sealane_status_work_statuses_total[{RATE}]))",
                                "{{result}}"), unit="ops"),
    lines("From an agent's report to the durable status",
          (quantile(0.5, "sealane_status_report_to_app_status_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_status_report_to_app_status_seconds", window="$__range"), "99 of 100"),
          unit="s", text="Over the chosen time."),
    lines("Status: waiting", ("sum(sealane_status_app_queue_depth)", "applications"),
          ("sum(sealane_status_cluster_queue_depth)", "clusters")),
    lines("Status: age of the oldest", ("max(sealane_status_app_queue_age_seconds)", "application"),
          ("max(sealane_status_cluster_queue_age_seconds)", "cluster"), unit="s"),
    lines("Rows written", (f"sum(rate(sealane_status_app_writes_total[{RATE}]))", "applications"),
          (f"sum(rate(sealane_status_cluster_writes_total[{RATE}]))", "clusters"),
          (f"sum(rate(sealane_status_app_write_errors_total[{RATE}])) + "
           f"sum(rate(sealane_status_cluster_write_errors_total[{RATE}]))", "failed"), unit="ops"),
    row("Bus"),
    lines("Connected", ("sealane_bus_connected", "{{instance}}"), width=8,
          text="1 while the connection is up."),
    lines("Durable writes", (f"sum by (instance) (rate(sealane_bus_appends_total[{RATE}]))", "{{instance}}"),
          unit="ops"),
    lines("Time of a durable write",
          (quantile(0.5, "sealane_bus_append_seconds", by="instance", window="$__range"), "{{instance}} half"),
          (quantile(0.99, "sealane_bus_append_seconds", by="instance", window="$__range"),
           "{{instance}} 99 of 100"), unit="s", text="Over the chosen time."),
    lines("Behind", ("max by (instance, stream) (sealane_bus_pending_messages)", "{{instance}} {{stream}}"),
          text="Messages that the bus still had for a process when it sent the last one."),
    lines("Trouble", (f"sum(rate(sealane_bus_connects_total[{RATE}]))", "connections made"),
          (f"sum(rate(sealane_bus_disconnects_total[{RATE}]))", "lost connections"),
          (f"sum(rate(sealane_bus_errors_total[{RATE}]))", "errors"),
          (f"sum(rate(sealane_bus_dropped_messages_total[{RATE}]))", "dropped messages"),
          (f"sum(rate(sealane_bus_append_timeouts_total[{RATE}]))", "writes of unknown result"),
          (f"sum(rate(sealane_bus_resyncs_total[{RATE}]))", "began again to be sure of all"), unit="ops"),
]

API = [
    row("Kubernetes API (sealane-gateway)"),
    stat("Gateways that copy rows", "sum(sealane_gateway_leader)", steps=[(None, "red"), (1, "green"), (2, "red")],
         text="One of them copies what all of them show."),
    stat("Objects shown", "max(sealane_gateway_objects)"),
    stat("Connections", "sum(sealane_gateway_connections)"),
    stat("Watches open", "sum(sealane_gateway_watches)"),
    stat("Writes not answered yet", "sum(sealane_gateway_writes_waiting)"),
    stat("Answers of members", "sum(sealane_gateway_member_answers)",
         text="Under way from member clusters, watches and logs among them."),
    stat("Certificate runs out in", "min(sealane_gateway_certificate_expiry_timestamp_seconds > 0) - time()", unit="s",
         steps=[(None, "red"), (7 * DAY, "orange"), (14 * DAY, "green")],
         text="The first of all gateways that serve. A new file is read within ten seconds."),
    lines("Requests", (f"sum by (verb) (rate(sealane_gateway_requests_total[{RATE}]))", "{{verb}}"),
          (f"sum(rate(sealane_gateway_member_requests_total[{RATE}]))", "passed on to members"), unit="reqps",
          text="By verb. other: discovery and the like."),
    lines("Answers that are no success",
          (f'sum by (code) (rate(sealane_gateway_requests_total{{code!~"2.."}}[{RATE}]))', "{{code}}"), unit="reqps",
          text="By code. 404 and 409 belong to daily life; 5.. are the server's own failures. none: the client left."),
    lines("Share of failures",
          (f'sum(rate(sealane_gateway_requests_total{{code=~"5.."}}[{RATE}]))'
           f' / sum(rate(sealane_gateway_requests_total{{code!="401"}}[{RATE}]))', "of the API"),
          (f'sum(rate(sealane_gateway_member_requests_total{{code=~"5.."}}[{RATE}]))'
           f' / sum(rate(sealane_gateway_member_requests_total{{code!="401"}}[{RATE}]))', "of members"),
          unit="percentunit", text="Answers with 5.. among those to known users. Members that are cut off fail, too. "
                                   "Empty while nobody asks."),
    lines("From a read to its answer",
          (quantile(0.5, "sealane_gateway_read_seconds", by="verb", window="$__range"), "{{verb}} half"),
          (quantile(0.99, "sealane_gateway_read_seconds", by="verb", window="$__range"), "{{verb}} 99 of 100"),
          unit="s", text="With its wait for its turn; watches left out. Over the chosen time."),
    lines("From a write to its answer",
          (quantile(0.5, "sealane_gateway_write_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_gateway_write_seconds", window="$__range"), "99 of 100"),
          unit="s", text="A write is answered when it is durable. Over the chosen time."),
    lines("Refused", (f"sum by (reason) (rate(sealane_gateway_refused_total[{RATE}]))", "{{reason}}"), unit="reqps",
          text="unauthenticated: 401, forbidden: 403, too_many...: 429."),
    lines("How far behind it shows",
          (quantile(0.5, "sealane_gateway_lag_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_gateway_lag_seconds", window="$__range"), "99 of 100"),
          unit="s", text="From a row's being stored on the bus to its showing in a gateway. Over the chosen time."),
    lines("Rows copied", (f"sum(rate(sealane_gateway_rows_copied_total[{RATE}]))", "rows"), unit="ops",
          text="Into the stream that all gateways read."),
    lines("Connections that gave way", (f"sum by (which) (rate(sealane_gateway_connections_closed_total[{RATE}]))",
                                        "{{which}}"), unit="ops",
          text="Closed because there were too many: the one that waited longest, or the new one."),
    lines("Clients that read too slowly", (f"sum(rate(sealane_gateway_watches_expired_total[{RATE}]))", "watches that got 410"),
          (f"sum(rate(sealane_gateway_answers_not_taken_total[{RATE}]))", "connections closed"), unit="ops",
          text="A watch gets 410 when what its client missed is not kept any more; it lists again then."),
    lines("TLS handshakes held", (f"sum by (outcome) (rate(sealane_gateway_handshakes_held_total[{RATE}]))",
                                  "{{outcome}}"), unit="ops",
          text="Too many at once, all in all or from one address."),
    lines("Files of certificates and tokens", (f"sum by (result) (increase(sealane_gateway_credentials_reads_total[{RATE}]))",
                                               "{{result}}"),
          text="Read again after they changed."),
    row("Git sources (sealane-source)"),
    stat("Sources", "max(sealane_source_sources)"),
    stat("Sources that fail", "max(sealane_source_sources_failing)", steps=ZERO_IS_GOOD,
         text="The newest commit is not in force, or the repository cannot be read."),
    stat("Objects they own", "max(sealane_source_objects)"),
    stat("Longest over its time", "clamp_min(time() - max(sealane_source_sync_due_timestamp_seconds > 0), 0)", unit="s",
         steps=[(None, "green"), (300, "orange"), (1800, "red")],
         text="Of the source that has not been in force for longest: since when it should have been looked at again. "
              "Empty without sources, or while all are suspended."),
    lines("Reads of repositories", (f"sum by (result) (rate(sealane_source_fetches_total[{RATE}]))", "{{result}}"),
          unit="ops"),
    lines("Time of a read",
          (quantile(0.5, "sealane_source_fetch_duration_seconds", window="$__range"), "half"),
          (quantile(0.99, "sealane_source_fetch_duration_seconds", window="$__range"), "99 of 100"),
          unit="s", text="Fetching a branch and reading its manifests. Over the chosen time."),
    lines("Commits", (f"sum by (result) (increase(sealane_source_commits_total[{RATE}]))", "{{result}}"),
          text="By what became of them."),
    lines("Operations published", (f"sum by (type) (rate(sealane_source_operations_total[{RATE}]))", "{{type}}"),
          (f"sum(rate(sealane_source_repairs_total[{RATE}]))", "commits published again"), unit="ops",
          text="A commit is published again when the fleet is not as it says."),
]

DASHBOARDS = {
    "fleet.json": dashboard(
        "sealane-fleet", "Sealane / Fleet overview",
        "All clusters and applications at a glance.", FLEET),
    "application.json": dashboard(
        "sealane-application", "Sealane / Application",
        "One application. Needs the status service to run with --per-app-metrics.", APPLICATION,
        [variable("namespace", "label_values(sealane_app_phase, namespace)", label="Namespace"),
         variable("kind", 'label_values(sealane_app_phase{namespace=~"$namespace"}, kind)', label="Kind"),
         variable("application", 'label_values(sealane_app_phase{namespace=~"$namespace", kind=~"$kind"}, name)',
                  label="Application")]),
    "cluster.json": dashboard(
        "sealane-cluster", "Sealane / Cluster", "One member cluster.", CLUSTER,
        [variable("cluster", "label_values(sealane_cluster_allocatable, cluster)", label="Cluster",
                  several=True)]),
    "control-plane.json": dashboard(
        "sealane-control-plane", "Sealane / Control plane",
        "The services, the agents' processes and the bus.", CONTROL),
    "api.json": dashboard(
        "sealane-api", "Sealane / Kubernetes API and Git",
        "The two ways in for people who use neither the CLI nor deploy events.", API),
}


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    for name, content in DASHBOARDS.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        path = HERE / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, "utf-8")
    print(("not as generated: " if check else "written: ") + ", ".join(stale) if stale else "all up to date")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
