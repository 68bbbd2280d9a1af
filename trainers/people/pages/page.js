// Comfort only: without this script every page works the same.
"use strict";

// The reader of a screen begins with the fault, or with the new heading.
(document.querySelector("[role=alert]") || document.querySelector("h1"))?.focus();

// What is sent once is not sent twice, and whoever sends something need not be told of the change.
const leaving = new AbortController();
document.addEventListener("submit", (event) => {
  const { target } = event;
  if (target.dataset.sent) event.preventDefault();
  target.dataset.sent = "yes";
  setTimeout(() => target.querySelectorAll("button").forEach((button) => (button.disabled = true))); // it is sent too
  leaving.abort();
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
  for (const button of document.querySelectorAll("button")) button.disabled = false;
});

// A slider beside a number field, without a thumb until it is touched: a first value would suggest an answer.
for (const field of document.querySelectorAll("input[data-slider]")) {
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = field.dataset.low;
  slider.max = field.dataset.high;
  slider.step = field.dataset.step;
  slider.className = field.value ? "" : "untouched";
  slider.setAttribute("aria-labelledby", `label-${field.id}`);
  slider.value = field.value || (Number(slider.min) + Number(slider.max)) / 2;
  const take = () => {
    slider.className = "";
    field.value = Number(Number(slider.value).toPrecision(6));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  slider.addEventListener("input", take);
  slider.addEventListener("click", take); // where it stands already, nothing is put in
  field.addEventListener("input", () => {
    slider.className = field.value ? "" : "untouched";
    slider.value = field.value;
  });
  field.after(slider);
}

// What a number means that is being chosen or typed.
for (const echo of document.querySelectorAll("[data-echo]")) {
  const write = (event) => {
    const text = event.target.value;
    const left = Number(echo.dataset.most) - Number(text);
    const meant = text !== "" && left >= 0 && left <= Number(echo.dataset.most);
    echo.textContent = meant ? echo.dataset.echo.replace("{choice}", text).replace("{rest}", left) : "";
  };
  echo.closest("form").addEventListener("input", write);
  echo.closest("form").addEventListener("change", write);
}

// Time that is left, by the clock of the server; only once, near its end, it is read out.
for (const time of document.querySelectorAll("[data-left]")) {
  const until = performance.now() + 1000 * Number(time.dataset.left);
  const [told, aloud] = time.querySelectorAll("b, span");
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    told.textContent = told.textContent.replace(/\d+/, left);
    time.classList.toggle("short", left <= 10);
    if (left === 10) aloud.textContent = time.textContent.trim();
    if (left > 0) setTimeout(tick, 250);
  };
  tick();
}

// The tab calls back whoever looks at another one.
for (const call of document.querySelectorAll("[data-call]")) {
  const title = document.title;
  setInterval(() => (document.title = document.hidden && document.title === title ? `* ${call.dataset.call}` : title), 1000);
}

// A page that shows how far others are loads itself again, but not under the hand of somebody.
for (const page of document.querySelectorAll("[data-again]")) {
  setInterval(() => document.activeElement?.matches("button") || location.reload(), 1000 * Number(page.dataset.again));
}

// Another tab may have gone on: this one follows.
const { wait, seen } = document.body.dataset;
const follow = async (pause) => {
  try {
    const answer = await fetch(`${wait}?seen=${encodeURIComponent(seen)}`, { signal: leaving.signal });
    if (answer.ok && (await answer.json()).seen !== seen) return location.reload();
    pause = answer.ok ? 1 : 2 * pause;
  } catch {
    pause = 2 * pause;
  }
  if (!leaving.signal.aborted) {
    setTimeout(follow, 1000 * pause * (0.75 + Math.random() / 2), Math.min(pause, 8));
  }
};
if (wait) follow(1);
