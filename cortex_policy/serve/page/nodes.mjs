// Small tools of the page: what is written into its nodes, and how texts and times are written.

export const find = (id) => document.getElementById(id);
export const clock = { offset: 0 }; // seconds that the server is ahead of this machine

// INVARIANT: texts of others reach the page as text alone; nothing here parses HTML
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Writes a sentence of ours, in which words to type are between backticks.
export function putProse(node, text) {
  if (node.dataset.prose === text) return;
  node.dataset.prose = text;
  node.replaceChildren(...text.split("`").map((part, index) => {
    if (index % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  }));
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

// Makes the children of a list those of the items, keeps nodes that are there already, and what has the focus.
export function list(parent, template, items, keyOf, fill) {
  const nodes = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const keyed = withKeys(items, keyOf), keys = new Set(keyed.map(([key]) => key));
  const focused = document.activeElement, hadFocus = parent.contains(focused);
  for (const [key, node] of nodes) if (!keys.has(key)) node.remove();
  let place = parent.firstElementChild;
  for (const [key, item] of keyed) {
    const node = nodes.get(key) || find(template).content.firstElementChild.cloneNode(true);
    node.dataset.key = key;
    fill(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  if (!hadFocus) return;
  if (!parent.contains(focused)) (parent.closest("section[tabindex]") || find("grants")).focus();
  else if (focused !== document.activeElement) focused.focus(); // it was moved
}

// Gives each item a key; of items that look the same, the second has another one.
function withKeys(items, keyOf) {
  const counts = new Map();
  return items.map((item) => {
    const name = keyOf(item), count = counts.get(name) || 0;
    counts.set(name, count + 1);
    return [`${count} ${name}`, item];
  });
}

// Writes a command whose lines are broken between words, and not after a dash.
function putWords(code, command) {
  if (code.textContent === command) return;
  code.replaceChildren(...command.split(" ").flatMap((word, index) => {
    const part = document.createElement("span");
    part.textContent = word;
    return index ? [" ", part] : [part];
  }));
}

export function fillCommand(node, command, label) {
  const box = node.querySelector(".command"), button = box.querySelector("button");
  show(box, Boolean(command));
  putWords(box.querySelector("code"), command);
  show(button, Boolean(navigator.clipboard)); // only where the browser trusts the connection
  button.setAttribute("aria-label", `Copy the command: ${label}`);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".command button");
  if (!button) return;
  const code = button.previousElementSibling;
  const isDone = await navigator.clipboard.writeText(code.textContent).then(() => true, () => false);
  if (!isDone) getSelection().selectAllChildren(code); // so that its own key copies it
  put(button, isDone ? "Copied" : "Selected");
  tell(isDone ? "Command copied" : "The browser allows no copying; the command is selected");
  setTimeout(() => put(button, "Copy"), 1500);
});

export function tell(text) {
  find("news").textContent = text;
}

export const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
export const moreText = (number, what) => (number > 0 ? `and ${number.toLocaleString("en")} more ${what}` : "");

export function timeText(seconds) {
  const time = new Date(seconds * 1000), today = new Date();
  const clock = time.toLocaleTimeString("en-GB");
  const isToday = time.toDateString() === today.toDateString();
  return isToday ? clock : `${time.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
}

export function spanText(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return left < 60 ? `${left} s` : `${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s`;
}

export const now = () => Date.now() / 1000 + clock.offset; // by the clock of the server

export function fillTime(node, seconds) {
  put(node, timeText(seconds));
  node.dateTime = new Date(seconds * 1000).toISOString();
}
