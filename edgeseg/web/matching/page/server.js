// Everything that the page asks of the server.

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const AWAY = "No answer from edgeseg. Is `edgeseg serve` still running on the device?";

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new ServerError(AWAY, 0);
  }
  let told = {};
  try {
    told = await response.json();
  } catch {
    // Not from edgeseg's own handlers: the status says enough.
  }
  if (!response.ok) {
    throw new ServerError(sentence(told.error || `The server answers ${response.status}`),
      response.status);
  }
  return told;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
}

function post(path, document) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(document),
  });
}

export const MAX_PHOTO_BYTES = 64 * 1024 * 1024;

export function state() {
  return ask("/api/state");
}

export function answer(photo, whole) {
  return ask(`/api/answers${whole ? "?whole=1" : ""}`, {
    method: "POST",
    headers: { "content-type": photo.type || "application/octet-stream" },
    body: photo,
  });
}

export function part(id, name) {
  return `/api/answers/${id}/${name}`;
}

export function corrected(id, strokes) {
  return post(part(id, "strokes"), { strokes });
}

export function decide(id, sku) {
  return post(part(id, "decision"), { sku });
}
