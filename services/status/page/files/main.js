// Ties the page together: which view is shown, when it is asked for anew, what is told when that
// does not work.

import { get } from "./api.js";
import { setAttribute, setText } from "./dom.js";
import { appView, clusterView } from "./detail.js";
import { showEvents } from "./events.js";
import { clock } from "./format.js";
import { overview } from "./overview.js";

const EVERY = 4000;     // milliseconds between two looks
const AFTER_NEWS = 400; // after an event: more of them come together

const live = document.getElementById("live");
const banner = document.getElementById("banner");
const overviewBox = document.getElementById("overview");
const detailBox = document.getElementById("detail");

let streaming = false;
let lastGood = 0;
let trouble = "";
let timer = null;
let running = false;
let again = false;

const first = overview(() => refreshSoon(0));
overviewBox.append(...first.parts);
let detail = null;  // the view instead of the overview

// --- Which view ----------------------------------------------------------------------------------

function route() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const parameters = new URLSearchParams(query);
  const changed = () => refreshSoon(0);
  const hadDetail = detail !== null;
  detail = path === "/app" ? appView(parameters, changed)
         : path === "/cluster" ? clusterView(parameters, changed) : null;
  detailBox.replaceChildren(...(detail?.parts ?? []));
  detailBox.hidden = detail === null;
  overviewBox.hidden = detail !== null;
  document.title = detail === null ? "Sealane" : `${detail.title} – Sealane`;
  if (detail !== null || hadDetail) {
    scrollTo(0, 0);
    (document.getElementById("detail-title") ?? document.getElementById("main"))
      .focus({ preventScroll: true });
  }
  refreshSoon(0);
}

// --- How things stand ----------------------------------------------------------------------------

function tell() {
  const state = trouble ? "bad" : !lastGood ? "waiting" : streaming ? "ok" : "waiting";
  setAttribute(live, "data-state", state);
  setText(live, trouble ? "Not live" : !lastGood ? "Connecting" : streaming ? "Live" : "Reconnecting");
  banner.hidden = trouble === "";
  const old = lastGood ? ` What you see is from ${clock(lastGood)}.` : "";
  setText(banner, trouble ? trouble + old : "");
  document.body.toggleAttribute("data-stale", trouble !== "");
}

// --- Looking again -------------------------------------------------------------------------------

async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  clearTimeout(timer);
  const view = detail;
  try {
    const summary = await get("summary");
    await (view === null ? first.refresh(summary) : view.refresh());
    trouble = "";
    lastGood = Date.now();
  } catch (error) {
    // Also what this page itself does wrong: better said than silent.
    if (view === detail) trouble = error.message;
  }
  tell();
  running = false;
  if (again) {
    again = false;
    refreshSoon(0);
  } else {
    refreshSoon(EVERY);
  }
}

function refreshSoon(milliseconds) {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(refresh, milliseconds);
}

let news = null;
showEvents({
  onNews() {
    news ??= setTimeout(() => { news = null; refresh(); }, AFTER_NEWS);
  },
  onOpen(open) {
    streaming = open;
    tell();
  },
});
document.addEventListener("visibilitychange", () => refreshSoon(0));
addEventListener("hashchange", route);
tell();
route();
