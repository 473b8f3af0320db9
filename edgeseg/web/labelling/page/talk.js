// Requests to the server, and what they may end in.

/** The server answered, and refuses: sending it again changes nothing. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** No answer, or one that says that it may work later. */
export class Unreachable extends Error {}

const PATIENCE_MS = 60_000;

/** Post a JSON object; gives the answer's. */
export async function post(path, body) {
  const sent = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await answered(path, sent);
  try {
    return await response.json();
  } catch {
    throw new Unreachable("the answer was cut short");
  }
}

/** A picture, decoded. */
export async function picture(path) {
  const response = await answered(path, {});
  let blob;
  try {
    blob = await response.blob();
  } catch {
    throw new Unreachable("the picture was cut short");
  }
  return createImageBitmap(blob);
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Unreachable("the server does not answer");
  }
  if (response.ok) return response;
  let message = `the server says ${response.status}`;
  try {
    message = (await response.json()).error;
  } catch {
    // Not from this server, or cut short: the status has to do.
  }
  if (response.status >= 500 || response.status === 408) throw new Unreachable(message);
  throw new Refused(response.status, message);
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
