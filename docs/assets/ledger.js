// The ledger: sorting by a click on a column's head, and filters that are a part of the page's address.
(() => {
  // Numbers first, as numbers; then text.
  function compare(a, b) {
    const [x, y] = [a, b].map((text) => (text === "" ? NaN : Number(text)));
    if (isNaN(x) && isNaN(y)) return a.localeCompare(b, undefined, { numeric: true });
    return isNaN(x) - isNaN(y) || x - y;
  }

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
        const rows = [...body.rows].map((row) => [row.cells[column].textContent.trim(), row]);
        rows.sort(([a], [b]) => (up ? 1 : -1) * compare(a, b));
        body.append(...rows.map(([, row]) => row));
      });
    }
  }

  function filterable(form, rows) {
    const told = form.querySelector("[role=status]");
    const controls = [...form.querySelectorAll("select")];

    function show() {
      const wanted = controls.filter((control) => control.value);
      let count = 0;
      for (const row of rows) {
        row.hidden = !wanted.every(({ name, value }) => row.dataset[name].split(" ").includes(value));
        count += !row.hidden;
      }
      told.textContent = wanted.length ? `${count} of ${rows.length} claims` : `${rows.length} claims`;
    }

    function changed() {
      show();
      const address = new URL(location.pathname, location.href);
      for (const { name, value } of controls) if (value) address.searchParams.set(name, value);
      history.replaceState(history.state, "", address); // without the row that was linked: it may be hidden now
    }

    const asked = new URLSearchParams(location.search);
    for (const control of controls) {
      control.value = asked.get(control.name) ?? "";
      if (control.selectedIndex < 0) control.value = ""; // the address names what is not there
      control.addEventListener("change", changed);
    }
    form.addEventListener("reset", () => setTimeout(changed)); // after the controls are reset
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
  }

  function arrive() {
    for (const box of document.querySelectorAll(".dl-ledger:not([data-ready])")) {
      box.dataset.ready = "";
      const table = box.querySelector("table");
      sortable(table);
      filterable(box.querySelector("form"), [...table.tBodies[0].rows]);
    }
  }
  document.addEventListener("DOMContentLoaded", arrive);
  window.document$?.subscribe(arrive); // the theme swaps pages without loading them, and tells of each
})();
