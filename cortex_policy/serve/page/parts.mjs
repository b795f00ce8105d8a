// The parts of the page: what the server says of the root becomes what is seen of it.

import { fillCommand, fillTime, find, list, moreText, now, plural, put, putProse, show, spanText, tell, timeText } from "/page/nodes.mjs";

const FIRST_DENIED = 8; // the others are shown on request

export function render(state, before) {
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
  renderCountdowns();
  if (before) tellChanges(before, state);
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

export function renderDenied(denied) {
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
  const none = denied.problem ? `${sentence(denied.problem)}.` : "None among the last calls of the audit log.";
  putProse(find("denied-more"), isCut ? "" : denied.items.length ? moreText(denied.more, "in `cortex-policy audit show --denied`") : none);
}

function renderGrants(state) {
  const { items, more, total, problem } = state.grants;
  put(find("grants-count"), total.toLocaleString("en"));
  put(find("owner"), !items.length ? "" : state.owner ? `What each allows, and the hits of the last minute as counted for ${state.owner}.` : "What each allows; its budgets cannot be read.");
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

export function renderCountdowns() {
  for (const node of document.querySelectorAll("[data-until]")) {
    put(node, `${node.dataset.before || ""}${spanText(Number(node.dataset.until) - now())}${node.dataset.after || ""}`);
  }
}

// Says aloud what an operator must not miss, and nothing else.
function tellChanges(before, state) {
  const alarms = (one) => one.stops.length + one.errors.length;
  const waiting = (one) => (one.requests ? one.requests.items.length + one.requests.more : 0);
  if (alarms(state) > alarms(before)) tell(find("verdict").textContent);
  else if (alarms(before) && !alarms(state)) tell("Calls can be allowed again");
  else if (waiting(state) > waiting(before)) tell(`${plural(waiting(state), "call")} waiting for a human`);
}
