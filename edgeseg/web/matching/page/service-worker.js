// Keeps the page itself, so that an installed app opens at once and says it when nobody answers.

const KEPT = "edgeseg-page-1";
const PAGE = ["/", "/page.css", "/page.js", "/correction.js", "/server.js",
  "/manifest.webmanifest", "/icon.svg", "/icon-192.png"];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(PAGE)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))))
    .then(() => clients.claim()));
});

// The server's own files first: it is on this device, and a new version must not wait.
addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !PAGE.includes(pathname)) return;
  event.respondWith((async () => {
    const cache = await caches.open(KEPT);
    try {
      const fresh = await fetch(event.request);
      // An address with the token in it is not kept.
      if (fresh.ok && !event.request.url.includes("?")) {
        await cache.put(event.request, fresh.clone());
      }
      return fresh;
    } catch (error) {
      const kept = await cache.match(pathname);
      if (kept) return kept;
      throw error;
    }
  })());
});
