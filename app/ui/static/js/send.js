/* Sends forms to the API as JSON, once each, and tells what came of it.

   <form data-send="POST /v1/stops" data-then="governance" data-said="Stopped.">
   A control's name is its place in the body: `rejection.code`. `data-as`: int, bool, list (words between commas),
   items (one entry for each ticked control), json. Empty controls are left out, or count as their `data-otherwise`. A module may change the body of a form by
   listening to its event `building`. `data-goto="/chat/{thread_id}"` goes on with fields of the answer.
   `data-said-when="state closed" data-said-then="It is over."` says something else where the answer is so.
   `data-invalid="Tick a line."` says in words of the page what a body lacks that is not as the API wants it.
   `data-ask="Write off {units}?"` asks first, and names what the control `units` holds, or its `data-empty`. */

import { complain, say, sign_in_again, words_of } from "./swap.js";
import { emit } from "./live.js";

const unanswered = new Map();

function value_of(control, otherwise) {
  if (control.dataset.as === "bool") return control.type === "checkbox" ? control.checked : control.value === "true";
  const text = control.value.trim() || (otherwise && control.dataset.otherwise) || "";
  if (text === "" || ((control.type === "checkbox" || control.type === "radio") && !control.checked)) return undefined;
  switch (control.dataset.as) {
    case "int": return Number.parseInt(text, 10);
    case "list": return text.split(",").map((word) => word.trim()).filter(Boolean);
    case "json": return JSON.parse(text);
    case "instant": return new Date(text).toISOString();
    default: return text;
  }
}

/** The body that a form stands for, or only what a person has put into it. */
export function body_of(form, { otherwise = true } = {}) {
  const body = {};
  for (const control of form.elements) {
    if (!control.name || control.disabled) continue;
    const value = value_of(control, otherwise);
    if (value === undefined) continue;
    const path = control.name.split(".");
    const last = path.pop();
    const place = path.reduce((inner, name) => (inner[name] ??= {}), body);
    if (control.dataset.as === "items" || control.dataset.items !== undefined) (place[last] ??= []).push(control.dataset.items === "int" ? Number(value) : value);
    else place[last] = value;
  }
  form.dispatchEvent(new CustomEvent("building", { detail: body }));
  return body;
}

/** A key that is nobody else's. */
function new_key() {
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ask the API for something. The answer, once it was taken; otherwise null, and the words were said.

    Whatever nobody has answered yet is sent again under its key and as it was, also by a form that was loaded anew meanwhile: so a
    second press does nothing twice. `asked` is what a person asks for, where the body holds more than that. */
export async function send(method, path, body, { wrong = complain, invalid = "", asked = body } = {}) {
  const what = `${method} ${path} ${JSON.stringify(asked ?? {})}`;
  if (!unanswered.has(what)) unanswered.set(what, { key: new_key(), text: JSON.stringify(body ?? {}) });
  const { key, text } = unanswered.get(what);
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        "Content-Type": "application/json", "Idempotency-Key": key,
        "X-Form-Token": document.querySelector("meta[name=form-token]").content,
      },
      body: text,
    });
  } catch {
    wrong("The service does not answer. Nothing is lost: press again in a moment.");
    return null;
  }
  if (answer.status < 500 && !answer.headers.has("Retry-After")) unanswered.delete(what);
  if (answer.status === 401) { sign_in_again(); return null; }
  if (!answer.ok) {
    wrong(await words_of(answer, invalid));
    if (answer.status === 409) emit("conflict");
    return null;
  }
  return answer.status === 204 ? {} : answer.json();
}

/** The question before a form is sent, about what stands in it. */
function question_of(form) {
  return form.dataset.ask.replace(/\{(\w+)\}/g, (_, name) => form.elements[name].value.trim() || form.elements[name].dataset.empty);
}

/** What is said of an answer: other words where the field that the form names has the value that it names. */
function said_of(form, answer) {
  const [name, value] = (form.dataset.saidWhen ?? "").split(" ");
  return name && answer[name] === value ? form.dataset.saidThen : form.dataset.said ?? "Done.";
}

/** Says beside a form what was wrong: also where the form was loaded again while the answer was on its way. */
function teller_of(form) {
  const same = () => [...document.querySelectorAll("form[data-send]")].filter((each) => each.dataset.send === form.dataset.send);
  const number = same().indexOf(form);
  return (words) => {
    const place = (form.isConnected ? form : same()[number])?.querySelector("[data-wrong]");
    if (!place) { complain(words); return; }
    place.textContent = words;
    place.hidden = !words;
    if (words) say("");
  };
}

async function submit(form, button) {
  const [method, path] = form.dataset.send.split(" ");
  if (form.dataset.ask && !window.confirm(question_of(form))) return;
  const pressed = button?.name ? { [button.name]: button.dataset.as === "bool" ? button.value === "true" : button.value } : {};
  const body = { ...body_of(form), ...pressed }, asked = { ...body_of(form, { otherwise: false }), ...pressed };
  const tell = teller_of(form);
  tell("");
  form.setAttribute("aria-busy", "true");
  const buttons = [...form.querySelectorAll("button")];
  buttons.forEach((each) => { each.disabled = true; });
  try {
    const answer = await send(method, path, body, { wrong: tell, invalid: form.dataset.invalid, asked });
    if (answer === null) return;
    form.querySelectorAll("[data-keep]:not([type=checkbox])").forEach((each) => { each.value = each.defaultValue; });
    complain("");
    say(said_of(form, answer));
    form.dispatchEvent(new CustomEvent("sent", { bubbles: true, detail: answer }));
    if (form.dataset.goto) location.assign(form.dataset.goto.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(answer[name])));
    if (form.hasAttribute("data-close")) document.getElementById("drawer")?.close();
    for (const topic of (form.dataset.then ?? "").split(" ").filter(Boolean)) emit(topic);
  } finally {
    form.removeAttribute("aria-busy");
    buttons.forEach((each) => { each.disabled = false; });
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-send]")) return;
  event.preventDefault();
  if (event.target.getAttribute("aria-busy") !== "true") submit(event.target, event.submitter);
});
/* Whoever types means something else than what is still unanswered, even if it reads the same. */
document.addEventListener("input", (event) => {
  const sent = event.target.closest?.("form[data-send]")?.dataset.send;
  for (const what of unanswered.keys()) if (sent && what.startsWith(`${sent} `)) unanswered.delete(what);
});
