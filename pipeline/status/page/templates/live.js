(() => {
  "use strict";
  const button = document.getElementById("pause");
  const live = document.getElementById("live");
  if (!button || !live) return;
  let paused = false;
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
  });
  const focused = () => {
    const one = document.activeElement;
    if (!one || !live.contains(one)) return null;
    return one.id ? "#" + CSS.escape(one.id) : 'a[href="' + CSS.escape(one.getAttribute("href") || "") + '"]';
  };
  const renew = async () => {
    if (paused || document.hidden) return;
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!answer.ok || !fresh || paused || String(getSelection())) return;
    const where = focused();
    const places = new Map([...live.querySelectorAll(".scroll")].map((one) => [one.id, one.scrollLeft]));
    live.replaceChildren(...fresh.childNodes);
    for (const [id, left] of places) {
      const one = document.getElementById(id);
      if (one) one.scrollLeft = left;
    }
    if (where) live.querySelector(where)?.focus({ preventScroll: true });
    document.title = page.title;
  };
  const old = () => {
    document.getElementById("age").textContent = "This is old: the status page does not answer.";
  };
  const again = () =>
    setTimeout(() => renew().catch(old).finally(again), 1000 * Number(live.dataset.every));
  again();
})();
