// The first view: sums, the map of the fleet, clusters, applications.

import { get } from "./api.js";
import { h, keyed, redraw, setAttribute, setText } from "./dom.js";
import {
  appLink, bar, bytes, clusterLink, compact, cores, count, duration, percent, pill, sign, since,
  tone, word,
} from "./format.js";

const PHASES = ["Failed", "Degraded", "Pending", "Scheduled", "Applying", "Progressing", "Healthy",
                "Deleting"];
const STATES = ["Lost", "NotReady", "Unknown", "Ready"];
const DENSE = 12;  // clusters of one region after which they are shown without their names

/** A list in pages: where it is, and its buttons. `changed` is called when the page is another. */
export function pager(changed) {
  const starts = [""];
  let next = null;
  const back = h("button", { type: "button", onclick: () => { starts.pop(); changed(); } },
                 "Previous");
  const forward = h("button", { type: "button", onclick: () => { starts.push(next); changed(); } },
                    "Next");
  const text = h("span", { class: "pager-text" });
  const element = h("div", { class: "pager" }, text, back, forward);
  return {
    element,
    get after() { return starts[starts.length - 1]; },
    first() { starts.length = 1; },
    update(answer, noun) {
      next = answer.next ?? null;
      const shown = answer.items.length;
      setText(text, answer.total > shown ? `${shown} of ${count(answer.total, noun)}`
                                         : count(answer.total, noun));
      back.disabled = starts.length === 1;
      forward.disabled = next === null;
      back.hidden = forward.hidden = starts.length === 1 && next === null;
    },
  };
}

function tile(label) {
  const value = h("span");
  const of = h("span", { class: "tile-of" });
  const note = h("p", { class: "tile-note" });
  const element = h("div", { class: "tile" }, h("h2", { class: "tile-label" }, label),
                    h("p", { class: "tile-value" }, value, of), note);
  return {
    element,
    update(text, total, words, state) {
      setText(value, text);
      setText(of, total === null ? "" : ` of ${total}`);
      setText(note, words);
      setAttribute(element, "data-tone", state);
    },
  };
}

function countsText(counts, order, but) {
  const parts = order.filter((name) => name !== but && counts[name] > 0)
    .map((name) => `${compact(counts[name])} ${word(name).toLowerCase()}`);
  return parts.length > 2 ? `${parts.slice(0, 2).join(", ")}, …` : parts.join(", ");
}

function sums() {
  const clusters = tile("Clusters ready");
  const apps = tile("Workloads healthy");
  const replicas = tile("Replicas ready");
  const cpu = tile("CPU in use");
  const memory = tile("Memory in use");
  const element = h("section", { class: "tiles", "aria-label": "The fleet in numbers" },
                    [clusters, apps, replicas, cpu, memory].map((t) => t.element));
  return {
    element,
    update(summary) {
      const { states, total } = summary.clusters;
      const ready = states.Ready ?? 0;
      clusters.update(compact(ready), compact(total),
                      countsText(states, STATES, "Ready") || (total ? "all well" : "none yet"),
                      states.Lost ? "bad" : ready < total ? "warn" : "ok");
      const phases = summary.apps.workloadPhases;
      const healthy = phases.Healthy ?? 0;
      const workloads = summary.apps.workloads;
      apps.update(compact(healthy), compact(workloads),
                  countsText(phases, PHASES, "Healthy") ||
                      `${count(summary.apps.total, "object")} in all`,
                  phases.Failed ? "bad" : phases.Degraded ? "warn" : "ok");
      const { wanted, ready: up } = summary.replicas;
      replicas.update(compact(up), compact(wanted),
                      up < wanted ? `${compact(wanted - up)} missing` : wanted ? "none missing" : "none yet",
                      up < wanted ? "warn" : "ok");
      const { cpu: c, memory: m } = summary.capacity;
      cpu.update(`${percent(c.used, c.of)} %`, null, `${cores(c.used)} of ${cores(c.of)} cores`, "ok");
      memory.update(`${percent(m.used, m.of)} %`, null, `${bytes(m.used)} of ${bytes(m.of)}`, "ok");
    },
  };
}

function clusterTile() {
  const mark = h("span", { class: "sign", "aria-hidden": "true" });
  const name = h("span", { class: "spot-name" });
  const note = h("span", { class: "spot-note" });
  const element = h("a", { class: "spot" }, mark, name, note);
  return {
    element,
    update({ cluster, dense }) {
      setAttribute(element, "href", clusterLink(cluster.name));
      setAttribute(element, "data-tone", tone(cluster.state));
      setAttribute(element, "data-cluster", cluster.name);
      setAttribute(element, "data-state", cluster.state);
      const words = [word(cluster.state), ...cluster.marks].join(", ");
      setAttribute(element, "title", `${cluster.name}: ${words}`);
      setAttribute(element, "aria-label", dense ? `${cluster.name}: ${words}` : null);
      setText(mark, sign(cluster.state));
      setText(name, dense ? "" : cluster.name);
      setText(note, dense ? "" : words);
    },
  };
}

function regionCard(choose) {
  let place = null;
  const name = h("button", { type: "button", class: "plain", title: "List its clusters",
                             onclick: () => choose(place) });
  const text = h("span", { class: "muted" });
  const spots = h("div", { class: "spots" });
  const more = h("p", { class: "muted", hidden: true });
  const element = h("div", { class: "region" },
                    h("div", { class: "region-head" }, h("h4", {}, name), text), spots, more);
  return {
    element,
    update({ provider, region }) {
      place = { provider, region: region.region };
      const dense = region.total > DENSE;
      setText(name, region.region || "no region");
      const bad = countsText(region.states, STATES, "Ready");
      setText(text, [count(region.total, "cluster"), bad].filter(Boolean).join(", "));
      setAttribute(element, "data-tone", region.states.Lost ? "bad" : bad ? "warn" : null);
      setAttribute(spots, "data-dense", dense || null);
      keyed(spots, region.clusters.map((cluster) => ({ cluster, dense })),
            (item) => item.cluster.name, clusterTile);
      more.hidden = region.more === 0;
      setText(more, `and ${compact(region.more)} more`);
    },
  };
}

function providerBlock(choose) {
  const name = h("h3");
  const text = h("span", { class: "muted" });
  const regions = h("div", { class: "regions" });
  const element = h("div", { class: "provider" },
                    h("div", { class: "provider-head" }, name, text), regions);
  return {
    element,
    update(provider) {
      setText(name, provider.provider || "no provider");
      setText(text, count(provider.total, "cluster"));
      keyed(regions, provider.regions.map((region) => ({ provider: provider.provider, region })),
            (item) => item.region.region, () => regionCard(choose));
    },
  };
}

/** `choose({provider, region})`: its clusters are wanted. */
function fleetMap(choose) {
  const providers = h("div", { class: "providers" });
  const empty = h("p", { class: "empty", hidden: true },
                  "No cluster has joined yet: see `sealane join`.");
  const more = h("p", { class: "muted", hidden: true });
  const element = h("section", { class: "panel", "aria-labelledby": "map-title" },
                    h("div", { class: "panel-head" }, h("h2", { id: "map-title" }, "Fleet"),
                      h("span", { class: "muted" }, "by provider and region")),
                    providers, empty, more);
  return {
    element,
    update(summary) {
      keyed(providers, summary.providers, (p) => p.provider, () => providerBlock(choose));
      empty.hidden = summary.clusters.total > 0;
      more.hidden = summary.moreRegions === 0;
      setText(more, `${count(summary.moreRegions, "region")} more are not shown.`);
    },
  };
}

function cell(label, ...children) {
  return h("td", { "data-label": label }, ...children);
}

function clusterRow() {
  const link = h("a", { class: "strong" });
  const where = h("span", { class: "muted block" });
  const state = pill();
  const marks = h("span", { class: "marks" });
  const nodes = h("span");
  const cpu = bar("CPU");
  const memory = bar("Memory");
  const works = h("span");
  const heard = h("span", { class: "nowrap" });
  const element = h("tr", {},
                    h("th", { scope: "row" }, link, where), cell("State", h("span", {}, state.element, marks)),
                    cell("Nodes", nodes), cell("CPU", cpu.element), cell("Memory", memory.element),
                    cell("Replicas", works), cell("Last heard", heard));
  return {
    element,
    update(cluster) {
      const { cpu: c, memory: m, nodes: n } = cluster.capacity;
      setAttribute(link, "href", clusterLink(cluster.name));
      setText(link, cluster.name);
      setText(where, [cluster.provider, cluster.region].filter(Boolean).join(" · "));
      state.update(cluster.state);
      setText(marks, cluster.marks.join(", "));
      setText(nodes, `${n.ready}/${n.of}`);
      cpu.update(c.used, c.of, `${cores(c.used)} of ${cores(c.of)}`);
      memory.update(m.used, m.of, `${bytes(m.used)} of ${bytes(m.of)}`);
      // What a cluster that is not ready runs is not known.
      const known = cluster.state === "Ready";
      setText(works, `${known ? cluster.works.replicasReady : "?"}/${cluster.works.replicasWanted}`);
      setText(heard, heardText(cluster));
      setAttribute(element, "data-tone", known ? null : tone(cluster.state));
    },
  };
}

export function heardText(cluster) {
  if (cluster.heartbeatAgeSeconds !== undefined) {
    return cluster.heartbeatAgeSeconds < 15 ? "now" : `${duration(cluster.heartbeatAgeSeconds)} ago`;
  }
  return cluster.lastHeartbeat ? `${since(cluster.lastHeartbeat)} ago` : "never";
}

function searchField(id, label, changed) {
  let timer = null;
  const input = h("input", {
    type: "search", id, placeholder: label, "aria-label": label, autocomplete: "off",
    spellcheck: "false",
    oninput: () => { clearTimeout(timer); timer = setTimeout(changed, 250); },
  });
  return input;
}

function clusterList(refresh) {
  const again = () => { pages.first(); refresh(); };
  const pages = pager(refresh);
  const search = searchField("cluster-search", "Find a cluster", again);
  const state = h("select", { "aria-label": "State of the clusters", onchange: again },
                  h("option", { value: "" }, "All states"),
                  STATES.map((name) => h("option", { value: name }, word(name))));
  let where = null;  // a place on the map; null: everywhere
  const everywhere = h("button", { type: "button", class: "phase", "aria-pressed": "true",
                                   title: "Everywhere again", hidden: true,
                                   onclick: () => choose(null) });
  const body = h("tbody");
  const empty = h("p", { class: "empty", hidden: true }, "No such cluster.");
  const title = h("h2", { id: "clusters-title", tabindex: "-1" }, "Clusters");
  const element = h("section", { class: "panel", "aria-labelledby": "clusters-title" },
                    h("div", { class: "panel-head" }, title, everywhere,
                      h("div", { class: "tools" }, search, state)),
                    h("table", { class: "cards" },
                      h("thead", {}, h("tr", {}, ["Cluster", "State", "Nodes", "CPU", "Memory",
                                                  "Replicas", "Last heard"]
                        .map((title) => h("th", { scope: "col" }, title)))),
                      body),
                    empty, pages.element);

  function choose(place) {
    where = place;
    everywhere.hidden = place === null;
    setText(everywhere, place && `${[place.provider, place.region].filter(Boolean).join(" · ") ||
                                    "no place"} ✕`);
    again();
    if (place === null) return title.focus();
    element.scrollIntoView({ block: "start" });
    return everywhere.focus({ preventScroll: true });
  }

  return {
    element,
    choose,
    ask: () => get("clusters", { ...where, q: search.value.trim(), state: state.value,
                                 after: pages.after, limit: 20 }),
    show(answer) {
      keyed(body, answer.items, (cluster) => cluster.name, clusterRow);
      empty.hidden = answer.items.length > 0;
      pages.update(answer, "cluster");
    },
  };
}

const CHIPS = 4;

// The clusters that are not well, and of the others as many as there is room for.
function chipsOf(app) {
  const bad = app.clusters.filter((part) => !part.well);
  const well = app.clusters.filter((part) => part.well);
  const shown = [...bad, ...well.slice(0, Math.max(0, CHIPS - bad.length))];
  return { shown, more: app.clusterCount - shown.length };
}

/** A row of a list of applications. */
export function appRow() {
  const link = h("a", { class: "strong" });
  const kind = h("span", { class: "muted block" });
  const phase = pill();
  const ready = h("span");
  const chips = h("span", { class: "chips" });
  const message = h("span", { class: "clip" });
  const age = h("span", { class: "nowrap" });
  const element = h("tr", {}, h("th", { scope: "row" }, link, kind), cell("Phase", phase.element),
                    cell("Ready", ready), cell("Clusters", chips), cell("Since", age),
                    cell("Message", message));
  return {
    element,
    update(app) {
      setAttribute(link, "href", appLink(app));
      setText(link, app.name);
      setText(kind, [app.kind, app.namespace].filter(Boolean).join(" in "));
      phase.update(app.phase);
      const { wanted, ready: up } = app.replicas;
      setText(ready, wanted || up ? `${up}/${wanted}` : "–");
      const { shown, more } = chipsOf(app);
      redraw(chips, [shown.map((c) => [c.cluster, partState(c)]), more],
             () => shown.map(clusterChip),
             more > 0 && h("span", { class: "muted" }, `+${compact(more)}`),
             app.clusterCount === 0 && h("span", { class: "muted" }, "none"));
      setText(message, app.phase === "Healthy" ? "" : app.message || app.scheduleMessage);
      setAttribute(message, "title", message.textContent || null);
      setText(age, since(app.since));
    },
  };
}

export function partState(part) {
  if (part.well) return "Healthy";
  if (part.state !== "Applied") return part.state;
  return part.health === "Unknown" ? "Applying" : part.health || part.state;
}

function clusterChip(part) {
  const state = partState(part);
  return h("a", { class: "chip", "data-tone": tone(state), href: clusterLink(part.cluster),
                  title: `${part.cluster}: ${word(state)}` },
           h("span", { class: "sign", "aria-hidden": "true" }, sign(state)), part.cluster);
}

export function appTable(body) {
  return h("table", { class: "cards" },
           h("thead", {}, h("tr", {}, ["Application", "Phase", "Ready", "Clusters", "Since", "Message"]
             .map((title) => h("th", { scope: "col" }, title)))),
           body);
}

function appList(refresh) {
  const again = () => { pages.first(); refresh(); };
  const pages = pager(refresh);
  const search = searchField("app-search", "Find an application", again);
  const everything = h("input", { type: "checkbox", id: "all-objects", onchange: again });
  const phases = h("div", { class: "phases", role: "group", "aria-label": "Phases" });
  const chosen = new Set();
  const body = h("tbody");
  const empty = h("p", { class: "empty", hidden: true });
  const element = h("section", { class: "panel", "aria-labelledby": "apps-title" },
                    h("div", { class: "panel-head" }, h("h2", { id: "apps-title" }, "Applications"),
                      h("div", { class: "tools" },
                        h("label", { class: "check" }, everything, " All objects"), search)),
                    phases, appTable(body), empty, pages.element);

  function phaseButton() {
    const text = h("span");
    const mark = h("span", { class: "sign", "aria-hidden": "true" });
    let name = "";
    const button = h("button", {
      type: "button", class: "phase",
      onclick: () => {
        if (!chosen.delete(name)) chosen.add(name);
        again();
      },
    }, mark, text);
    return {
      element: button,
      update(item) {
        name = item.name;
        setAttribute(button, "data-tone", tone(name));
        setAttribute(button, "aria-pressed", chosen.has(name));
        setText(mark, sign(name));
        setText(text, `${name} ${item.count}`);
      },
    };
  }

  return {
    element,
    ask: () => get("apps", {
      q: search.value.trim(), phase: [...chosen].join(","),
      only: everything.checked ? "" : "workloads", after: pages.after, limit: 20,
    }),
    show(answer) {
      const shown = PHASES.filter((name) => answer.phases[name] || chosen.has(name));
      keyed(phases, shown.map((name) => ({ name, count: answer.phases[name] ?? 0 })),
            (item) => item.name, phaseButton);
      keyed(body, answer.items, appLink, appRow);
      empty.hidden = answer.items.length > 0;
      setText(empty, search.value || chosen.size ? "No such application."
                                                 : "Nothing is deployed yet: see `sealane apply`.");
      pages.update(answer, everything.checked ? "object" : "workload");
    },
  };
}

/** The overview: {parts, refresh()}. `changed` asks for a refresh. */
export function overview(changed) {
  const numbers = sums();
  const clusters = clusterList(changed);
  const map = fleetMap(clusters.choose);
  const apps = appList(changed);
  return {
    parts: [numbers.element, map.element, clusters.element, apps.element],
    // All of it is asked for first and then shown at once.
    async refresh() {
      const [summary, clusterPage, appPage] =
          await Promise.all([get("summary"), clusters.ask(), apps.ask()]);
      numbers.update(summary);
      map.update(summary);
      clusters.show(clusterPage);
      apps.show(appPage);
    },
  };
}

