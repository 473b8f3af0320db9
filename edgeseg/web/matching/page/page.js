// The page: from a photo to an answer, and from an answer to what the worker says of it.

import { Correction } from "/correction.js";
import * as server from "/server.js";

const POLL_MS = 5000;
const VIEWS = ["start", "working", "result", "correction"];

const at = (id) => document.getElementById(id);
const now = { photo: null, whole: false, answer: null, generation: null, asked: 0, wrong: false };

// --- what is shown ------------------------------------------------------------------------------

function show(view) {
  document.body.dataset.view = view;
  for (const name of VIEWS) {
    at(name).hidden = name !== view;
    const actions = at(`${name}-actions`);
    if (actions) actions.hidden = name !== view;
  }
}

function say(text) {
  at("said").textContent = text;
}

function complain(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function percent(share) {
  // Neither certainty nor impossibility was measured.
  return `${Math.min(99, Math.max(1, Math.round(share * 100)))}%`;
}

function tell(answer) {
  const banner = at("banner");
  banner.className = "";
  at("sureness").hidden = answer.probability === null;
  const first = answer.matches[0];
  if (!answer.garment) {
    banner.className = "doubt";
    at("verdict").textContent = "No garment found in this photo";
    at("doubt").textContent = "Draw over it, match the whole photo, or take another one.";
  } else if (answer.accepted === false) {
    banner.className = "doubt";
    at("verdict").textContent = "Probably not in the catalogue";
    at("doubt").textContent = `The nearest item is only ${percent(answer.probability)} likely to be it.`;
  } else if (answer.accepted) {
    banner.className = "good";
    at("verdict").textContent = first.sku;
    at("doubt").textContent = `${percent(answer.probability)} likely to be it.`;
  } else {
    at("verdict").textContent = `Nearest: ${first.sku}`;
    at("doubt").textContent = "How sure that is, this bundle cannot tell.";
  }
  if (answer.probability !== null) {
    at("sureness").firstElementChild.style.width = percent(answer.probability);
  }
}

function row(match, answer) {
  const item = element("li");
  const label = element("label", "item");
  const choice = element("input");
  choice.type = "radio";
  choice.name = "item";
  choice.value = String(match.rank);
  choice.checked = match.rank === 1 && answer.accepted === true;
  label.append(choice, picture(match, answer));
  const text = element("span", "text");
  text.append(element("bdi", "", match.sku));
  const known = Object.entries(match.attributes);
  if (known.length) {
    const told = known.map(([name, value]) => `${name}: ${value}`).join(" · ");
    text.append(element("span", "attributes", told));
  }
  text.append(element("span", "distance", `distance ${match.distance.toFixed(3)}`));
  label.append(text);
  item.append(label);
  return item;
}

function picture(match, answer) {
  const none = () => {
    const card = element("span", "picture no-picture", String(match.rank));
    card.setAttribute("aria-hidden", "true");
    return card;
  };
  if (!match.picture) return none();
  const image = element("img", "picture");
  // The SKU beside it says the same.
  image.alt = "";
  image.addEventListener("error", () => image.replaceWith(none()));
  // Asked for once the cutout is there, which is looked at first.
  image.dataset.address = server.part(answer.id, `thumbnails/${match.rank}`);
  return image;
}

async function showAnswer(answer) {
  now.answer = answer;
  tell(answer);
  const cutout = at("cutout-picture");
  cutout.alt = answer.garment ? "The garment as it was cut out" : "The photo";
  cutout.src = server.part(answer.id, answer.garment ? "cutout" : "photo");
  at("items").replaceChildren(...answer.matches.map((match) => row(match, answer)));
  at("matches").hidden = !answer.matches.length;
  document.body.dataset.garment = String(answer.garment);
  at("whole").hidden = answer.garment;
  at("provenance").textContent = answer.generation
    ? `Found in generation ${answer.generation}.` : "";
  at("none").disabled = !answer.garment;
  showChoice();
  showOutdated();
  show("result");
  scrollTo(0, 0);
  at("verdict").focus({ preventScroll: true });
  try {
    await cutout.decode();
  } catch {
    // Not shown any more, or the server is gone: the poll says so.
  }
  for (const image of at("items").querySelectorAll("img[data-address]")) {
    image.src = image.dataset.address;
  }
}

function chosen() {
  const choice = document.querySelector("input[name=item]:checked");
  return choice && now.answer.matches.find((match) => String(match.rank) === choice.value);
}

function showChoice() {
  const match = chosen();
  at("confirm").disabled = !match;
  at("confirm-word").textContent = match ? "Confirm" : "Choose an item";
  at("confirm-sku").textContent = match ? match.sku : "";
}

function showOutdated() {
  const older = now.answer && now.generation !== null && now.photo
    && now.answer.generation !== now.generation;
  at("outdated").hidden = !older;
}

// --- photos -------------------------------------------------------------------------------------

async function look(photo, whole = false) {
  const turn = now.asked += 1;
  complain("");
  say("");
  if (photo.size > server.MAX_PHOTO_BYTES) {
    complain("This file is larger than 64 MiB: take a photo with fewer pixels.");
    return;
  }
  performance.mark("photo");
  now.photo = photo;
  now.whole = whole;
  show("working");
  try {
    const answer = await server.answer(photo, whole);
    if (turn !== now.asked) return;
    await showAnswer(answer);
    requestAnimationFrame(() => performance.measure("photo to result", "photo"));
  } catch (error) {
    if (turn !== now.asked) return;
    fail(error);
    show("start");
    at("take").focus();
  }
}

function fail(error) {
  complain(error.message || "Something went wrong.");
}

for (const id of ["take", "choose", "retake"]) {
  at(id).addEventListener("change", () => {
    const [photo] = at(id).files;
    if (photo) look(photo);
    // So that the same file can be chosen again.
    at(id).value = "";
  });
}

// For gloves: all of the empty page takes a photo. The button says it to everybody else.
at("start").addEventListener("click", () => at("take").click());

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [photo] = event.dataTransfer.files;
  if (photo) look(photo);
});

at("again").addEventListener("click", () => look(now.photo, now.whole));
at("whole").addEventListener("click", () => look(now.photo, true));

// --- decisions ----------------------------------------------------------------------------------

at("items").addEventListener("change", showChoice);

async function decide(sku) {
  complain("");
  for (const id of ["none", "confirm"]) at(id).disabled = true;
  try {
    await server.decide(now.answer.id, sku);
  } catch (error) {
    fail(error);
    at("none").disabled = false;
    showChoice();
    return;
  }
  now.answer = null;
  now.photo = null;
  say(sku === null ? "Kept: none of these. Take the next photo." : `Kept: ${sku}. Take the next photo.`);
  show("start");
  at("take").focus();
}

at("none").addEventListener("click", () => decide(null));
at("confirm").addEventListener("click", () => decide(chosen().sku));

// --- correcting ---------------------------------------------------------------------------------

const correction = new Correction(at("canvas"), correct);
let corrections = Promise.resolve();

function correct(strokes) {
  const turn = now.asked += 1;
  const drawn = strokes.slice();
  at("undo").disabled = !drawn.length;
  at("canvas").classList.add("waiting");
  // One after the other: of two strokes in haste, only the last is asked for.
  corrections = corrections.then(async () => {
    if (turn !== now.asked) return;
    performance.mark("stroke");
    try {
      const answer = await server.corrected(now.answer.id, drawn);
      if (turn !== now.asked) return;
      now.answer = answer;
      await correction.showMask(server.part(answer.id, "mask"));
      requestAnimationFrame(() => performance.measure("stroke to mask", "stroke"));
      complain("");
      say(answer.garment ? "The cutout is new." : "Nothing is left of the garment.");
    } catch (error) {
      fail(error);
    } finally {
      if (turn === now.asked) at("canvas").classList.remove("waiting");
    }
  });
}

function press(foreground) {
  correction.foreground = foreground;
  at("add").setAttribute("aria-pressed", String(foreground));
  at("remove").setAttribute("aria-pressed", String(!foreground));
}

at("add").addEventListener("click", () => press(true));
at("remove").addEventListener("click", () => press(false));
at("undo").addEventListener("click", () => correction.undo());

at("correct").addEventListener("click", async () => {
  const { id, cutout } = now.answer;
  complain("");
  say("");
  try {
    await correction.open(server.part(id, "photo"), cutout === "whole" ? "" : server.part(id, "mask"));
  } catch (error) {
    fail(error);
    return;
  }
  press(now.answer.garment ? correction.foreground : true);
  at("undo").disabled = true;
  show("correction");
  scrollTo(0, 0);
  at("correction-title").focus({ preventScroll: true });
});

at("done").addEventListener("click", async () => {
  await corrections;
  say("");
  await showAnswer(now.answer);
});

// --- the catalogue ------------------------------------------------------------------------------

const thousands = new Intl.NumberFormat("en");

async function poll() {
  try {
    const state = await server.state();
    const told = `${state.age}; ${thousands.format(state.items)} items`;
    const behind = state.behind ? "; a newer one does not open" : "";
    const text = told.charAt(0).toUpperCase() + told.slice(1) + behind;
    if (at("catalogue").textContent !== text) at("catalogue").textContent = text;
    at("catalogue").classList.toggle("behind", state.behind);
    now.generation = state.generation;
    showOutdated();
    if (now.wrong) complain("");
    now.wrong = false;
  } catch (error) {
    now.wrong = true;
    fail(error);
  }
}

poll();
setInterval(() => { if (!document.hidden) poll(); }, POLL_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });

if ("serviceWorker" in navigator && isSecureContext) {
  navigator.serviceWorker.register("/service-worker.js").catch(() => {});
}
