// The live list of what was decided and done.

import { followEvents } from "./api.js";
import { h } from "./dom.js";
import { appLink, clock, clusterLink, hasPage, place } from "./format.js";

const SHOWN = 200;

function about(event) {
  const parts = [];
  if (event.object) {
    const text = `${event.object.kind} ${place(event.object)}`;
    parts.push(hasPage(event.object) ? h("a", { href: appLink(event.object) }, text) : text);
  }
  if (event.cluster) parts.push(h("a", { href: clusterLink(event.cluster) }, event.cluster));
  return parts.flatMap((part, i) => (i === 0 ? [part] : [" in ", part]));
}

function item(event) {
  const warning = event.type === "Warning";
  const subject = about(event);
  return h("li", { class: "event", "data-tone": warning ? "warn" : "ok", "data-id": event.id,
                   "data-warning": warning },
           h("p", { class: "event-head" },
             h("span", { class: "sign", "aria-hidden": "true" }, warning ? "▲" : "●"),
             h("span", { class: "strong" }, event.reason),
             h("time", { datetime: new Date(event.time).toISOString() }, clock(event.time))),
           subject.length > 0 && h("p", { class: "event-about" }, subject),
           event.message && h("p", { class: "event-text" }, event.message));
}

/** Starts the list. `onNews()` after each event that came while the page was open; `onOpen(open)`. */
export function showEvents({ onNews, onOpen }) {
  const list = document.getElementById("events");
  const empty = document.getElementById("no-events");
  const filter = document.getElementById("warnings-only");
  filter.addEventListener("change", () => {
    list.toggleAttribute("data-warnings-only", filter.checked);
  });
  let quiet = null;

  // The past comes in one go and is not read out; what happens from then on is.
  function settle() {
    clearTimeout(quiet);
    quiet = setTimeout(() => list.setAttribute("aria-live", "polite"), 1500);
  }

  // What comes together is shown together.
  let waiting = [];
  function add(element) {
    waiting.push(element);
    if (waiting.length === 1) requestAnimationFrame(flush);
    if (waiting.length > SHOWN) waiting.shift();
  }
  function flush() {
    empty.hidden = true;
    list.prepend(...waiting.reverse());
    waiting = [];
    while (list.children.length > SHOWN) list.lastElementChild.remove();
    if (list.getAttribute("aria-live") === "off") settle();
  }

  followEvents({
    onEvent(event) {
      add(item(event));
      onNews(event);
    },
    onGap() {
      add(h("li", { class: "event gap" }, "Some events before these were not kept."));
    },
    onOpen(open) {
      onOpen(open);
      if (!open) return;
      settle();
      setTimeout(() => { empty.hidden = list.children.length > 0; }, 1000);
    },
  });
}
