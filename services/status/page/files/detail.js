// The views of one application and of one cluster.

import { ApiError, get } from "./api.js";
import { h, keyed, redraw, setAttribute, setText } from "./dom.js";
import {
  bar, bytes, clock, clusterLink, cores, count, duration, pill, place, since, tone, word,
} from "./format.js";
import { appRow, appTable, heardText, pager, partState } from "./overview.js";

function heading(title) {
  return h("h1", { tabindex: "-1", id: "detail-title" }, title);
}

function back() {
  return h("a", { class: "back", href: "#/" }, "← Overview");
}

function facts(element, pairs) {
  const shown = pairs.filter(([, value]) => value !== "" && value !== undefined);
  redraw(element, shown,
         () => shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function table(titles, body, label) {
  return h("table", { class: "cards", "aria-label": label },
           h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
           body);
}

function cell(label, ...children) {
  return h("td", { "data-label": label }, ...children);
}

function partRow() {
  const link = h("a", { class: "strong" });
  const state = pill();
  const ready = h("span");
  const generation = h("span");
  const heard = h("span");
  const message = h("span");
  const element = h("tr", {}, h("th", { scope: "row" }, link), cell("Health", state.element),
                    cell("Ready", ready), cell("Generation", generation),
                    cell("Last word", heard), cell("Message", message));
  return {
    element,
    update(part) {
      setAttribute(link, "href", clusterLink(part.cluster));
      setText(link, part.cluster);
      state.update(partState(part));
      const { wanted, ready: up } = part.replicas;
      setText(ready, wanted || up ? `${up}/${wanted}` : "–");
      setText(generation, part.generation || "–");
      setText(heard, part.lastWord ? `${since(part.lastWord)} ago` : "none yet");
      setText(message, [part.reason, part.message].filter(Boolean).join(": ") || "–");
    },
  };
}

// --- Why here ------------------------------------------------------------------------------------

const DECISIONS = 100;

function why(decision) {
  if (decision.reasons.length > 0) return decision.reasons;
  return [decision.note || (decision.selected ? "chosen" : "could run here, was not needed")];
}

function decisionRow() {
  const link = h("a", { class: "strong" });
  const verdict = h("span", { class: "pill" });
  const replicas = h("span");
  const reasons = h("ul", { class: "reasons" });
  const scores = h("span", { class: "muted" });
  const element = h("tr", {}, h("th", { scope: "row" }, link), cell("Chosen", verdict),
                    cell("Replicas", replicas), cell("Why", reasons), cell("Scores", scores));
  return {
    element,
    update(decision) {
      const refused = decision.reasons.length > 0;
      setAttribute(link, "href", clusterLink(decision.cluster));
      setText(link, decision.cluster);
      setAttribute(verdict, "data-tone", decision.selected ? "ok" : refused ? "warn" : "off");
      setText(verdict, decision.selected ? "● yes" : refused ? "▲ refused" : "○ no");
      setText(replicas, decision.selected && decision.replicas ? decision.replicas : "–");
      redraw(reasons, why(decision), () => why(decision).map((text) => h("li", {}, text)));
      const parts = Object.entries(decision.scores).map(([name, score]) => `${name} ${score}`);
      if (decision.available !== undefined) parts.push(`room for ${decision.available}`);
      setText(scores, parts.join(", ") || "–");
    },
  };
}

function evictionItem(eviction) {
  const parts = [`${eviction.cluster}: ${eviction.reason || "it moved"}`];
  if (eviction.replacedBy.length > 0) parts.push(`replaced by ${eviction.replacedBy.join(", ")}`);
  if (eviction.since) parts.push(`since ${clock(eviction.since)}`);
  if (eviction.graceUntil) parts.push(`stays until ${clock(eviction.graceUntil)} at most`);
  return h("li", {}, parts.join("; "));
}

function whyHere(object, changed) {
  let from = 0;
  const starts = [];
  const sentence = h("p", { class: "why-sentence" });
  const sums = h("p", { class: "chips" });
  const evictions = h("ul", { class: "reasons" });
  const body = h("tbody");
  const decisions = table(["Cluster", "Chosen", "Replicas", "Why", "Scores"], body,
                          "The decision about each cluster");
  const problem = h("p", { class: "empty", hidden: true });
  const text = h("span", { class: "pager-text" });
  let next;
  const previous = h("button", { type: "button", onclick: () => { from = starts.pop(); changed(); } },
                     "Previous");
  const forward = h("button", { type: "button",
                                onclick: () => { starts.push(from); from = next; changed(); } },
                    "Next");
  const pages = h("div", { class: "pager" }, text, previous, forward);
  const element = h("section", { class: "panel", id: "why", "aria-labelledby": "why-title" },
                    h("div", { class: "panel-head" }, h("h2", { id: "why-title" }, "Why here"),
                      h("span", { class: "muted" }, "what the scheduler says of every cluster")),
                    sentence, sums, evictions, decisions, problem, pages);
  return {
    element,
    async refresh() {
      let answer;
      try {
        answer = await get("explain", { ...object, from, limit: DECISIONS });
      } catch (error) {
        // One that nothing claims has no placement; a busy scheduler is asked again soon.
        if (error.reason === "busy" || error.reason === "unreachable") return;
        for (const part of [sentence, sums, evictions, decisions, pages]) part.hidden = true;
        problem.hidden = false;
        setText(problem, error.message);
        return;
      }
      for (const part of [sentence, sums, decisions]) part.hidden = false;
      problem.hidden = true;
      const message = answer.message || answer.note;
      setText(sentence, [answer.strategy, message].filter(Boolean).join(": "));
      const chips = [[count(answer.selected, "cluster") + " chosen", "ok"]];
      if (answer.feasible) chips.push([`${count(answer.feasible, "other")} possible`, "off"]);
      for (const reason of answer.reasons) {
        chips.push([`${reason.filter} refused ${reason.clusters}`, "warn"]);
      }
      if (answer.cause) chips.push([`last change: ${answer.cause}`, "off"]);
      redraw(sums, chips,
             () => chips.map(([words, t]) => h("span", { class: "chip", "data-tone": t }, words)));
      evictions.hidden = answer.evictions.length === 0;
      redraw(evictions, answer.evictions, () => answer.evictions.map(evictionItem));
      keyed(body, answer.decisions, (decision) => decision.cluster, decisionRow);
      next = answer.next;
      pages.hidden = answer.decisionCount <= DECISIONS;
      previous.disabled = starts.length === 0;
      forward.disabled = next === undefined;
      setText(text, `${from + 1} to ${from + answer.decisions.length} of ${answer.decisionCount}`);
    },
  };
}

// --- One application -----------------------------------------------------------------------------

/** The view of the application that the parameters name: {title, parts, refresh()}. */
export function appView(parameters, changed) {
  const object = {};
  for (const field of ["group", "kind", "namespace", "name"]) {
    object[field] = parameters.get(field) ?? "";
  }
  const phase = pill();
  const message = h("p", { class: "lead" });
  const errors = h("ul", { class: "reasons bad" });
  const list = h("dl", { class: "facts" });
  const body = h("tbody");
  const left = h("p", { class: "muted", hidden: true });
  const reasons = whyHere(object, changed);
  const clusters = h("section", { class: "panel", "aria-labelledby": "parts-title" },
                     h("div", { class: "panel-head" }, h("h2", { id: "parts-title" }, "In its clusters")),
                     table(["Cluster", "Health", "Ready", "Generation", "Last word", "Message"], body,
                           "Health in each cluster"), left);
  return {
    title: place(object),
    parts: [
      back(),
      h("section", { class: "panel" },
        h("div", { class: "title-line" }, heading(object.name), phase.element),
        h("p", { class: "muted" }, [object.kind, object.namespace && `in ${object.namespace}`]
          .filter(Boolean).join(" ")),
        message, errors, list),
      clusters, reasons.element,
    ],
    async refresh() {
      const app = await get("app", object);
      phase.update(app.phase);
      setText(message, app.message);
      redraw(errors, app.renderErrors, () => app.renderErrors.map((text) => h("li", {}, text)));
      const { wanted, ready, updated } = app.replicas;
      facts(list, [
        ["Phase since", app.since ? clock(app.since) : ""],
        ["Policy", app.policy || "no policy claims it"],
        ["Replicas", wanted || ready ? `${ready} ready, ${updated} updated, of ${wanted}` : ""],
        ["Generation", app.generation === app.observedGeneration
          ? `${app.generation}, runs everywhere`
          : `${app.generation}; ${app.observedGeneration || "none"} runs everywhere`],
        ["Scheduling", [app.scheduleState, app.scheduleMessage].filter(Boolean).join(": ")],
      ]);
      keyed(body, app.clusters, (part) => part.cluster, partRow);
      left.hidden = app.clusterCount <= app.clusters.length;
      setText(left, `${count(app.clusterCount - app.clusters.length, "healthy cluster")} not shown`);
      await reasons.refresh();
    },
  };
}

// --- One cluster ---------------------------------------------------------------------------------

function conditionRow() {
  const type = h("span", { class: "strong" });
  const state = pill();
  const age = h("span");
  const message = h("span");
  const element = h("tr", {}, h("th", { scope: "row" }, type), cell("Status", state.element),
                    cell("Since", age), cell("Reason", message));
  return {
    element,
    update(condition) {
      setText(type, condition.type);
      state.update(condition.status);
      setText(age, since(condition.since));
      setText(message, [condition.reason, condition.message].filter(Boolean).join(": "));
    },
  };
}

/** The view of the cluster that the parameters name. */
export function clusterView(parameters, changed) {
  const name = parameters.get("name") ?? "";
  const state = pill();
  const list = h("dl", { class: "facts" });
  const cpu = bar("CPU");
  const memory = bar("Memory");
  const pods = bar("Pods");
  const taints = h("p", { class: "chips" });
  const conditions = h("tbody");
  const apps = h("tbody");
  const pages = pager(changed);
  const empty = h("p", { class: "empty", hidden: true }, "Nothing is placed here.");
  const gauge = (title, { element }) => h("div", {}, h("dt", {}, title), h("dd", {}, element));
  return {
    title: name,
    parts: [
      back(),
      h("section", { class: "panel" },
        h("div", { class: "title-line" }, heading(name), state.element), list,
        h("dl", { class: "facts gauges" }, gauge("CPU", cpu), gauge("Memory", memory),
          gauge("Pods", pods)),
        taints),
      h("section", { class: "panel", "aria-labelledby": "conditions-title" },
        h("div", { class: "panel-head" }, h("h2", { id: "conditions-title" }, "Conditions")),
        table(["Condition", "Status", "Since", "Reason"], conditions, "Conditions")),
      h("section", { class: "panel", "aria-labelledby": "placed-title" },
        h("div", { class: "panel-head" }, h("h2", { id: "placed-title" }, "Placed here")),
        appTable(apps), empty, pages.element),
    ],
    async refresh() {
      const [found, placed] = await Promise.all([
        get("clusters", { name }),
        get("apps", { cluster: name, after: pages.after, limit: 20 }),
      ]);
      const cluster = found.items[0];
      if (cluster === undefined) throw new ApiError(404, "not-found", `There is no cluster ${name}.`);
      const c = cluster.capacity;
      state.update(cluster.state);
      facts(list, [
        ["Provider", cluster.provider], ["Region", cluster.region],
        ["Zones", cluster.zones.join(", ")], ["Last heard", heardText(cluster)],
        ["Nodes", `${c.nodes.ready} of ${c.nodes.of} ready`],
        ["Kubernetes", cluster.kubernetes], ["Agent", cluster.agent],
        ["Marks", cluster.marks.join(", ")],
        ["Objects", [`${cluster.works.applied} applied`,
                     cluster.works.failed && `${cluster.works.failed} failed`,
                     cluster.works.unhealthy && `${cluster.works.unhealthy} unhealthy`]
          .filter(Boolean).join(", ")],
      ]);
      cpu.update(c.cpu.used, c.cpu.of, `${cores(c.cpu.used)} of ${cores(c.cpu.of)} cores`);
      memory.update(c.memory.used, c.memory.of, `${bytes(c.memory.used)} of ${bytes(c.memory.of)}`);
      pods.update(c.pods.used, c.pods.of, `${c.pods.used} of ${c.pods.of}`);
      redraw(taints, cluster.taints, () => cluster.taints.map((taint) => h(
        "span", { class: "chip", "data-tone": "warn" },
        `taint ${taint.key}${taint.value && `=${taint.value}`}:${taint.effect}`)));
      keyed(conditions, cluster.conditions, (condition) => condition.type, conditionRow);
      keyed(apps, placed.items, (app) => `${app.group}/${app.kind}/${place(app)}`, appRow);
      empty.hidden = placed.items.length > 0;
      pages.update(placed, "object");
    },
  };
}

