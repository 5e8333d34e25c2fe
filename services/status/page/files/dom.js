// The page's own small way to make and change elements. Text of the fleet becomes text nodes and
// attributes, never markup.

/** An element: h("a", {class: "x", href: "#", onclick: fn}, "text", child, ...). */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) {
      append(element, child);
    } else if (child !== undefined && child !== null && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
}

/** Changes the text only when it differs, so that nothing flickers or is read out again. */
export function setText(element, text) {
  const value = String(text ?? "");
  if (element.textContent !== value) element.textContent = value;
}

export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, String(value));
  }
}

const kept = new WeakMap();

/**
 * Makes the children of `parent` show `items` in their order. An item that was there before keeps
 * its element (and with it the focus): make(item) -> {element, update(item)}.
 */
export function keyed(parent, items, keyOf, make) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    if (now.has(key)) continue;
    const entry = before.get(key) ?? make(item);
    entry.update(item);
    now.set(key, entry);
    if (entry.element === place) {
      place = place.nextSibling;
    } else {
      parent.insertBefore(entry.element, place);
    }
  }
  for (const [key, entry] of before) {
    if (!now.has(key)) entry.element.remove();
  }
  kept.set(parent, now);
}

/** Replaces the children when `signature` differs from the last time. */
export function redraw(parent, signature, ...children) {
  const text = JSON.stringify(signature);
  if (kept.get(parent) === text) return;
  kept.set(parent, text);
  parent.replaceChildren();
  append(parent, children.map((child) => (typeof child === "function" ? child() : child)));
}
