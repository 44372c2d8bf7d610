// The day board: what changes elsewhere shows within seconds, and blocks are moved with mouse, finger, pen or keyboard.
// The server draws the board, says whether a place is free, and books; this carries. Without it the board can be read,
// and each block leads to the page on which it is moved.
"use strict";

const board = document.getElementById("board");
const EVERY = 3000; // ms between two looks at what has changed
const TICK = 15000; // ms between two looks at the clock
const PAUSE = 150; // ms that a block rests before the server is asked about its place
const GRID = 5; // minutes
const FAR = 4; // pixels that a pressed mouse moves before it is a drag
const RESTS = 400; // ms that a finger rests on a block before it picks it up
const EDGE = 28; // pixels from the edge of the board within which it rolls on under what is held
const ROLLS = 8; // pixels of one roll

const words = document.getElementById("board-words")?.dataset ?? {};
const says = (text) => (document.getElementById("board-says").textContent = text);
const lists = () => [...board.querySelectorAll(".board-list:not([data-closed])")];
const number = (element, name) => Number(element.dataset[name]);
const between = (least, value, most) => Math.max(least, Math.min(value, most));
const placed = (top, lasts) =>
  `at-h${Math.floor(top / 60)} at-m${top % 60} for-h${Math.floor(lasts / 60)} for-m${lasts % 60}`;

// --- what changes meanwhile -------------------------------------------------------------------------------------

const opened = performance.now();
const now = () => number(board, "now") + (performance.now() - opened) / 1000; // the server's clock
let tag = board.dataset.tag;
let timer = 0;
let kept = null; // a newer board that came while something was carried

function tick() {
  for (const mark of board.querySelectorAll("[data-since]")) mark.hidden = number(mark, "since") > now();
  for (const line of board.querySelectorAll(".board-now")) {
    const minute = Math.floor((now() - number(line.parentElement, "begins")) / 60);
    line.hidden = minute < 0 || minute >= number(line.parentElement, "minutes");
    if (!line.hidden) line.className = `board-now ${placed(minute, 0)}`;
  }
}

function show(text) {
  if (carried) {
    kept = text;
    return;
  }
  kept = null;
  const scroll = board.querySelector(".board-scroll");
  const [left, top] = [scroll?.scrollLeft ?? 0, scroll?.scrollTop ?? 0];
  const focused = board.contains(document.activeElement) ? document.activeElement : null;
  const back = focused?.id || (focused?.matches(".board-scroll") ? "scroll" : focused?.closest("[id]")?.id);
  const inner = focused && !focused.id ? focused.className : "";
  board.innerHTML = text;
  board.querySelector(".board-scroll")?.scrollTo(left, top);
  if (back === "scroll") board.querySelector(".board-scroll")?.focus({ preventScroll: true });
  else if (back) {
    const home = document.getElementById(back);
    (inner ? home?.querySelector(`.${inner}`) : home)?.focus({ preventScroll: true });
  }
  tick();
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  let signedOut = false;
  try {
    const answer = await fetch(board.dataset.live, { headers: { "If-None-Match": tag }, cache: "no-store" });
    signedOut = answer.redirected;
    if (signedOut) lost(document.querySelector("meta[name=signed-out]").content);
    else if (answer.status === 200 || answer.status === 304) {
      lost("");
      tag = answer.headers.get("ETag") ?? tag;
      if (answer.status === 200) show(await answer.text());
    } else lost();
  } catch {
    lost();
  }
  clearTimeout(timer);
  timer = setTimeout(look, signedOut ? 10 * EVERY : EVERY);
}

const warning = document.getElementById("board-lost");
const noConnection = warning.textContent;
function lost(text = noConnection) {
  if (text && warning.textContent !== text) warning.textContent = text;
  warning.hidden = !text;
}

document.addEventListener("visibilitychange", look);
setInterval(tick, TICK);
timer = setTimeout(look, EVERY);

// --- carrying a block -------------------------------------------------------------------------------------------

let carried = null; // {block, ghost, list, minute, lasts, before, answer, asked, byKeys, resizes, grab}

function pick(block, { byKeys = false, resizes = false, grab = 0 } = {}) {
  const home = block.closest(".board-list");
  const list = home ?? lists().find((one) => one.dataset.modality === block.dataset.modality) ?? lists()[0];
  if (!list) return;
  const ghost = document.createElement("li");
  ghost.append(document.createElement("span"));
  const soon = Math.ceil((now() - number(list, "begins")) / 60 / GRID) * GRID + number(list, "first");
  const minute = home ? number(block, "minute") : soon;
  const lasts = number(block, "lasts");
  const before = { list: home, minute, lasts };
  carried = { block, ghost, list: null, minute, lasts, before, answer: null, asked: 0, byKeys, resizes, grab };
  block.classList.add("is-carried");
  board.classList.add("is-carrying");
  if (byKeys) says(words.picked);
  if (byKeys) hold(list, minute, lasts);
}

// Put the ghost somewhere and ask about the place as soon as it rests there.
function hold(list, minute, lasts) {
  const first = number(list, "first");
  const last = first + number(list, "minutes");
  lasts = between(GRID, lasts, 24 * 60);
  minute = between(first, minute, Math.max(first, last - Math.min(lasts, GRID)));
  if (list === carried.list && minute === carried.minute && lasts === carried.lasts) return;
  Object.assign(carried, { list, minute, lasts, answer: null });
  const { ghost } = carried;
  ghost.className = `board-block board-ghost ${placed(minute - first, lasts)}`;
  ghost.firstChild.textContent = words.asking;
  if (ghost.parentElement !== list) list.append(ghost);
  if (carried.byKeys) ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
  clearTimeout(carried.asked);
  carried.asked = setTimeout(ask, PAUSE);
}

const place = () => ({
  station: carried.list.dataset.station,
  day: carried.list.dataset.day,
  minute: carried.minute,
  minutes: carried.lasts,
  days: board.dataset.days,
});
const isBack = ({ before, list, minute, lasts }) =>
  before.list === list && before.minute === minute && before.lasts === lasts;
const addressOf = (what) => `${board.dataset.stepAddress}${carried.block.dataset.step}/${what}/`;

async function ask() {
  const mine = carried;
  clearTimeout(mine.asked);
  const asked = place();
  const answer = await json(`${addressOf("fits")}?${new URLSearchParams(asked)}`);
  if (mine !== carried || !answer || JSON.stringify(asked) !== JSON.stringify(place())) return null;
  mine.answer = answer;
  const free = !answer.reasons.length;
  mine.ghost.classList.toggle("is-free", free);
  mine.ghost.classList.toggle("is-taken", !free);
  const text = [answer.where, free ? words.free : answer.reasons.join(" · ")].join(": ");
  mine.ghost.firstChild.textContent = text;
  says(text);
  return answer;
}

async function json(address, options = {}) {
  try {
    const answer = await fetch(address, { cache: "no-store", ...options });
    if (answer.redirected) lost(document.querySelector("meta[name=signed-out]").content);
    else if (answer.ok) return await answer.json();
    else lost();
  } catch {
    lost();
  }
  return null;
}

function leave(text = words.left) {
  if (!carried) return;
  const { block, ghost, asked, byKeys } = carried;
  clearTimeout(asked);
  ghost.remove();
  block.classList.remove("is-carried");
  board.classList.remove("is-carrying");
  carried = null;
  if (text) says(text);
  if (kept !== null) show(kept);
  if (byKeys) document.getElementById(`who-${block.dataset.step}`)?.focus();
}

// --- dropping it ------------------------------------------------------------------------------------------------

const dialog = document.getElementById("board-ask");
const part = (name) => dialog.querySelector(`[data-${name}]`);
const button = (name) => dialog.querySelector(`[data-do=${name}]`);
const why = document.getElementById("board-why");

async function drop() {
  if (!carried.list || isBack(carried)) return leave();
  const answer = carried.answer ?? (await ask());
  if (!answer) return leave();
  open(answer);
}

function open({ where, reasons, insist }) {
  part("who").textContent = carried.block.querySelector(".board-who").textContent.trim();
  part("where").textContent = where;
  refuse(reasons);
  button("move").hidden = reasons.length > 0;
  if (button("overbook")) button("overbook").hidden = !insist;
  document.getElementById("board-why-help").hidden = !insist;
  why.closest("p").hidden = reasons.length > 0 && !insist;
  why.value = "";
  if (!dialog.open) dialog.showModal();
  (reasons.length ? (insist ? why : button("leave")) : button("move")).focus();
}

function refuse(reasons) {
  part("reasons").replaceChildren(
    ...reasons.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
}

// From the cookie, not from the page: who was signed out and in again in another window has a new one.
const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";

async function book(overbook) {
  if (overbook && !why.value.trim()) {
    refuse([words.why]);
    why.focus();
    return;
  }
  const form = new FormData();
  for (const [name, value] of Object.entries(place())) form.set(name, value);
  form.set("seen", carried.block.dataset.seen);
  form.set("reason", why.value);
  if (overbook) form.set("overbook", "1");
  const answer = await json(addressOf("put"), { method: "POST", body: form, headers: { "X-CSRFToken": token() } });
  if (!carried) return;
  if (answer?.done) {
    dialog.close();
    leave(answer.words);
  } else if (answer) open(answer);
  look();
}

if (dialog) {
  dialog.addEventListener("cancel", () => leave());
  button("leave").addEventListener("click", () => (dialog.close(), leave()));
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const pressed = event.submitter?.hidden ? "" : event.submitter?.dataset.do;
    book(pressed === "overbook" || button("move").hidden);
  });
}

// --- with the mouse, a finger or a pen --------------------------------------------------------------------------

let pressed = null; // {block, x, y, nowX, nowY, resizes, grab, rests}
let hasDragged = false;

// A mouse drags at once. A finger or a pen that moves at once rolls the page; one that rests first picks the block up.
board.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary) return;
  hasDragged = false;
  const block = event.target.closest("[data-step]");
  if (!block || event.button !== 0 || carried) return;
  const resizes = event.target.matches(".board-grip");
  const grab = block.closest(".board-list") ? event.clientY - block.getBoundingClientRect().top : 0;
  const [x, y] = [event.clientX, event.clientY];
  const rests = event.pointerType === "mouse" ? 0 : setTimeout(lift, RESTS);
  pressed = { block, x, y, nowX: x, nowY: y, resizes, grab, rests };
});

document.addEventListener("pointermove", (event) => {
  if (!pressed || !event.isPrimary) return;
  Object.assign(pressed, { nowX: event.clientX, nowY: event.clientY });
  if (carried) follow();
  else if (Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) >= (pressed.rests ? 2 * FAR : FAR)) {
    if (pressed.rests) release();
    else lift();
  }
});

// While a finger carries a block the page does not roll under it, and no menu of the browser opens.
const isHeld = () => carried && pressed?.rests;
document.addEventListener("touchmove", (event) => isHeld() && event.cancelable && event.preventDefault(), {
  passive: false,
});
board.addEventListener("contextmenu", (event) => pressed?.rests && event.preventDefault());

function lift() {
  if (!pressed || carried) return;
  pick(pressed.block, pressed);
  if (!carried) return;
  hasDragged = true;
  follow();
  roll();
}

function release() {
  clearTimeout(pressed?.rests);
  pressed = null;
}

// Hold the block where the pointer is, in the part of the board that can be seen.
function follow() {
  if (!carried || !pressed) return;
  const home = carried.resizes && carried.before.list;
  const list = home || listAt(pressed.nowX);
  if (!list) return;
  const [box, seen] = [list, board.querySelector(".board-scroll")].map((one) => one.getBoundingClientRect());
  const height = between(seen.top, pressed.nowY, seen.bottom) - box.top;
  const minutes = (pixels) => (pixels / box.height) * number(list, "minutes");
  const snapped = (value) => Math.round(value / GRID) * GRID;
  const minute = minutes(height) + number(list, "first");
  if (home) hold(list, carried.before.minute, snapped(minute - carried.before.minute));
  else hold(list, snapped(minute - minutes(carried.grab)), carried.lasts);
}

function roll() {
  if (!carried || !pressed) return;
  const part = board.querySelector(".board-scroll");
  const box = part.getBoundingClientRect();
  const way = (before, after) => (before < EDGE ? -ROLLS : after < EDGE ? ROLLS : 0);
  const head = part.querySelector("h2")?.offsetHeight ?? 0;
  const right = pressed.nowX > box.right ? EDGE : box.right - pressed.nowX; // beyond it is the queue
  const [left, top] = [part.scrollLeft, part.scrollTop];
  part.scrollBy(way(pressed.nowX - box.left, right), way(pressed.nowY - box.top - head, box.bottom - pressed.nowY));
  if (left !== part.scrollLeft || top !== part.scrollTop) follow();
  requestAnimationFrame(roll);
}

function listAt(x) {
  return lists().find((list) => {
    const box = list.getBoundingClientRect();
    return box.left <= x && x < box.right;
  });
}

document.addEventListener("pointerup", (event) => {
  if (!event.isPrimary) return;
  release();
  if (carried && !carried.byKeys && !dialog.open) drop();
});
document.addEventListener("pointercancel", () => {
  release();
  if (carried && !carried.byKeys && !dialog.open) leave();
});
board.addEventListener("dragstart", (event) => event.preventDefault());
board.addEventListener(
  "click",
  (event) => {
    // The end of a drag is no click on the link inside the block.
    if (hasDragged) event.preventDefault();
    hasDragged = false;
  },
  true,
);

// --- with the keyboard ------------------------------------------------------------------------------------------

const SHIFTS = { ArrowUp: -GRID, ArrowDown: GRID, PageUp: -60, PageDown: 60 };
const SIDES = { ArrowLeft: -1, ArrowRight: 1 };

document.addEventListener("keydown", (event) => {
  if (dialog?.open || event.ctrlKey || event.altKey || event.metaKey) return;
  const who = event.target.closest(".board-who");
  if (carried) carry(event);
  else if (who && board.contains(who)) walk(event, who);
});

function carry(event) {
  const { list, minute, lasts, byKeys } = carried;
  if (event.key === "Escape") {
    release();
    leave();
  } else if (!byKeys) return;
  else if (event.key === "Tab") return leave();
  else if (event.key === "Enter" || event.key === " ") drop();
  else if (event.key in SHIFTS && event.shiftKey) hold(list, minute, lasts + SHIFTS[event.key]);
  else if (event.key in SHIFTS) hold(list, minute + SHIFTS[event.key], lasts);
  else if (event.key in SIDES) {
    const all = lists();
    hold(all[between(0, all.indexOf(list) + SIDES[event.key], all.length - 1)], minute, lasts);
  } else return;
  event.preventDefault();
}

function walk(event, who) {
  const block = who.closest(".board-block");
  if (event.key === " ") {
    if (block.dataset.step) pick(block, { byKeys: true });
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const all = [...block.parentElement.querySelectorAll(".board-who")];
    all[all.indexOf(who) + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
  } else if (event.key in SIDES) {
    const columns = [...board.querySelectorAll(".board-list, .board-queue ol")];
    const step = SIDES[event.key];
    let at = columns.indexOf(block.parentElement) + step;
    while (columns[at] && !columns[at].querySelector(".board-who")) at += step;
    const height = block.getBoundingClientRect().top;
    const far = (one) => Math.abs(one.getBoundingClientRect().top - height);
    [...(columns[at]?.querySelectorAll(".board-who") ?? [])].sort((a, b) => far(a) - far(b))[0]?.focus();
  } else return;
  event.preventDefault();
}

// --- at the beginning -------------------------------------------------------------------------------------------

tick();
const line = board.querySelector(".board-now:not([hidden])");
const window_ = board.querySelector(".board-scroll");
if (line && window_) window_.scrollTop = Math.max(0, line.offsetTop - window_.clientHeight / 3);
