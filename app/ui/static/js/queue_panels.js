/* The panels of the drawer: approve, reject, edit, ask. One is open at a time. */

const FIRST = { approve: "#q-approve-now", reject: "#q-code", edit: "#q-lines .packs", ask: "#q-question" };

/** Open a panel of the drawer and go to its first control; nothing where it is not offered. */
export function show_panel(name) {
  const button = document.querySelector(`[data-panel="${name}"]`);
  const panel = document.getElementById(`panel-${name}`);
  if (!button || button.hidden || !panel) return false;
  close_panels(panel);
  panel.hidden = false;
  button.setAttribute("aria-expanded", "true");
  document.getElementById("q").classList.toggle("edits", name === "edit");
  document.querySelectorAll("#q-lines .editing").forEach((each) => { each.hidden = name !== "edit"; });
  document.querySelectorAll("#q-lines .whole").forEach((each) => { each.hidden = name === "edit"; });
  document.querySelector(FIRST[name])?.focus();
  panel.scrollIntoView({ block: "nearest" });
  return true;
}

/** Close every panel but this one. */
export function close_panels(but = null) {
  for (const panel of document.querySelectorAll(".panel")) {
    if (panel === but) continue;
    panel.hidden = true;
    document.querySelector(`[aria-controls="${panel.id}"]`)?.setAttribute("aria-expanded", "false");
    if (panel.id === "panel-edit") {
      document.querySelectorAll("#q-lines .editing").forEach((each) => { each.hidden = true; });
      document.querySelectorAll("#q-lines .whole").forEach((each) => { each.hidden = false; });
    }
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-panel]");
  if (button) {
    if (button.getAttribute("aria-expanded") === "true") close_panels();
    else show_panel(button.dataset.panel);
  }
  const close = event.target.closest("[data-panel-close]");
  if (close) {
    const opener = document.querySelector(`[aria-controls="${close.closest(".panel").id}"]`);
    close_panels();
    opener?.focus();
  }
});
