// Names for those who hear a page: what the admin's own scripts and tables leave without one.
"use strict";

function giveNames() {
  // A cell of a table of rows is called what stands above it.
  for (const cell of document.querySelectorAll(".tabular td")) {
    const heading = cell.closest("table").tHead.rows[0].cells;
    const before = [...cell.parentElement.cells].slice(0, cell.cellIndex);
    const place = before.reduce((sum, one) => sum + one.colSpan, 0);
    let passed = 0;
    const above = [...heading].find((one) => (passed += one.colSpan) > place);
    for (const field of cell.querySelectorAll("input:not([type=hidden]), select, textarea"))
      if (above && !field.labels.length) field.setAttribute("aria-label", above.textContent.trim());
  }
  // A box that suggests while typing stands in the place of a list, and has the name of that.
  for (const box of document.querySelectorAll(".select2-selection")) {
    const list = box.closest(".select2-container").previousElementSibling;
    const name = list?.labels?.[0]?.textContent.trim() || list?.getAttribute("aria-label");
    if (!name) continue;
    box.removeAttribute("aria-labelledby");
    box.setAttribute("aria-label", name);
    box.querySelector("[role=textbox]")?.setAttribute("aria-label", name);
  }
  for (const tip of document.querySelectorAll(".help-tooltip[aria-label]")) tip.setAttribute("role", "img");
}

// Some of the admin's scripts do their work when the page is loaded, some when jQuery says so, which may be later.
window.addEventListener("load", giveNames);
window.django?.jQuery?.(giveNames);
