// One click copies an address: of a claim, a derivation, one of its lines, a question or a section, by the `#` beside it.
// "Cite this claim" copies a citation. What was copied is said in a status line, which screen readers read out.
(() => {
  const status = document.createElement("p");
  let fading;

  function say(text, seconds) {
    clearTimeout(fading);
    status.textContent = text;
    if (seconds) fading = setTimeout(() => (status.textContent = ""), 1000 * seconds);
  }

  // Where the book is published, or else where it is read.
  const here = () => (document.querySelector("link[rel=canonical]")?.href ?? location.href).split(/[?#]/)[0];

  async function copy(text, said) {
    const done = (await toClipboard(text)) || byHand(text);
    if (done) say(said, 8);
    else say(`Your browser does not let this page copy. Here it is: ${text}`);
  }

  const toClipboard = (text) =>
    navigator.clipboard ? navigator.clipboard.writeText(text).then(() => true, () => false) : false;

  // The clipboard's own interface is missing from pages that are not served by https.
  function byHand(text) {
    const area = document.body.appendChild(document.createElement("textarea"));
    const before = document.activeElement;
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before.focus({ preventScroll: true });
    return done;
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // asks for another tab
    const at = event.target.closest?.("a.headerlink, .dl-cite, .dl-copy");
    if (!at) return;
    if (at.matches(".dl-cite")) {
      const cited = at.closest("section").querySelector("h3").id;
      const text = at.dataset.cite.replace("{address}", () => `${here()}#${cited}`);
      copy(text, `Citation copied: ${text}`);
    } else if (at.matches(".dl-copy")) {
      copy(here() + location.search, "Link to these claims copied.");
    } else {
      copy(here() + at.hash, `Link copied: ${at.hash}`);
    }
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && say(""));

  // A link to a line of a derivation opens it.
  function open() {
    const line = document.getElementById(location.hash.slice(1));
    if (line?.matches("details.dl-step")) line.open = true;
  }
  addEventListener("hashchange", open);

  function arrive() {
    // Outside of what the theme replaces from page to page, and there before it speaks: else it would not be read out.
    if (!status.isConnected) {
      Object.assign(status, { className: "dl-said", role: "status" });
      document.body.append(status);
    }
    open();
  }
  document.addEventListener("DOMContentLoaded", arrive);
  window.document$?.subscribe(arrive); // the theme's, at each page
})();
