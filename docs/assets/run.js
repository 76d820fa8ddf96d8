/* Snippets marked `run` get Run, Stop, Edit and Reset; exercises get Check for Run, and a solution after a try. Nothing is fetched before the first Run.
   The snippets of a page share one worker (see run-worker.js) and take turns in it. */
(() => {
  const here = document.currentScript.src; // the worker and the wheel lie beside this script, whatever the page
  let worker = null;
  let current = null; // the snippet that the worker has
  let waiting = [];

  const element = (tag, properties, parent) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));

  function take(snippet) {
    waiting.push(snippet);
    snippet.say(current ? "Waiting for another snippet of this page" : "Starting");
    next();
  }

  function next() {
    if (current || !waiting.length) return;
    current = waiting.shift();
    try {
      worker ??= start();
    } catch (error) {
      return refused(error.message); // a page opened from the disk may start no worker
    }
    const { pyodide, wheel, file } = current.box.dataset;
    const address = (path) => path && new URL(path, here).href;
    const where = { base: address(pyodide), wheel: address(wheel), file: address(file) };
    worker.postMessage({ code: current.code(), ...where });
  }

  function start() {
    const fresh = new Worker(new URL("run-worker.js", here), { type: "module" });
    fresh.onmessage = ({ data }) => {
      if (data.stage) current.say(data.stage, data.size);
      if (data.text) current.print(data.text, data.error);
      if (data.broken) drop(current, data.broken, true);
      if (data.done) {
        const snippet = current;
        current = null;
        snippet.end(data.done, data.failed);
        next();
      }
    };
    fresh.onerror = ({ message }) => current && refused(message || "run-worker.js cannot be read");
    return fresh;
  }

  function refused(reason) {
    drop(current, `Could not start Python (${reason}). Open this page from its site, then press Run again.`, true);
  }

  // Ending the worker is the one way out of an endless loop. The next run starts a fresh one.
  function drop(snippet, words, failed) {
    if (snippet === current) {
      worker?.terminate();
      worker = current = null;
    }
    waiting = waiting.filter((other) => other !== snippet);
    snippet.end(words, failed);
    next();
  }

  function attach(box, index) {
    const shown = box.querySelector(".highlight");
    const original = shown.querySelector("code").textContent.replace(/\n$/, "");
    const bar = box.querySelector(".dl-run__bar");
    box.dataset.ready = "";
    box.setAttribute("role", "group");
        let area = null;
    let output = null;
    let pending = [];
    let leaving = false;
    const exercise = box.classList.contains("dl-exercise");
    const what = exercise ? "Exercise" : "Snippet";
    const solution = box.querySelector(".dl-solution");
    box.setAttribute("aria-label", `${what} ${index + 1}`);
    if (solution) solution.hidden = true; // until a try has ended

    const button = (name, action) => {
      const made = element("button", { type: "button", textContent: name, className: "dl-run__button" }, bar);
      // aria-disabled, not disabled: a button that disables itself would lose the keyboard's focus.
      made.onclick = () => made.ariaDisabled === "true" || action();
      return made;
    };
    const run = button(exercise ? "Check" : "Run", begin);
    const stop = button("Stop", () => drop(snippet, "Stopped."));
    const edit = button("Edit", open);
    const reset = button("Reset", restore);
    const words = element("span", { className: "dl-run__words", role: "status" }, bar);
    const size = element("span", { ariaHidden: "true" }, bar); // not read out at each megabyte

    const snippet = {
      box,
      code: () => (area ? area.value : original) + (box.dataset.after ?? ""), // an exercise has itself judged
      say(text, count = "") {
        words.textContent = text;
        size.textContent = count;
      },
      print(text, error) {
        pending.push([text, error]);
        if (pending.length === 1) requestAnimationFrame(flush); // a flood of lines touches the page once a frame
      },
      end(text, failed = false) {
        flush();
        snippet.say(text);
        bar.classList.toggle("dl-run__bar--failed", failed);
        if (solution && text) solution.hidden = false;
        enable(false);
      },
    };

    function enable(busy) {
      run.ariaDisabled = busy;
      stop.ariaDisabled = !busy;
      edit.ariaDisabled = area !== null;
      reset.ariaDisabled = !busy && !area && !output && !words.textContent;
    }

    function begin() {
      if (run.ariaDisabled === "true") return; // Ctrl+Enter comes here too
      clear();
      enable(true);
      take(snippet);
    }

    function clear() {
      pending = [];
      output?.remove();
      output = null;
      bar.classList.remove("dl-run__bar--failed");
      snippet.say("");
    }

    function flush() {
      if (!pending.length) return;
      output ??= element("pre", { className: "dl-run__output", tabIndex: 0, role: "group" }, box);
      output.ariaLabel = `Output of ${what.toLowerCase()} ${index + 1}`;
      for (const [text, error] of pending) {
        const last = output.lastChild;
        if (last && last.className === (error ? "dl-run__error" : "")) last.append(text);
        else element("span", { className: error ? "dl-run__error" : "", textContent: text }, output);
      }
      pending = [];
      output.scrollTop = output.scrollHeight;
    }

    function open() {
      area = document.createElement("textarea");
      Object.assign(area, { className: "dl-run__area", value: original, spellcheck: false, autocapitalize: "off" });
      area.ariaLabel = `Code of ${what.toLowerCase()} ${index + 1}`;
      area.ariaDescription = "Tab indents. Press Escape, then Tab, to leave. Control and Enter runs.";
      area.oninput = () => (area.rows = area.value.split("\n").length);
      area.oninput();
      area.onkeydown = (event) => {
        if (event.key === "Tab" && !event.shiftKey && !leaving) {
          event.preventDefault();
          document.execCommand("insertText", false, "    "); // unlike a change of `value`, this can be undone
        } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          begin();
        }
        leaving = event.key === "Escape";
      };
      shown.after(area);
      shown.hidden = true;
      if (run.ariaDisabled !== "true") snippet.say("Ctrl+Enter runs. Tab indents; Escape, then Tab, leaves.");
      enable(run.ariaDisabled === "true");
      area.focus();
    }

    function restore() {
      if (run.ariaDisabled === "true") drop(snippet, "");
      area?.remove();
      area = null;
      shown.hidden = false;
      clear();
      enable(false);
    }

    enable(false);
  }

  function arrive() {
    // With instant navigation the script outlives the page: what ran on the page before ends with it.
    for (const snippet of [...waiting, current]) if (snippet && !snippet.box.isConnected) drop(snippet, "");
    document.querySelectorAll(".dl-run").forEach((box, index) => "ready" in box.dataset || attach(box, index));
  }

  window.dlnotesRun = { take, drop }; // for what else on a page is answered by Python
  document.addEventListener("DOMContentLoaded", arrive);
  window.document$?.subscribe(arrive); // Material's, at each page; silent on a page opened from the disk
})();
