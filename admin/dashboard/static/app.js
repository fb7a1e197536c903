// Pages work without this script. With it, what changes is swapped in as the
// server sends it, and forms marked data-inline are sent without leaving the page.
"use strict";
(() => {
  document.documentElement.classList.add("script");

  // Nothing moves under a finger or a pressed mouse button.
  const waiting = new Map();
  let pressed = false;
  addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => {
    pressed = false;
    for (const [element, html] of waiting) replace(element, html);
    waiting.clear();
  }));

  // replace puts new HTML into an element, and the focus back to where it was.
  function replace(element, html) {
    if (pressed) return waiting.set(element, html);
    const next = document.createElement("template");
    next.innerHTML = html;
    if (next.innerHTML === element.innerHTML) return;
    const selection = getSelection();
    if (!selection.isCollapsed && element.contains(selection.anchorNode)) return; // somebody copies from it
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const open = [...element.querySelectorAll("details")].map((d) => d.open);
    element.replaceChildren(next.content);
    element.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
    if (!focused) return;
    const same = focused.id ? document.getElementById(focused.id)
      : focused.hasAttribute("href") ? element.querySelector(`a[href="${CSS.escape(focused.getAttribute("href"))}"]`) : null;
    same?.focus({ preventScroll: true });
  }

  // Live regions, while the page is seen.
  let source = null;
  function follow() {
    source?.close();
    source = null;
    const page = document.body.dataset.live;
    if (!page || document.hidden) return;
    source = new EventSource("/live?page=" + encodeURIComponent(page));
    source.onmessage = (event) => {
      for (const [name, html] of Object.entries(JSON.parse(event.data))) {
        const region = document.querySelector(`[data-region="${name}"]`);
        if (region) replace(region, html);
      }
    };
    source.onerror = () => {
      const trouble = document.querySelector('[data-region="trouble"]');
      if (source?.readyState === EventSource.CLOSED && trouble) {
        trouble.textContent = "This page is no longer up to date. Load it again.";
        trouble.className = "box wait";
      }
    };
  }
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
  follow();

  // Forms that stay on their page: the page that the server answers with takes
  // the place of this one's content.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-inline]") || form.getAttribute("aria-busy")) return;
    event.preventDefault();
    form.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form, event.submitter));
      const response = await fetch(form.action, { method: "POST", body });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      show(page, response.url, event.submitter?.id);
    } catch {
      form.submit(); // the browser says better than we what is wrong
    } finally {
      form.removeAttribute("aria-busy");
    }
  });

  function show(page, url, focus) {
    const here = document.getElementById("main");
    const main = page.getElementById("main");
    if (!main) return location.assign(url);
    document.title = page.title;
    here.innerHTML = main.innerHTML;
    const clean = new URL(url);
    clean.searchParams.delete("result");
    history.replaceState(null, "", clean);
    document.body.dataset.live = page.body.dataset.live ?? "";
    follow();
    const result = document.getElementById("result");
    (document.getElementById(focus) ?? here).focus({ preventScroll: true });
    result.scrollIntoView({ block: "nearest" });
  }

  // One box that ticks all the others.
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.all;
    if (!name) return;
    for (const box of event.target.form.querySelectorAll(`input[name="${name}"]`)) box.checked = event.target.checked;
  });
})();
