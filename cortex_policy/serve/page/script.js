// The page of `cortex-policy serve`: asks for the state of the root, and shows it. It sends nothing but questions.
"use strict";

const STORED = "cortex-policy session"; // for this tab and this origin alone, unlike a cookie
const FIRST_DENIED = 8; // the others are shown on request
const POLL_MS = 2000, MAX_PAUSE_MS = 30000, REPLY_MS = 15000;
const find = (id) => document.getElementById(id);
const view = { session: recall(), state: null, tag: "", offset: 0, failures: 0, wake: () => {}, seenAt: null };

function recall() {
  try { return sessionStorage.getItem(STORED) || ""; } catch { return ""; } // storage can be switched off
}

function remember(session) {
  view.session = session;
  try { session ? sessionStorage.setItem(STORED, session) : sessionStorage.removeItem(STORED); } catch { /* as above */ }
}

// --- small tools

// INVARIANT: texts of others reach the page as text alone; nothing here parses HTML
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Writes a sentence of ours, in which words to type are between backticks.
function putProse(node, text) {
  if (node.dataset.prose === text) return;
  node.dataset.prose = text;
  node.replaceChildren(...text.split("`").map((part, index) => {
    if (index % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  }));
}

function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

// Makes the children of a list those of the items, keeps nodes that are there already, and what has the focus.
function list(parent, template, items, keyOf, fill) {
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

function fillCommand(node, command, label) {
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

function tell(text) {
  find("news").textContent = text;
}

const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const moreText = (number, what) => (number > 0 ? `and ${number.toLocaleString("en")} more ${what}` : "");

function timeText(seconds) {
  const time = new Date(seconds * 1000), today = new Date();
  const clock = time.toLocaleTimeString("en-GB");
  const isToday = time.toDateString() === today.toDateString();
  return isToday ? clock : `${time.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
}

function spanText(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  return left < 60 ? `${left} s` : `${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s`;
}

const now = () => Date.now() / 1000 + view.offset; // by the clock of the server

function fillTime(node, seconds) {
  put(node, timeText(seconds));
  node.dateTime = new Date(seconds * 1000).toISOString();
}

// --- the parts of the page

function render(state) {
  const before = view.state;
  view.state = state;
  renderHead(state);
  renderAlarms(state);
  show(find("closed"), false);
  show(find("open"), true);
  show(find("contents"), Boolean(state.grants));
  document.querySelector(".columns").hidden = !state.grants;
  if (state.grants) {
    renderWaiting(state.requests);
    renderDenied(state.denied);
    renderGrants(state);
  }
  renderClocks();
  tellChanges(before, state);
}

function renderHead(state) {
  const isDenied = state.stops.length + state.errors.length > 0;
  const verdict = state.stops.length ? "Stopped: every call is denied" : isDenied ? "Every call is denied" : "Calls can be allowed";
  put(find("root"), state.root);
  put(find("verdict"), verdict);
  find("verdict").className = isDenied ? "bad" : "";
  document.title = `${state.stops.length ? "Stopped" : isDenied ? "Denied" : "cortex-policy"}: ${state.root || "no root"}`;
}

function renderAlarms(state) {
  const stops = state.stops.map((stop) => ({
    title: stop.host ? "Emergency stop of this host: every call is denied" : "Emergency stop: every call is denied",
    why: stop.problem || (stop.reason && `“${stop.reason}”`),
    hint: [stopText(stop), stop.command ? "An operator ends it with" : sentence(stop.hint)].filter(Boolean).join(" "),
    command: stop.command,
  }));
  const errors = state.errors.map((error) => ({ title: "Every call is denied", why: sentence(error.text), hint: sentence(error.hint), command: "" }));
  list(find("alarms"), "alarm", [...stops, ...errors], (one) => one.title, (node, one) => {
    put(node.querySelector("h2"), one.title);
    node.setAttribute("aria-label", one.title);
    putProse(node.querySelector(".why"), one.why);
    putProse(node.querySelector(".hint"), one.hint);
    fillCommand(node, one.command, "end the stop");
  });
}

function stopText(stop) {
  const facts = [stop.by && `by ${stop.by}`, stop.at && `since ${timeText(stop.at)}`].filter(Boolean).join(" ");
  return facts ? `${sentence(facts)}.` : "";
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}` : "");

function fillCall(node, one) {
  put(node.querySelector(".grant"), one.grant);
  put(node.querySelector(".action"), one.action);
  put(node.querySelector(".args"), one.args);
  fillCommand(node, one.command, `${one.grant} ${one.action}`.trim());
}

function renderWaiting(requests) {
  put(find("waiting-count"), String(requests.items.length + requests.more));
  list(find("waiting-list"), "call", requests.items, (one) => one.id, (node, one) => {
    fillCall(node, { ...one, args: [one.args, ...one.paths].filter(Boolean).join("  ") });
    put(node.querySelector(".reason"), `asked by ${one.by}`);
    const time = node.querySelector("time");
    if (one.expires_at === null) return;
    time.dataset.until = one.expires_at;
    time.dataset.after = " left";
    time.dateTime = new Date(one.expires_at * 1000).toISOString();
  });
  const none = requests.problem ? `Requests cannot be read: ${requests.problem}` : "No call waits for a human.";
  putProse(find("waiting-more"), requests.items.length ? moreText(requests.more, "in `cortex-policy approvals`") : none);
}

function renderDenied(denied) {
  put(find("denied-count"), String(denied.items.length + denied.more));
  const button = find("denied-all"), isCut = denied.items.length > FIRST_DENIED && button.getAttribute("aria-expanded") === "false";
  show(find("denied-rest"), denied.items.length > FIRST_DENIED);
  put(button, isCut ? `Show all ${denied.items.length}` : `Show the last ${FIRST_DENIED}`);
  list(find("denied-list"), "call", isCut ? denied.items.slice(0, FIRST_DENIED) : denied.items, (one) => [one.grant, one.action, one.reason, one.args].join("\n"), (node, one) => {
    fillCall(node, one);
    put(node.querySelector(".count"), one.count > 1 ? `${one.count.toLocaleString("en")} times` : "");
    put(node.querySelector(".reason"), one.text);
    putProse(node.querySelector(".note"), sentence(one.note));
    fillTime(node.querySelector("time"), one.at);
  });
  const none = denied.problem ? `None can be shown: ${denied.problem}.` : "None among the last calls of the audit log.";
  putProse(find("denied-more"), isCut ? "" : denied.items.length ? moreText(denied.more, "in `cortex-policy audit show --denied`") : none);
}

function renderGrants(state) {
  const { items, more, total, problem } = state.grants;
  put(find("grants-count"), total.toLocaleString("en"));
  put(find("owner"), state.owner ? `What each allows, and the hits of the last minute as counted for ${state.owner}.` : "What each allows; its budgets cannot be read.");
  if (total > 8) show(find("find-field"), true);
  list(find("grants-list"), "grant", items, (one) => one.id, fillGrant);
  const none = problem ? `They cannot be read: ${problem}.` : total ? "No id of a grant holds this text." : "There are no grants. `cortex-policy new ID` makes one.";
  putProse(find("grants-more"), items.length ? moreText(more, "grants: type a part of an id above") : none);
}

function fillGrant(node, one) {
  put(node.querySelector(".id"), one.id);
  put(node.querySelector(".rate"), one.per_minute ? `${plural(one.per_minute, "call")} a minute for each action` : "");
  putProse(node.querySelector(".state"), one.state ? [one.state, one.problem, one.hint].filter(Boolean).join("; ") : "");
  show(node.querySelector(".allowed"), Boolean(one.tool));
  if (one.tool) fillAllowed(node, one);
  list(node.querySelector(".budgets"), "budget", one.budgets, (budget) => budget.action, (line, budget) => fillBudget(line, one, budget));
  put(node.querySelector(".more"), moreText(one.more_actions, "actions"));
}

function fillAllowed(node, one) {
  show(node.querySelector(".tool"), one.tool !== one.id);
  put(node.querySelector(".tool dd"), one.tool);
  fillWords(node.querySelector(".scopes dd"), one.scopes, one.more_scopes, "any path");
  show(node.querySelector(".arguments"), one.args.length > 0);
  fillWords(node.querySelector(".arguments dd"), one.args, one.more_args, "");
  show(node.querySelector(".class"), one.data_class !== "internal");
  put(node.querySelector(".class dd"), one.approval ? `${one.data_class}: ${one.approval}` : one.data_class);
}

function fillWords(node, words, more, none) {
  const texts = words.length ? [...words, moreText(more, "")].filter(Boolean) : [none];
  if (node.dataset.words === texts.join("\n")) return;
  node.dataset.words = texts.join("\n");
  node.replaceChildren(...texts.map((text, index) => {
    const word = document.createElement("span");
    word.className = index < words.length ? "mono" : "";
    word.textContent = text;
    return word;
  }));
}

function fillBudget(line, grant, budget) {
  const isKnown = budget.used !== null, bar = line.querySelector(".bar"), left = line.querySelector(".left");
  const share = isKnown ? (budget.limit > 0 ? Math.min(1, budget.used / budget.limit) : 1) : 0;
  put(line.querySelector(".action"), budget.action);
  line.className = !isKnown ? "" : share >= 1 ? "full" : share >= 0.8 ? "near" : budget.used === 0 ? "idle" : "";
  show(bar, isKnown);
  if (isKnown) {
    const text = `${budget.used.toLocaleString("en")} of ${budget.limit.toLocaleString("en")} used`;
    bar.querySelector(".used").style.setProperty("--share", share);
    bar.setAttribute("aria-label", `${grant.id} ${budget.action}`);
    bar.setAttribute("aria-valuemax", budget.limit);
    bar.setAttribute("aria-valuenow", Math.min(budget.used, budget.limit));
    bar.setAttribute("aria-valuetext", text);
    if (budget.fits_at) left.dataset.until = budget.fits_at; else delete left.dataset.until;
    left.dataset.before = "full for ";
    if (!budget.fits_at) put(left, text.replace(" used", ""));
  } else {
    delete left.dataset.until;
    put(left, "unknown");
  }
  put(line.querySelector(".note"), budget.problem);
}

function renderClocks() {
  for (const node of document.querySelectorAll("[data-until]")) {
    put(node, `${node.dataset.before || ""}${spanText(Number(node.dataset.until) - now())}${node.dataset.after || ""}`);
  }
  const since = view.seenAt ? timeText(view.seenAt) : "";
  const isStale = view.failures > 0;
  put(find("freshness"), isStale ? `No answer since ${since || "the start"}; trying again` : since && `as of ${since}`);
  find("freshness").className = isStale ? "bad" : "";
}

// Says aloud what an operator must not miss, and nothing else.
function tellChanges(before, state) {
  if (!before) return;
  const alarms = (one) => one.stops.length + one.errors.length;
  const waiting = (one) => (one.requests ? one.requests.items.length + one.requests.more : 0);
  if (alarms(state) > alarms(before)) tell(find("verdict").textContent);
  else if (alarms(before) && !alarms(state)) tell("Calls can be allowed again");
  else if (waiting(state) > waiting(before)) tell(`${plural(waiting(state), "call")} waiting for a human`);
}

// --- how the page is opened, and asks

async function exchangeCode() {
  const code = location.hash.slice(1);
  if (!/^[0-9a-f]+\.[0-9a-f]+$/.test(code)) return;
  history.replaceState(null, "", location.pathname); // so that it is in no bookmark
  const reply = await ask("/page/session", { method: "POST", headers: { Authorization: `Bearer ${code}` } }).catch(() => null);
  if (reply && reply.ok) {
    remember((await reply.json()).session);
    view.tag = "";
  } else if (!view.state) {
    close(reply ? "This link was used before, or is older than a minute." : "The server does not answer.");
  }
}

function ask(path, options) {
  return fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(REPLY_MS), ...options });
}

function close(why) {
  remember("");
  view.state = null;
  view.seenAt = null;
  put(find("closed-why"), why);
  const address = location.port ? location.host : `${location.hostname}:${location.protocol === "https:" ? 443 : 80}`;
  const tls = location.protocol === "https:" ? " --cert FILE --key FILE" : "";
  put(find("closed-command"), `cortex-policy serve --tcp ${address} --token FILE${tls} --link`);
  for (const id of ["root", "verdict", "freshness"]) put(find(id), "");
  for (const id of ["alarms", "waiting-list", "denied-list", "grants-list"]) find(id).replaceChildren();
  document.title = "cortex-policy";
  show(find("open"), false);
  show(find("contents"), false);
  show(find("closed"), true);
}

async function update() {
  const text = find("find").value.trim();
  const headers = {};
  if (view.session) headers.Authorization = `Bearer ${view.session}`;
  if (view.tag) headers["If-None-Match"] = view.tag;
  const reply = await ask(`/page/state${text ? `?find=${encodeURIComponent(text)}` : ""}`, { headers });
  if (reply.status === 401) {
    if (find("closed").hidden) close(view.session ? "The session has ended." : "");
    return false;
  }
  if (!reply.ok && reply.status !== 304) throw new Error(String(reply.status));
  const date = Date.parse(reply.headers.get("Date") || "");
  if (date) {
    if (Math.abs(date / 1000 - now()) > 2) view.offset = (date - Date.now()) / 1000;
    view.seenAt = now();
  }
  view.failures = 0;
  if (reply.status !== 304) {
    view.tag = reply.headers.get("ETag") || "";
    render(await reply.json());
  } else renderClocks();
  return true;
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    view.wake = resolve;
    setTimeout(resolve, milliseconds);
  });
}

async function run() {
  await exchangeCode();
  for (;;) {
    while (document.hidden) await pause(MAX_PAUSE_MS);
    let isOpen = true;
    try {
      isOpen = await update();
    } catch {
      view.failures += 1;
      if (view.failures === 2 && view.state) tell("The server does not answer; what is shown may be old");
      renderClocks();
    }
    await pause(!isOpen ? MAX_PAUSE_MS : Math.min(MAX_PAUSE_MS, POLL_MS * 2 ** Math.min(view.failures, 4)));
  }
}

find("denied-all").addEventListener("click", ({ target }) => {
  target.setAttribute("aria-expanded", String(target.getAttribute("aria-expanded") === "false"));
  renderDenied(view.state.denied);
});
document.addEventListener("visibilitychange", () => view.wake());
addEventListener("hashchange", async () => { await exchangeCode(); view.wake(); });
let typing = 0;
find("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { view.tag = ""; view.wake(); }, 200);
});
setInterval(renderClocks, 1000);
run();
