/* The calculator of receptive fields: a form, whose answer is computed by dlnotes.receptive_field itself.
   It takes its turn in the worker of the page's snippets (run.js). */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEADS = { layer: "Layer", output: "Output size", size: "Sees", jump: "Jump", padding: "Padding", start: "Centre of output 0" };

  const element = (tag, properties, parent) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));

  function shape(tag, attributes, parent) {
    const made = parent.appendChild(document.createElementNS(SVG, tag));
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  const code = (asked) => `
import json
from dlnotes import receptive_field

text, n, pixel = json.loads(${JSON.stringify(JSON.stringify(asked))})
rows, layers = receptive_field.table(text, n), receptive_field.parse(text)
seen, whole = receptive_field.region(layers, pixel, (n, n)), receptive_field.interval(layers, pixel)
print(json.dumps({"rows": rows, "seen": seen, "whole": whole}))
`;

  function attach(box) {
    box.dataset.ready = "";
    const form = box.querySelector("form");
    const { layers, n, row, column } = form.elements;
    const [compute, stop] = form.querySelectorAll("button");
    const words = box.querySelector("[role=status]");
    const answer = box.querySelector(".dl-calculator__answer");
    let printed = "";
    let failed = "";

    const snippet = {
      box,
      code: () => code([layers.value, Number(n.value), [Number(row.value), Number(column.value)]]),
      say: (text, count = "") => (words.textContent = `${text} ${count}`.trim()),
      print: (text, error) => (error ? (failed += text) : (printed += text)),
      end(text, broken) {
        busy(false);
        snippet.say(text);
        answer.replaceChildren();
        if (broken || !text.startsWith("Done")) return failed && refuse();
        show(JSON.parse(printed));
      },
    };

    function busy(now) {
      compute.ariaDisabled = now;
      stop.ariaDisabled = !now;
    }

    function refuse() {
      // The last line of a traceback says what is wrong with the input.
      const told = failed.trim().split("\n").at(-1).replace(/^ValueError: /, "");
      element("p", { className: "dl-error", role: "alert", textContent: told }, answer);
    }

    function show({ rows, seen, whole }) {
      const frame = element("div", { className: "md-typeset__scrollwrap" }, answer);
      const table = element("table", {}, frame);
      const head = element("tr", {}, element("thead", {}, table));
      for (const name of Object.values(HEADS)) element("th", { scope: "col", textContent: name }, head);
      const body = element("tbody", {}, table);
      for (const entry of rows) {
        const line = element("tr", {}, body);
        for (const key of Object.keys(HEADS)) element("td", { textContent: entry[key] }, line);
      }
      const last = rows.at(-1);
      element("p", { textContent: sentence(last, seen, whole) }, answer);
      draw(Number(n.value), seen, whole);
    }

    function sentence(last, seen, whole) {
      const span = ([first, end]) => (first === end ? `${first}` : `${first} to ${end}`);
      const pixel = `Output (${row.value}, ${column.value})`;
      if (!seen[0] || !seen[1]) return `${pixel} sees padding only.`;
      const clipped = [0, 1].some((axis) => seen[axis].join() !== whole[axis].join());
      const rest = clipped ? ` Without borders: rows ${span(whole[0])}, columns ${span(whole[1])}.` : "";
      return `${pixel} of ${last.output} x ${last.output} sees rows ${span(seen[0])} and columns ${span(seen[1])} of the image.${rest}`;
    }

    // The image, the whole field (dashed, it may reach into the padding) and what it sees of the image (filled).
    function draw(size, seen, whole) {
      const low = Math.min(0, whole[0][0], whole[1][0]);
      const high = Math.max(size, whole[0][1] + 1, whole[1][1] + 1);
      const margin = (high - low) / 40;
      const view = [low - margin, low - margin, high - low + 2 * margin, high - low + 2 * margin];
      const svg = shape("svg", { viewBox: view.join(" "), role: "img", class: "dl-calculator__drawing" }, answer);
      svg.setAttribute("aria-label", "The image, and the region of it that the output sees.");
      const rectangle = ([top, bottom], [left, right], name) =>
        shape("rect", { x: left, y: top, width: right - left + 1, height: bottom - top + 1, class: name }, svg);
      rectangle([0, size - 1], [0, size - 1], "image");
      if (size <= 64) {
        for (let k = 1; k < size; k++) {
          shape("path", { d: `M0 ${k}H${size}M${k} 0V${size}`, class: "grid" }, svg);
        }
      }
      if (seen[0] && seen[1]) rectangle(seen[0], seen[1], "seen");
      rectangle(whole[0], whole[1], "whole");
    }

    form.onsubmit = (event) => {
      event.preventDefault();
      if (compute.ariaDisabled === "true") return;
      [printed, failed] = ["", ""];
      busy(true);
      window.dlnotesRun.take(snippet);
    };
    stop.onclick = () => stop.ariaDisabled === "true" || window.dlnotesRun.drop(snippet, "Stopped.");
    busy(false);
  }

  const arrive = () =>
    document.querySelectorAll(".dl-calculator").forEach((box) => "ready" in box.dataset || attach(box));
  document.addEventListener("DOMContentLoaded", arrive);
  window.document$?.subscribe(arrive);
})();
