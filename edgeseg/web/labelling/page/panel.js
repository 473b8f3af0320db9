// What stands around the photo: progress, what is saved, lists, and questions to the person.

const byId = (id) => document.getElementById(id);

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Say something to who cannot see the photo. */
export function tell(text) {
  byId("told").textContent = text;
}

export function showProgress({ progress, groups, groups_total: total }) {
  const settled = progress.total - progress.todo;
  byId("progress").max = Math.max(1, progress.total);
  byId("progress").value = settled;
  const aside = [["rejected", progress.rejected], ["skipped", progress.skipped]]
    .filter(([, count]) => count > 0).map(([name, count]) => `, ${count} ${name}`).join("");
  byId("progress-text").textContent =
    `${progress.accepted} of ${progress.total} accepted${aside}, ${progress.todo} to do`;
  byId("groups").replaceChildren(...groups.map((group) => {
    const row = document.createElement("tr");
    const name = element("th", group.group || "(none)");
    name.scope = "row";
    const bar = document.createElement("progress");
    bar.max = Math.max(1, group.total);
    bar.value = group.accepted;
    bar.setAttribute("aria-hidden", "true");
    const share = element("td", `${group.accepted} of ${group.total} `);
    share.append(bar);
    row.append(name, share, element("td", String(group.todo)));
    return row;
  }));
  byId("groups-more").hidden = total <= groups.length;
  byId("groups-more").textContent = `${total - groups.length} more groups, covered further.`;
}

export function showPhoto(photo) {
  byId("photo-name").textContent = photo ? photo.name : "";
  byId("photo-facts").textContent = photo
    ? `${photo.width_px} × ${photo.height_px}${photo.group && photo.group !== photo.name ? `, group ${photo.group}` : ""}`
    : "";
  byId("stage").setAttribute("aria-label", photo ? `Photo ${photo.name}` : "No photo");
}

/** What is on its way: nothing, something, or something that does not get through. */
export function showSaved(waiting, trouble) {
  const saved = byId("saved"), banner = byId("banner");
  const count = `${waiting} action${waiting === 1 ? "" : "s"}`;
  saved.dataset.state = trouble ? "trouble" : waiting ? "saving" : "saved";
  saved.textContent = trouble ? (waiting ? "Not saved" : "Offline") : waiting ? "Saving…" : "All saved";
  const text = trouble
    ? waiting
      ? `Offline, not saved: ${count}. Kept in this browser and sent again until saved (${trouble}).`
      : `Offline: ${trouble}. Everything so far is saved; trying again.`
    : "";
  banner.hidden = !trouble;
  if (banner.textContent !== text) banner.textContent = text;
}

export function showNotice(title = "", text = "", button = "", onButton = null) {
  byId("notice").hidden = !title;
  byId("notice-title").textContent = title;
  byId("notice-text").textContent = text;
  byId("notice-button").hidden = !button;
  byId("notice-button").textContent = button;
  byId("notice-button").onclick = onButton;
}

export function showBusy(isBusy) {
  byId("busy").hidden = !isBusy;
}

/** Which of several buttons is the chosen one. */
export function press(group, name) {
  for (const button of byId(group).querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.do === name));
  }
}

export function allow(names, isAllowed) {
  for (const name of names) {
    for (const button of document.querySelectorAll(`[data-do="${name}"]`)) button.disabled = !isAllowed;
  }
}

export function listKeys(keys) {
  byId("key-list").replaceChildren(...keys.flatMap(([, shown, does]) => {
    const term = document.createElement("dt");
    shown.split(", ").forEach((each) => term.append(element("kbd", each), " "));
    return [term, element("dd", does)];
  }));
}

/**
 * Ask for a name.
 * @param problem why the one given before does not do; "" where there was none.
 * @returns {Promise<{who: string, over: boolean}>}: over, where they leave another browser.
 */
export function askName(who, problem = "") {
  const dialog = byId("ask-name"), input = byId("name");
  input.value = who;
  byId("name-problem").hidden = byId("name-over").hidden = !problem;
  byId("name-problem").textContent = problem;
  return new Promise((resolve) => {
    const done = (over) => {
      const name = over ? who : input.value.trim();
      if (!name) return;
      dialog.close();
      resolve({ who: name, over });
    };
    byId("name-form").onsubmit = (event) => {
      event.preventDefault();
      done(false);
    };
    byId("name-over").onclick = () => done(true);
    // There is no labelling without a name.
    dialog.oncancel = (event) => {
      if (who && !problem) resolve({ who, over: false });
      else event.preventDefault();
    };
    if (!dialog.open) dialog.showModal();
    input.select();
  });
}

/** Tell something that has to be read; resolves when it was. */
export function tellPlainly(title, text, button) {
  const dialog = byId("lost");
  byId("lost-title").textContent = title;
  byId("lost-text").textContent = text;
  byId("lost-button").textContent = button;
  return new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      dialog.close();
    };
    dialog.onclose = () => resolve();
    if (!dialog.open) dialog.showModal();
  });
}
