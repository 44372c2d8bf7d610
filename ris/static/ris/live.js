// What changes on a page while somebody types: lists of suggestions are walked with the arrow keys, chosen with Enter.
// The lists themselves come from the server; htmx brings them. Without JavaScript every form works as it stands.
"use strict";

const listOf = (box) => document.getElementById(box.getAttribute("aria-controls"));
const boxOf = (list) => document.querySelector(`[aria-controls="${list.id}"]`);
const optionsOf = (box) => [...listOf(box).querySelectorAll("[role=option]")];

const isChosen = (option) => option.getAttribute("aria-selected") === "true";
const filled = new WeakSet(); // boxes that a suggestion has filled, until somebody types again

function choose(box, options, place) {
  options.forEach((option, number) => option.setAttribute("aria-selected", String(number === place)));
  if (place < 0) box.removeAttribute("aria-activedescendant");
  else {
    box.setAttribute("aria-activedescendant", options[place].id);
    options[place].scrollIntoView({ block: "nearest" });
  }
}

function close(box) {
  listOf(box).replaceChildren();
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
}

// A suggestion that is no link fills fields of the form: data-fill names them, data-value-NAME is what they get.
function fill(option) {
  for (const name of option.dataset.fill.split(" ")) {
    const field = document.getElementById(`id_${name}`);
    field.value = option.getAttribute(`data-value-${name}`);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const box = boxOf(option.closest("[data-list]"));
  close(box);
  filled.add(box);
  box.focus();
}

// Who types a code and Enter at once means what the list is about to bring, not the form as it stands.
const PATIENCE = 1500; // ms
const asking = new WeakMap(); // box -> {since, entered}
const isAsking = (box) => asking.has(box) && performance.now() - asking.get(box).since < PATIENCE;

document.addEventListener("input", (event) => {
  const box = event.target.closest("[data-chooses]");
  filled.delete(box);
  if (box?.form?.method === "post" && window.htmx) asking.set(box, { since: performance.now(), entered: false });
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) asking.delete(event.detail.elt);
});

document.addEventListener("keydown", (event) => {
  const box = event.target.closest("[data-chooses]");
  if (!box || event.isComposing) return;
  const options = optionsOf(box);
  const now = options.findIndex(isChosen);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length) choose(box, options, (now + step + options.length + (now < 0 && step < 0)) % options.length);
  else if (event.key === "Enter" && now >= 0) options[now].click();
  else if (event.key === "Enter" && isAsking(box)) asking.get(box).entered = true;
  else if (event.key === "Escape" && options.length) close(box);
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const option = event.target.closest("[data-fill]");
  if (option) fill(option);
});

// The answer to what was typed last may come when somebody is further already: it opens no list that was chosen from,
// and what is chosen in the list that it replaces stays so.
const chosen = new WeakMap(); // list -> text of what was chosen in it

document.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  const box = boxOf(detail.target);
  if (detail.xhr.responseURL.includes("/login/")) {
    // Who was signed out meanwhile gets the sign-in page as an answer: say so, and keep what was typed.
    detail.shouldSwap = false;
    detail.target.textContent = document.querySelector("meta[name=signed-out]").content;
  } else if (box && filled.has(box)) detail.shouldSwap = false;
  else if (box) chosen.set(detail.target, optionsOf(box).find(isChosen)?.textContent);
});

document.addEventListener("htmx:afterSwap", (event) => {
  const box = boxOf(event.detail.target);
  if (!box) return;
  const options = optionsOf(box);
  box.setAttribute("aria-expanded", String(options.length > 0));
  choose(box, options, options.findIndex((option) => option.textContent === chosen.get(event.detail.target)));
  const entered = asking.get(box)?.entered;
  asking.delete(box);
  if (entered && options.length === 1) options[0].click();
});

// A form that was refused is gone on with at the first field with an error, wherever an empty one begins.
document.querySelector('#content form [aria-invalid="true"]')?.focus();
