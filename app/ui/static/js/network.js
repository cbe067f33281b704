/* The map: details of the site that is pointed at or reached by key, arrow keys from site to site, and a closer look.

   <a data-card="/network/sites/X/card" data-x="1" data-y="2"> within <svg id="map">; the details go into #site-card. */

import { swap } from "./swap.js";

const WAIT_MS = 120;
const WIDTH = 1000, HEIGHT = 560, CLOSEST = 8;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const view = { x: 0, y: 0, zoom: 1 };
let waiting = 0;
let told = "";

const map = () => document.getElementById("map");

function tell(site) {
  clearTimeout(waiting);
  if (site.dataset.card === told) return;
  waiting = setTimeout(async () => {
    const card = document.getElementById("site-card");
    if (card && await swap(site.dataset.card, card, { quiet: true })) told = site.dataset.card;
  }, WAIT_MS);
}

function look() {
  const wide = WIDTH / view.zoom, high = HEIGHT / view.zoom;
  view.x = Math.min(Math.max(view.x, 0), WIDTH - wide);
  view.y = Math.min(Math.max(view.y, 0), HEIGHT - high);
  map()?.setAttribute("viewBox", `${view.x} ${view.y} ${wide} ${high}`);
}

/** Look at a place, so close. */
function look_at(x, y, zoom) {
  view.zoom = Math.min(Math.max(zoom, 1), CLOSEST);
  view.x = x - WIDTH / view.zoom / 2;
  view.y = y - HEIGHT / view.zoom / 2;
  look();
}

const middle = () => [view.x + WIDTH / view.zoom / 2, view.y + HEIGHT / view.zoom / 2];
const place = (site) => [Number(site.dataset.x), Number(site.dataset.y)];

/** The nearest site in a direction: what lies off to the side counts double. */
function next(from, [right, down]) {
  const [x, y] = place(from);
  let best = null, least = Infinity;
  for (const site of map().querySelectorAll("a.site")) {
    const [across, along] = [place(site)[0] - x, place(site)[1] - y];
    const ahead = across * right + along * down;
    const aside = Math.abs(across * down) + Math.abs(along * right);
    if (site === from || ahead <= 0) continue;
    const far = ahead + 2 * aside;
    if (far < least) { best = site; least = far; }
  }
  return best;
}

document.addEventListener("pointerover", (event) => {
  const site = event.target.closest?.("a.site");
  if (site) tell(site);
});
document.addEventListener("focusin", (event) => {
  const site = event.target.closest?.("a.site");
  if (!site) return;
  tell(site);
  const [x, y] = place(site);
  const inside = x > view.x && x < view.x + WIDTH / view.zoom && y > view.y && y < view.y + HEIGHT / view.zoom;
  if (!inside) look_at(x, y, view.zoom);
});
document.addEventListener("keydown", (event) => {
  const site = event.target.closest?.("a.site");
  if (!site || !(event.key in ARROWS) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  next(site, ARROWS[event.key])?.focus();
});
document.addEventListener("click", (event) => {
  const how = event.target.closest?.("[data-zoom]")?.dataset.zoom;
  if (!how) return;
  const at = document.querySelector("#map a.site:focus");
  const [x, y] = at ? place(at) : middle();
  look_at(x, y, how === "all" ? 1 : view.zoom * (how === "in" ? 1.6 : 1 / 1.6));
});
document.addEventListener("swapped", (event) => { if (event.target.id === "network") { told = ""; look(); } });
