/* Orders that wait: ticking all of them, and never letting all go on because none was ticked.

   <form data-some="Tick at least one."> is not sent without a tick. <button data-tick-all> ticks, or unticks, all of its form. */

import { complain } from "./swap.js";

document.addEventListener("submit", (event) => {
  const words = event.target.dataset.some;
  if (!words || event.target.querySelector("input[type=checkbox]:checked")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  complain(words);
}, { capture: true });

document.addEventListener("click", (event) => {
  const form = event.target.closest("[data-tick-all]")?.form;
  if (!form) return;
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const ticked = boxes.every((box) => box.checked);
  boxes.forEach((box) => { box.checked = !ticked; });
});
