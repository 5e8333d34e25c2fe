// Asking the status service. Everything is GET and read-only; docs/web-page.md describes it.

/** An answer that is not 200: `reason` is one word, `message` is for people. */
export class ApiError extends Error {
  constructor(status, reason, message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** Parameters that are undefined or null are left out. */
export async function get(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null) query.set(name, value);
  }
  const text = query.toString();
  let response;
  try {
    response = await fetch(`api/${path}${text ? `?${text}` : ""}`, {
      signal: AbortSignal.timeout(10000),
    });
  } catch {
    throw new ApiError(0, "unreachable", "The status service cannot be reached.");
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    // Not ours: a proxy's page, perhaps.
  }
  if (!response.ok || body === null) {
    throw new ApiError(response.status, body?.error ?? "unknown",
                       body?.message ?? `The answer was ${response.status}.`);
  }
  return body;
}

/**
 * Follows the events while the page is looked at. `onEvent(event)` with `event.id`, in order and
 * never twice; `onOpen(open)` when the stream begins and ends; `onGap()` when events were left out.
 */
export function followEvents({ onEvent, onOpen, onGap }) {
  let source = null;
  let timer = null;
  let last = "";
  const seen = new Set();

  function open() {
    clearTimeout(timer);
    if (source !== null || document.hidden) return;
    const from = last ? `?${new URLSearchParams({ after: last })}` : "";
    source = new EventSource(`api/events${from}`);
    source.onopen = () => onOpen(true);
    source.onmessage = (message) => {
      if (seen.has(message.lastEventId)) return;
      seen.add(message.lastEventId);
      if (seen.size > 2000) seen.delete(seen.values().next().value);
      last = message.lastEventId;
      onEvent({ ...JSON.parse(message.data), id: message.lastEventId });
    };
    source.addEventListener("gap", () => onGap());
    source.onerror = () => {
      onOpen(false);
      if (source?.readyState !== EventSource.CLOSED) return;  // it tries again by itself
      close();
      timer = setTimeout(open, 3000);
    };
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();  // a browser has few connections to one server, over all its tabs
    } else {
      open();
    }
  });
  open();
}
