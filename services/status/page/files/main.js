// Ties the page together: which view is shown, when it is asked for anew, what is told when that
// does not work.

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
let trouble = null;  // {message, lost}: lost: what is shown is old
let timer = null;
let running = false;
let again = false;

const first = overview(() => refreshSoon(0));
overviewBox.append(...first.parts);
overviewBox.hidden = true;
let detail = null;  // the view instead of the overview
let shown = null;   // the view that has had its first answer and is on the screen

// --- Which view ----------------------------------------------------------------------------------

function route() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const parameters = new URLSearchParams(query);
  const changed = () => refreshSoon(0);
  detail = path === "/app" ? appView(parameters, changed)
         : path === "/cluster" ? clusterView(parameters, changed) : null;
  refreshSoon(0);
}

// A view takes the place of the one before when it is complete, so that nothing jumps.
function show(view) {
  if (shown === view) return;
  const anew = shown !== null;
  shown = view;
  detailBox.replaceChildren(...(view === first ? [] : view.parts));
  detailBox.hidden = view === first;
  overviewBox.hidden = view !== first;
  document.title = view === first ? "Sealane" : `${view.title} – Sealane`;
  if (!anew) return;
  scrollTo(0, 0);
  const start = document.getElementById(view === first ? "main" : "detail-title");
  start.focus({ preventScroll: true });
}

// --- How things stand ----------------------------------------------------------------------------

function tell() {
  const lost = trouble?.lost ?? false;
  const [state, text] = lost ? ["bad", "Not live"] : !lastGood ? ["waiting", "Connecting"]
                      : streaming ? ["ok", "Live"] : ["waiting", "Reconnecting"];
  setAttribute(live, "data-state", state);
  setText(live, text);
  banner.hidden = trouble === null;
  const old = lost && lastGood ? ` What you see is from ${clock(lastGood)}.` : "";
  setText(banner, trouble ? trouble.message + old : "");
  document.body.toggleAttribute("data-stale", lost);
}

// --- Looking again -------------------------------------------------------------------------------

async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  clearTimeout(timer);
  const view = detail ?? first;
  let failure = null;
  try {
    await view.refresh();
  } catch (error) {
    // Also what this page itself does wrong: better said than silent.
    failure = { message: error.message, lost: error.status !== 404 };
  }
  running = false;
  if (view === (detail ?? first)) {
    trouble = failure;
    if (!failure?.lost) lastGood = Date.now();
    // A view of what is not there has the way back on it.
    if (!failure || view !== first) show(view);
    tell();
  }
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
