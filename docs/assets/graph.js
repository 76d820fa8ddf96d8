// The graph: the claim that is pointed at, or has the keyboard, shows what it uses and what uses it.
(() => {
  function light(event) {
    const at = event.target.closest?.(".dl-graph [data-claim]");
    for (const lit of document.querySelectorAll(".dl-graph .lit")) lit.classList.remove("lit");
    if (!at || /out$/.test(event.type)) return;
    const svg = at.closest("svg");
    const claims = svg.querySelectorAll("[data-claim]");
    svg.classList.add("lit");
    at.classList.add("lit");
    for (const path of svg.querySelectorAll("[data-use]")) {
      const [user, used] = path.dataset.use.split(" ");
      if (user !== at.dataset.claim && used !== at.dataset.claim) continue;
      path.classList.add("lit");
      path.classList.toggle("up", user === at.dataset.claim);
      for (const end of [user, used]) claims[end].classList.add("lit");
    }
  }
  for (const type of ["pointerover", "pointerout", "focusin", "focusout"]) document.addEventListener(type, light);
})();
