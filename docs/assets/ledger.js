// Sorting of the ledger: a click on a column's head. Numbers sort as numbers, the rest as text.
function sortable(table) {
  const body = table.tBodies[0];
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    if (head.querySelector("button")) continue;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].textContent.trim();
      const compare = (a, b) => Number(a) - Number(b) || a.localeCompare(b, undefined, { numeric: true });
      body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * compare(value(a), value(b))));
    });
  }
}
const drawLedger = () => document.querySelectorAll(".dl-ledger table").forEach(sortable);
// The theme swaps pages without loading them; its document$ tells of each.
if (window.document$) window.document$.subscribe(drawLedger);
else addEventListener("DOMContentLoaded", drawLedger);
