// SPDX-FileCopyrightText: Contributors to the determined.ai collection
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What audit_report.html.j2 can do beyond being read: theme, filters, search, further pages, copying. All data is the page's own text.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const theme = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const showTheme = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  showTheme();

  const addCopyButtons = (within) => {
    for (const snippet of within.querySelectorAll(".snippet")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", () => {
        const code = snippet.querySelector("code");
        const done = () => { button.textContent = "Copied"; };
        const select = () => getSelection().selectAllChildren(code);
        // Pages that come by plain http have no clipboard.
        if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
        else select();
      });
      snippet.append(button);
    }
  };
  addCopyButtons(document);

  const form = document.getElementById("filters");
  if (!form) return;
  const list = document.getElementById("list");
  const output = form.querySelector("output");
  const pages = [...document.querySelectorAll("template.page")];
  const waiting = pages.map((page) => page.content.querySelectorAll("[data-status]").length);
  let groups = [];
  let total = 0;

  const read = () => {
    groups = [...list.querySelectorAll(".group")].map((element) => ({
      element,
      count: element.querySelector(".count"),
      // Who searches a control's name wants its findings.
      head: element.querySelector("h4").textContent,
      // Lists of a hundred: the browser lays out only those near the screen.
      lists: [...element.querySelectorAll(".findings")].map((part) => ({
        element: part,
        items: [...part.children].map((item) => ({ element: item, text: null, shown: true })),
      })),
    }));
    total = list.querySelectorAll("[data-status]").length;
  };

  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = ["severity", "status", "area", "kind"].map((key) => [key, form.elements[key].value]).filter((pair) => pair[1]);
    const onlyNew = Boolean(form.elements.new && form.elements.new.checked);
    let shown = 0;
    for (const group of groups) {
      let here = 0;
      for (const part of group.lists) {
        let of = 0;
        for (const item of part.items) {
          const data = item.element.dataset;
          let fits = wanted.every(([key, value]) => data[key] === value) && (!onlyNew || "new" in data);
          if (fits && words.length) {
            item.text ??= (group.head + " " + item.element.textContent).toLowerCase();
            fits = words.every((word) => item.text.includes(word));
          }
          if (fits !== item.shown) {
            item.element.hidden = !fits;
            item.shown = fits;
          }
          of += fits;
        }
        part.element.hidden = !of;
        part.element.style.containIntrinsicBlockSize = "auto " + of * 2.3 + "rem";
        here += of;
      }
      group.element.hidden = !here;
      group.count.textContent = here.toLocaleString("en");
      shown += here;
    }
    for (const status of list.querySelectorAll(".status")) status.hidden = !status.querySelector(".group:not([hidden])");
    document.getElementById("none-left").hidden = shown > 0;
    output.textContent = shown === total
      ? total.toLocaleString("en") + (total === 1 ? " finding" : " findings")
      : shown.toLocaleString("en") + " of " + total.toLocaleString("en") + " findings";
  };

  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 80);
  });
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());

  const unfold = document.getElementById("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === "Open all";
    for (const details of list.querySelectorAll(".findings > li:not([hidden]) > details")) details.open = open;
    unfold.textContent = open ? "Fold all" : "Open all";
  });

  const next = document.getElementById("next");
  if (next) {
    const offer = () => {
      next.hidden = !pages.length;
      if (pages.length) next.textContent = "Show the next " + waiting[0].toLocaleString("en");
    };
    next.addEventListener("click", () => {
      const page = pages.shift();
      waiting.shift();
      const content = page.content;
      addCopyButtons(content);
      list.append(content);
      page.remove();
      read();
      apply();
      next.closest("p").querySelector("span").textContent = "The " + total.toLocaleString("en") + " worst findings are shown here.";
      offer();
    });
    offer();
  }

  read();
  apply();
})();
