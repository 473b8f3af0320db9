// This browser among others, and this tab among the browser's.

const PLACE = "edgeseg-label-browser";

/** What tells this browser from another whose person gave the same name; kept in it. */
export function browserId() {
  let id = localStorage.getItem(PLACE);
  if (!id) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(PLACE, id);
  }
  return id;
}

/** The tab that was opened last goes on: tell the others, and listen for the next. */
export function onOtherTab(stop) {
  const tabs = new BroadcastChannel("edgeseg-label");
  tabs.onmessage = stop;
  tabs.postMessage("here");
}
