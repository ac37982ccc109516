// The pages work without this: it inserts commands, keeps typed text, and follows what others do.
"use strict";

const body = document.body;
const toast = document.querySelector(".toast");

// Commands go where the cursor is, on a line of their own.
document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-insert]");
  if (chip) {
    const area = document.getElementById("body");
    const before = area.value.slice(0, area.selectionStart);
    const line = before === "" || before.endsWith("\n") ? "" : "\n";
    area.setRangeText(line + chip.dataset.insert, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
    return;
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "body") {
    event.target.form.requestSubmit(event.target.form.querySelector("button[value=comment]"));
  }
});

// What was typed and not sent survives a reload or a change of person.
for (const area of document.querySelectorAll("[data-keep]")) {
  const key = "draft " + area.dataset.keep;
  if (!area.value) area.value = sessionStorage.getItem(key) || "";
  area.addEventListener("input", () => sessionStorage.setItem(key, area.value));
  area.form.addEventListener("submit", () => sessionStorage.removeItem(key));
}

// The live parts are replaced, forms that somebody types in are not.
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement && document.activeElement.id;
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === part.innerHTML) continue;
    if (part.querySelector("details.own[open]")) continue;
    const open = new Map();
    part.querySelectorAll("details[id]").forEach((one) => open.set(one.id, one.open));
    const chosen = new Map();
    part.querySelectorAll("select[id]").forEach((one) => chosen.set(one.id, one.value));
    part.replaceChildren(...next.childNodes);
    open.forEach((was, id) => { const one = document.getElementById(id); if (one) one.open = was; });
    chosen.forEach((was, id) => { const one = document.getElementById(id); if (one) one.value = was; });
  }
  if (focused && !document.activeElement.id) document.getElementById(focused)?.focus();
  say("Updated");
}

let hush;
function say(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(hush);
  hush = setTimeout(() => { toast.hidden = true; }, 1500);
}

async function look() {
  try {
    const answer = await fetch(body.dataset.watch, { cache: "no-store" });
    if (answer.ok) {
      const version = (await answer.json()).version;
      if (version !== body.dataset.version) {
        body.dataset.version = version;
        await refresh();
      }
    }
  } catch {
    // The sandbox is stopping or starting again; the next look tells.
  }
  setTimeout(look, document.hidden ? 5000 : 1000);
}
if (body.dataset.watch) setTimeout(look, 1000);
