/* Tables in a `.scroll` are cards on a phone (narrow.css). Each cell is told the head of its column, which stands before it there.

   The roles are spoken out: a browser may forget what a table is once its rows are laid out in another way. */

const COLUMNS_MIN = 3;
const HALF_MAX = 20; // letters that stand side by side in half a card

const words_of = (element) => element.textContent.trim().replace(/\s+/g, " ");

/** Whether a cell has more to say than fits beside another one. What stands under its words has lines of its own. */
function is_wide(cell, head) {
  const whole = words_of(cell), under = [...cell.querySelectorAll(".under")].map(words_of).join(" ");
  return head.length + whole.length - under.length + (whole.match(/→/g)?.length ?? 0) > HALF_MAX;
}

function name_cells(table) {
  const heads = [...table.tHead.rows[0].cells].map((head) => head.querySelector(".sort")?.firstChild.textContent.trim() ?? head.textContent.trim());
  if (heads.length < COLUMNS_MIN) return;
  table.classList.add("as-cards");
  table.setAttribute("role", "table");
  for (const part of [table.tHead, ...table.tBodies]) part.setAttribute("role", "rowgroup");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    let column = 0;
    for (const cell of row.cells) {
      const role = cell.tagName === "TD" ? "cell" : cell.scope === "col" ? "columnheader" : "rowheader";
      cell.setAttribute("role", role);
      if (role !== "columnheader") {
        const head = heads[column] ?? "";
        cell.dataset.head = cell.colSpan > 1 || words_of(cell).startsWith(head) || cell.querySelector(":scope > details") ? "" : head;
        cell.toggleAttribute("data-empty", !cell.firstElementChild && !words_of(cell));
        cell.toggleAttribute("data-wide", is_wide(cell, cell.dataset.head));
      }
      column += cell.colSpan;
    }
  }
}

function name_all() {
  document.querySelectorAll(".scroll > table:has(thead)").forEach(name_cells);
}

let is_due = false;
new MutationObserver(() => {
  if (is_due) return;
  is_due = true;
  requestAnimationFrame(() => { is_due = false; name_all(); });
}).observe(document.body, { childList: true, subtree: true });
name_all();
