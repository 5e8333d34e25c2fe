// Numbers, times and states as people read them.

import { h, setAttribute, setText } from "./dom.js";

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** "9,999", then "12.3k", "119k": never more than there is. */
export function compact(number) {
  if (number < 10000) return number.toLocaleString("en");
  const thousands = number / 1000;
  return `${thousands < 100 ? Math.floor(thousands * 10) / 10 : Math.floor(thousands)}k`;
}

/** "12 s", "3 min", "2 h", "5 d" since a time in milliseconds; "" for none. */
export function since(time) {
  return time ? duration((Date.now() - time) / 1000) : "";
}

export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

export function clock(time) {
  const date = new Date(time);
  const two = (n) => String(n).padStart(2, "0");
  const hours = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (Date.now() - time < 86400e3) return hours;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${hours}`;
}

export function cores(milli) {
  const value = milli / 1000;
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Math.round(value * 10) / 10);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
export function bytes(value) {
  let unit = 0;
  let number = value;
  while (number >= 1024 && unit < UNITS.length - 1) {
    number /= 1024;
    ++unit;
  }
  return `${number >= 100 || unit === 0 ? Math.round(number) : Math.round(number * 10) / 10} ${UNITS[unit]}`;
}

export function percent(used, of) {
  return of > 0 ? Math.round((100 * used) / of) : 0;
}

// Every state has a sign beside its colour: ok, wait, warn, bad, off.
const TONES = {
  Ready: "ok", NotReady: "warn", Lost: "bad", Unknown: "off",
  Healthy: "ok", Progressing: "wait", Applying: "wait", Scheduled: "wait", Pending: "off",
  Degraded: "warn", Failed: "bad", Deleting: "off",
  Applied: "ok", Removing: "off", Unhealthy: "warn",
  True: "ok", False: "warn",
};
const SIGNS = { ok: "●", wait: "◔", warn: "▲", bad: "✕", off: "○" };

export function tone(state) {
  return TONES[state] ?? "off";
}

export function sign(state) {
  return SIGNS[tone(state)];
}

const WORDS = { NotReady: "Not ready" };
export function word(state) {
  return WORDS[state] ?? state;
}

/** A state as a small label that can be changed: {element, update(state)}. */
export function pill(state = "Unknown") {
  const mark = h("span", { class: "sign", "aria-hidden": "true" });
  const text = h("span");
  const element = h("span", { class: "pill" }, mark, text);
  const update = (value) => {
    setAttribute(element, "data-tone", tone(value));
    setText(mark, sign(value));
    setText(text, word(value));
  };
  update(state);
  return { element, update };
}

/** A bar of how much is used: {element, update(used, of, text)}. */
export function bar(name) {
  const fill = h("span", { class: "bar-fill" });
  const track = h("span", { class: "bar", role: "img" }, fill);
  const text = h("span", { class: "bar-text" });
  const element = h("span", { class: "gauge" }, track, text);
  const update = (used, of, words) => {
    const share = of > 0 ? Math.min(1, used / of) : 0;
    fill.style.width = `${Math.round(share * 100)}%`;
    setAttribute(fill, "data-level", share > 0.9 ? "high" : share > 0.75 ? "some" : "low");
    setText(text, words);
    setAttribute(track, "aria-label", `${name}: ${words}`);
  };
  return { element, update };
}

export function appLink(object) {
  const query = new URLSearchParams();
  for (const field of ["group", "kind", "namespace", "name"]) {
    if (object[field]) query.set(field, object[field]);
  }
  return `#/app?${query}`;
}

export function clusterLink(name) {
  return `#/cluster?${new URLSearchParams({ name })}`;
}

export function place(object) {
  return object.namespace ? `${object.namespace}/${object.name}` : object.name;
}

const CLUSTER_SCOPED_FIRST = ["Policy", "Cluster"];
/** Whether an event's object has a page of its own: policies and clusters have none as objects. */
export function hasPage(object) {
  return !CLUSTER_SCOPED_FIRST.some((end) => object.kind.endsWith(end));
}
